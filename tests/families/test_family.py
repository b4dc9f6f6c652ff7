"""What a family can do is asked in one place, and refused in one wording."""

from dataclasses import dataclass

import numpy as np
import pytest
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.core.sweep import sweep
from bayesgmm.errors import NotApplicableError
from bayesgmm.families.family import Frame, capability
from bayesgmm.families.gaussian import STRUCTURES, Full

X = blobs(n=60)


@dataclass(frozen=True)
class Bare(Full):
    """A family that can be maximised, and nothing else."""

    name = "bare"
    conjugate = None
    coordinates = None


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
@pytest.mark.parametrize("needed", ["conjugate", "coordinates"])
def test_every_gaussian_structure_can_do_everything(structure, needed):
    assert capability(structure, needed).compact_shape(3, 2) == structure.compact_shape(3, 2)


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")  # that is not what is asked
@pytest.mark.parametrize("method", [bg.EM(n_init=2), bg.OnlineEM()], ids=["EM", "OnlineEM"])
def test_maximum_likelihood_asks_no_more_than_the_m_step(method):
    found = bg.fit(bg.GaussianMixture(2, Bare()), X, method, rng=0)
    same = bg.fit(bg.GaussianMixture(2, "full"), X, method, rng=0)
    assert np.array_equal(found.params.precision_chol, same.params.precision_chol)


@pytest.mark.parametrize(
    "method",
    [bg.MAP(), bg.VB(), bg.StochasticVB(), bg.Gibbs(), bg.NUTS(), bg.ADVI(), bg.Pathfinder()],
    ids=lambda method: type(method).__name__,
)
def test_what_a_family_cannot_do_is_refused_in_one_wording(method):
    with pytest.raises(NotApplicableError, match="^this needs a prior that is conjugate.*covariance='bare' has none"):
        bg.fit(bg.GaussianMixture(2, Bare()), X, method, rng=0)


def test_the_posterior_of_a_point_fit_needs_the_prior_too():
    with pytest.raises(NotApplicableError, match="^this needs a prior that is conjugate"):
        bg.sample_prior(bg.GaussianMixture(2, Bare()), X, 3)


def test_pymc_needs_coordinates():
    @dataclass(frozen=True)
    class WithoutCoordinates(Full):
        name = "flat"
        coordinates = None

    with pytest.raises(NotApplicableError, match="^this needs unconstrained coordinates.*covariance='flat' has none"):
        bg.pymc_model(bg.GaussianMixture(2, WithoutCoordinates()), X)


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_an_m_step_does_not_look_at_the_old_mixture(structure):
    fit = bg.fit(bg.GaussianMixture(2, structure), X, bg.EM(n_init=1), rng=0)
    stats, frame = sweep(X, fit.params.scores()), Frame(structure.form.factor(structure.form.identity(2)), 1e-9)
    found, same = structure.maximise(stats, None, frame), structure.maximise(stats, fit.params, frame)
    assert np.array_equal(found.precision_chol, same.precision_chol)
