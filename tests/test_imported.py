"""Draws of other programs: every way to write a covariance down gives one density, and what is wrong is named."""

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from testbed.cases import random_spd

import bayesgmm as bg
from bayesgmm.criteria.predictive import elpd_loo, elpd_waic
from bayesgmm.errors import ArgumentError, DataError, NotApplicableError

CHAINS, DRAWS, K, D = 2, 30, 3, 2
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")


@pytest.fixture(scope="module")
def theirs():
    """Arrays as another program names them, and the data."""
    rng = np.random.default_rng(0)
    shape = (CHAINS, DRAWS)
    spd = random_spd(rng, D)
    covariances = np.stack([spd * s for s in rng.uniform(0.5, 2.0, CHAINS * DRAWS * K)]).reshape(*shape, K, D, D)
    arrays = {
        "theta": rng.dirichlet(np.ones(K), shape),
        "mu": rng.normal(size=(*shape, K, D)) + 3.0 * np.arange(K)[:, None],
        "Sigma": covariances,
        "L": np.linalg.cholesky(covariances),
        "stds": np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1)),
    }
    arrays["packed"] = arrays["L"][..., *np.tril_indices(D)]
    arrays["Omega"] = covariances / arrays["stds"][..., None] / arrays["stds"][..., None, :]
    arrays["P"] = np.swapaxes(np.linalg.inv(arrays["L"]), -1, -2)
    arrays["tied"] = covariances[:, :, 0]
    arrays["T"] = np.linalg.inv(covariances)
    arrays["L_Omega"] = np.linalg.cholesky(arrays["Omega"])
    arrays |= {f"packed_{k}": arrays["packed"][:, :, k] for k in range(K)}
    arrays |= {f"mu_{k}": arrays["mu"][:, :, k] for k in range(K)}
    return arrays, rng.normal(size=(40, D)) + 3.0 * rng.integers(K, size=(40, 1))


def as_tree(arrays, **groups):
    return xr.DataTree.from_dict({"posterior": as_dataset(arrays)} | groups)


def as_dataset(arrays):
    return xr.Dataset(
        {name: (("chain", "draw", *(f"dim_{name}_{i}" for i in range(a.ndim - 2))), a) for name, a in arrays.items()}
    )


def densities(arrays, X, covariances):
    """(draws, n) log densities by SciPy, one component at a time."""
    out = np.empty((CHAINS, DRAWS, len(X)))
    for c, s in np.ndindex(CHAINS, DRAWS):
        parts = [multivariate_normal(arrays["mu"][c, s, k], covariances[c, s, k]).logpdf(X) for k in range(K)]
        out[c, s] = logsumexp(parts, axis=0, b=arrays["theta"][c, s][:, None])
    return out.reshape(-1, len(X))


NAMES = {"weights": "theta", "means": "mu"}


@pytest.mark.parametrize(
    ("given", "structure"),
    [
        ({"covariances": "Sigma"}, "full"),
        ({"chol": "L"}, "full"),
        ({"chol": "packed"}, "full"),
        ({"chol": [f"packed_{k}" for k in range(K)], "means": [f"mu_{k}" for k in range(K)]}, "full"),
        ({"precision_chol": "P"}, "full"),
        ({"precision": "T"}, "full"),
        ({"sd": "stds", "corr": "Omega"}, "full"),
        ({"sd": "stds", "corr_chol": "L_Omega"}, "full"),
        ({"covariances": "tied"}, "tied"),
        ({"sd": "stds"}, "diagonal"),
    ],
)
def test_every_way_to_write_a_covariance(theirs, given, structure):
    arrays, X = theirs
    fit = bg.from_datatree(as_tree(arrays), X, **NAMES | given)
    covariances = arrays["Sigma"]
    if structure == "tied":
        covariances = np.repeat(arrays["tied"][:, :, None], K, axis=2)
    if structure == "diagonal":
        covariances = arrays["stds"][..., None] ** 2 * np.eye(D)
    expected = densities(arrays, X, covariances)
    np.testing.assert_allclose(fit.log_density_draws(X), expected, rtol=1e-9)
    np.testing.assert_allclose(fit.log_density(X), logsumexp(expected, axis=0) - np.log(CHAINS * DRAWS), rtol=1e-9)
    assert fit.model.covariance.name == structure and fit.kind == "draws"
    assert fit.n_parameters == bg.GaussianMixture(K, structure).n_parameters(D)


