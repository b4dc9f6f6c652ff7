"""Online EM and stochastic VB: with steps of one they are EM and VB; where the data come from makes no difference."""

import numpy as np
import pandas as pd
import pytest
from testbed.cases import STRUCTURES, blobs
from testbed.interrupts import interrupt_sweep

import bayesgmm as bg
from bayesgmm.core.density import log_sums, responsibilities
from bayesgmm.core.sweep import Assign, sweep
from bayesgmm.methods import stream

METHODS = {"OnlineEM": bg.OnlineEM, "StochasticVB": bg.StochasticVB}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
every_structure = pytest.mark.parametrize("structure", STRUCTURES)
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")  # a few steps, on purpose

X = blobs(n=1000, apart=3.0)
START = bg.fit(bg.GaussianMixture(3), X, bg.EM(n_init=1, init="kmeans++"), rng=0).params
OFF = bg.MixtureParams(np.array([0.5, 0.3, 0.2]), START.means + 0.5, 1.5 * START.covariances)


def params_of(fit):
    return [fit.params.weights, fit.params.means, fit.params.covariances]


def are_close(one, two, rtol=1e-12):
    return all(np.allclose(a, b, rtol=rtol, atol=rtol) for a, b in zip(params_of(one), params_of(two), strict=True))


def are_equal(one, two):
    return all(np.array_equal(a, b) for a, b in zip(params_of(one), params_of(two), strict=True))


def start_of(structure, seed=0):
    return bg.fit(bg.GaussianMixture(3, structure), X, bg.EM(max_iter=2, n_init=1), rng=seed).params


@every_structure
@pytest.mark.parametrize("passes", [1, 3])
def test_steps_of_one_with_all_points_are_em(structure, passes):
    begin, model = start_of(structure), bg.GaussianMixture(3, structure)
    em = bg.fit(model, X, bg.EM(max_iter=passes, tol=None, init=begin), rng=0)
    online = bg.fit(model, X, bg.OnlineEM(len(X), step=1.0, passes=passes, init=begin), rng=0)
    assert are_close(em, online)
    assert np.isclose(em.log_likelihood, online.log_likelihood, rtol=1e-13)
    assert np.allclose(online.history, em.history, rtol=1e-12)  # each batch is all points, before its step


@every_structure
@pytest.mark.parametrize("kind", ["finite", "DP"])
@pytest.mark.few(4)
def test_steps_of_one_with_all_points_are_vb(structure, kind):
    begin = start_of(structure)
    model = bg.GaussianMixture(3, structure) if kind == "finite" else bg.DirichletProcessMixture(3, structure, 1.0)
    # VB puts the largest stick first, and stochastic VB leaves them as they are.
    begin = begin.permuted(
        np.argsort(-bg.fit(bg.GaussianMixture(3, structure), X, bg.VB(2, init=begin)).params.weights)
    )
    with pytest.warns((bg.NotConvergedWarning, bg.TruncationWarning)):
        vb = bg.fit(model, X, bg.VB(max_iter=2, tol=None, init=begin), rng=0)
        online = bg.fit(model, X, bg.StochasticVB(len(X), step=1.0, passes=3, init=begin), rng=0)
    assert are_close(vb, online, rtol=1e-11)
    assert np.isclose(vb.elbo, online.elbo, rtol=1e-12)
    assert np.allclose(online.history[1:], vb.history, rtol=1e-12)


