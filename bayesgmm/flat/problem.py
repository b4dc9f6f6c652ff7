"""A flat posterior's constants and data as one array, so that compiled code can be given it as one pointer.

It holds a header, the prior's constants, the whitened data and what is known of the rows.  Precision factors are
``root @ bartlett``, and the squared Bartlett diagonals are chi2 with 2 half_dof degrees of freedom, or that over the
ratio of an unknown scale to its expectation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.kernels.compilation import jit
from bayesgmm.flat.bartlett import Bartlett

# Total length, n, K, D, rows and columns of half_dof, log normaliser, kind and two constants of the weights, degrees of
# freedom of the scale (0 where it is known), length of the means' own precision; a sampler's: length of the map that
# stands behind all that (0 for none, see `flat_map`), draws made; lengths of the rows' weights and classes, number of
# classes, length of the offsets.
HEADER = 18
WEIGHTS = slice(7, 10)
SCALE_DOF = 10
N_PRECISION, N_MAP, N_DRAWN = 11, 12, 13
N_WEIGHTED, N_CLASSED, N_CLASSES, N_OFFSETS = 14, 15, 16, 17


class Problem(NamedTuple):
    """The array taken apart: views of its parts."""

    constant: float
    law: np.ndarray  # of the weights: their kind, and two constants
    scale_dof: float
    concentration: np.ndarray  # (K,)
    half_dof: np.ndarray  # (R, C)
    mean: np.ndarray  # (K, D)
    kappa: np.ndarray  # (K,)
    precision: np.ndarray  # flat: of the means, where these are independent of the covariances
    root: np.ndarray  # flat


def pack_problem(c: Bartlett, white: np.ndarray, facts: RowFacts = NO_FACTS) -> np.ndarray:
    """The problem array of coordinates, whitened data (n, D) and what is known of their rows."""
    constants = (c.weights.concentration, 0.5 * c.dof, c.mean, c.means.mean_precision, c.means.precision, c.root)
    parts = [np.asarray(array, float).ravel() for array in (*constants, white, *facts)]
    length = HEADER + sum(len(part) for part in parts)
    scale_dof = 0.0 if c.scale is None else c.scale.dof
    n_obs = float(facts.weights.sum()) if len(facts.weights) else len(white)
    header = [length, len(white), *c.mean.shape, *c.dof.shape, c.log_normaliser(n_obs), *c.weights.constants]
    known = [len(facts.weights), len(facts.classes), len(facts.allowed), facts.offsets.size]
    return np.concatenate([np.array([*header, scale_dof, c.means.precision.size, 0.0, 0.0, *known], float), *parts])


@jit
def unpack_problem(problem):
    """The constants, as a `Problem`."""
    n_components, n_features = int(problem[2]), int(problem[3])
    shape, size = (int(problem[4]), int(problem[5])), int(problem[4]) * int(problem[5])
    half_at = HEADER + n_components
    mean_at = half_at + size
    kappa_at = mean_at + n_components * n_features
    precision_at = kappa_at + n_components
    root_at = precision_at + int(problem[N_PRECISION])
    half_dof = problem[half_at:mean_at].reshape(shape)
    mean, kappa = problem[mean_at:kappa_at].reshape((n_components, n_features)), problem[kappa_at:precision_at]
    precision, root = problem[precision_at:root_at], problem[root_at : data_at(problem)]
    law, concentration = problem[WEIGHTS], problem[HEADER:half_at]
    return Problem(problem[6], law, problem[SCALE_DOF], concentration, half_dof, mean, kappa, precision, root)


@jit
def data_at(problem):
    """Where the data begin."""
    n_values = int(problem[1]) * int(problem[3])
    n_allowed = int(problem[N_CLASSES]) * int(problem[2])
    n_known = int(problem[N_WEIGHTED]) + int(problem[N_CLASSED]) + n_allowed + int(problem[N_OFFSETS])
    return len(problem) - n_known - n_values


@jit
def rows_of(problem):
    """The whitened data (n, D), and what is known of their rows."""
    n_obs, n_components, n_features = int(problem[1]), int(problem[2]), int(problem[3])
    begin = data_at(problem)
    weights_at = begin + n_obs * n_features
    classes_at = weights_at + int(problem[N_WEIGHTED])
    allowed_at = classes_at + int(problem[N_CLASSED])
    offsets_at = allowed_at + int(problem[N_CLASSES]) * n_components
    classes = np.empty(allowed_at - classes_at, np.int64)
    for i in range(len(classes)):
        classes[i] = int(problem[classes_at + i])
    allowed = problem[allowed_at:offsets_at].reshape((int(problem[N_CLASSES]), n_components))
    n_offset = int(problem[N_OFFSETS]) // n_components
    offsets = problem[offsets_at:].reshape((n_offset, n_components))
    facts = RowFacts(problem[weights_at:classes_at], classes, allowed, offsets)
    return problem[begin:weights_at].reshape((n_obs, n_features)), facts


@jit
def last_as_matrix(x, n_rows, n_columns):
    """The last entries of x as a matrix."""
    matrix, at = np.empty((n_rows, n_columns)), len(x) - n_rows * n_columns
    for i in range(n_rows):
        for j in range(n_columns):
            matrix[i, j] = x[at]
            at += 1
    return matrix