@pytest.mark.parametrize("sd", ["sd", "sd_column", "shared"])
def test_one_column(sd):
    rng = np.random.default_rng(1)
    arrays = {
        "w": rng.dirichlet(np.ones(2), (2, 10)),
        "mu": rng.normal(size=(2, 10, 2)),
        "sd": rng.uniform(1, 2, (2, 10, 2)),
    }
    arrays |= {"sd_column": arrays["sd"][..., None], "shared": arrays["sd"][..., 0]}
    X = rng.normal(size=(15, 1))
    fit = bg.from_datatree(arrays, X, "w", "mu", sd=sd)
    deviations = arrays["sd"] if sd != "shared" else np.repeat(arrays["shared"][..., None], 2, -1)
    parts = norm(arrays["mu"][..., None], deviations[..., None]).logpdf(X[:, 0])
    expected = logsumexp(parts, axis=2, b=arrays["w"][..., None]).reshape(20, -1)
    np.testing.assert_allclose(fit.log_density_draws(X), expected, rtol=1e-10)
    assert fit.model.covariance.name == ("tied" if sd == "shared" else "full")
    one = {"mu": arrays["mu"][..., :1], "sd": arrays["sd"][..., :1]}
    np.testing.assert_allclose(bg.from_datatree(one, X, None, "mu", sd="sd").params.weights, 1.0)


@dataclass
class InferenceData:
    """What an older ArviZ has: groups as attributes."""

    posterior: xr.Dataset


def test_wherever_the_draws_are(theirs):
    arrays, X = theirs
    tree = as_tree(arrays)
    fits = [
        bg.from_datatree(source, X, **NAMES, covariances="Sigma")
        for source in (tree, tree["posterior"].to_dataset(), InferenceData(as_dataset(arrays)), arrays)
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.log_density(X), fits[0].log_density(X))
    single = {name: values.astype(np.float32) for name, values in arrays.items()}
    again = bg.from_datatree(single, X, **NAMES, covariances="Sigma")
    np.testing.assert_allclose(again.log_density(X), fits[0].log_density(X), rtol=1e-4)  # float32


def test_our_own_tree_comes_back(theirs):
    """A Gibbs fit as a tree and read again has the same numbers, and with its model the same evidence."""
    X = bg.load_dataset("faithful").X[::8]
    model = bg.GaussianMixture(2)
    ours = bg.fit(model, X, bg.Gibbs(draws=150, tune=50, chains=2), rng=0)
    back = bg.from_datatree(ours.to_datatree(), X, covariances="covariances", model=model, program="a test")
    np.testing.assert_allclose(back.log_density(X), ours.log_density(X), rtol=1e-10)
    for criterion in (elpd_loo, elpd_waic):
        np.testing.assert_allclose(criterion(back, X).pointwise, criterion(ours, X).pointwise, rtol=1e-8)
    here, there = bg.log_evidence(ours, rng=1), bg.log_evidence(back, rng=1)
    assert there.value == pytest.approx(here.value, abs=1e-6)
    assert "Draws from a test." in back.status.sentence and back.status.outcome is ours.status.outcome


@pytest.fixture(scope="module")
def imported(theirs):
    arrays, X = theirs
    return bg.from_datatree(as_tree(arrays), X, **NAMES, covariances="Sigma", program="Stan")


def test_everything_for_draws_accepts_it(imported, tmp_path):
    X = imported.X
    comparison = bg.compare(
        {"theirs": imported, "em": bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=2), rng=0)}, folds=2
    )
    for kind in ("elpd_loo", "elpd_waic"):
        assert np.isfinite(comparison.table.at["theirs", kind])
    assert "Stan" in str(comparison.reasons["theirs"]["elpd_kfold"])
    for kind in ("log_evidence_bridge", "log_evidence_exact"):
        assert "prior of these draws is not known" in comparison.reasons["theirs"][kind][0]
    assert "theirs" in repr(comparison) and comparison.table.at["theirs", "method"] == "Imported"
    aligned = bg.relabel(imported)
    assert len(aligned.summary()) == K * (1 + D + D + 1) and aligned.responsibilities(X).shape == (40, K)
    assert bg.partition(imported).labels.shape == (40,)
    tree = imported.to_datatree()
    np.testing.assert_allclose(tree["posterior"]["means"].values, imported.params.means)
    imported.save(tmp_path / "theirs.nc")
    back = bg.load(tmp_path / "theirs.nc")
    np.testing.assert_array_equal(back.log_density(X), imported.log_density(X))
    assert back.status == imported.status and back.model.label == "K=3"
    assert imported.sample(7, 0).shape == (7, D)