@every_method
def test_the_batches_of_a_pass_are_blended_as_the_rule_says(method):
    """Three batches, by hand with NumPy: statistics are sums over rows, blended with the steps."""
    step, size = bg.RobbinsMonro(0.7, 2.0), 400
    fit = bg.fit(bg.GaussianMixture(3), X, method(size, step=step, shuffle=False, init=OFF), rng=0)
    moments = [np.concatenate([[w], w * m, (w * (S + np.outer(m, m))).ravel()]) for w, m, S in
               zip(OFF.weights, OFF.means, OFF.covariances, strict=True)]  # fmt: skip
    blended, prior = np.array(moments), fit.model.conjugate()
    scores = OFF.scores()
    for t, batch in enumerate((X[:400], X[400:800], X[800:]), 1):
        r = responsibilities(scores, batch)
        outer = np.einsum("ni,nj->nij", batch, batch).reshape(len(batch), -1)
        of_batch = r.T @ np.hstack([np.ones((len(batch), 1)), batch, outer]) / len(batch)
        gamma = (t + 2.0) ** -0.7
        if len(batch) < size:
            gamma = 1 - (1 - gamma) ** 0.5  # half of a batch is half of a step
        blended = (1 - gamma) * blended + gamma * of_batch
        counts, means = blended[:, 0], blended[:, 1:3] / blended[:, :1]
        covariances = (blended[:, 3:] / blended[:, :1]).reshape(-1, 2, 2) - np.einsum("ki,kj->kij", means, means)
        if method is bg.OnlineEM:
            scores = bg.MixtureParams(counts, means, covariances).scores()
        else:
            n = 1000.0 * counts
            zero = np.zeros_like(means)
            second = n[:, None, None] * covariances
            scores = prior.update(stream.SufficientStatistics(0.0, n, zero, second, means, 1000.0)).expected_scores()
    assert np.allclose(fit.diagnostics.statistics.counts, counts, rtol=1e-10)
    assert np.allclose(fit.params.means, scores.means, rtol=1e-9)
    assert np.allclose(fit.diagnostics.statistics.scatter() / counts[:, None, None], covariances, rtol=1e-8)


@every_method
def test_the_objective_at_the_end_is_that_of_all_data(method):
    fit = bg.fit(bg.GaussianMixture(3), X, method(100, init=OFF), rng=0)
    if method is bg.OnlineEM:
        assert np.isclose(fit.log_likelihood, fit.log_density(X).sum(), rtol=1e-13)
        assert fit.log_likelihood == fit.history[-1]
    else:
        q, prior = fit.estimate.posterior, fit.model.conjugate()
        assert np.isclose(fit.elbo, sweep(X, q.expected_scores()).log_likelihood - q.kl(prior), rtol=1e-12)
        assert fit.elbo <= bg.fit(bg.GaussianMixture(3), X, bg.VB(), rng=0).elbo
    assert len(fit.history) == fit.diagnostics.n_steps + 1 == 11


@pytest.mark.parametrize("batch_size", [1, 100, 1024, 5000])
def test_every_row_is_shuffled_in_once(batch_size):
    orders = [stream._shuffled(20_001, batch_size, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert np.array_equal(np.sort(orders[0]), np.arange(20_001))
    assert np.array_equal(orders[0], orders[1]) and not np.array_equal(orders[0], orders[2])
    in_place = (orders[0][:-1] + 1 == orders[0][1:]).mean()
    assert in_place < 0.01 if batch_size < 2048 else in_place < 0.76  # runs of four


def test_the_size_of_batches_follows_from_the_first_rows():
    sizes = [bg.OnlineEM().sized(n) for n in (100, 1000, 64_000, 10**6, 10**8)]
    assert sizes == [100, 256, 1000, 15_625, 16_384] and bg.OnlineEM(500).sized(1000) == 500
    assert bg.fit(bg.GaussianMixture(3), X, bg.OnlineEM(init=OFF), rng=0).diagnostics.batch_size == 256


def test_log_sums_are_those_of_the_sweep():
    for structure in STRUCTURES:
        scores = start_of(structure).scores()
        assert np.isclose(log_sums(scores, X).sum(), sweep(X, scores).log_likelihood, rtol=1e-13)


def sources(folder):
    frame = pd.DataFrame(X, columns=["x0", "x1"])
    frame.to_parquet(folder / "x.parquet", row_group_size=130)
    np.save(folder / "x.npy", X)
    return {
        "Parquet": folder / "x.parquet",
        "file": folder / "x.npy",
        "memory map": np.load(folder / "x.npy", mmap_mode="r"),
        "chunks of 77": lambda: (X[i : i + 77] for i in range(0, 1000, 77)),
        "frames of 400": iter([frame[:400], frame[400:800], frame[800:]]),
    }


@every_method
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"init": OFF}, {"stochastic": True}], ids=str)
@pytest.mark.parametrize("buffer", [2**26, 16 * 250], ids=["one buffer", "four buffers"])
@pytest.mark.few(2)
def test_where_the_data_come_from_makes_no_difference(method, options, buffer, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "BUFFER_BYTES", buffer)
    model = bg.GaussianMixture(3)
    expected = bg.fit(model, X, method(50, **options), rng=3)
    for name, data in sources(tmp_path).items():
        fit = bg.fit(model, data, method(50, **options), rng=3)
        assert fit.X is None and fit.n_obs == 1000 and fit.diagnostics.n_seen == 1000
        if name == "frames of 400":  # it is read once, and cannot be evaluated
            with pytest.raises(bg.NotApplicableError, match="not seen all of its data again"):
                _ = fit.elbo if method is bg.StochasticVB else fit.log_likelihood
        elif method is bg.OnlineEM or name != "chunks of 77":  # they do not say how many points there will be
            assert are_equal(fit, expected) and np.array_equal(fit.history, expected.history)
        if method is bg.OnlineEM:
            assert are_equal(fit, expected)


