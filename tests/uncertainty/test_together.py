"""Intervals of fits of every kind in one table."""

from dataclasses import replace

import numpy as np
import pytest
from testbed.pictured import data, draws_fit, point_fit, variational_fit

import bayesgmm as bg


@pytest.fixture(scope="module")
def entries():
    em, vb = point_fit(2, 2), variational_fit(2, 2)
    return {"em": em, "boot": bg.intervals(em, "weighted", replicates=60, rng=0), "vb": vb,
            "draws": bg.relabel(draws_fit(2, 2))}  # fmt: skip


def test_quantiles_of_draws_are_those_of_the_summary(entries):
    for name in ("vb", "draws"):
        ours, theirs = bg.intervals(entries[name]).table, entries[name].summary()
        shared = theirs.index
        np.testing.assert_allclose(ours.loc[shared, "estimate"], theirs["mean"], rtol=1e-12)
        np.testing.assert_allclose(ours.loc[shared, "se"], theirs["sd"], rtol=1e-12)
        np.testing.assert_allclose(ours.loc[shared, ["lower", "upper"]], theirs[["q5", "q95"]], rtol=1e-12)


def test_unaligned_draws_are_refused_with_what_to_do():
    with pytest.raises(bg.NotApplicableError, match="bg.relabel"):
        bg.intervals(draws_fit(2, 2))
    assert "weight[0]" in bg.intervals(draws_fit(2, 1)).table.index  # one component needs no order


def test_one_table_has_all_and_components_agree(entries):
    turned = entries["vb"]
    posterior = turned.estimate.posterior
    components = posterior.components
    order = np.array([1, 0])
    swapped = replace(
        components, mean=components.mean[order], mean_precision=components.mean_precision[order],
        dof=components.dof[order], scale=components.scale[order],
    )  # fmt: skip
    weights = bg.Dirichlet(np.asarray(posterior.weights.concentration)[order])
    turned = replace(
        turned, estimate=replace(turned.estimate, posterior=replace(posterior, weights=weights, components=swapped))
    )
    together = bg.compare_intervals({**entries, "turned": turned})
    table = together.table
    assert set(table.index.get_level_values("fit")) == {*entries, "turned"}
    for parameter in ("weight[0]", "mean[1, eruptions]", "sd[0, waiting]"):
        rows = table.loc[parameter]
        assert list(rows.columns) == ["estimate", "se", "lower", "upper"]
        assert np.ptp(rows["estimate"]) < 2 * rows["se"].max()  # the same component in every fit
        assert rows["lower"].max() < rows["upper"].min()
    assert list(dict.fromkeys(table.index.get_level_values("parameter")))[:2] == ["weight[0]", "weight[1]"]
    assert "replicates" in together.reasons["boot"]


def test_a_fit_without_intervals_keeps_its_reason(entries):
    together = bg.compare_intervals({"nuts": draws_fit(2, 2), "em": entries["em"]})
    assert "not aligned" in together.reasons["nuts"] and list(together.rows) == ["em"]
    with pytest.raises(bg.NotApplicableError, match="not aligned"):
        bg.compare_intervals({"nuts": draws_fit(2, 2)})


def test_what_cannot_stand_in_one_table(entries):
    other = bg.fit(bg.GaussianMixture(2), data(2).to_numpy()[1:], bg.EM(), rng=0)
    for bad, match in (
        ({"em": entries["em"], "more": point_fit(2, 3)}, "number of components"),
        ({"em": entries["em"], "other": other}, "different data"),
        ({"boot": bg.intervals(entries["em"], level=0.5)}, "level"),
        ({}, "dict"),
        ({"em": 3}, "Fit or Intervals"),
    ):
        with pytest.raises(bg.ArgumentError, match=match):
            bg.compare_intervals(bad)
