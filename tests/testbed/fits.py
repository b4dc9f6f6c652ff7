"""Fits of every kind for tests of what a fit answers; the draws are made by hand from a conjugate posterior."""

from dataclasses import dataclass, replace

import numpy as np

import bayesgmm as bg
from bayesgmm.result.diagnostics import OptimiserDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws, NoEstimate
from bayesgmm.result.method import MethodResult
from bayesgmm.result.status import Outcome, Status
from testbed.cases import blobs, hard_statistics

KINDS = ("point", "variational", "draws")
CHAINS, N_DRAWS = 2, 40


def made(kind, structure="full", k=3, X=None):
    """A fit of one of the kinds to 60 points in two dimensions."""
    X = blobs(seed=2, n=60) if X is None else X
    model = bg.GaussianMixture(k, structure)
    if kind == "point":
        return bg.fit(model, X, bg.EM(n_init=2), rng=1)
    fit = bg.fit(model, X, bg.VB(n_init=2), rng=1)
    return fit if kind == "variational" else as_draws(fit)


def as_draws(fit):
    """A fit that holds draws from the posterior given one partition, components shuffled in each draw."""
    rng, X = np.random.default_rng(3), np.asarray(fit.X, float)
    k = fit.model.n_components
    prior = fit.model.conjugate()
    posterior = prior.update(hard_statistics(X, fit.predict(X), k, prior.components.structure.is_diagonal))
    flat = posterior.sample(rng, CHAINS * N_DRAWS)
    orders = [rng.permutation(k) for _ in range(CHAINS * N_DRAWS)]
    shuffled = [flat[s].permuted(order) for s, order in enumerate(orders)]
    stacked = (np.stack([getattr(p, name) for p in shuffled]) for name in ("weights", "means", "precision_chol"))
    params = bg.MixtureParams.trusted(*stacked).reshaped(CHAINS, N_DRAWS)
    stats = {
        "diverging": np.zeros((CHAINS, N_DRAWS), bool),
        "tree_depth": rng.integers(1, 6, (CHAINS, N_DRAWS)),
        "energy": rng.normal(size=(CHAINS, N_DRAWS)),
    }
    return replace(
        fit,
        method=bg.NUTS(draws=N_DRAWS, tune=0, chains=CHAINS),
        estimate=Draws(params, stats),
        diagnostics=diagnose(invariant_quantities(params, X)),
        history=np.empty(0),
    )


@dataclass(frozen=True)
class Hopeless:
    """A method that never has a result."""

    def run(self, model, data, rng, progress):
        reason = "Every chain diverged; reparametrise."
        nothing = OptimiserDiagnostics((), 0)
        return MethodResult(NoEstimate(reason), Status(Outcome.FAILED, reason), nothing, np.empty(0))
