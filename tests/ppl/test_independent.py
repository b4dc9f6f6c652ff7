"""Means independent of the covariances, and an unknown scale: the fast posterior against SciPy, and the `pm.Model`."""

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy.stats import dirichlet, gamma, invgamma, invwishart, multivariate_normal, wishart
from testbed import oracle
from testbed.cases import blobs, random_spd

import bayesgmm as bg
from bayesgmm.core.params import MixtureParams
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.ppl.build import pymc_model
from bayesgmm.rows import as_rows

pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")  # the machine's business

PYTHON = Mode(linker="py", optimizer=None)  # nothing is compiled, so nothing is waited for
STEP = 2e-4  # of central differences of fourth order: their errors are some 1e-12 of the fifth derivatives' size
SCALES = pytest.mark.parametrize("is_known", [True, False], ids=["known", "hierarchical"])
Z_LIMIT = 5.0  # family-wise 1e-4 over some 200 comparisons (DESIGN section 8)


def prior_of(structure, k, d, is_known):
    """Constants far from the defaults, and a mean for each component."""
    rng = np.random.default_rng([k, d])
    is_matrix, size = structure in ("full", "tied"), 1 if structure in ("spherical", "isotropic") else d
    spread = 3.0 * random_spd(rng, d) if is_matrix else rng.uniform(1.0, 5.0, d)
    scale = random_spd(rng, d) if is_matrix else rng.uniform(0.5, 2.0, size)
    unknown = bg.HierarchicalScale(0.9 + 0.5 * d, scale)
    return bg.IndependentNormalInverseWishart(rng.normal(size=(k, d)), spread, d + 2.3, scale if is_known else unknown)


def made(structure, k, d, is_known, n=25):
    X, weights = blobs(seed=k + 10 * d, n=n, d=d, k=k), np.linspace(0.8, 2.0, k)
    model, data = bg.GaussianMixture(k, structure, bg.Dirichlet(weights), prior_of(structure, k, d, is_known)), X
    data = as_rows(X)
    return X, model, FlatPosterior.of(model.resolve(data), data)


def scale_at(coordinates, prior, x):
    """The scale itself, known or not: a matrix, or variances."""
    if coordinates.scale is None:
        return prior.typical_scale
    ratio = coordinates.scale.factor(x[coordinates.weights.n_dim : coordinates.n_shared])
    if coordinates.structure.is_diagonal:
        return ratio * prior.typical_scale
    half = np.linalg.inv(coordinates.whitening @ coordinates.root[0]).T @ ratio
    return half @ half.T


def free_parameters(coordinates, prior, x):
    """Weights but the last, means, free entries of the covariances and of the scale: what the density is in."""
    params, structure = coordinates.expand(x), coordinates.structure
    covariances, scale = params.covariances[: len(coordinates.root)], scale_at(coordinates, prior, x)
    if structure.is_diagonal:
        entries = np.diagonal(covariances, axis1=1, axis2=2)[:, : 1 if structure.is_round else None]
    else:
        lower = np.tril_indices(coordinates.n_features)
        entries, scale = covariances[:, *lower], scale[lower]
    unknown = [] if coordinates.scale is None else [scale]
    return np.concatenate([params.weights[:-1], params.means.ravel(), entries.ravel(), *unknown])


def log_prior(coordinates, model, x):
    """By SciPy, in those free parameters."""
    params, prior, structure = coordinates.expand(x), model.prior, coordinates.structure
    scale, spread = scale_at(coordinates, prior, x), prior.mean_covariance
    total = dirichlet(model.weights.concentration).logpdf(params.weights) if len(params.weights) > 1 else 0.0
    spread = np.diag(spread) if structure.is_diagonal else spread
    total += sum(multivariate_normal(m, spread).logpdf(z) for m, z in zip(prior.mean, params.means, strict=True))
    for covariance in params.covariances[: len(coordinates.root)]:
        if structure.is_diagonal:
            entries = np.diag(covariance)[: len(scale)]
            total += invgamma(prior.dof / 2, scale=scale / 2).logpdf(entries).sum()
        else:
            total += invwishart(prior.dof, scale).logpdf(covariance)
    if coordinates.scale is None:
        return total
    shape, rate = prior.scale.shape, np.asarray(prior.scale.rate)
    if structure.is_diagonal:
        return total + gamma(shape, scale=1 / rate).logpdf(scale).sum()
    return total + wishart(2 * shape, np.linalg.inv(2 * rate)).logpdf(scale)


