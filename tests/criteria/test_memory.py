"""Leave-one-out of many points in bounded memory, in a process of its own."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
from dataclasses import replace
import numpy as np
import bayesgmm as bg
from bayesgmm.criteria import predictive
from bayesgmm.data import data_hash
from bayesgmm.result.estimates import Draws

rng = np.random.default_rng(0)
X = rng.standard_normal(({n}, 2)) + 4 * (rng.random(({n}, 1)) < 0.5)
fit = bg.fit(bg.GaussianMixture(2), X[:100], bg.VB(n_init=1), rng=0)
draws = fit.estimate.posterior.sample(rng, {draws}).reshaped(4, -1)
fit = replace(fit, estimate=Draws(draws, {{}}), X=X, n_obs={n}, provenance={{"data_sha256": data_hash(X)}})
predictive.elpd_loo(fit, X[:10])  # imports and compiles
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
score = predictive._by_importance(fit, X)
{again}
assert np.isfinite(score.value)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


def more_gib(draws, n, again=""):
    """GiB that leave-one-out added to the peak."""
    script = SCRIPT.format(draws=draws, n=n, again=again)
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the units of ru_maxrss are the system's")
def test_the_draws_by_points_array_is_never_whole():
    # A block of 64 MiB and the one before it; the whole array would be 0.3 GiB, which is not kept.
    assert more_gib(40_000, 1_000) < 0.2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the units of ru_maxrss are the system's")
def test_many_fits_keep_no_more_than_one():
    # Seven fits of 0.15 GiB each: the values of one of them are kept, beside those of the one that is computed.
    again = "fits = [replace(fit) for _ in range(6)]; [one.pointwise.total() for one in fits]"
    assert more_gib(20_000, 1_000, again=again) < 0.45
