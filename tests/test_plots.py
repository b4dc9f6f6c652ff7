"""Plots: what is drawn is what the fit says, and nothing is left behind."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from scipy import stats
from testbed.pictured import CHAINS, DRAWS, N_COMPONENTS, data, draws_fit, labels, point_fit, variational_fit

import bayesgmm as bg
from bayesgmm.criteria.columns import COLUMNS
from bayesgmm.errors import ArgumentError, DataError, NotApplicableError
from bayesgmm.partitions.similarity import co_clustering
from bayesgmm.plots import (
    plot_co_clustering,
    plot_components,
    plot_credible_ball,
    plot_criteria,
    plot_density,
    plot_intervals,
    plot_likelihood_ratio,
    plot_loo_pit,
    plot_partition,
    plot_predictive_check,
    plot_ranks,
    plot_responsibilities,
    plot_traces,
)
from bayesgmm.plots.chains import rank_histograms
from bayesgmm.plots.clusters import matched
from bayesgmm.plots.density import marginal_densities
from bayesgmm.plots.partition import similarity_order
from bayesgmm.result.diagnostics import diagnose, invariant_quantities


def visible(figure):
    return [ax for ax in figure.axes if ax.axison]


def lines_of(ax):
    return [artist for artist in ax.collections if isinstance(artist, LineCollection)]


@pytest.fixture(scope="module")
def comparison():
    fits = {f"em-K{k}": point_fit(2, k) for k in (1, 2, 3)} | {f"vb-K{k}": variational_fit(2, k) for k in (1, 2, 3)}
    return bg.compare(fits, folds=2, labels=np.arange(len(data(2))) % 2, rng=0)


# ---- components ----


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_every_draw_has_its_ellipses_in_every_panel(d, covariance):
    point, draws = point_fit(d, 2, covariance), draws_fit(d, 2, covariance)
    figure = plot_components(draws, point, n_draws=7)
    panels = visible(figure)
    assert len(panels) == 2 * d * (d - 1) // 2
    counts = [len(collection.get_segments()) for ax in panels for collection in lines_of(ax)]
    assert counts == [7 * 2] * (len(panels) // 2) + [2] * (len(panels) // 2)
    texts = [text.get_text() for ax in panels for text in ax.texts]
    assert texts == ["0", "1"] * (len(panels) // 2)  # only the point fit's components have numbers


@pytest.mark.parametrize("d", [2, 3])
def test_an_ellipse_holds_ninety_percent_of_its_component(d):
    fit = point_fit(d)
    for ax in visible(plot_components(fit)):
        columns = [fit.feature_names.index(name) for name in panel_columns(ax, fit)]
        for k, outline in enumerate(lines_of(ax)[0].get_segments()):
            mean = fit.params.means[k, columns]
            covariance = fit.params.covariances[k][np.ix_(columns, columns)]
            distance = np.einsum("ij,jk,ik->i", outline - mean, np.linalg.inv(covariance), outline - mean)
            assert np.allclose(stats.chi2(2).cdf(distance), 0.9, atol=1e-8)


def panel_columns(ax, fit):
    """The columns of a panel, whose labels may stand on its neighbours at the grid's edge."""
    place = ax.get_subplotspec()
    column, row = place.colspan.start, place.rowspan.start
    return fit.feature_names[column], fit.feature_names[row + 1]


def test_the_points_are_the_data_in_the_columns_that_the_axes_name():
    figure = plot_components(point_fit(3))
    bottom_left = [ax for ax in visible(figure) if ax.get_xlabel() and ax.get_ylabel()][0]
    (points,) = [c for c in bottom_left.collections if isinstance(c, PathCollection)]
    shown = data(3)[[bottom_left.get_xlabel(), bottom_left.get_ylabel()]].to_numpy()
    np.testing.assert_array_equal(points.get_offsets(), shown)


def test_more_than_four_columns_are_shown_on_their_principal_axes():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6)) @ rng.standard_normal((6, 6)) * [1, 10, 100, 1, 1, 0.01]
    fit = bg.fit(bg.GaussianMixture(1), X, bg.EM(n_init=1), rng=0)
    (ax,) = visible(plot_components(fit))
    assert ax.get_xlabel().startswith("principal axis 1 (") and ax.get_ylabel().startswith("principal axis 2 (")
    (points,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    shown = points.get_offsets()
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(X.T))[::-1]
    np.testing.assert_allclose(shown.var(0), eigenvalues[:2], rtol=1e-10)
    # With one component the fit has the data's own moments, so its ellipse is a circle of that size in units of them.
    outline = lines_of(ax)[0].get_segments()[0] / shown.std(0)
    np.testing.assert_allclose((outline**2).sum(1), stats.chi2(2).ppf(0.9), rtol=1e-8)


