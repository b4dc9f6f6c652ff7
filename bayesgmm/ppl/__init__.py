"""The models as PyMC models, and the mixture as a PyMC distribution; the only part that imports PyMC."""
