"""The galaxy data under the priors of Richardson and Green: the number of components, by two samplers."""

import numpy as np
import pytest
from testbed import telescope_twin as twin
from testbed.monte_carlo import Z_LIMIT

import bayesgmm as bg

# The vignette of R's package telescope, version 0.1: one chain of 10,000 sweeps, rounded.
VIGNETTE = {3: 0.05, 4: 0.15, 5: 0.21, 6: 0.20, 7: 0.16, 8: 0.11, 9: 0.06, 10: 0.03, 11: 0.02, 12: 0.01}
VIGNETTE_MEAN = 6.25


@pytest.mark.slow
def test_the_number_of_components_of_the_galaxies():
    from arviz_stats.base import array_stats

    X = twin.galaxies()
    R, middle = np.ptp(X), 0.5 * (X.min() + X.max())
    prior = bg.IndependentNormalInverseWishart([middle], R**2, 4.0, bg.HierarchicalScale(0.2, 5.0 / R**2))
    model = bg.MixtureOfFiniteMixtures(30, "full", bg.Dirichlet(1.0), bg.Uniform(), prior)
    ours = bg.fit(model, X, bg.Gibbs(draws=3000, tune=500, thin=40), rng=1)
    drawn = ours.estimate.sample_stats["n_components"]

    def mean_and_error(values):
        assert array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean") > 1000
        return values.mean(), array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean")

    mean, error = mean_and_error(drawn.astype(float))
    assert abs(mean - twin.MEAN) < Z_LIMIT * np.hypot(error, twin.MEAN_ERROR)
    # Three standard deviations of one such run as the vignette's, whose own error is larger than ours.
    assert abs(mean - VIGNETTE_MEAN) < 3.0 * twin.SHORT_RUN_SD_OF_MEAN
    for k, p in twin.PROBABILITIES.items():
        share, error = mean_and_error((drawn == k).astype(float))
        # The twin made ten times as many sweeps, without moves: half of our error is a generous guess of its own.
        assert abs(share - p) < Z_LIMIT * np.hypot(error, 0.5 * error) + 5e-5
        assert abs(share - VIGNETTE[k]) < 3.0 * twin.SHORT_RUN_SD_OF_FIVE * np.sqrt(VIGNETTE[k] / VIGNETTE[5]) + 0.005
