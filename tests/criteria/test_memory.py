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
from bayesgmm.result.estimates import Draws

rng = np.random.default_rng(0)
X = rng.standard_normal(({n}, 2)) + 4 * (rng.random(({n}, 1)) < 0.5)
fit = bg.fit(bg.GaussianMixture(2), X[:100], bg.VB(n_init=1), rng=0)
draws = fit.estimate.posterior.sample(rng, {draws}).reshaped(4, -1)
fit = replace(fit, estimate=Draws(draws, {{}}))
predictive.elpd_loo(fit, X[:10])  # imports and compiles
{fault}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
score = predictive._by_importance(fit, X)
assert np.isfinite(score.value)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


def more_gib(draws, n, fault=""):
    """GiB that leave-one-out added to the peak."""
    script = SCRIPT.format(draws=draws, n=n, fault=fault)
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the units of ru_maxrss are the system's")
def test_the_draws_by_points_array_is_never_whole():
    # A block of 64 MiB and the one before it; the whole array would be 0.3 GiB.
    assert more_gib(40_000, 1_000) < 0.2