def test_what_it_cannot_do_says_why(imported):
    with pytest.raises(NotApplicableError, match="Stan, which bayesgmm cannot run again"):
        imported.refit(imported.X)
    with pytest.raises(NotApplicableError, match="prior of these draws is not known"):
        bg.fit(imported.model, imported.X, bg.EM())
    with pytest.raises(NotApplicableError, match="no chains of draws to go on with"):
        imported.extend(10)
    with pytest.raises(NotApplicableError, match="prior of these draws"):
        imported.model.conjugate()


def spoilt(arrays, name, index, value):
    copy = arrays[name].copy()
    copy[index] = value
    return arrays | {name: copy}


@pytest.mark.parametrize(
    ("change", "given", "words"),
    [
        (("theta", (1, 7, 2), 0.9), {}, r"sum of the weights is not one .* at draw 7 of chain 1"),
        (("theta", (1, 7, 2), -0.1), {}, "weights is negative .* draw 7 of chain 1, component 2"),
        (("mu", (0, 3), np.nan), {}, "means .* not finite at draw 3 of chain 0"),
        (("Sigma", (0, 4, 1), np.ones((D, D))), {}, "smallest eigenvalue .* draw 4 of chain 0, component 1"),
        (("Sigma", (0, 4, 1, 0, 1), 9.0), {}, "not symmetric .* draw 4 of chain 0, component 1"),
        (("Sigma", (0, 4, 1), -np.eye(D)), {}, "variance .* not positive .* draw 4"),
        (("stds", (1, 2, 0, 1), 0.0), {"sd": "stds"}, "sd is not positive .* draw 2 of chain 1"),
        (("L", (1, 2, 0), np.eye(D)[::-1]), {"chol": "L"}, "not lower triangular"),
        (None, {"chol": "P"}, "not lower triangular"),
        (None, {"precision_chol": "L"}, "not upper triangular"),
        (None, {"covariances": "Omega_"}, "no variable of these draws, which have: theta"),
        (None, {"means": "theta"}, "means have shape"),
        (None, {"weights": "mu"}, "weights have shape"),
        (None, {"weights": None}, "for one component"),
        (None, {"covariances": "stds"}, "covariances has shape"),
        (None, {"covariances": "Sigma", "chol": "L"}, "exactly one"),
        (None, {"sd": "stds", "corr": "Sigma"}, "diagonal of the correlations is not one"),
        (None, {"sd": "stds", "corr_chol": "L"}, "diagonal of the correlations is not one"),
        (None, {"sd": "stds", "corr": "Omega", "corr_chol": "L_Omega"}, "exactly one"),
        (("T", (0, 4, 1), -np.eye(D)), {"precision": "T"}, "diagonal entry of precision is not positive .* draw 4"),
        (None, {"covariances": "Sigma", "corr": "Omega"}, "exactly one"),
        (None, {"covariances": None}, "exactly one"),
        (None, {"covariances": ["Sigma", "mu"]}, "one shape"),
        (None, {"model": bg.GaussianMixture(2)}, "2 components and the draws have 3"),
        (None, {"model": bg.GaussianMixture(3, "diagonal")}, "covariance='diagonal' and the draws are full"),
        (None, {"model": bg.EM()}, "model object"),
        (None, {"group": "prior"}, "no group 'prior'"),
    ],
)
def test_a_wrong_draw_or_argument_is_named(theirs, change, given, words):
    arrays, X = theirs
    arrays = arrays if change is None else spoilt(arrays, *change)
    others = {"sd", "chol", "precision", "precision_chol", "covariances"}
    if not others & set(given) or ("corr" in given and "sd" not in given):
        given = {"covariances": "Sigma"} | given
    with pytest.raises(ArgumentError, match=words):
        bg.from_datatree(as_tree(arrays), X, **NAMES | given)


