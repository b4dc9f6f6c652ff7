"""The loop that EM, MAP and VB share: interrupts, statuses, convergence, and what it asks of Numba."""

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs
from testbed.interrupts import interrupt_sweep

import bayesgmm as bg
from bayesgmm.core import density, sweep
from bayesgmm.methods.climbing import loop, restarts

METHODS = {"EM": bg.EM, "MAP": bg.MAP, "VB": bg.VB}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@pytest.fixture
def interrupt_at(monkeypatch):
    """Make the n-th sweep of the loop end in a KeyboardInterrupt."""

    return lambda n: interrupt_sweep(monkeypatch, loop, n)


@every_method
def test_an_interrupt_keeps_the_best_so_far(method, interrupt_at, monkeypatch):
    X, model = blobs(), bg.GaussianMixture(3)
    monkeypatch.setattr(restarts, "FIRST", 5)  # fewer than the climb to the end takes
    with pytest.warns(bg.NotConvergedWarning, match="Stopped"):  # what the first restart makes before the second
        begun = bg.fit(model, X, method(n_init=1, max_iter=5, init="kmeans++"), rng=0)
    interrupt_at(1 + begun.diagnostics.n_iter + 3)
    with pytest.warns(bg.NotConvergedWarning, match="Interrupted in restart 2 of 5; this is the best until then"):
        fit = bg.fit(model, X, method(n_init=5, init="kmeans++"), rng=0)
    assert fit.status.is_usable and not fit.status.is_converged
    one, two = fit.diagnostics.restarts
    assert one.objective == begun.history[-1]
    assert two.n_iter == 1 and not two.is_converged  # start, one step, and the third sweep was stopped
    assert fit.history[-1] == max(end.objective for end in (one, two) if not end.flags)
    assert np.isfinite(fit.log_density(X)).all()


@every_method
def test_an_interrupt_in_the_first_restart_keeps_its_last_complete_state(method, interrupt_at):
    X = blobs()
    interrupt_at(4)
    with pytest.warns(bg.NotConvergedWarning, match="Interrupted in restart 1 of 3.* It had made 2 iterations"):
        fit = bg.fit(bg.GaussianMixture(3), X, method(n_init=3), rng=0)
    assert len(fit.history) == 3
    if method is not bg.VB:
        assert np.isclose(fit.log_density(X).sum(), fit.log_likelihood, rtol=1e-12)


@every_method
def test_an_interrupt_before_there_is_anything_is_an_interrupt(method, interrupt_at):
    interrupt_at(1)
    with pytest.raises(KeyboardInterrupt):
        bg.fit(bg.GaussianMixture(3), blobs(), method(), rng=0)


@every_method
def test_an_interrupt_while_a_start_is_made_keeps_what_there_is(method, monkeypatch):
    def progress(done, total, note):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.warns(bg.NotConvergedWarning, match="Interrupted in restart 3 of 5"):
        fit = bg.fit(bg.GaussianMixture(3), blobs(), method(n_init=5), rng=0, progress=progress)
    assert len(fit.diagnostics.restarts) == 2
    assert fit.history[-1] == max(end.objective for end in fit.diagnostics.restarts if not end.flags)


@every_method
def test_progress_goes_from_nothing_to_all(method):
    seen = []
    bg.fit(bg.GaussianMixture(2), blobs(), method(n_init=3), rng=0, progress=lambda *args: seen.append(args))
    shares = [done / total for done, total, note in seen if note == "restarts"]
    assert len(shares) == len(seen) and seen[0][0] == 0 and seen[-1][0] == seen[-1][1]
    assert all(share < 1.0 for share in shares[:-1])


def test_the_gain_to_come_is_extrapolated():
    """A geometric approach with rate 0.99 has a hundred times the last gain still before it."""
    history = [-(0.99**i) for i in range(50)]
    stopping = loop.Stopping(1000, 1e-3, None)
    gain = history[-1] - history[-2]
    assert gain < 0.01 and not stopping.is_met(history, 1.0, None)
    n = int(np.log(1e-3) / np.log(0.99)) + 3  # what remains, the last gain included, is at most 1e-3
    assert stopping.is_met([-(0.99**i) for i in range(n)], 1.0, None)
    assert not stopping.is_met([-(0.99**i) for i in range(n - 10)], 1.0, None)
    assert stopping.is_met([-(0.99**i) for i in range(n - 10)], 100.0, None)  # on the mean per point
    assert not stopping.is_met([-3.0, -2.0, -0.5], 1.0, None)  # accelerating: nothing to extrapolate
    assert stopping.is_met([-1.0, -1.0, -1.0], 1.0, None) and not stopping.is_met([-1.0], 1.0, None)


def test_of_two_criteria_both_must_hold():
    flat, steep = [-1.0, -1.0, -1.0], [-9.0, -5.0, -1.0]
    for tol, param_tol, history, change, expected in (
        (1e-3, 1e-3, flat, 1e-4, True),
        (1e-3, 1e-3, flat, 1.0, False),
        (1e-3, 1e-3, steep, 1e-4, False),
        (None, 1e-3, steep, 1e-4, True),
        (None, None, flat, None, False),
    ):
        assert loop.Stopping(10, tol, param_tol).is_met(history, 1.0, change) is expected


def test_no_kernel_is_compiled_for_read_only_arrays():
    """Numba keeps a second version of a kernel for them: twice the compile time of a first use."""

    def signatures():
        kernels = [f for module in (sweep, density) for f in vars(module).values() if hasattr(f, "signatures")]
        return {(f.__name__, signature) for f in kernels for signature in f.signatures}

    before = signatures()
    for structure in STRUCTURES:
        for k in (1, 2):
            for method in METHODS.values():
                for init in ("kmeans", "random"):
                    fit = bg.fit(bg.GaussianMixture(k, structure), blobs(), method(n_init=1, init=init), rng=0)
                fit.log_density(blobs())
                fit.responsibilities(blobs())
                fit.log_density_draws(blobs()[:2])
    arrays = [
        (name, kind) for name, signature in signatures() - before for kind in signature if hasattr(kind, "layout")
    ]
    assert [name for name, array in arrays if not array.mutable or array.layout != "C"] == []
