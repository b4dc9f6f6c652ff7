"""NUTS for Dirichlet processes, against exact sums over all labelings and against Gibbs."""

import numpy as np
import pytest
from testbed.label_oracle import LawEnumeration, Sticks, SticksOfGamma
from testbed.monte_carlo import Z_LIMIT, z_score
from testbed.oracle import Constants, default_constants

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.result.diagnostics import diagnose
from bayesgmm.result.fit import fit_once
from bayesgmm.rows import as_rows

pytestmark = pytest.mark.slow

X = bg.load_dataset("faithful").X[:6]
CASES = {"fixed": (0.7, Sticks(3, 0.7)), "gamma": (bg.Gamma(2.0, 1.0), SticksOfGamma(3, 2.0, 1.0))}


@pytest.mark.parametrize(("name", "structure"), [("fixed", "full"), ("gamma", "diagonal"), ("gamma", "tied")])
def test_enumeration(name, structure):
    concentration, law = CASES[name]
    data = as_rows(X)
    model = bg.DirichletProcessMixture(3, structure, concentration, expected_components=3).resolve(data)
    one = default_constants(structure, X, 3)
    constants = Constants(structure, np.ones(3), np.tile(one.mean[0], (3, 1)), np.full(3, 0.01), one.dof, one.scale)
    exact = LawEnumeration(X, constants, law)
    fit = fit_once(model, data, bg.NUTS(draws=10_000, target_accept=0.95), 1)
    draws = fit.estimate.draws()
    points = np.vstack([X[:2], X.mean(0)])
    densities = np.exp(log_density(draws, points))
    found = {"sum_w2": ((draws.weights**2).sum(-1), exact.sum_squared_weights())}
    found |= {f"density {i}": (densities[..., i], np.exp(exact.log_density(x))) for i, x in enumerate(points)}
    if isinstance(law, SticksOfGamma):
        expected = exact.expected(law.log_terms(exact.labelings), law.nodes()[0])
        found["concentration"] = fit.estimate.sample_stats["concentration"], expected
    for what, (values, truth) in found.items():
        assert abs(z_score(values, truth)) < Z_LIMIT, what


def test_agrees_with_gibbs():
    """Galaxies, ten sticks: label-invariant quantities, and the concentration.

    The order of the sticks is what NUTS crosses slowly, and the sum of squared weights and the concentration depend
    on it (some 60 effective draws of 8,000): the status says so, and they are compared with the error that they have.
    """
    data = as_rows(bg.load_dataset("galaxies").X)
    model = bg.DirichletProcessMixture(10).resolve(data)
    nuts = fit_once(model, data, bg.NUTS(draws=3000), 1)
    gibbs = {q.name: q for q in fit_once(model, data, bg.Gibbs(draws=1000), 1).diagnostics.quantities}
    slow = 0
    for a in nuts.diagnostics.quantities:
        b = gibbs[a.name]
        slow += a.ess_bulk < 500
        assert b.ess_bulk > 1000
        assert abs(a.mean - b.mean) < Z_LIMIT * np.hypot(a.mcse, b.mcse), a.name
    assert slow <= 1
    assert nuts.status.is_converged or any(word in nuts.status.sentence for word in ("stack_chains", "diverged"))
    alpha, b = nuts.estimate.sample_stats["concentration"], gibbs["concentration"]
    error = diagnose({"concentration": alpha}).quantities[0].mcse
    assert abs(alpha.mean() - b.mean) < Z_LIMIT * np.hypot(error, b.mcse)
