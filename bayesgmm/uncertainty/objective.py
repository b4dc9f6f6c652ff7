"""`Objective`: what a point fit maximises, as its derivatives and its replicates need it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.kernels import compiled_em
from bayesgmm.core.kernels.compilation import announced_compilation
from bayesgmm.core.kernels.conjugacy import Conjugate, Parameters
from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.methods.climbing.dominance import resolvable
from bayesgmm.methods.climbing.loop import Stopping, climb
from bayesgmm.methods.em import EM, MAP, MaximumLikelihood
from bayesgmm.models import GaussianMixture
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.fit import Fit
from bayesgmm.rows import Rows

DEFAULT_TOL = 1e-8  # of EM and MAP, where a fit was made by `param_tol` alone


@dataclass(frozen=True, eq=False)
class Objective:
    """A log likelihood, or a log posterior density of (weights, means, covariances).

    Parameters
    ----------
    structure : CovarianceStructure
    excess : Conjugate
        What the prior adds to the counts and moments in the M step (K and R rows as the kernels take them): its
        concentration less one, its mean and mean precision, the denominator of the mode, its scale.  All zero for
        the likelihood.
    max_iter : int
    tol, floor : float
        As of `EM`.
    """

    structure: CovarianceStructure
    excess: Conjugate
    max_iter: int
    tol: float
    floor: float = 0.0

    @classmethod
    def of(cls, fit: Fit) -> Objective:
        """That of a fit by EM or MAP."""
        method, model = fit.method, fit.model
        if not isinstance(method, (EM, MAP)) or not isinstance(model, GaussianMixture):
            raise NotApplicableError(
                f"a fit by {type(method).__name__} need not be at an optimum of the likelihood of all its data: go on "
                "from it with bg.fit(model, X, bg.EM(init=fit.params)), and ask that fit."
            )
        if isinstance(method, EM):
            return cls.maximum_likelihood(model, method, fit.params.n_features)
        return cls(model.covariance, prior_excess(model.conjugate()), method.max_iter, _tol(method))

    @classmethod
    def maximum_likelihood(cls, model: GaussianMixture, method: EM, n_features: int) -> Objective:
        """The log likelihood of a model, climbed with the options of a method."""
        excess = no_prior(model.covariance, model.n_components, n_features)
        return cls(model.covariance, excess, method.max_iter, _tol(method), method.floor)

    def compile(self, X: np.ndarray, start: MixtureParams) -> None:
        """Compile `climbed`, in the main thread, where an interrupt is heard."""
        if self.structure.conjugate is None:
            return  # its loop is not compiled
        with announced_compilation():
            replace(self, max_iter=0).climbed(X[:1], start)

    def climbed(
        self, X: np.ndarray, start: MixtureParams, facts: RowFacts = NO_FACTS
    ) -> tuple[MixtureParams, float, bool]:
        """The optimum above `start`, its objective (NaN where a component vanishes), and whether it has settled.

        The objective lacks the constants of the prior.
        """
        if self.structure.conjugate is None:  # the compiled M step is one of compact arrays
            return self._climbed_by_steps(Rows(X, (), False, facts), start)
        arrays = (start.weights, start.log_weight(), start.means, start.precision_chol)
        params = Parameters(*(np.array(v, float, order="C") for v in arrays))
        params.log_weight[:] += 0.5 * start.n_features * LOG_2PI
        rows = np.ascontiguousarray(X, float)  # of float32 a copy, which spares another kernel
        value, is_settled = compiled_em.climb(rows, facts, self.excess, params, self.max_iter, self.tol)
        n_obs = facts.weights.sum() if len(facts.weights) else len(rows)
        constant = 0.5 * n_obs * start.n_features * LOG_2PI
        return MixtureParams.trusted(params.weights, params.means, params.factors), value - constant, is_settled

    def _climbed_by_steps(self, rows: Rows, start: MixtureParams) -> tuple[MixtureParams, float, bool]:
        """The same by the loop of a single fit, with the family's own M step."""
        whitening = self.structure.whitening(rows.moments(self.structure.form)[1])
        floor = max(self.floor, resolvable(whitening))
        readout = MaximumLikelihood(self.structure, whitening, floor, rows.mean_weight)
        found = climb(rows, readout, readout.admit(start), Stopping(self.max_iter, self.tol, None))
        return found.state, found.objective, found.is_converged


def _tol(method: EM | MAP) -> float:
    return DEFAULT_TOL if method.tol is None else method.tol


def no_prior(structure: CovarianceStructure, n_components: int, n_features: int) -> Conjugate:
    """Zeros: the M step of maximum likelihood."""
    scale = np.zeros(structure.compact_shape(n_components, n_features))
    rows = np.zeros(len(scale))
    return Conjugate(np.zeros(n_components), np.zeros((n_components, n_features)), np.zeros(n_components), rows, scale)


def prior_excess(prior: ConjugateMixture) -> Conjugate:
    """What a prior adds to the M step: its `mode` after an update is `plug_in` of these, updated."""
    components = prior.components
    structure = components.structure
    means_sharing = structure.sharing(components.n_components) * structure.residuals_per_point(components.n_features)
    arrays = (
        np.asarray(prior.weights.concentration) - 1.0, components.mean, components.mean_precision,
        components.dof + components.matrix_size + 1.0 + means_sharing, components.scale,
    )  # fmt: skip
    return Conjugate(*(np.array(array, float, order="C") for array in arrays))