@every_method
def test_going_on_is_one_run(method):
    options = {"shuffle": False, "init": OFF}
    model = bg.fit(bg.GaussianMixture(3), X, method(50, **options), rng=0).model  # its prior constants for both
    whole = bg.fit(model, X, method(50, **options), rng=0)
    part = bg.fit(model, X[:350], method(50, **options), rng=0)
    before = [array.copy() for array in params_of(part)]
    whitening = whole.diagnostics.whitening
    part.diagnostics.whitening[...] = whitening  # of the first rows, of which the part had fewer
    further = part.partial_fit(X[350:600]).partial_fit(iter([X[600:601], X[601:]]))
    assert all(np.array_equal(a, b) for a, b in zip(before, params_of(part), strict=True))
    assert further.n_obs == 1000 and further.diagnostics.n_steps == whole.diagnostics.n_steps == 20
    if method is bg.OnlineEM:
        assert are_equal(further, whole)
    else:  # the last step knows of all points, and those before it knew only of what there was
        assert np.array_equal(further.diagnostics.n_rows, whole.diagnostics.n_rows)
        assert are_close(further, whole, rtol=0.1)
    assert further.X is None and further.provenance["data_sha256"] != whole.provenance["data_sha256"]


@every_method
def test_going_on_from_a_file_is_going_on(method, tmp_path):
    fit = bg.fit(bg.GaussianMixture(3), X[:500], method(50), rng=0)
    fit.save(tmp_path / "fit.nc")
    loaded = bg.load(tmp_path / "fit.nc")
    assert are_equal(loaded.partial_fit(X[500:], rng=1), fit.partial_fit(X[500:], rng=1))
    assert loaded.status == fit.status and loaded.method.step == bg.RobbinsMonro()


def test_going_on_is_for_methods_that_can():
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=1), rng=0)
    with pytest.raises(bg.NotApplicableError, match="EM needs all data at once"):
        fit.partial_fit(X)
    online = bg.fit(bg.GaussianMixture(2), X, bg.OnlineEM(50), rng=0)
    with pytest.raises(bg.DataError, match="X has 1 column and"):
        online.partial_fit(X[:, :1])


@every_method
def test_one_pass_comes_close_to_the_optimum(method):
    many, model = blobs(seed=0, n=20_000, k=4), bg.GaussianMixture(4)
    fit = bg.fit(model, many, method(200), rng=0)
    if method is bg.OnlineEM:
        gap = bg.fit(model, many, bg.EM(init=fit.params), rng=0).log_likelihood - fit.log_likelihood
    else:
        gap = bg.fit(model, many, bg.VB(init=fit.params, moves=0), rng=0).elbo - fit.elbo
    # 1/2 nat per parameter (23) over the points that the last steps, of 0.06, remember: some 6,000.
    assert fit.status.is_converged and gap / len(many) < 0.005


def test_stochastic_assignment_is_right_on_average():
    scores, rng = OFF.scores(), np.random.default_rng(0)
    soft = sweep(X, scores)
    draws = [sweep(X, scores, Assign.SAMPLED, rng=rng) for _ in range(400)]
    assert all(np.isclose(d.log_likelihood, soft.log_likelihood, rtol=1e-12) for d in draws)
    assert all(np.array_equal(d.counts, np.round(d.counts)) and d.counts.sum() == len(X) for d in draws)
    for name in ("counts", "first", "second"):
        values = np.array([getattr(d, name) for d in draws])
        error = values.std(0, ddof=1) / np.sqrt(len(values)) + 1e-12
        assert np.abs((values.mean(0) - getattr(soft, name)) / error).max() < 5