def test_a_wrong_mapping_shows_in_the_log_likelihood(theirs):
    arrays, X = theirs
    right = densities(arrays, X, arrays["Sigma"]).reshape(CHAINS, DRAWS, -1)
    tree = as_tree(arrays, log_likelihood=as_dataset({"x": right}))
    bg.from_datatree(tree, X, **NAMES, covariances="Sigma")
    for wrong in ({"covariances": "Omega"}, {"sd": "stds"}):
        with pytest.raises(ArgumentError, match=r"log likelihood in these draws is .* at draw \d+ of chain 0, row"):
            bg.from_datatree(tree, X, **NAMES, **wrong)
    with pytest.raises(ArgumentError, match="other data or other units"):
        bg.from_datatree(tree, 2.0 * X, **NAMES, covariances="Sigma")
    with pytest.raises(DataError):
        bg.from_datatree(tree, X[:, 0], **NAMES, covariances="Sigma")


def test_a_process_and_an_unknown_number(theirs):
    arrays, X = theirs
    process = bg.from_datatree(arrays, X, **NAMES, covariances="Sigma", model=bg.DirichletProcessMixture(K))
    assert process.truncation().truncation == K and process.occupied()["n_occupied"].sum() == pytest.approx(1.0)
    two = spoilt(arrays, "theta", (slice(None), slice(None), 2), 0.0)
    two["theta"] = two["theta"] / two["theta"].sum(-1, keepdims=True)
    unknown = bg.from_datatree(two, X, **NAMES, covariances="Sigma", model=bg.MixtureOfFiniteMixtures(K))
    assert unknown.occupied().at[2, "n_components"] == 1.0


COLUMNS = ["height", "width"]
FULL = {"covariances": "Sigma", "chol": "L", "precision": "T", "precision_chol": "P"}
SPELT = [{name: variable} for name, variable in FULL.items()]
SPELT += [{"sd": "stds", "corr": "Omega"}, {"sd": "stds", "corr_chol": "L_Omega"}, {"sd": "stds"}, {"chol": "packed"}]


def two_of_two(theirs):
    """As many components as columns, so that no shape tells the axes apart, and the same draws by plain arrays."""
    arrays, X = theirs
    arrays = {n: a[:, :, :2] if n not in ("theta", "tied") else a for n, a in arrays.items() if "_0" not in n}
    arrays["theta"] = arrays["theta"][:, :, :2] / arrays["theta"][:, :, :2].sum(-1, keepdims=True)
    return {n: arrays[n] for n in ("theta", "mu", "Sigma", "L", "stds", "packed", "Omega", "L_Omega", "P", "T")}, X


def named_dataset(arrays, labels):
    """With the names of its axes, and coordinates along the features."""
    dims = {
        "theta": ("group",),
        "mu": ("group", "feature"),
        "stds": ("group", "feature"),
        "packed": ("group", "entry"),
    }
    dims |= {name: ("group", "feature", "feature_bis") for name in ("Sigma", "L", "Omega", "L_Omega", "P", "T")}
    variables = {name: (("chain", "draw", *dims[name]), values) for name, values in arrays.items()}
    return xr.Dataset(variables, {"feature": labels, "feature_bis": labels} if labels else {})


@pytest.mark.parametrize("given", SPELT, ids=str)
def test_axes_are_found_by_their_names(theirs, given):
    """Where K = D: other places of the axes and other orders of the columns read as the same mixture."""
    import pandas as pd

    arrays, X = two_of_two(theirs)
    frame = pd.DataFrame(X, columns=COLUMNS)
    expected = bg.from_datatree(arrays, X, **NAMES, **given).log_density_draws(X)
    dataset = named_dataset(arrays, COLUMNS)
    turned = dataset.transpose("chain", "draw", "feature", "feature_bis", "entry", "group")
    for source in (dataset, turned, dataset.drop_vars(["feature", "feature_bis"])):
        np.testing.assert_allclose(bg.from_datatree(source, X, **NAMES, **given).log_density_draws(X), expected)
    swapped = frame[COLUMNS[::-1]]
    for source in (dataset, turned):
        found = bg.from_datatree(source, swapped, **NAMES, **given)
        np.testing.assert_allclose(found.log_density_draws(swapped), expected, rtol=1e-8)
    if "chol" not in given and "precision_chol" not in given and "corr_chol" not in given:
        found = bg.from_datatree(dataset.isel(feature=[1, 0]), frame, **NAMES, **given)  # one of two axes of matrices
        np.testing.assert_allclose(found.log_density_draws(frame), expected, rtol=1e-8)


