"""Moving the data moves a fit by exactly that, within each structure's own group: starts, floors, priors included.

Full and Tied: any invertible affine map; Diagonal: a scale and a shift per column; Spherical and Isotropic: one
scale, a rotation and a shift.
"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import ortho_group
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg

METHODS = {  # one start each: of two that end in one optimum, rounding decides which is the higher
    "EM": bg.EM(n_init=1),
    "EM-kmeans": bg.EM(n_init=1, init="kmeans"),
    "EM-random": bg.EM(n_init=1, init="random"),
    "MAP": bg.MAP(n_init=1),
    "VB": bg.VB(n_init=1),
    "VB-kmeans": bg.VB(n_init=1, init="kmeans"),
    "VB-random": bg.VB(n_init=1, init="random"),
}
X = blobs(seed=3, n=90, d=3, k=3)
ROTATION = ortho_group(3, seed=1).rvs()
SHEAR = np.array([[1.0, 0.5, -2.0], [0.0, 3.0, 1.0], [0.5, 0.0, 1.0]])
IDENTITY = np.eye(3)


def maps(structure):
    """Linear parts of the structure's group, at scales from 1e-6 to 1e6."""
    linear = {"up": 1e6 * IDENTITY, "down": 1e-6 * IDENTITY}
    if structure in ("full", "tied"):
        linear |= {"columns": np.diag([1e-6, 1.0, 1e6]), "affine": 1e3 * SHEAR @ ROTATION}
    elif structure in ("diagonal", "shared_diagonal"):
        linear |= {"columns": np.diag([1e-6, -1.0, 1e6])}
    else:
        linear |= {"rotation": 1e-3 * ROTATION}
    return linear


CASES = [
    pytest.param(structure, name, kind, id=f"{structure}-{name}-{kind}")
    for structure in STRUCTURES
    for name in METHODS
    for kind in maps(structure)
]


def fitted(structure, data, method, **model):
    return bg.fit(bg.GaussianMixture(3, structure, **model), data, method, rng=5)


@cache
def fitted_plainly(structure, name):
    """To the data as they are, which many cases start from."""
    return fitted(structure, X, METHODS[name])


def assert_mapped(found, original, A, shift, tolerance):
    """Parameters in whitened units after mapping back; weights as they are."""
    back = np.linalg.inv(A)
    spread = X.std(0)
    means = (found.params.means - shift) @ back.T
    covariances = back @ found.params.covariances @ back.T
    assert np.allclose(found.params.weights, original.params.weights, atol=tolerance)
    assert np.allclose(means / spread, original.params.means / spread, atol=tolerance)
    scale = np.outer(spread, spread)
    assert np.allclose(covariances / scale, original.params.covariances / scale, atol=tolerance)


@pytest.mark.parametrize(("structure", "name", "kind"), CASES)
@pytest.mark.few(9)
def test_linear_maps(structure, name, kind):
    """To 1e-6 in units of the data's spread: rounding of 1e-16, times the condition of A, times the iterations."""
    A, method = maps(structure)[kind], METHODS[name]
    original, found = fitted_plainly(structure, name), fitted(structure, X @ A.T, method)
    # The last gains are below the rounding of the objective, whose size depends on the units.
    assert abs(len(found.history) - len(original.history)) <= 2
    assert_mapped(found, original, A, 0.0, 1e-6)
    jacobian = -len(X) * np.linalg.slogdet(A)[1]  # of the density of the whole data set
    if name.startswith("EM"):
        assert np.isclose(found.log_likelihood, original.log_likelihood + jacobian, rtol=1e-9)
    elif name.startswith("VB"):
        assert np.isclose(found.elbo, original.elbo + jacobian, rtol=1e-9)  # as an evidence of the data


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("spreads", [pytest.param(1e3, marks=pytest.mark.slow), 1e8])
@pytest.mark.few(6)
def test_shifts(structure, name, spreads):
    """The data are rounded to what the shifted ones can hold, so both fits see the same points exactly.

    What float64 leaves: means at 1e8 spreads have a resolution of 1e8 x 2e-16 = 2e-8 spreads, and EM's own slow
    directions magnify an error in each step by up to 1 / (1 - rate), a hundred here.  Both climbs stop where at most
    1e-8 nats a point are to come in the mean, and one point may differ by a few times as much.
    """
    shift = spreads * X.std(0) * [1.0, -1.0, 0.7]
    moved = X + shift
    rounded = moved - shift
    original, found = fitted(structure, rounded, METHODS[name]), fitted(structure, moved, METHODS[name])
    assert_mapped(found, original, IDENTITY, shift, max(1e-9, 1e-14 * spreads * 10))
    jointly = found.log_density(moved) - original.log_density(rounded)
    assert np.abs(jointly).max() < max(3e-8, 1e-14 * spreads * 100)


