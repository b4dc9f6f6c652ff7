"""Every engine, family, model and kind of rows: it runs and keeps its law, or says that it does not apply."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.result.estimates import PointEstimate
from conformance.cells import CELLS, ENGINES, GROUPS, MODELS, is_applicable, page, takes_known_rows

X = blobs(n=20, d=2).astype(np.float32).astype(float)  # values that float32 has exactly
WEIGHTS = np.random.default_rng(2).integers(0, 3, len(X)).astype(float)
SLOW_IN_FLOAT32 = {"Gibbs"}  # its chain is compiled anew for each type of data
OF_EACH_FORM = {"full", "diagonal"}
OTHERS_OF_EACH_FORM = {"VEI", "VEV"}
# `make test` runs those that cost most once for each form of covariance, and the others once for each family.
COSTLY = {"NUTS", "ADVI", "Pathfinder", "Gibbs"}


def is_slow(engine, family, model):
    if family in GROUPS["mclust's other eight"]:
        return family not in OTHERS_OF_EACH_FORM
    return family not in OF_EACH_FORM and (engine in COSTLY or model != "finite")


APPLICABLE = [
    pytest.param(*cell, marks=[pytest.mark.slow] if is_slow(*cell) else []) for cell in CELLS if is_applicable(*cell)
]
NAMED = [cell for cell in APPLICABLE if takes_known_rows(cell.values[2])]
LABELS = np.where(np.arange(len(X)) % 3 == 0, (X[:, 0] > np.median(X[:, 0])).astype(int), -1)
OFFSETS = np.random.default_rng(4).normal(size=(len(X), 2))
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")


def fit(engine, family, model, data, **options):
    return bg.fit(MODELS[model](family), data, ENGINES[engine], rng=3, throw=False, **options)


@cache
def plainly(engine, family, model):
    """The fit to the rows as they are, which several tests hold others against."""
    return fit(engine, family, model, X)


def values(fit):
    draws = fit.estimate.draws()
    return [draws.weights, draws.means, draws.precision_chol]


@pytest.mark.parametrize(("engine", "family", "model"), [cell for cell in CELLS if not is_applicable(*cell)])
def test_what_does_not_apply_says_so(engine, family, model):
    with pytest.raises(bg.NotApplicableError, match=f"{engine} .*can|^this needs "):
        fit(engine, family, model, X)


@pytest.mark.parametrize(("engine", "family", "model"), APPLICABLE)
@pytest.mark.few(3)
def test_a_cell_runs_and_rows_of_weight_zero_are_absent(engine, family, model):
    plain = plainly(engine, family, model)
    assert np.isfinite(plain.log_density(X)).all() and plain.n_obs == len(X)
    weighted = fit(engine, family, model, X, sample_weight=WEIGHTS)
    without = fit(engine, family, model, X[WEIGHTS > 0], sample_weight=WEIGHTS[WEIGHTS > 0])
    assert weighted.n_obs == WEIGHTS.sum() and len(weighted.X) == len(X)
    for one, other in zip(values(weighted), values(without), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("engine", "family", "model"),
    [cell for cell in APPLICABLE if cell.values[0] not in SLOW_IN_FLOAT32],
)
@pytest.mark.few(13)
def test_float32_is_what_it_holds(engine, family, model):
    """Stored as float32, added in float64: the same values give the same bits."""
    plain, single = plainly(engine, family, model), fit(engine, family, model, X.astype(np.float32))
    for one, other in zip(values(plain), values(single), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("engine", "family", "model"), NAMED)
@pytest.mark.few(12)
def test_labels_are_the_offsets_that_they_stand_for(engine, family, model):
    allowed = np.where((LABELS < 0)[:, None] | (LABELS[:, None] == np.arange(2)), 0.0, -np.inf)
    labelled, other = (fit(engine, family, model, X, **known) for known in ({"labels": LABELS}, {"offsets": allowed}))
    for one, two in zip(values(labelled), values(other), strict=True):
        np.testing.assert_array_equal(one, two)
    shares = labelled.class_probabilities(X)
    np.testing.assert_allclose(shares, labelled.responsibilities(X))
    assert labelled.estimate.is_aligned and labelled.classes.names == (0, 1)


@pytest.mark.parametrize(("engine", "family", "model"), NAMED)
@pytest.mark.few(11)
def test_one_number_more_in_all_offsets_of_a_row_changes_nothing(engine, family, model):
    """A power of two, so that sums of offsets and scores round alike, but where a score is near zero."""
    given, more = (fit(engine, family, model, X, offsets=OFFSETS + add) for add in (0.0, 0.25))
    assert np.isfinite(given.log_density(X)).all() and given.estimate.is_aligned
    if engine == "Pathfinder":  # whose resampling goes by rank, which rounding may change: the centre is compared
        given, more = (replace(one, estimate=PointEstimate(one.params, None)) for one in (given, more))
    for one, two in zip(values(given), values(more), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-3, atol=2e-3)  # `tol`, and steps whose size the sums decide


@pytest.mark.slow
@pytest.mark.parametrize("family", ["diagonal"])  # the form whose chain compiles sooner
@pytest.mark.parametrize("engine", SLOW_IN_FLOAT32)
def test_float32_of_a_chain(engine, family):
    plain, single = fit(engine, family, "finite", X), fit(engine, family, "finite", X.astype(np.float32))
    for one, other in zip(values(plain), values(single), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_page_of_the_docs_is_this_table():
    assert (Path(__file__).parents[2] / "docs" / "conformance.md").read_text() == page()