def test_stochastic_em_ends_near_em():
    fit = bg.fit(bg.GaussianMixture(3), X, bg.OnlineEM(100, passes=10, stochastic=True, init=OFF), rng=0)
    assert fit.log_likelihood > bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0).log_likelihood - 0.005 * len(X)


@every_method
def test_an_interrupt_keeps_what_has_been_seen(method, monkeypatch):
    interrupt_sweep(monkeypatch, stream, 8)
    options = {"init": OFF, "shuffle": False}
    with pytest.warns(bg.NotConvergedWarning, match=r"Interrupted after 350 points \(7 steps\), with 1000 to read"):
        fit = bg.fit(bg.GaussianMixture(3), X, method(50, **options), rng=0)
    monkeypatch.undo()
    assert fit.diagnostics.n_seen == 350 and len(fit.history) == 7 and np.isfinite(fit.log_density(X)).all()
    if method is bg.OnlineEM:
        part = bg.fit(fit.model, lambda: iter([X[:350]]), method(50, **options), rng=0)
        assert are_close(part, fit, rtol=1e-9)  # the floor is measured in other rows' spread
        with pytest.raises(bg.NotApplicableError):
            _ = fit.log_likelihood


@every_method
def test_an_interrupt_before_the_first_step_is_an_interrupt(method, monkeypatch):
    interrupt_sweep(monkeypatch, stream)
    with pytest.raises(KeyboardInterrupt):
        bg.fit(bg.GaussianMixture(3), X, method(50, init=OFF), rng=0)


@every_method
def test_a_missing_value_stops_before_it_enters(method):
    broken = X.copy()
    broken[617, 1] = np.nan
    for data in (broken, iter([broken[:500], broken[500:]])):
        with pytest.raises(bg.DataError, match=r"Row 617 \(counted from 0\) of column 'x1' is NaN"):
            bg.fit(bg.GaussianMixture(3), data, method(50), rng=0)


@every_method
def test_statuses_say_what_to_do(method):
    model = bg.GaussianMixture(3)
    assert "too few to see" in bg.fit(model, X, method(500), rng=0).status.sentence
    assert "raise passes=1" in bg.fit(model, X, method(500), rng=0).status.sentence
    assert "give more data with partial_fit" in bg.fit(model, iter([X]), method(500), rng=0).status.sentence
    far = bg.MixtureParams(START.weights, START.means + 20.0, 9.0 * START.covariances)
    rising = bg.fit(model, X, method(50, step=0.03, init=far), rng=0).status
    assert "rose by" in rising.sentence and "nats per point: raise passes=1" in rising.sentence
    assert bg.fit(model, X, method(50, passes=20), rng=0).status.is_converged


def test_a_collapse_is_a_status():
    spike = np.concatenate([X, np.tile(X[:1], (200, 1))])
    begin = bg.MixtureParams(np.full(4, 0.25), np.vstack([START.means, X[:1]]),
                             np.concatenate([START.covariances, [1e-4 * np.eye(2)]]))  # fmt: skip
    fit = bg.fit(bg.GaussianMixture(4), spike, bg.OnlineEM(300, passes=20, init=begin), rng=0)
    assert fit.diagnostics.flags and "sits at the variance floor" in fit.status.sentence


@every_method
def test_single_precision_is_kept_and_accumulated_in_double(method):
    single = X.astype(np.float32)
    fit = bg.fit(bg.GaussianMixture(3), single, method(50, init=OFF), rng=0)
    double = bg.fit(bg.GaussianMixture(3), single.astype(float), method(50, init=OFF), rng=0)
    assert fit.X.dtype == np.float32 and fit.params.means.dtype == np.float64
    assert are_close(fit, double, rtol=1e-12)


