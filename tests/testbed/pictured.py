"""Small fits of every kind, for the tests of plots, report and command line."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

import bayesgmm as bg
from bayesgmm.result.diagnostics import diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws

DATASETS = {1: "galaxies", 2: "faithful", 3: "diabetes", 4: "iris"}
N_COMPONENTS, CHAINS, DRAWS = 3, 4, 60


@cache
def data(d: int) -> pd.DataFrame:
    """Every third point of a data set with d columns."""
    known = bg.load_dataset(DATASETS[d])
    return pd.DataFrame(known.X[::3], columns=list(known.feature_names))


@cache
def labels(d: int) -> np.ndarray:
    known = bg.load_dataset(DATASETS[d]).labels
    return known[::3]


@cache
def point_fit(d: int, k: int = N_COMPONENTS, covariance: str = "full") -> bg.Fit:
    return bg.fit(bg.GaussianMixture(k, covariance), data(d), bg.EM(n_init=3), rng=1)


@cache
def variational_fit(d: int, k: int = N_COMPONENTS, covariance: str = "full") -> bg.Fit:
    return bg.fit(bg.GaussianMixture(k, covariance), data(d), bg.VB(n_init=3), rng=1)


@cache
def draws_fit(d: int, k: int = N_COMPONENTS, covariance: str = "full") -> bg.Fit:
    """A fit of kind "draws" whose labels switch: independent draws of a q, each with its components shuffled."""
    fit, rng = variational_fit(d, k, covariance), np.random.default_rng(2)
    q = fit.estimate.posterior.sample(rng, CHAINS * DRAWS)
    order = np.argsort(rng.random(q.weights.shape), axis=1)
    rows = np.arange(len(order))[:, None]
    shuffled = bg.MixtureParams.trusted(q.weights[rows, order], q.means[rows, order], q.precision_chol[rows, order])
    params = shuffled.reshaped(CHAINS, DRAWS)
    return replace(
        fit,
        method=bg.NUTS(draws=DRAWS, chains=CHAINS),
        estimate=Draws(params, {"diverging": np.zeros((CHAINS, DRAWS), bool)}),
        diagnostics=diagnose(invariant_quantities(params, fit.X)),
        history=np.empty(0),
    )
