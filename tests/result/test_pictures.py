"""`Fit.plot` and `Mixture.plot`: what they draw is what the fit says, into the axes that are given."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, norm
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.drawing import new_axes
from bayesgmm.result.pictures import NAMES
from bayesgmm.result.regions import REGIONS, SAMPLE, _levels

X = pd.DataFrame(blobs(n=90, d=3, k=2, apart=5.0), columns=["length", "width", "height"])


@pytest.fixture(scope="module")
def fit():
    return bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=3, moves=0), rng=0)


@pytest.mark.parametrize("what", [name for name in NAMES if name != "pairs"])
@pytest.mark.parametrize("columns", [None, "height", ["height", 0]])
def test_it_draws_the_columns_into_the_given_axes(fit, what, columns):
    ax = new_axes(4.0, 3.0)
    assert fit.plot(what, columns=columns, ax=ax) is ax
    labels = {None: ("length", "width"), "height": ("height", None)}.get(columns if columns is None else str(columns))
    x, y = labels or ("height", "length")
    assert ax.get_xlabel() == x and (y is None or ax.get_ylabel() == y)
    assert len(ax._repr_png_()) > 4000


def test_every_class_has_its_points(fit):
    ax = fit.plot(columns=["width", "height"])
    sizes = sorted(len(marks.get_offsets()) for marks in ax.collections)
    assert sizes == sorted(np.bincount(fit.predict(X)).tolist())
    drawn = np.concatenate([marks.get_offsets() for marks in ax.collections])
    assert np.array_equal(np.sort(drawn, axis=0), np.sort(X[["width", "height"]].to_numpy(), axis=0))


def test_the_doubt_is_that_of_the_responsibilities(fit):
    marks = fit.plot("uncertainty").collections[0]
    np.testing.assert_allclose(np.sort(marks.get_array()), np.sort(1.0 - fit.responsibilities(X).max(1)))


def test_pairs_show_every_pair_once(fit):
    figure = fit.plot("pairs")
    assert sum(bool(ax.collections) for ax in figure.axes) == 3 and len(figure.axes) == 9
    assert [ax.get_xlabel() for ax in figure.axes[-3:]] == ["length", "width", "height"]
    assert len(fit.plot("pairs", columns=["width", "length"]).axes) == 4


@pytest.mark.parametrize("d", [1, 2])
def test_regions_hold_what_they_say(d):
    """Of one Gaussian in closed form: the squared distance at the edge is a quantile of chi-square."""
    mixture = bg.Mixture(bg.MixtureParams([1.0], np.zeros((1, d)), [np.eye(d)]))
    peak = norm.logpdf(0.0) * d
    held = chi2(d).cdf(2.0 * (peak - _levels(mixture)))
    np.testing.assert_allclose(held, REGIONS, atol=4.5 * np.sqrt(0.25 / SAMPLE))  # standard errors of a share
    assert mixture.plot().get_xlabel() == "x0"


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_other_kinds_of_fit():
    """Draws have a density at once, and classes when their labels are aligned."""
    plane = X[["length", "width"]]
    draws = bg.fit(bg.GaussianMixture(2), plane, bg.Gibbs(draws=50, tune=50, chains=2), rng=0, throw=False)
    assert draws.plot("density").get_ylabel() == "width"
    with pytest.raises(bg.NotApplicableError, match="relabel"):
        draws.plot()
    assert bg.relabel(draws).plot().get_xlabel() == "length"
    variational = bg.fit(bg.GaussianMixture(2), plane, bg.VB(n_init=2), rng=0)
    assert variational.plot("density").get_xlabel() == variational.plot().get_xlabel() == "length"


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_the_histogram_counts_the_rows_by_their_weights():
    x = np.concatenate([np.random.default_rng(0).normal(size=40), np.random.default_rng(1).normal(10.0, 1.0, size=40)])
    weights = np.repeat([0.1, 1.9], 40)
    weighted = bg.fit(bg.GaussianMixture(2), x[:, None], bg.EM(n_init=2, moves=0), rng=0, sample_weight=weights)
    bars = [bar for bar in weighted.plot("density").patches if bar.get_height() > 0]
    share = sum(bar.get_height() * bar.get_width() for bar in bars if bar.get_x() > 5.0)
    assert share == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.plot("classes"), "what='classes' must be one of 'classification'"),
        (lambda fit: fit.plot(columns="depth"), "no column 'depth'"),
        (lambda fit: fit.plot("density", columns=[0, 1, 2]), "one column or two; what='pairs' shows more"),
        (lambda fit: fit.plot("pairs", ax=new_axes(2.0, 2.0)), "takes no ax="),
        (lambda fit: fit.predictive().plot(), "drawn of one column or two, and there are 3"),
    ],
)
def test_what_cannot_be_drawn_says_why(fit, ask, message):
    with pytest.raises(bg.ArgumentError, match=message):
        ask(fit)
