"""Numbers only (NumPy, SciPy, Numba): parameters, covariance structures, the sweep and densities."""