def test_one_column_has_a_curve_per_draw_and_an_area_per_component():
    figure = plot_components(draws_fit(1), point_fit(1), n_draws=9)
    many, one = figure.axes
    assert len(lines_of(many)[0].get_segments()) == 9
    *components, mixture = sorted(one.lines, key=lambda line: line.get_linewidth())
    assert len(components) == N_COMPONENTS
    total = sum(line.get_ydata() for line in components)
    np.testing.assert_allclose(total, mixture.get_ydata(), rtol=1e-10)
    grid = mixture.get_xdata()
    np.testing.assert_allclose(np.log(total), point_fit(1).log_density(grid[:, None]), atol=1e-8)


def test_labels_are_shown_and_must_fit():
    figure = plot_components(point_fit(4), labels=labels(4))
    assert {text.get_text() for ax in figure.axes if ax.legend_ for text in ax.legend_.texts} == set(labels(4))
    with pytest.raises(ArgumentError, match="labels"):
        plot_components(point_fit(4), labels=labels(4)[:-1])
    with pytest.raises(ArgumentError, match="at least one fit"):
        plot_components()


def test_components_of_little_weight_are_faint():
    params = bg.MixtureParams([0.99, 0.01], [[2.0, 50.0], [4.0, 80.0]], np.array([np.diag([0.1, 30.0])] * 2))
    fit = point_fit(2, 2)
    fit = replace(fit, estimate=replace(fit.estimate, params=params))
    strong, faint = lines_of(visible(plot_components(fit))[0])[0].get_colors()[:, 3]
    assert strong == 1 and faint < 0.3


# ---- density ----


def test_the_density_in_one_dimension_is_the_predictive_density():
    fit = draws_fit(1)
    (ax,) = plot_density(fit).axes
    (line,) = ax.lines
    np.testing.assert_allclose(line.get_ydata(), np.exp(fit.log_density(line.get_xdata()[:, None])), rtol=1e-10)


@pytest.mark.parametrize("covariance", ["full", "spherical"])
def test_the_band_holds_the_stated_share_of_the_draws(covariance):
    fit, level = draws_fit(2, 3, covariance), 0.8
    for j, ax in enumerate(plot_density(fit, level=level).axes):
        vertices = ax.collections[0].get_paths()[0].vertices
        grid = ax.lines[0].get_xdata()
        params = fit.params.reshaped(-1)
        sd = np.sqrt(params.covariances[..., j, j])
        components = stats.norm(params.means[..., j], sd).pdf(grid[:, None, None])
        densities = (params.weights * components).sum(-1)
        low, high = np.quantile(densities, [0.1, 0.9], axis=1)
        in_middle = np.isin(np.arange(len(grid)), [40, 150, 260])
        for x, lower, upper in zip(grid[in_middle], low[in_middle], high[in_middle], strict=True):
            edges = np.unique(vertices[vertices[:, 0] == x, 1])
            np.testing.assert_allclose(edges, [lower, upper], rtol=1e-8)
        # A mean of densities above 20% of the peak is no more extreme than the 10% of the draws farthest out.
        mean = ax.lines[0].get_ydata()
        dense = mean > 0.2 * mean.max()
        assert (low[dense] < mean[dense]).all() and (mean[dense] < high[dense]).all()


def test_a_marginal_is_the_joint_density_summed_over_the_other_column():
    params = point_fit(2).params.reshaped(1)
    grid = np.linspace(1.5, 5.5, 30)
    other = np.linspace(-100.0, 250.0, 4001)
    points = np.column_stack([np.repeat(grid, len(other)), np.tile(other, len(grid))])
    joint = np.exp(point_fit(2).log_density(points)).reshape(len(grid), -1)
    expected = joint.sum(1) * (other[1] - other[0])
    # The trapezoidal rule of a smooth density on a grid of 0.09 minutes is exact to rounding.
    np.testing.assert_allclose(marginal_densities(params, 0, grid)[0], expected, rtol=1e-8)


def test_a_point_estimate_has_no_band_and_the_legend_says_what_is_what():
    figure = plot_density(draws_fit(2), point_fit(2))
    assert all(len(ax.collections) == 1 and len(ax.lines) == 2 for ax in figure.axes)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["NUTS, K = 3, with 90% band", "EM, K = 3"]
    with pytest.raises(ArgumentError, match="level"):
        plot_density(point_fit(2), level=1.0)