def differences(function, x):
    steps = STEP * np.eye(len(x))
    near = np.array([function(x + e) - function(x - e) for e in steps])
    far = np.array([function(x + 2 * e) - function(x - 2 * e) for e in steps])
    return (8 * near - far) / (12 * STEP)


@SCALES
@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize(("k", "d"), [(1, 1), (1, 3), (3, 2), (2, 3)])
def test_log_density_and_gradient(structure, k, d, is_known):
    X, model, fast = made(structure, k, d, is_known)
    resolved, c = model.resolve(as_rows(X)), fast.coordinates
    rng = np.random.default_rng(3)
    for _ in range(2):
        x = rng.normal(size=c.n_dim, scale=0.7)
        params = c.expand(x)
        expected = log_prior(c, resolved, x)
        expected += oracle.log_likelihood(X, params.weights, params.means, params.covariances)
        jacobian = differences(lambda x: free_parameters(c, resolved.prior, x), x)
        expected += np.linalg.slogdet(jacobian)[1]
        value, gradient = fast(x)
        assert value == pytest.approx(expected, rel=1e-8, abs=1e-7)
        assert gradient == pytest.approx(differences(lambda x: fast(x)[0], x), rel=1e-6, abs=1e-5)
        if c.scale is not None:
            scale = scale_at(c, resolved.prior, x)
            log_det = np.log(scale).sum() if c.structure.is_diagonal else np.linalg.slogdet(scale)[1]
            assert c.states(x)["scale_log_det"] == pytest.approx(log_det, abs=1e-10)


@SCALES
@pytest.mark.parametrize(
    ("structure", "is_process"), [(s, False) for s in oracle.STRUCTURES] + [("full", True), ("isotropic", True)]
)
@pytest.mark.few(4)
def test_the_pymc_model_has_the_same_log_density_and_gradient(structure, is_process, is_known):
    d = 2 if structure == "isotropic" else 3
    X, model, fast = made(structure, 2, d, is_known)
    if is_process:
        prior = bg.IndependentNormalInverseWishart(scale=None if is_known else bg.HierarchicalScale())
        model, data = bg.DirichletProcessMixture(3, structure, prior=prior), as_rows(X)
        fast = FlatPosterior.of(model.resolve(data), data)
    pymc = pymc_model(model, X)
    names = ["concentration"] * is_process + ["weights"] + ["scale"] * (not is_known) + ["covariances", "means"]
    assert [variable.name for variable in pymc.free_RVs] == names
    slow = pymc.logp_dlogp_function(ravel_inputs=True, mode=PYTHON)
    slow.set_extra_values({})
    rng = np.random.default_rng(1)
    for _ in range(2):
        x = rng.normal(size=fast.coordinates.n_dim, scale=0.7)
        value, gradient = fast(x)
        expected, slope = slow(x)
        assert value == pytest.approx(float(expected), rel=1e-8)  # with all constants; PyMC's gammaln is good to 1e-9
        assert np.allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.few(3)
