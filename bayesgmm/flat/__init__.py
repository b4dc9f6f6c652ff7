"""The posterior in coordinates without bounds, compiled; it needs no PyMC."""
