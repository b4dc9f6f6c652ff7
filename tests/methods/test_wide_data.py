"""Very many columns with diagonal covariances: no engine makes a matrix of columns by columns."""

import tracemalloc

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.criteria.baseline import kmeans_baseline

N_FEATURES = 6000  # a matrix of so many columns takes 288 MB
METHODS = {
    "EM": bg.EM(n_init=2, max_iter=20),
    "EM by its parameters": bg.EM(n_init=2, tol=None, param_tol=1e-3, max_iter=20),
    "MAP": bg.MAP(n_init=2, max_iter=20),
    "VB": bg.VB(n_init=2, max_iter=20),
    "OnlineEM": bg.OnlineEM(),
    "StochasticVB": bg.StochasticVB(),
    "Gibbs": bg.Gibbs(draws=4, tune=2, chains=2, thin=1),
}
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")


def two_groups(n=40):
    return np.random.default_rng(0).normal(size=(n, N_FEATURES)) + np.repeat([[0.0], [1.0]], n // 2, axis=0)


def peak(run):
    """The result, and MB of memory from Python at the highest."""
    tracemalloc.start()
    try:
        return run(), tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("structure", ["diagonal", "spherical"])
@pytest.mark.parametrize("method", METHODS)
def test_no_engine_makes_a_matrix_of_all_columns(method, structure):
    X = two_groups()
    fit, used = peak(lambda: bg.fit(bg.GaussianMixture(2, structure), X, METHODS[method], rng=0))
    assert used < 200  # the data are 2 MB; starts, draws and the memory of the acceleration some tens of times as much
    assert fit.status.is_usable
    if fit.kind == "point":
        labels = fit.predict(X)
        assert len(set(labels[:20])) == len(set(labels[20:])) == 1 and labels[0] != labels[-1]


def test_the_baseline_of_very_many_columns():
    baseline, used = peak(lambda: kmeans_baseline(two_groups(), 2, np.random.default_rng(0)))
    assert used < 100 and len(set(baseline.partition[:20])) == 1 and baseline.partition[0] != baseline.partition[-1]