@pytest.mark.parametrize("structure", ["full", "diagonal", "spherical"])  # a shared covariance does not collapse
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_floors_and_flags_move_with_the_data(structure, scale):
    data = np.vstack([blobs(seed=1, n=60), [[50.0, 50.0]] * 6])
    init = bg.MixtureParams([0.9, 0.1], [data[:60].mean(0), [50.0, 50.0]], [np.eye(2)] * 2)
    moved = bg.MixtureParams(init.weights, init.means * scale, init.covariances * scale**2)
    found = []
    for points, given in ((data, init), (data * scale, moved)):
        with pytest.warns(bg.NotConvergedWarning, match="component 1 .* sits at the variance floor"):
            found.append(bg.fit(bg.GaussianMixture(2, structure), points, bg.EM(init=given)))
    one, two = (fit.diagnostics.flags[0] for fit in found)
    assert np.isclose(one.n_points, two.n_points) and np.isclose(one.whitened_variance, two.whitened_variance)
    assert np.allclose(found[1].params.covariances, found[0].params.covariances * scale**2, rtol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("method", [bg.EM(n_init=1, init="random"), bg.VB(n_init=1, init="random")], ids=["EM", "VB"])
@pytest.mark.few(2)
def test_columns_and_components_may_be_permuted(structure, method):
    """Columns: the start is the same points.  Rows change which points a start draws: from given parameters."""
    order = [2, 0, 1]
    P = IDENTITY[order]
    original = fitted(structure, X, method)
    assert_mapped(fitted(structure, X[:, order], method), original, P, 0.0, 1e-6)
    given = type(method)(
        init=bg.MixtureParams(*(getattr(original.params, n) for n in ("weights", "means", "covariances")))
    )
    permuted = type(method)(init=given.init.permuted([1, 2, 0]))
    one, two = fitted(structure, X, given), fitted(structure, X, permuted)
    assert np.allclose(one.params.means[[1, 2, 0]], two.params.means, atol=1e-8)
    rows = np.random.default_rng(0).permutation(len(X))
    assert_mapped(fitted(structure, X[rows], given), one, IDENTITY, 0.0, 1e-8)


def test_informative_priors_in_any_units():
    """Columns in units of 1e-6 and 1e6: a scale matrix whose entries differ by 24 orders is no less positive."""
    A = np.diag([1e-6, 1.0, 1e6])
    prior = bg.NormalInverseWishart(mean=X[0], scale=np.cov(X.T))
    moved = bg.NormalInverseWishart(mean=A @ X[0], scale=A @ np.cov(X.T) @ A)
    for method in (bg.MAP(n_init=1), bg.VB(n_init=1)):
        original, found = fitted("full", X, method, prior=prior), fitted("full", X @ A, method, prior=moved)
        assert_mapped(found, original, A, 0.0, 1e-6)
        init = bg.MixtureParams(found.params.weights, found.params.means, found.params.covariances)
        assert fitted("full", X @ A, bg.EM(init=init)).status.is_converged


def test_outside_its_group_a_structure_is_not_equivariant():
    """The counter-example that shows that the tests above can fail."""
    A = np.diag([1.0, 1.0, 50.0])
    original, found = (fitted("spherical", data, METHODS["VB"]) for data in (X, X @ A))
    with pytest.raises(AssertionError):
        assert_mapped(found, original, A, 0.0, 1e-2)