# ---- partitions ----


def test_co_clustering_shows_the_matrix_in_an_order_that_keeps_blocks_together():
    fit = draws_fit(2, 2)
    figure = plot_co_clustering(fit)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(shown, shown.T)
    np.testing.assert_allclose(np.sort(shown.sum(1)), np.sort(co_clustering(fit, fit.X).sum(1)), rtol=1e-10)
    blocks = np.kron(np.eye(3), np.ones((4, 4)))
    order = np.random.default_rng(0).permutation(12)
    found = np.arange(12)[order] // 4
    ordered = found[similarity_order(blocks[np.ix_(order, order)])]
    assert (np.diff(ordered) != 0).sum() == 2


def test_co_clustering_says_when_it_shows_a_subsample():
    figure = plot_co_clustering(point_fit(2), max_points=20, labels=np.arange(len(data(2))) % 3)
    ax = figure.axes[0]
    assert ax.images[0].get_array().shape == (20, 20)
    assert f"an even subsample of 20 of {len(data(2))} points" in ax.get_title()
    with pytest.raises(ArgumentError, match="max_points"):
        plot_co_clustering(point_fit(2), max_points=1)


@pytest.fixture(scope="module")
def partition():
    return bg.partition(draws_fit(2))


def test_a_partition_is_shown_cluster_by_cluster_with_its_uncertainty(partition):
    figure = plot_partition(partition, labels=np.arange(len(partition.labels)) % 2)
    ax = figure.axes[0]
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(np.sort(shown.sum(1)), np.sort(partition.similarity.sum(1)))
    ends = sorted({line.get_xdata()[0] for line in ax.lines if line.get_xdata()[0] == line.get_xdata()[1]})
    np.testing.assert_array_equal(ends, np.cumsum(np.bincount(partition.labels))[:-1] - 0.5)
    first = np.flatnonzero(partition.labels == 0)
    block = shown[: len(first), : len(first)]
    assert block.sum() == pytest.approx(partition.similarity[np.ix_(first, first)].sum())
    (above,) = [child for child in ax.child_axes if child.patches]
    heights = [bar.get_height() for bar in above.patches]
    assert np.mean(heights) == pytest.approx(partition.expected_loss)
    assert "an even subsample of 9" in plot_partition(partition, max_points=9).axes[0].child_axes[0].get_title()


def test_the_ball_is_shown_with_its_radius_and_strips_in_the_colours_of_the_point_partition(partition):
    ball, figure = partition.credible_ball(0.8), plot_credible_ball(partition, 0.8)
    left, right = figure.axes
    assert left.lines[0].get_xdata()[0] == ball.radius
    assert sum(bar.get_height() for bar in left.patches) == pytest.approx(1.0)
    strips = np.asarray(right.images[0].get_array())
    assert strips.shape[:2] == (4, len(partition.labels))
    # The point partition's own strip changes its colour where one cluster ends and the next begins.
    changes = np.flatnonzero((np.diff(strips[0], axis=0) != 0).any(1)) + 1
    np.testing.assert_array_equal(changes, np.cumsum(np.bincount(partition.labels))[:-1])
    assert [text.get_text() for text in right.get_yticklabels()][1] == f"fewest clusters ({ball.upper[0].max() + 1})"
    reference = np.array([0, 0, 0, 1, 1, 2])
    np.testing.assert_array_equal(matched(np.array([1, 1, 2, 0, 0, 0]), reference), [0, 0, 3, 1, 1, 1])
    np.testing.assert_array_equal(matched(np.array([2, 2, 2, 0, 0, 1]), reference), reference)


@pytest.mark.parametrize("plot", [plot_partition, plot_credible_ball])
def test_a_partition_draws_into_a_given_figure_and_leaves_nothing_behind(plot, partition, tmp_path):
    whole = Figure(figsize=(9, 6), layout="constrained")
    _, part = whole.subfigures(1, 2)
    assert plot(partition, figure=part) is part
    whole.savefig(tmp_path / "figure.png")
    assert plot(partition)._repr_png_().startswith(b"\x89PNG") and matplotlib._pylab_helpers.Gcf.figs == {}
    one = bg.partition(np.zeros((3, 2), int))
    assert plot(one)._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ArgumentError, match="max_points"):
        plot(partition, max_points=1)