def test_axes_that_stay_ambiguous_are_refused(theirs):
    import pandas as pd

    arrays, X = two_of_two(theirs)
    frame, given = pd.DataFrame(X, columns=COLUMNS), {**NAMES, "covariances": "Sigma"}
    plain = named_dataset(arrays, None)
    with pytest.raises(ArgumentError, match="axes of means .* are .group, feature., of one length, .* cannot be told"):
        bg.from_datatree(plain.assign(theta=plain["theta"].rename(group="component")), X, **given)
    with pytest.raises(ArgumentError, match="coordinates a, b along 'feature', and X has the columns height, width"):
        bg.from_datatree(named_dataset(arrays, ["a", "b"]), frame, **given)
    with pytest.raises(ArgumentError, match="axes of means .* are .feature_bis, feature., .* do not fit"):
        wrong = named_dataset(arrays, COLUMNS)
        bg.from_datatree(wrong.assign(mu=wrong["mu"].rename(group="feature_bis")), frame, **given)
    per_column = named_dataset(arrays, COLUMNS).assign(stds=lambda d: d["stds"].isel(group=0, drop=True))
    shared = bg.from_datatree(per_column, frame, **NAMES, sd="stds")
    assert shared.model.covariance == bg.SharedDiagonal()
    repeated = named_dataset(arrays | {"stds": np.repeat(arrays["stds"][:, :, :1], 2, axis=2)}, COLUMNS)
    expected = bg.from_datatree(repeated, frame, **NAMES, sd="stds").log_density_draws(frame)
    np.testing.assert_allclose(shared.log_density_draws(frame), expected, rtol=1e-12)
    bg.from_datatree(as_dataset(arrays), frame, **given)  # a library's own names of axes, in the order of the docs


def test_a_prior_group_is_no_wrong_mapping(theirs):
    """The tree's log likelihoods belong to its posterior, of which the prior may have as many draws."""
    arrays, X = theirs
    right = densities(arrays, X, arrays["Sigma"]).reshape(CHAINS, DRAWS, -1)
    stats = as_dataset({"diverging": np.ones((CHAINS, DRAWS))})
    tree = as_tree(arrays, log_likelihood=as_dataset({"x": right + 7.0}), prior=as_dataset(arrays), sample_stats=stats)
    fit = bg.from_datatree(tree, X, **NAMES, covariances="Sigma", group="prior")
    np.testing.assert_allclose(fit.log_density_draws(X), right.reshape(CHAINS * DRAWS, -1), rtol=1e-9)
    assert "diverging" not in fit.estimate.sample_stats
    with pytest.raises(ArgumentError, match="log likelihood in these draws"):
        bg.from_datatree(tree, X, **NAMES, covariances="Sigma")


@pytest.mark.slow
def test_a_hand_written_model_in_pymc():
    """PyMC's own mixture of LKJ normals: our density of its draws is its own log likelihood, and so is our WAIC."""
    import pymc as pm

    X = bg.load_dataset("faithful").X[::9]
    spread = X.std(0)
    with pm.Model() as model:
        weights = pm.Dirichlet("w", np.ones(2))
        means = pm.Normal("mu", X.mean(0), 2 * spread, shape=(2, 2))
        parts = []
        for k in range(2):
            chol, *_ = pm.LKJCholeskyCov(f"chol_{k}", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(2 * spread))
            parts.append(pm.MvNormal.dist(means[k], chol=chol))
        pm.Mixture("x", w=weights, comp_dists=parts, observed=X)
        start = {"mu": X.mean(0) + np.array([[-1.0], [1.0]]) * spread}
        tree = pm.sample(60, tune=60, chains=2, cores=1, initvals=start, progressbar=False, random_seed=1)
        pm.compute_log_likelihood(tree, progressbar=False)
    assert model is not None
    fits = [
        bg.from_datatree(tree, X, "w", "mu", chol=["chol_0", "chol_1"], program="PyMC"),
        bg.from_datatree(tree, X, "w", "mu", sd=["chol_0_stds", "chol_1_stds"], corr=["chol_0_corr", "chol_1_corr"]),
    ]
    likelihood = np.asarray(tree["log_likelihood"]["x"]).reshape(120, -1)
    for fit in fits:
        np.testing.assert_allclose(fit.log_density_draws(X), likelihood, rtol=1e-8)
    found = bg.compare({"PyMC": fits[0]}, folds=0).add("as an array", likelihood)
    values = [found.scores[name]["elpd_waic"].value for name in ("PyMC", "as an array")]
    assert values[0] == pytest.approx(values[1], rel=1e-8)
