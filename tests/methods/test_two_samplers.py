"""Two samplers, one posterior: NUTS and Gibbs share the model and nothing of the way to draw from it."""

import pytest
from testbed.monte_carlo import Z_LIMIT, z_score

import bayesgmm as bg
from bayesgmm.result.diagnostics import invariant_quantities

pytestmark = pytest.mark.slow
NUTS, GIBBS = bg.NUTS(draws=4000), bg.Gibbs(draws=2000)


@pytest.mark.parametrize(("name", "n_components"), [("faithful", 2), ("diabetes", 3)])
def test_nuts_and_gibbs_agree(name, n_components):
    """Galaxies, K = 3, are held against bayesm by both."""
    X = bg.load_dataset(name).X
    nuts, gibbs = (bg.fit(bg.GaussianMixture(n_components), X, method, rng=4) for method in (NUTS, GIBBS))
    theirs = invariant_quantities(gibbs.params, X)
    for quantity, values in invariant_quantities(nuts.params, X).items():
        assert abs(z_score(values, theirs[quantity])) < Z_LIMIT, quantity
