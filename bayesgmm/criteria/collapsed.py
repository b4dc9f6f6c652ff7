"""Predictive densities given the labels of the other points, with means and covariances integrated out.

Importance sampling from the posterior to the one without a point fails where that point holds a component's parameters
in place.  Labels are held far less tightly: with z drawn from p(z | X), the ratio of p(z_-i | X_-i) to p(z_-i | X) is
``p(x_i | X_-i) / p(x_i | z_-i, X_-i)``, whose denominator is a mixture of Student-t densities in closed form.  It takes
finitely many values, so every moment of the ratio exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from bayesgmm.core.density import allocate, responsibilities
from bayesgmm.core.params import MixtureParams
from bayesgmm.families.columns import ALIKE, CORRELATED, SEPARATE
from bayesgmm.models import GaussianMixture, Model
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit

BLOCK_BYTES = 32 * 2**20  # of the scores of all points under some draws
STACKED = "source_chain"  # a statistic of the draws of `stack_chains`, which are no sample of the posterior


@dataclass(frozen=True, eq=False)
class Labelled:
    """Some draws of all labels, and the moments of what each component got.

    Parameters
    ----------
    prior : ConjugateComponents
        With its means relative to `center`, as `first` and `second` are.
    concentration : (K,) array or None
        Of a Dirichlet that the weights are integrated out of; None takes those of the draws.
    weights : (S, K) array
    ones : (S, n, K) array
        Ones at the labels, zeros elsewhere.
    counts, first, second : arrays (S, K), (S, K, D) and (S, K, D, D) or, where diagonal, (S, K, D)
    center : (D,) array
    """

    prior: ConjugateComponents
    concentration: np.ndarray | None
    weights: np.ndarray
    ones: np.ndarray
    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    center: np.ndarray

    def log_density(self, x: np.ndarray, row: int | None) -> np.ndarray:
        """(S,) log densities of x given the labels of the others: of all but `row`, where x is that row."""
        form, x = self.prior.structure.form, x - self.center
        counts, first, second = self.counts, self.first, self.second
        if row is not None:
            one, square = self.ones[:, row], form.outer(x)
            counts, first = counts - one, first - one[..., None] * x
            second = second - _column(one, second.ndim) * square
        precision = self.prior.mean_precision + counts
        pull = self.prior.mean_precision[:, None] * self.prior.mean
        mean = (pull + first) / precision[..., None]
        own = form.outer(self.prior.mean) * _column(self.prior.mean_precision, second.ndim - 1)
        scatter = second + own - form.outer(mean) * _column(precision, second.ndim)
        with np.errstate(divide="ignore"):  # a component that a draw does not have
            share = np.log(self._share(counts))
        return logsumexp(share + self._student_t(x - mean, scatter, counts, precision), axis=1)

    def _share(self, counts: np.ndarray) -> np.ndarray:
        """(S, K) probabilities of the next point's label."""
        if self.concentration is None:
            return self.weights
        excess = self.concentration + counts
        return excess / excess.sum(1, keepdims=True)

    def _student_t(
        self, offset: np.ndarray, scatter: np.ndarray, counts: np.ndarray, precision: np.ndarray
    ) -> np.ndarray:
        """(S, K) log densities at an offset from the means, each structure by its own pooling of the moments."""
        structure, d = self.prior.structure, offset.shape[-1]
        scale, ratio = self.prior.scale + structure.pool(scatter), precision / (precision + 1.0)
        dof = self.prior.dof + structure.residuals_per_point(d) * structure.pool_counts(counts)
        return STUDENT[structure.columns](offset, scale, dof, ratio)