def test_what_a_partition_cannot_be_shown_with(partition):
    with pytest.raises(ArgumentError, match="labels"):
        plot_partition(partition, labels=[0, 1])
    with pytest.raises(ArgumentError, match="level"):
        plot_credible_ball(partition, level=0.0)


@pytest.mark.parametrize("d", [1, 2])
def test_responsibilities_are_stacked_to_one(d):
    fit = point_fit(d)
    ax = plot_responsibilities(fit).axes[0]
    bars = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    heights = np.array([bar.get_data().values - bar.get_data().baseline for bar in bars]).T
    np.testing.assert_allclose(heights.sum(1), 1.0, rtol=1e-12)
    for below, above in zip(bars, bars[1:], strict=False):
        np.testing.assert_array_equal(above.get_data().baseline, below.get_data().values)
    expected = fit.responsibilities(fit.X)
    if d == 1:
        np.testing.assert_allclose(heights, expected[np.argsort(fit.X[:, 0])], atol=1e-12)
    else:
        assert (np.diff(heights.argmax(1)) >= 0).all()
        np.testing.assert_allclose(np.sort(heights, axis=0), np.sort(expected, axis=0), atol=1e-12)
    with pytest.raises(NotApplicableError, match="not aligned"):
        plot_responsibilities(draws_fit(d))


# ---- intervals ----


def test_every_interval_is_the_tables():
    together = bg.compare_intervals({"em": point_fit(2, 2), "vb": variational_fit(2, 2)})
    figure = plot_intervals(together, families=("weight", "mean"))
    panels = visible(figure)
    assert [ax.get_title() for ax in panels] == ["weight", "mean of eruptions", "mean of waiting"]
    table, origin = together.table, point_fit(2, 2).params.means
    for ax, name in zip(panels, ("weight[{}]", "mean[{}, eruptions]", "mean[{}, waiting]"), strict=True):
        for fit, dots, lines in zip(("em", "vb"), ax.lines, lines_of(ax), strict=False):
            rows = table.loc[[(name.format(k), fit) for k in range(2)]]
            base = 0.0 if "weight" in name else origin[:, panels.index(ax) - 1]
            np.testing.assert_allclose(dots.get_xdata(), rows["estimate"] - base)
            np.testing.assert_allclose(
                [segment[:, 0] for segment in lines.get_segments()], rows[["lower", "upper"]].to_numpy() - np.c_[base]
            )
            np.testing.assert_array_equal(np.round(dots.get_ydata()), [0, 1])


@pytest.mark.parametrize("d", [1, 4])
def test_intervals_of_one_and_of_many_columns(d, tmp_path):
    figure = plot_intervals({"em": point_fit(d, 2), "vb": variational_fit(d, 2)})
    figure.savefig(tmp_path / "figure.png")
    titles = [ax.get_title() for ax in visible(figure)]
    assert len(titles) == 1 + 2 * d and not any("correlation" in title for title in titles)
    with pytest.raises(ArgumentError, match="skewness"):
        plot_intervals({"em": point_fit(d, 2)}, families=("skewness",))


def test_a_likelihood_ratio_stands_among_those_of_its_null():
    test = bg.likelihood_ratio_test(point_fit(1, 1), replicates=20, rng=0)
    ax = plot_likelihood_ratio(test).axes[0]
    assert sum(bar.get_height() for bar in ax.patches) == 20
    assert ax.lines[0].get_xdata()[0] == test.statistic and f"p = {test.p_value:.3f}" in ax.get_title()
    with pytest.raises(ArgumentError, match="likelihood_ratio_test"):
        plot_likelihood_ratio(3.0)


# ---- criteria ----


