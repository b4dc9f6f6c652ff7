"""Gaussian mixtures fitted by EM, variational Bayes and MCMC, and compared honestly."""

import lazy_loader

# The names stand in __init__.pyi. Each is imported where it is first used (PEP 562, SPEC 1): Numba alone takes half a
# second to import, and PyMC takes several.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
