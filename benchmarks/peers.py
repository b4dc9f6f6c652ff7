"""Both sides of a comparison: so many iterations from given parameters, nothing but the fit itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

import bayesgmm as bg
from bayesgmm.core.density import responsibilities
from bayesgmm.result.estimates import VariationalPosterior
from bayesgmm.result.method import silent
from bayesgmm.rows import as_rows

Fitter = Callable[[np.ndarray, bg.MixtureParams, int], object]


def em_ours(X: np.ndarray, start: bg.MixtureParams, n_iter: int) -> bg.Fit:
    """EM of this package."""
    return quietly(
        lambda: bg.fit(
            bg.GaussianMixture(start.n_components), X, bg.EM(n_iter, tol=None, init=start, accelerate=False), rng=0
        )
    )


def em_sklearn(X: np.ndarray, start: bg.MixtureParams, n_iter: int) -> GaussianMixture:
    """EM of scikit-learn, never stopped early and not regularised."""
    mixture = GaussianMixture(
        start.n_components,
        tol=0.0,
        reg_covar=0.0,
        max_iter=n_iter,
        init_params="random",  # or it runs k-means before it looks at what it is given
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=start.precision_chol @ np.swapaxes(start.precision_chol, 1, 2),
    )
    return quietly(lambda: mixture.fit(X))


def vb_ours(X: np.ndarray, start: bg.MixtureParams, n_iter: int) -> bg.Fit:
    """Variational Bayes of this package."""
    return quietly(
        lambda: bg.fit(
            bg.GaussianMixture(start.n_components), X, bg.VB(n_iter, tol=None, init=start, accelerate=False), rng=0
        )
    )


class _FromResponsibilities(BayesianGaussianMixture):
    """Starts at given responsibilities, which scikit-learn's own options cannot ask for."""

    def _initialize_parameters(self, X, random_state, xp=None):
        self._initialize(X, self.start_)


def vb_sklearn(X: np.ndarray, start: bg.MixtureParams, n_iter: int) -> BayesianGaussianMixture:
    """Variational Bayes of scikit-learn with this package's default priors."""
    return _vb_sklearn(X, start, n_iter, "dirichlet_distribution", start.n_components)


def process_ours(X: np.ndarray, start: bg.MixtureParams, n_iter: int) -> VariationalPosterior:
    """Variational Bayes of this package for a Dirichlet process with concentration 1.

    The method alone: `fit` also reports on the truncation from many draws, which takes longer than a few iterations.
    """
    data = as_rows(X)
    model = bg.DirichletProcessMixture(start.n_components, concentration=1.0).resolve(data)
    return (
        bg.VB(n_iter, tol=None, init=start, accelerate=False)
        .run(model, data, np.random.default_rng(0), silent)
        .estimate
    )


def process_sklearn(X: np.ndarray, start: bg.MixtureParams, n_iter: int) -> BayesianGaussianMixture:
    """That of scikit-learn, whose last stick is a random one too."""
    return _vb_sklearn(X, start, n_iter, "dirichlet_process", 5)


def _vb_sklearn(
    X: np.ndarray, start: bg.MixtureParams, n_iter: int, kind: str, expected: int
) -> BayesianGaussianMixture:
    k, d = start.n_components, X.shape[1]
    mixture = _FromResponsibilities(
        n_components=k,
        tol=0.0,
        reg_covar=0.0,
        max_iter=n_iter,
        weight_concentration_prior_type=kind,
        weight_concentration_prior=1.0,
        mean_prior=X.mean(0),
        mean_precision_prior=0.01,
        degrees_of_freedom_prior=d + 2,
        covariance_prior=np.atleast_2d(np.cov(X.T)) / expected ** (2 / d),
    )
    mixture.start_ = responsibilities(start.scores(), X)
    return quietly(lambda: mixture.fit(X))


FITTERS: dict[str, Fitter] = {f.__name__: f for f in (em_ours, em_sklearn, vb_ours, vb_sklearn)}


def quietly(call: Callable[[], object]):
    """Neither side converges in so few iterations, and both say so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()