def test_every_value_and_error_bar_is_the_tables(comparison):
    figure = plot_criteria(comparison)
    table = comparison.table
    upper = figure.axes[: len(figure.axes) // 3]
    n_values = 0
    for ax in upper:
        for container in ax.containers:
            column, method = container.get_label().split(", ")
            is_shown = np.array([comparison.scores[name][column].is_ranked for name in table.index])
            rows = table[(table["method"] == method).to_numpy() & is_shown].sort_values("n_components")
            line, _, (bars,) = container.lines
            np.testing.assert_allclose(line.get_ydata(), rows[column])
            np.testing.assert_array_equal(np.round(line.get_xdata()), rows["n_components"])
            half = np.array([np.ptp(segment[:, 1]) for segment in bars.get_segments()]) / 2
            np.testing.assert_allclose(half, rows[f"{column}_se"].fillna(0), atol=1e-9)
            n_values += len(rows)
    shown = [kind for kind in comparison.columns if kind != "inertia"]  # which always falls with K
    scores = [of_fit[kind] for of_fit in comparison.scores.values() for kind in shown]
    assert n_values == sum(score.is_ranked and not score.is_missing for score in scores)  # VB's LOO is not ranked


def test_the_lower_row_shows_paired_differences(comparison):
    figure = plot_criteria(comparison)
    n_panels = len(figure.axes) // 3
    for upper, lower in zip(figure.axes[:n_panels], figure.axes[n_panels : 2 * n_panels], strict=True):
        if not lower.axison:
            continue
        for above, below in zip(upper.containers, lower.containers, strict=True):
            column, method = above.get_label().split(", ")
            names = sorted(
                (n for n, row in comparison.rows.items() if row.method == method), key=lambda n: n.split("K")[1]
            )
            expected = comparison.differences(column)
            expected = expected.loc[[name for name in names if name in expected.index]]
            assert len(expected) > 0
            np.testing.assert_allclose(below.lines[0].get_ydata(), expected["diff"])
            half = [np.ptp(segment[:, 1]) / 2 for segment in below.lines[2][0].get_segments()]
            np.testing.assert_allclose(half, expected["diff_se"].fillna(0), atol=1e-9)


def test_estimands_never_share_a_panel(comparison):
    figure = plot_criteria(comparison)
    for ax in figure.axes[: len(figure.axes) // 3]:
        columns = [container.get_label().split(", ")[0] for container in ax.containers]
        assert len({(COLUMNS[c].estimand, COLUMNS[c].has_differences) for c in columns}) == 1


def test_what_is_far_below_the_best_is_written_at_the_foot():
    fits = {f"em-K{k}": point_fit(2, k) for k in (1, 2)} | {f"vb-K{k}": variational_fit(2, k) for k in (1, 2, 3)}
    comparison = bg.compare(fits, folds=2, rng=0)
    figure = plot_criteria(comparison)
    lower = figure.axes[len(figure.axes) // 3]
    kinds = ("elpd_kfold", "elpd_loo", "elpd_waic", "aic")
    floor, table = lower.get_ylim()[0], comparison.table
    written = {int(text.xy[0]): text.get_text() for text in lower.texts}
    for k in (1, 2, 3):
        columns = [f"{kind}_diff" for kind in kinds if f"{kind}_diff" in table]  # none of what is not ranked
        diffs = table.loc[table["n_components"] == k, columns].to_numpy().ravel()
        below = diffs[diffs < floor]
        numbers = {f"\N{MINUS SIGN}{round(-diff)}" for diff in (below.max(), below.min())} if len(below) else set()
        assert all(number in written[k] for number in numbers) and bool(numbers) == (k in written)
    assert 1 in written


# ---- chains ----


def test_traces_are_the_label_invariant_quantities():
    fit = draws_fit(2)
    names = ["log_likelihood", "sum_squared_weights"]
    expected = invariant_quantities(fit.params, fit.X)
    figure = plot_traces(fit, names)
    assert len(figure.axes) == 2 and len(plot_traces(fit).axes) == len(fit.diagnostics.quantities)
    for ax, name in zip(figure.axes, names, strict=True):
        np.testing.assert_array_equal([line.get_ydata() for line in ax.lines], expected[name])


def test_traces_of_what_the_sampler_itself_draws():
    fit = draws_fit(2)
    drawn = np.random.default_rng(0).gamma(2.0, size=(CHAINS, DRAWS))
    own = replace(
        fit,
        estimate=replace(fit.estimate, sample_stats={"concentration": drawn, "diverging": drawn > 9}),
        diagnostics=diagnose(invariant_quantities(fit.params, fit.X) | {"concentration": drawn}),
    )
    for plot in (plot_traces, plot_ranks):
        assert len(plot(own).axes) == len(own.diagnostics.quantities)
    lines = plot_traces(own, ["concentration"]).axes[0].lines
    np.testing.assert_array_equal([line.get_ydata() for line in lines], drawn)


def test_ranks_count_every_draw_once_and_show_a_chain_that_is_apart():
    rng = np.random.default_rng(0)
    chains = rng.standard_normal((CHAINS, 200))
    counts = rank_histograms(chains)
    np.testing.assert_array_equal(counts.sum(1), 200)
    np.testing.assert_array_equal(counts.sum(0), CHAINS * 200 / counts.shape[1])
    chains[0] += 100
    apart = rank_histograms(chains)
    np.testing.assert_array_equal(apart[0], [0] * 15 + [40] * 5)
    steps = [p for p in plot_ranks(draws_fit(2)).axes[0].patches if isinstance(p, StepPatch)]
    np.testing.assert_array_equal([step.get_data().values.sum() for step in steps], [DRAWS] * CHAINS)


@pytest.mark.parametrize("plot", [plot_traces, plot_ranks])
def test_chains_need_draws_and_a_known_quantity(plot):
    with pytest.raises(NotApplicableError, match="kind 'point'"):
        plot(point_fit(2))
    with pytest.raises(ArgumentError, match="'nonsense'"):
        plot(draws_fit(2), ["nonsense"])


# ---- all of them ----

PLOTS = [
    (plot_components, draws_fit),
    (plot_density, draws_fit),
    (plot_co_clustering, draws_fit),
    (plot_responsibilities, point_fit),
    (plot_traces, draws_fit),
    (plot_ranks, draws_fit),
]


@pytest.mark.parametrize(("plot", "fit"), PLOTS)
@pytest.mark.parametrize("d", [1, 4])
@pytest.mark.few(2)
def test_a_plot_draws_into_a_given_figure_and_leaves_nothing_behind(plot, fit, d, tmp_path):
    before = dict(matplotlib.rcParams)
    own = plot(fit(d))
    assert own._repr_png_().startswith(b"\x89PNG")
    own.savefig(tmp_path / "figure.svg")
    whole = Figure(figsize=(9, 6), layout="constrained")
    _, part = whole.subfigures(1, 2)
    assert plot(fit(d), figure=part) is part
    whole.savefig(tmp_path / "figure.png")
    assert matplotlib._pylab_helpers.Gcf.figs == {}
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(("plot", "fit"), PLOTS)
def test_a_fit_without_its_data_needs_them(plot, fit):
    bare = replace(fit(2), X=None)
    with pytest.raises(NotApplicableError, match="without its data"):
        plot(bare)
    assert plot(bare, X=data(2)).axes
    with pytest.raises(DataError, match="X has no column 'eruptions'"):
        plot(bare, X=data(4))


def test_components_are_told_apart_by_more_than_eight_colours_without_an_error():
    fit = bg.fit(bg.GaussianMixture(9, "spherical"), data(2), bg.VB(n_init=1), rng=0)
    assert len(lines_of(visible(plot_components(fit, n_draws=2))[0])[0].get_segments()) == 18


# ---- calibration ----


@pytest.mark.parametrize("d", [1, 2])
def test_the_loo_pit_line_is_the_distribution_of_the_values_inside_its_band(d):
    fit = draws_fit(d)
    pit = bg.loo_pit(fit)
    figure = plot_loo_pit(fit, pit=pit)
    assert [ax.get_title() for ax in figure.axes] == list(fit.feature_names)
    for j, ax in enumerate(figure.axes):
        line = max(ax.lines, key=lambda one: len(one.get_xdata()))
        expected = [(pit.values[:, j] <= x).mean() - x for x in line.get_xdata()]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert band.min() < line.get_ydata().min() and line.get_ydata().max() < band.max()


def test_a_wrong_model_leaves_the_band():
    figure = plot_loo_pit(variational_fit(2, 1))
    band, line = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1], figure.axes[0].lines[0].get_ydata()
    assert np.abs(line).max() > band.max()


@pytest.mark.parametrize(("d", "n_panels"), [(1, 3), (2, 6)])
@pytest.mark.parametrize("made", [point_fit, variational_fit, draws_fit])
def test_the_predictive_check_has_a_histogram_and_a_p_value_per_discrepancy(d, n_panels, made):
    fit = made(d)
    check = bg.posterior_predictive_check(fit, n_draws=40)
    figure = plot_predictive_check(fit, check)
    assert len(figure.axes) == n_panels
    for ax, (name, p) in zip(figure.axes, check.p_values.items(), strict=True):
        assert sum(patch.get_height() for patch in ax.patches) == 40
        assert ax.get_title() == f"{name} (p = {p:.2f})"


def test_calibration_plots_refuse_what_they_cannot_show():
    with pytest.raises(NotApplicableError, match="draws of a posterior"):
        plot_loo_pit(point_fit(2))
    with pytest.raises(ArgumentError, match="level="):
        plot_loo_pit(draws_fit(2), level=1.0)
