"""Means and covariances with independent priors, and a covariance scale that may be unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import positive
from bayesgmm.errors import ArgumentError
from bayesgmm.families.family import capability
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.priors.components import NormalInverseWishart, default_dof
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.constants import Constants


@dataclass(frozen=True, eq=False)
class HierarchicalScale:
    """An unknown scale that all components share, ``scale ~ Gamma(shape, rate)``.

    That is a density in proportion to ``|scale|^(shape - (p+1)/2) exp(-trace(rate scale))``: for full and tied
    covariances (p = D) a Wishart with ``2 shape`` degrees of freedom and mean ``shape rate^-1``; in the other
    structures (p = 1) independent gammas, one for each column, or one in all for round structures.

    With ``sigma2 ~ IG(2, C0)`` and ``C0 ~ Gamma(g, h)``, as it is often written, ``dof=4`` and
    ``scale = 2 C0 ~ Gamma(g, h / 2)``.

    Parameters
    ----------
    shape : float, optional
        Above (p - 1) / 2; by default ``0.2 + (p - 1) / 2``.
    rate : (D, D), (D,) or scalar by the structure; optional
        In inverse squared units of the data; by default ``(100 shape / dof) R^-2`` with the R^2 of
        `IndependentNormalInverseWishart`, so that the expected scale is ``dof R^2 / 100``.

    References
    ----------
    Richardson and Green (1997), Journal of the Royal Statistical Society B 59, 731-792, doi:10.1111/1467-9868.00095.
    """

    shape: float | None = None
    rate: ArrayLike | None = None


@dataclass(frozen=True, eq=False)
class IndependentNormalInverseWishart:
    """``mean_k ~ N(mean, mean_covariance)`` and, independently, ``Sigma_k ~ IW(dof, scale)``.

    Covariances are as in `NormalInverseWishart`, structure by structure.  This prior is not conjugate: `Gibbs`, `NUTS`,
    `ADVI` and `Pathfinder` take it, and `pymc_model`.

    What is left at None is taken from the data, once, when the model meets them.  ``mean`` and
    ``mean_covariance = R^2`` say where the data are.  In one column, and in each column of diagonal covariances, these
    are the midpoint and the squared range, as in Richardson and Green (1997).  Several columns have no range that
    moves with the data under the maps of the other structures (affine for full and tied covariances, rotations for
    round ones): there ``mean`` is the column means and ``R^2 = 4 d^2 S``, with S the covariance of the data (for round
    covariances the mean of the columns' variances) and d the largest distance of a point from the mean in the metric
    of S.  ``dof`` and ``scale``
    are Fraley and Raftery's, as in `NormalInverseWishart`; with a `HierarchicalScale`, ``dof = p + 3``, where p = D
    for full and tied covariances and 1 for the others.

    Parameters
    ----------
    mean : (D,) or (K, D) array, optional
    mean_covariance : (D, D) array for full and tied covariances, (D,) variances or a number for others; optional
        One for all components, in squared units of the data.
    dof : float, optional
        nu0; above D - 1 for full and tied covariances, above 0 otherwise.
    scale : HierarchicalScale, or array as in `NormalInverseWishart`; optional
        Psi0, in squared units of the data, or the prior of it.

    References
    ----------
    Richardson and Green (1997), Journal of the Royal Statistical Society B 59, 731-792, doi:10.1111/1467-9868.00095.
    Fraley and Raftery (2007), Journal of Classification 24, 155-181, doi:10.1007/s00357-007-0004-5.
    """

    mean: ArrayLike | None = None
    mean_covariance: ArrayLike | None = None
    dof: float | None = None
    scale: ArrayLike | HierarchicalScale | None = None

    @property
    def needs_data(self) -> bool:
        """Whether some constant is still to be taken from the data."""
        return self.mean is None or self.needs_spread

    @property
    def needs_spread(self) -> bool:
        """Whether some constant comes from a spread of the data that must have an inverse."""
        unknown = isinstance(self.scale, HierarchicalScale) and self.scale.rate is None
        return self.mean_covariance is None or self.scale is None or unknown

    @property
    def typical_scale(self) -> np.ndarray:
        """A resolved prior's scale, or its expectation."""
        if not isinstance(self.scale, HierarchicalScale):
            return np.asarray(self.scale)
        rate, shape = np.asarray(self.scale.rate), float(self.scale.shape or 0.0)
        return shape / rate if rate.ndim == 1 else shape * np.linalg.inv(rate)

    def constants(self) -> dict[str, np.ndarray]:
        """The constants of a resolved prior, by name."""
        values = dict(vars(self))
        if isinstance(self.scale, HierarchicalScale):
            values |= {"scale_shape": self.scale.shape, "scale_rate": self.scale.rate}
            del values["scale"]
        return {name: np.asarray(value, float) for name, value in values.items()}

    def resolve(
        self,
        structure: CovarianceStructure,
        n_components: int,
        center: np.ndarray,
        spread: np.ndarray,
        squared_range: np.ndarray,
    ) -> IndependentNormalInverseWishart:
        """The same prior with every constant given.

        Parameters
        ----------
        center : (D,) array
            Where the data are.
        spread : (D, D) array, or (D,) array for diagonal structures
            Covariance of the data, or its diagonal.
        squared_range : as `spread`
            R^2.
        """
        d = len(center)
        checked = Constants("IndependentNormalInverseWishart", structure, n_components, d)
        is_known = not isinstance(self.scale, HierarchicalScale)
        default = default_dof(structure, d) if is_known else structure.form.matrix_size(d) + 3
        dof = checked.dof(default if self.dof is None else self.dof)
        if isinstance(self.scale, HierarchicalScale):
            scale = _resolved_hyperprior(self.scale, checked, dof, squared_range)
        else:
            fallback = structure.columns.typical(spread)
            scale = checked.scale(fallback * n_components ** (-2.0 / d) if self.scale is None else self.scale)
        covariance = squared_range if self.mean_covariance is None else self.mean_covariance
        return replace(
            self,
            mean=checked.mean(center if self.mean is None else self.mean),
            mean_covariance=checked.matrix(covariance, "mean_covariance", d),
            dof=dof,
            scale=scale,
        )

    def conjugate(self, structure: CovarianceStructure, n_components: int) -> ConjugateComponents:
        """The conjugate prior nearest to a resolved one, for starts and proposals.

        Its `mean_precision` gives a mean, under the typical covariance, the same total variance in units of
        `mean_covariance`.
        """
        mean, covariance = np.asarray(self.mean), np.asarray(self.mean_covariance)
        d, law = mean.shape[-1], capability(structure, "conjugate")
        scale = np.array(np.broadcast_to(self.typical_scale, law.compact_shape(n_components, d)), float)
        dof = float(self.dof or 0.0)
        trace = law.form.trace_of_ratio(law.expand(scale, n_components, d), covariance)
        means = np.array(np.broadcast_to(mean, (n_components, d)))
        return ConjugateComponents(law, means, trace / (d * dof), np.full(len(scale), dof), scale)


def _resolved_hyperprior(
    prior: HierarchicalScale, checked: Constants, dof: float, squared_range: np.ndarray
) -> HierarchicalScale:
    structure, d = checked.structure, checked.n_features
    n_columns = structure.columns.n_kept(d)
    excess = 0.5 * (structure.form.matrix_size(d) - 1)
    shape = 0.2 + excess if prior.shape is None else positive(prior.shape, "HierarchicalScale: shape")
    if shape <= excess:
        raise ArgumentError(
            f"HierarchicalScale(shape={shape:g}): with covariance={structure.name!r} and {d} columns it must be above "
            f"{excess:g}."
        )
    if prior.rate is None:
        rate = 100.0 * shape / dof * structure.form.inverse(squared_range)[:n_columns]
    else:
        rate = prior.rate
    return HierarchicalScale(shape, checked.matrix(rate, "scale=HierarchicalScale(rate)", n_columns))


ComponentsPrior = NormalInverseWishart | IndependentNormalInverseWishart
COMPONENTS_PRIORS = (NormalInverseWishart, IndependentNormalInverseWishart)