def _of_correlated(offset: np.ndarray, scale: np.ndarray, dof: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    d = offset.shape[-1]
    solved = np.linalg.solve(np.broadcast_to(scale, (*offset.shape, d)), offset[..., None])[..., 0]
    quadratic, log_det = (offset * solved).sum(-1), np.linalg.slogdet(scale)[1]
    return _log_t(dof + 1.0 - d, d, ratio, log_det, quadratic)


def _of_alike(offset: np.ndarray, scale: np.ndarray, dof: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    d, scale = offset.shape[-1], scale[..., 0]
    return _log_t(dof, d, ratio, d * np.log(scale), (offset**2).sum(-1) / scale)


def _of_separate(offset: np.ndarray, scale: np.ndarray, dof: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    return _log_t(dof[..., None], 1, ratio[..., None], np.log(scale), offset**2 / scale).sum(-1)


STUDENT = {CORRELATED: _of_correlated, SEPARATE: _of_separate, ALIKE: _of_alike}


def _log_t(dof: np.ndarray, d: int, ratio: np.ndarray, log_det: np.ndarray, quadratic: np.ndarray) -> np.ndarray:
    """Log multivariate t, `dof` degrees, matrix ``scale / (ratio dof)``; `quadratic` is that of the scale."""
    constant = gammaln(0.5 * (dof + d)) - gammaln(0.5 * dof) - 0.5 * d * np.log(np.pi)
    return constant + 0.5 * d * np.log(ratio) - 0.5 * log_det - 0.5 * (dof + d) * np.log1p(ratio * quadratic)


def has_closed_form(fit: Fit) -> bool:
    """Whether the fit holds draws of a posterior that is conjugate given the labels."""
    if not isinstance(fit.estimate, Draws) or STACKED in fit.estimate.sample_stats:
        return False
    return has_conjugate_prior(fit)


def has_conjugate_prior(fit: Fit) -> bool:
    """Whether means and covariances can be integrated out given the labels."""
    return isinstance(fit.model.prior, NormalInverseWishart)


def as_drawn(fit: Fit) -> MixtureParams:
    """All draws of a fit with one leading axis, in the order that the model gives its components."""
    assert isinstance(fit.estimate, Draws)
    draws = fit.estimate.as_drawn()
    return draws.reshaped(int(np.prod(draws.draw_shape)))


def log_density_left_out(
    model: Model, draws: MixtureParams, X: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(S, m) log p(x_i | labels and values of the others) for each of the m `rows` and (S,) draws."""
    return np.concatenate(
        [np.stack([part.log_density(X[i], i) for i in rows], axis=1) for part in _labelled(model, draws, X, rng)]
    )


def log_density_given_labels(fit: Fit, X: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S,) log predictive densities of a new point (D,), of a fit to X: given labels, not parameters."""
    return np.concatenate([part.log_density(x, None) for part in _labelled(fit.model, as_drawn(fit), X, rng)])


def _labelled(model: Model, draws: MixtureParams, X: np.ndarray, rng: np.random.Generator) -> Iterator[Labelled]:
    """The labels of a block of draws at a time, drawn given the parameters."""
    X = np.asarray(X, float)
    prior, center = model.conjugate().components, X.mean(0)
    moved = ConjugateComponents(prior.structure, prior.mean - center, prior.mean_precision, prior.dof, prior.scale)
    concentration = np.asarray(model.weights.concentration) if isinstance(model, GaussianMixture) else None
    offset = X - center
    squares = prior.structure.form.outer(offset)
    step = max(1, BLOCK_BYTES // (8 * X.size * draws.n_components))
    for begin in range(0, len(draws.weights), step):
        some = draws[begin : begin + step]
        ones = _draw_labels(some, X, rng)
        turned = np.swapaxes(ones, 1, 2)
        second = turned @ squares.reshape(len(X), -1)
        shape = (*turned.shape[:2], *squares.shape[1:])
        yield Labelled(
            moved, concentration, some.weights, ones, ones.sum(1), turned @ offset, second.reshape(shape), center
        )


def _draw_labels(params: MixtureParams, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, n, K) ones at labels drawn in proportion to the parts of each point's density."""
    ones = np.zeros((len(params.weights), len(X), params.n_components))
    for s in range(len(ones)):
        ones[s, np.arange(len(X)), allocate(responsibilities(params[s].scores(), X), rng)] = 1.0
    return ones


def _column(values: np.ndarray, ndim: int) -> np.ndarray:
    return values.reshape(values.shape + (1,) * (ndim - values.ndim))
