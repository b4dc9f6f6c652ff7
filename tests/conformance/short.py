"""One short run of each engine, and whether two fits are equal to the last bit."""

import numpy as np

import bayesgmm as bg

ENGINES = {
    "EM": bg.EM(n_init=3),
    "MAP": bg.MAP(n_init=3),
    "VB": bg.VB(n_init=3),
    "OnlineEM": bg.OnlineEM(20),
    "StochasticVB": bg.StochasticVB(20),
    "Gibbs": bg.Gibbs(draws=40, tune=40, chains=2),
    "NUTS": bg.NUTS(draws=30, tune=60, chains=2),
    "ADVI": bg.ADVI(n_iter=2000),
    "Pathfinder": bg.Pathfinder(paths=2),
}


def are_equal(one, other):
    ours, theirs = (each.estimate.draws() for each in (one, other))
    return all(
        np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ("weights", "means", "covariances")
    )