def test_flatten_inverts_expand(structure):
    """But for an unknown scale, which is drawn given the covariances, or expected of them."""
    _, _, fast = made(structure, 3, 2, False)
    c = fast.coordinates
    x = np.random.default_rng(5).normal(size=c.n_dim)
    own = np.r_[: c.weights.n_dim, c.n_shared : c.n_dim]
    assert np.allclose(c.flatten(c.expand(x))[own], x[own], rtol=0, atol=1e-12)
    values = c.variables(c.expand(x))
    assert {name: np.shape(value) for name, value in values.items()} == c.shapes

    def ratio(rng):
        flat = c.flatten(c.expand(x), rng)
        factor = c.scale.factor(flat[c.weights.n_dim : c.n_shared])
        return factor if c.structure.is_diagonal else factor @ factor.T

    rng = np.random.default_rng(6)
    drawn = np.array([ratio(rng) for _ in range(2000)])
    assert (np.abs(drawn.mean(0) - ratio(None)) < Z_LIMIT * drawn.std(0) / np.sqrt(2000)).all()
    # The scale's own conditional law, by the posterior's log density: its score vanishes on average over draws.
    scores = []
    for _ in range(1000):
        scores.append(fast(c.flatten(c.expand(x), rng))[1][c.weights.n_dim : c.n_shared])
    scores = np.array(scores)
    assert (np.abs(scores.mean(0)) < Z_LIMIT * scores.std(0) / np.sqrt(1000)).all()


OTHERS = [pytest.param(structure, marks=pytest.mark.slow) for structure in ("tied", "shared_diagonal", "isotropic")]


@pytest.mark.parametrize("structure", ["full", "diagonal", *OTHERS])
@pytest.mark.few(1)
def test_prior_draws_are_of_the_prior(structure):
    """PyMC's own draws, and SciPy's."""
    X, model, _ = made(structure, 2, 2, False)
    names = ["scale", "scale_log_det", "means", "precision_chol", "covariances"]
    pymc = pymc_model(model, X)
    draws = pm.draw([pymc[name] for name in names], 1500, mode=PYTHON, random_seed=3)
    drawn = dict(zip(names, draws, strict=True))
    prior, rng, n = model.prior, np.random.default_rng(4), 4000
    shape, rate = prior.scale.shape, np.asarray(prior.scale.rate)
    rows = 1 if structure in oracle.SHARED else 2
    if structure in ("full", "tied"):
        scales = wishart(2 * shape, np.linalg.inv(2 * rate)).rvs(n, random_state=rng)
        covariances = np.array([invwishart(prior.dof, scale).rvs(rows, random_state=rng) for scale in scales])
        covariances = covariances.reshape(n, rows, 2, 2)
        log_det, spread = np.linalg.slogdet(scales)[1], prior.mean_covariance
        assert np.allclose(np.linalg.slogdet(drawn["scale"])[1], drawn["scale_log_det"])
    else:
        scales = rng.gamma(shape, 1 / rate, (n, len(rate)))
        variances = scales[:, None] / rng.chisquare(prior.dof, (n, rows, len(rate)))
        covariances = variances[..., None] * np.eye(2)
        log_det, spread = np.log(scales).sum(1), np.diag(prior.mean_covariance)
    means = np.array([rng.multivariate_normal(m, spread, n) for m in prior.mean]).swapaxes(0, 1)
    covariances = np.broadcast_to(covariances, (n, 2, 2, 2))
    exact = MixtureParams(np.full((n, 2), 0.5), means, covariances)
    found = MixtureParams.trusted(np.full((1500, 2), 0.5), drawn["means"], drawn["precision_chol"])
    assert np.allclose(drawn["covariances"], found.covariances, rtol=1e-8)
    pairs = [(drawn["scale_log_det"], log_det), (drawn["means"], means)]
    pairs += zip(of_factors(found, drawn["scale_log_det"]), of_factors(exact, log_det), strict=True)
    for one, other in pairs:
        for power in (1, 2):
            a, b = (np.reshape(v, (len(v), -1)) ** power for v in (one, other))
            error = np.sqrt(a.var(0) / len(a) + b.var(0) / len(b))
            assert (np.abs(a.mean(0) - b.mean(0)) <= Z_LIMIT * error).all()


def of_factors(params, log_det):
    """Quantities with finite variances: size, correlation, and how they go with the scale and with one another."""
    factor = params.precision_chol
    log_diagonal = np.log(np.diagonal(factor, axis1=2, axis2=3))
    upper = factor[..., 0, 1] / factor[..., 1, 1]
    yield log_diagonal
    yield log_diagonal * log_det[:, None, None]
    yield log_diagonal[:, 0] * log_diagonal[:, 1]
    yield np.arctan(upper)
