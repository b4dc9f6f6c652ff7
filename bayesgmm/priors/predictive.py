"""The density of a new point under a `ConjugateMixture`: a mixture of Student-t components."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesgmm.core.student import StudentMixture
from bayesgmm.families.columns import ALIKE, CORRELATED, SEPARATE, Columns
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.mixture import ConjugateMixture


def predictive(mixture: ConjugateMixture) -> StudentMixture:
    """The distribution of a new point, with all parameters integrated out."""
    components = mixture.components
    factor, dof = STUDENT[components.structure.columns](components)
    return StudentMixture(mixture.weights.mean(), components.mean, factor, dof)


def _multivariate_t(components: ConjugateComponents) -> tuple[np.ndarray, np.ndarray]:
    """Matrix-t marginal: dof nu - D + 1 for Wishart matrices, nu for one variance of all columns."""
    kappa = components.mean_precision
    dof = np.array(np.broadcast_to(components.dof - components.matrix_size + 1.0, kappa.shape))
    # expected_factor carries sqrt(nu); the t's own factor is P sqrt(dof kappa / (kappa + 1)).
    ratio = np.sqrt(dof / components.dof * kappa / (kappa + 1.0))
    factor = components.expected_factor()
    return factor * ratio.reshape(-1, *(1,) * (factor.ndim - 1)), dof


def _product_of_t(components: ConjugateComponents) -> tuple[np.ndarray, np.ndarray]:
    """Independent columns: a product of univariate t, each with its variance's own dof."""
    kappa = components.mean_precision
    factor = components.expected_factor() * np.sqrt(kappa / (kappa + 1.0))[:, None]
    dof = np.broadcast_to(components.dof, kappa.shape)
    return factor, np.repeat(dof[:, None], factor.shape[1], axis=1)


STUDENT: dict[Columns, Callable[[ConjugateComponents], tuple[np.ndarray, np.ndarray]]] = {
    CORRELATED: _multivariate_t,
    SEPARATE: _product_of_t,
    ALIKE: _multivariate_t,
}
