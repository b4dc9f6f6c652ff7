"""A flat posterior's constants and data as one array, so that compiled code can be given it as one pointer.

It holds a header, the prior's constants and the whitened data.  Precision factors are ``root @ bartlett``, and the
squared Bartlett diagonals are chi2 with 2 half_dof degrees of freedom, or that over the ratio of an unknown scale to
its expectation.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.compilation import jit
from bayesgmm.ppl.bartlett import Bartlett

# Total length, n, K, D, rows and columns of half_dof, log normaliser, kind and two constants of the weights, degrees of
# freedom of the scale (0 where it is known), length of the means' own precision; a sampler's: length of the map that
# stands behind all that (0 for none, see `flat_map`), draws made.
HEADER = 14
WEIGHTS = slice(7, 10)
SCALE_DOF = 10
N_PRECISION, N_MAP, N_DRAWN = 11, 12, 13


def pack_problem(c: Bartlett, white: np.ndarray) -> np.ndarray:
    """The problem array of coordinates and whitened data (n, D)."""
    arrays = (c.weights.concentration, 0.5 * c.dof, c.mean, c.means.mean_precision, c.means.precision, c.root, white)
    parts = [np.asarray(array, float).ravel() for array in arrays]
    length = HEADER + sum(len(part) for part in parts)
    scale_dof = 0.0 if c.scale is None else c.scale.dof
    header = [length, len(white), *c.mean.shape, *c.dof.shape, c.log_normaliser(len(white)), *c.weights.constants]
    return np.concatenate([np.array([*header, scale_dof, c.means.precision.size, 0.0, 0.0], float), *parts])


@jit
def unpack_problem(problem):
    """concentration (K,), half_dof (R, C), mean (K, D), kappa (K,); and flat: the means' precision, root and data."""
    n_obs, n_components, n_features = int(problem[1]), int(problem[2]), int(problem[3])
    shape, size = (int(problem[4]), int(problem[5])), int(problem[4]) * int(problem[5])
    half_at = HEADER + n_components
    mean_at = half_at + size
    kappa_at = mean_at + n_components * n_features
    precision_at = kappa_at + n_components
    root_at, data_at = precision_at + int(problem[N_PRECISION]), len(problem) - n_obs * n_features
    half_dof = problem[half_at:mean_at].reshape(shape)
    mean, kappa = problem[mean_at:kappa_at].reshape((n_components, n_features)), problem[kappa_at:precision_at]
    precision, root = problem[precision_at:root_at], problem[root_at:data_at]
    return problem[HEADER:half_at], half_dof, mean, kappa, precision, root, problem[data_at:]


@jit
def last_as_matrix(x, n_rows, n_columns):
    """The last entries of x as a matrix."""
    matrix, at = np.empty((n_rows, n_columns)), len(x) - n_rows * n_columns
    for i in range(n_rows):
        for j in range(n_columns):
            matrix[i, j] = x[at]
            at += 1
    return matrix
