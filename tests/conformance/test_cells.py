"""Every engine, family, model and kind of rows: it runs and keeps its law, or says that it does not apply."""

from pathlib import Path

import numpy as np
import pytest
from testbed.cases import blobs

import bayesgmm as bg
from conformance.cells import CELLS, ENGINES, MODELS, is_applicable, page

X = blobs(n=20, d=2).astype(np.float32).astype(float)  # values that float32 has exactly
WEIGHTS = np.random.default_rng(2).integers(0, 3, len(X)).astype(float)
SLOW_IN_FLOAT32 = {"Gibbs"}  # its chain is compiled anew for each type of data
OF_EACH_FORM = {"full", "diagonal"}
SLOW = {"NUTS", "ADVI", "Pathfinder"}  # each costs a second or more, so that `make test` runs them once for each form
APPLICABLE = [
    pytest.param(*cell, marks=[pytest.mark.slow] if cell[0] in SLOW and cell[1] not in OF_EACH_FORM else [])
    for cell in CELLS
    if is_applicable(*cell)
]
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")


def fit(engine, family, model, data, **options):
    return bg.fit(MODELS[model](family), data, ENGINES[engine], rng=3, throw=False, **options)


def values(fit):
    draws = fit.estimate.draws()
    return [draws.weights, draws.means, draws.precision_chol]


@pytest.mark.parametrize(("engine", "family", "model"), [cell for cell in CELLS if not is_applicable(*cell)])
def test_what_does_not_apply_says_so(engine, family, model):
    with pytest.raises(bg.NotApplicableError, match=f"{engine} .*can"):
        fit(engine, family, model, X)


@pytest.mark.parametrize(("engine", "family", "model"), APPLICABLE)
def test_a_cell_runs_and_rows_of_weight_zero_are_absent(engine, family, model):
    plain = fit(engine, family, model, X)
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
def test_float32_is_what_it_holds(engine, family, model):
    """Stored as float32, added in float64: the same values give the same bits."""
    plain, single = fit(engine, family, model, X), fit(engine, family, model, X.astype(np.float32))
    for one, other in zip(values(plain), values(single), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(OF_EACH_FORM))
@pytest.mark.parametrize("engine", SLOW_IN_FLOAT32)
def test_float32_of_a_chain(engine, family):
    plain, single = fit(engine, family, "finite", X), fit(engine, family, "finite", X.astype(np.float32))
    for one, other in zip(values(plain), values(single), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_page_of_the_docs_is_this_table():
    assert (Path(__file__).parents[2] / "docs" / "conformance.md").read_text() == page()
