"""`fit.pointwise`: one computation for all who ask, within a bound of memory."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from testbed.exact_draws import ExactPosterior

import bayesgmm as bg
from bayesgmm.core import density
from bayesgmm.criteria.predictive import elpd_loo, elpd_waic
from bayesgmm.result import pointwise as module
from bayesgmm.result.pointwise import Pointwise, pointwise_of


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((6, 2))


@pytest.fixture
def fit(X):
    return bg.fit(bg.GaussianMixture(2), X, ExactPosterior(200, chains=2), rng=0)


@pytest.fixture
def passes(monkeypatch):
    """The number of draws of each pass over the data that anybody makes for their log densities."""
    made, blocks = [], density.log_density_blocks

    def counted(params, X, *facts):
        made.append(int(np.prod(params.draw_shape)))
        return blocks(params, X, *facts)

    monkeypatch.setattr(module, "log_density_blocks", counted)
    monkeypatch.setattr(density, "log_density_blocks", counted)
    return made


def whole(blocks):
    return np.concatenate([block for _, block in blocks], axis=1)


def test_the_values_are_those_of_the_densities(fit, X):
    expected = density.log_density(fit.params, X)
    np.testing.assert_array_equal(whole(fit.pointwise.blocks()), expected.reshape(-1, len(X)))
    np.testing.assert_allclose(fit.pointwise.total(), expected.sum(-1), rtol=1e-14)
    chosen = slice(None), np.array([3, 5])
    fresh = Pointwise(fit.estimate.draws, X)
    np.testing.assert_allclose(fresh.total_at(chosen), fit.pointwise.total()[chosen], rtol=1e-14)


def test_nobody_changes_them(fit):
    for _ in range(2):  # when they are computed, and when they were kept
        for _, block in fit.pointwise.blocks():
            with pytest.raises(ValueError, match="read-only"):
                block[0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        fit.pointwise.total()[0] = 0.0
    fit.log_density_draws(fit.X)[0] = 0.0  # a copy, which is the caller's
    assert (fit.log_density_draws(fit.X)[0] != 0.0).all()


def test_criteria_share_one_pass(fit, X, passes):
    fit.pointwise.total()
    assert passes == [400]
    elpd_loo(fit, X.copy())
    elpd_waic(fit, X)
    bg.loo_pit(fit)
    bg.stack_chains(fit)
    bg.log_evidence(fit, "bridge", rng=0)
    fit.to_datatree()
    assert passes.count(400) == 2  # the second one is of the draws of the stack, which are others
    assert set(passes) == {400, 2000}  # and of those that the bridge takes from its law


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
@pytest.mark.slow
def test_a_comparison_makes_one_pass_for_each_fit(fit, passes):
    bg.compare({"ours": replace(fit, method=bg.Gibbs()), "bare": replace(fit, X=None)}, folds=0)
    assert passes.count(400) == 2


def test_data_that_were_changed_are_other_points(fit, X):
    before = whole(fit.pointwise.blocks())
    fit.X[0] += 1.0
    there = pointwise_of(fit, fit.X)
    assert there is not fit.pointwise
    assert (whole(there.blocks())[:, 0] != before[:, 0]).all()
    with pytest.raises(bg.DataError, match="X was changed"):
        _ = replace(fit).pointwise


def test_a_fit_without_data_has_none(fit):
    with pytest.raises(bg.NotApplicableError, match="without its data"):
        _ = replace(fit, X=None).pointwise


def test_they_are_neither_saved_nor_pickled(fit, tmp_path):
    sizes = []
    for name in ("before.nc", "after.nc"):
        fit.save(tmp_path / name)
        sizes.append(len(pickle.dumps(fit)))
        fit.pointwise.total()
    assert (tmp_path / "before.nc").read_bytes() == (tmp_path / "after.nc").read_bytes()
    assert sizes[1] - sizes[0] < 200  # that there is such a thing, and not its 400 x 6 numbers
    back = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(back.pointwise.total(), fit.pointwise.total())


def test_all_fits_together_keep_no_more_than_the_bound(fit, X, monkeypatch, passes):
    monkeypatch.setattr(module, "KEPT_BYTES", 2 * 8 * 400 * len(X))
    monkeypatch.setattr(module, "_room", module._Room())
    fits = [replace(fit) for _ in range(3)]
    for one in fits:
        one.pointwise.total()
    assert [one.pointwise._blocks is not None for one in fits] == [False, True, True]
    assert len(passes) == 3
    whole(fits[0].pointwise.blocks())
    assert len(passes) == 4 and fits[1].pointwise._blocks is None
    monkeypatch.setattr(module, "KEPT_BYTES", 8 * 400 * len(X) - 1)
    large = replace(fit)
    np.testing.assert_array_equal(whole(large.pointwise.blocks()), whole(fits[0].pointwise.blocks()))
    assert large.pointwise._blocks is None
    made = len(passes)
    large.pointwise.total()  # known from the pass that was made for the values
    assert len(passes) == made


def test_a_pass_that_is_given_up_leaves_nothing(fit, monkeypatch):
    monkeypatch.setattr(density, "BLOCK_BYTES", 8 * 400)  # a point at a time
    blocks = fit.pointwise.blocks()
    next(blocks)
    blocks.close()
    assert fit.pointwise._blocks is None and fit.pointwise._total is None
