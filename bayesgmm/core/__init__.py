"""Numbers only (NumPy, SciPy, Numba): the forms of matrices, parameters, the sweep and densities."""