@every_method
def test_an_affine_change_moves_the_fit_with_it(method):
    A, b = np.array([[200.0, 10.0], [-1.0, 0.05]]), np.array([1e5, -7.0])
    one = bg.fit(bg.GaussianMixture(3), X, method(50), rng=5)
    two = bg.fit(bg.GaussianMixture(3), X @ A.T + b, method(50), rng=5)
    assert np.allclose(one.params.weights, two.params.weights, rtol=1e-7)
    assert np.allclose(one.params.means @ A.T + b, two.params.means, rtol=1e-9)
    assert np.allclose(A @ one.params.covariances @ A.T, two.params.covariances, rtol=1e-6)


@every_method
def test_an_offset_costs_no_digits(method):
    one = bg.fit(bg.GaussianMixture(3), X, method(50, init=OFF), rng=5)
    off = bg.MixtureParams(OFF.weights, OFF.means + 1e8, OFF.covariances)
    two = bg.fit(bg.GaussianMixture(3), X + 1e8, method(50, init=off), rng=5)
    assert np.allclose(one.params.covariances, two.params.covariances, rtol=1e-5)  # of stored digits, at 1e8


@every_method
@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_make_no_difference(method, threads, monkeypatch):
    expected = bg.fit(bg.GaussianMixture(3), X, method(50), rng=5)
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", threads)
    assert are_equal(bg.fit(bg.GaussianMixture(3), X, method(50), rng=5), expected)


BAD = {
    "batch_size": [0, 2.5, True, "all"],
    "passes": [0, -1, 1.5],
    "step": [0.0, 1.5, "slow", True],
    "init": ["best", 3],
    "n_init": [0],
}


@every_method
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_options_are_refused(method, name, value):
    with pytest.raises(bg.ArgumentError, match=f"{name}="):
        method(**{name: value})


@pytest.mark.parametrize("options", [{"power": 0.5}, {"power": 1.1}, {"delay": -1.0}, {"delay": np.inf}], ids=str)
def test_steps_that_do_not_converge_are_refused(options):
    with pytest.raises(bg.ArgumentError):
        bg.RobbinsMonro(**options)


@every_method
def test_an_iterator_is_read_once(method):
    with pytest.raises(bg.ArgumentError, match="passes=2.*only once"):
        bg.fit(bg.GaussianMixture(3), iter([X]), method(passes=2))
    assert bg.fit(bg.GaussianMixture(3), lambda: iter([X]), method(100, passes=2), rng=0).diagnostics.n_seen == 2000


def test_an_unknown_number_of_points_is_what_was_read():
    """Stochastic VB of an iterator scales its statistics by the points so far, and ends with all of them."""
    fit = bg.fit(bg.GaussianMixture(3), iter([X[:300], X[300:]]), bg.StochasticVB(50, init=OFF), rng=0)
    assert np.isclose(fit.estimate.posterior.weights.concentration.sum(), 1000 + 3, rtol=1e-12)


def test_emptied_components_of_a_stream_are_named():
    model = bg.GaussianMixture(8, weights=bg.Dirichlet(0.01))
    begin = bg.fit(model, X, bg.VB(), rng=0)
    fit = bg.fit(model, lambda: iter([X]), bg.StochasticVB(100, passes=5, init=begin.params), rng=0)
    assert fit.X is None and set(fit.emptied()) >= set(begin.emptied()) and len(begin.emptied()) >= 4


@pytest.mark.parametrize(
    "model", [bg.DirichletProcessMixture(6), bg.GaussianMixture(6, weights=bg.Dirichlet(0.01))], ids=["DP", "sparse"]
)
@pytest.mark.few(1)
def test_components_too_many_are_emptied_as_by_vb(model):
    X = np.random.default_rng(0).standard_normal((1000, 2)) + np.repeat([[0.0, 0.0], [6.0, 0.0]], 500, axis=0)
    whole = bg.fit(model, X, bg.VB(), rng=0)  # of two starts, none may come to the optimum with two components
    stream = bg.fit(model, X, bg.StochasticVB(batch_size=50, passes=3, n_init=2), rng=0)
    # Half a nat for each of the 11 parameters of two components; with all six occupied some 75 are lost.
    assert whole.elbo - stream.elbo < 6.0
    assert stream.occupied()["n_occupied"].idxmax() == whole.occupied()["n_occupied"].idxmax() == 2
