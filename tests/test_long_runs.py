"""Long runs: extended fits, draws on disk, runs that were killed or interrupted, and progress."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.errors import ArgumentError, DataError, NotApplicableError
from bayesgmm.methods import nuts
from bayesgmm.methods.chains import gibbs_draws
from bayesgmm.methods.chains.gibbs_chain import RecordedChain
from bayesgmm.methods.chains.running import extended_length
from bayesgmm.result import checkpoint as checkpoints
from bayesgmm.result.diagnostics import QuantityDiagnostics, SamplerDiagnostics

pytestmark = [
    pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning"),  # the runs are short
    pytest.mark.filterwarnings("ignore::bayesgmm.TruncationWarning"),
]
PACKAGE_PARENT = Path(bg.__file__).parents[1]
X = bg.load_dataset("faithful").X
MODELS = {
    "finite": bg.GaussianMixture(2),
    "diagonal": bg.GaussianMixture(2, covariance="diagonal"),
    "DP": bg.DirichletProcessMixture(4),
    "MFM": bg.MixtureOfFiniteMixtures(4),
    "unknown scale": bg.GaussianMixture(2, prior=bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())),
}


def assert_same_draws(ours, theirs):
    for name in ("weights", "means", "precision_chol"):
        np.testing.assert_array_equal(getattr(ours.params, name), getattr(theirs.params, name))
    assert ours.estimate.sample_stats.keys() == theirs.estimate.sample_stats.keys()
    for name, values in ours.estimate.sample_stats.items():
        np.testing.assert_array_equal(values, theirs.estimate.sample_stats[name])


def gibbs(draws, **options):
    return bg.Gibbs(**{"draws": draws, "tune": 30, "chains": 2, "thin": 2} | options)


# ---- extend ----


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.few(1)
def test_gibbs_goes_on_in_place_also_from_a_file(name, tmp_path):
    short = bg.fit(MODELS[name], X, gibbs(110), rng=0)
    short.save(tmp_path / "short.nc")
    long = bg.fit(MODELS[name], X, gibbs(200), rng=0)
    for fit in (short, bg.load(tmp_path / "short.nc")):
        longer = fit.extend(90)
        assert_same_draws(longer, long)
        assert longer.status == long.status and longer.diagnostics == long.diagnostics
        assert longer.method == long.method and longer.seed == long.seed
    assert longer.seconds > short.seconds


def test_an_extension_can_be_extended_and_saved(tmp_path):
    fit = bg.fit(MODELS["finite"], X, gibbs(100), rng=0).extend(1).extend(49)
    fit.save(tmp_path / "fit.nc")
    assert_same_draws(bg.load(tmp_path / "fit.nc").extend(50), bg.fit(MODELS["finite"], X, gibbs(200), rng=0))


def test_nuts_goes_on_with_new_stretches():
    fit = bg.fit(MODELS["finite"], X, bg.NUTS(draws=100, tune=200, chains=2), rng=0)
    longer, again = fit.extend(60), fit.extend(60)
    assert longer.params.draw_shape == (2, 160) and longer.method.draws == 160
    np.testing.assert_array_equal(longer.params.means[:, :100], fit.params.means)
    assert_same_draws(longer, again)
    assert "The last 60 draws of each chain were made after tuning anew" in longer.status.sentence
    assert len(np.unique(longer.params.weights[..., 0])) > 300  # no stretch repeats another; single draws may
    assert longer.extend(10).params.draw_shape == (2, 170)


@pytest.fixture
def short_stretches(monkeypatch):
    """Stretches of 60 draws, at most four: 240 cannot all be effective, but no law forbids the hope after 60."""
    monkeypatch.setattr(nuts, "STRETCH", 60)
    monkeypatch.setattr(nuts, "MOST_DRAWS", 240)
    monkeypatch.setattr(nuts, "_is_worth_more", lambda found, n_draws, n_stretches: n_draws < 180)


def test_nuts_goes_on_until_it_is_enough(short_stretches):
    method = bg.NUTS(tune=200, chains=2)
    fit = bg.fit(MODELS["finite"], X, method, rng=0)
    assert fit.params.draw_shape == (2, 180) and fit.method == method
    assert "tuned anew after each 60 draws" in fit.status.sentence
    first = bg.fit(MODELS["finite"], X, bg.NUTS(draws=60, tune=200, chains=2), rng=0)
    np.testing.assert_array_equal(fit.params.means[:, :60], first.params.means)
    assert_same_draws(bg.fit(MODELS["finite"], X, method, rng=0), fit)
    assert len(np.unique(fit.params.weights[..., 0])) > 330  # no stretch repeats another; single draws may
    longer = first.extend()
    assert longer.params.draw_shape == (2, 180) and longer.method.draws is None
    assert fit.method.as_fixed(fit) == bg.NUTS(draws=180, tune=200, chains=2)


def test_stretches_of_nuts_are_kept_on_disk(short_stretches, tmp_path, monkeypatch):
    method, stretches = bg.NUTS(tune=200, chains=2), []
    plain = bg.fit(MODELS["finite"], X, method, rng=0)
    sample = nuts.NUTS._sample

    def stopped_in_the_third(*args):
        stretches.append(args)
        if len(stretches) == 3:
            raise SystemExit
        return sample(*args)

    monkeypatch.setattr(nuts.NUTS, "_sample", stopped_in_the_third)
    with pytest.raises(SystemExit):
        bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path)
    monkeypatch.setattr(nuts.NUTS, "_sample", sample)
    resumed = bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path)
    assert_same_draws(resumed, plain)
    assert "All draws were read" in resumed.status.sentence and "stretch-1" in resumed.status.sentence
    assert_same_draws(bg.fit(MODELS["finite"], X, method, checkpoint=tmp_path), plain)


def test_nuts_goes_on_only_where_that_promises_to_be_enough():
    def found(rhat, ess, n_divergent=0):
        row = QuantityDiagnostics("log likelihood", 0.0, 1.0, 0.1, ess, ess, rhat)
        return SamplerDiagnostics((row,), n_divergent, 0)

    assert not nuts._is_worth_more(found(1.001, 500.0), 1000, 1)
    assert nuts._is_worth_more(found(1.001, 150.0), 1000, 1)
    assert not nuts._is_worth_more(found(1.001, 150.0), 3000, 3)
    assert not nuts._is_worth_more(found(1.001, 50.0), 1000, 1)
    assert not nuts._is_worth_more(found(1.5, 150.0), 1000, 1)
    assert not nuts._is_worth_more(found(1.001, 150.0, 1), 1000, 1)


@pytest.mark.parametrize(
    ("method", "words"),
    [(bg.EM(), "restarts"), (bg.VB(), "Gibbs or NUTS"), (bg.OnlineEM(), "partial_fit")],
    ids=["EM", "VB", "OnlineEM"],
)
def test_what_has_no_chains_says_what_to_do_instead(method, words):
    with pytest.raises(NotApplicableError, match=words):
        bg.fit(MODELS["finite"], X, method, rng=0).extend(10)


def test_extending_needs_data_and_a_number(tmp_path):
    fit = bg.fit(MODELS["finite"], X, gibbs(100), rng=0)
    for draws in (0, -1, 1.5, True, "10"):
        with pytest.raises(ArgumentError, match="draws="):
            fit.extend(draws)
    with pytest.raises(NotApplicableError, match="stacked"):
        bg.stack_chains(fit).fit.extend(10)
    fit.save(tmp_path / "fit.nc", data=False)
    with pytest.raises(NotApplicableError, match="without its data"):
        bg.load(tmp_path / "fit.nc").extend(10)


def test_an_interrupted_extension_is_cut_to_the_shortest_chain():
    fit = bg.fit(MODELS["finite"], X, gibbs(100), rng=0)

    def press(done, total, note):
        if done > 100:
            raise KeyboardInterrupt

    longer = fit.extend(10**6, progress=press)
    chains, draws = longer.params.draw_shape
    assert chains == 2 and 100 < draws < 10**6
    assert longer.status.outcome.value == "interrupted" and f"the first {draws} of each" in longer.status.sentence
    assert_same_draws(longer, bg.fit(MODELS["finite"], X, gibbs(draws), rng=0))
    with pytest.raises(KeyboardInterrupt):
        extended_length([500, 0])


def interrupt_at_once(done, total, note):
    raise KeyboardInterrupt


# ---- interrupts ----


@pytest.mark.parametrize("method", [gibbs(10**6), bg.NUTS(draws=10**6, tune=100, chains=2)], ids=["Gibbs", "NUTS"])
def test_an_interrupt_leaves_a_valid_fit(method, tmp_path):
    def press(done, total, note):
        if done > 2000:
            raise KeyboardInterrupt

    fit = bg.fit(MODELS["finite"], X, method, rng=0, progress=press)
    chains, draws = fit.params.draw_shape
    assert 1 <= chains <= 2 and 100 <= draws < 10**6
    assert fit.status.outcome.value == "interrupted" and f"Interrupted: {chains} of 2 chains" in fit.status.sentence
    values = (fit.params.weights, fit.params.means, fit.params.precision_chol, *fit.estimate.sample_stats.values())
    assert all(np.isfinite(value.astype(float)).all() for value in values)
    fit.save(tmp_path / "fit.nc")
    assert_same_draws(bg.load(tmp_path / "fit.nc"), fit)
    assert fit.extend(5).params.draw_shape == (chains, draws + 5)
    with pytest.raises(KeyboardInterrupt):
        bg.fit(MODELS["finite"], X, replace(method, tune=10**6), rng=0, progress=interrupt_at_once)


# ---- checkpoints ----


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.few(1)
def test_a_checkpoint_has_the_draws_of_the_run(name, tmp_path):
    method = gibbs(450)
    plain = bg.fit(MODELS[name], X, method, rng=0)
    first = bg.fit(MODELS[name], X, method, rng=0, checkpoint=tmp_path / "run")
    assert_same_draws(first, plain)
    assert first.status == plain.status
    finished = bg.fit(MODELS[name], X, method, rng=0, checkpoint=tmp_path / "run")
    assert_same_draws(finished, plain)
    assert f"All draws were read from '{tmp_path / 'run'}'." in finished.status.sentence
    assert_same_draws(finished.extend(10), plain.extend(10))


def test_the_draws_on_disk_are_zarr(tmp_path):
    import xarray as xr

    fit = bg.fit(MODELS["finite"], X, gibbs(250), rng=0, checkpoint=tmp_path)
    with xr.open_zarr(tmp_path / "draws.zarr", consolidated=False) as stored:
        assert stored["weights"].dims[:2] == ("chain", "draw")
        np.testing.assert_array_equal(stored["weights"].values, fit.params.weights)


@pytest.mark.parametrize("where", ["tuning", "draws", "end"])
@pytest.mark.few(1)
def test_gibbs_goes_on_after_an_interrupt_wherever_it_came(where, tmp_path):
    method = gibbs(500, tune=450)
    begin = {"tuning": 500, "draws": 1400, "end": 1850}[where]

    def press(done, total, note):
        if done > begin:
            raise KeyboardInterrupt

    try:
        bg.fit(MODELS["DP"], X, method, rng=0, checkpoint=tmp_path, progress=press)
    except KeyboardInterrupt:
        assert where == "tuning"
    resumed = bg.fit(MODELS["DP"], X, method, rng=0, checkpoint=tmp_path)
    assert_same_draws(resumed, bg.fit(MODELS["DP"], X, method, rng=0))
    assert "were read from" in resumed.status.sentence


@pytest.mark.parametrize("method", [gibbs(110), bg.NUTS(draws=110, tune=200, chains=2)], ids=["Gibbs", "NUTS"])
def test_an_interrupt_while_draws_are_judged_does_not_lose_them(method, monkeypatch):
    module, presses = gibbs_draws if isinstance(method, bg.Gibbs) else nuts, []
    diagnose = module.diagnose

    def pressed(*arguments):
        presses.append(None)
        if len(presses) == 1:
            raise KeyboardInterrupt
        return diagnose(*arguments)

    monkeypatch.setattr(module, "diagnose", pressed)
    fit = bg.fit(MODELS["finite"], X, method, rng=0)
    assert len(presses) == 2 and fit.params.draw_shape[1] == 110


def test_a_torn_last_chunk_is_made_again(tmp_path, monkeypatch):
    """A kill between the writing of draws and that of the state leaves draws that the state does not know of."""
    method = gibbs(500, chains=1)
    plain = bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path)
    half_way, advance = tmp_path / "half", RecordedChain.advance

    def press(done, total, note):
        if done > 230:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # It waits where it is to be interrupted, or it would be anywhere by the time that the main thread looks.
        patch.setattr(
            RecordedChain, "advance", lambda chain, steps: advance(chain, min(steps, 9)) if chain.done < 231 else None
        )
        bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=half_way, progress=press)
    state = json.loads((half_way / "chain-0.json").read_text())
    assert state["done"] == 230
    (half_way / "chain-0.json.new").write_text('{"done": 4')  # it was about to write the next one
    for chunk in (half_way / "draws.zarr").rglob("c/0/1*"):
        for file in [chunk] if chunk.is_file() else filter(Path.is_file, chunk.rglob("*")):
            file.write_bytes(b"torn")
    assert_same_draws(bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=half_way), plain)


def test_nuts_keeps_finished_chains_and_runs_the_others_again(tmp_path):
    method = bg.NUTS(draws=100, tune=200, chains=3)
    plain = bg.fit(MODELS["finite"], X, method, rng=0)
    assert_same_draws(bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path), plain)
    (tmp_path / "chain-1.json").unlink()
    resumed = bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path)
    assert_same_draws(resumed, plain)
    assert "2 of 3 chains were read" in resumed.status.sentence and "begun again" in resumed.status.sentence
    finished = bg.fit(MODELS["finite"], X, method, checkpoint=tmp_path)  # without a seed: that of the folder
    assert_same_draws(finished, plain)
    assert "All draws were read" in finished.status.sentence and finished.seed == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": bg.GaussianMixture(3)}, "its model"),
        ({"method": gibbs(120)}, "its method (draws=110, here 120)"),
        ({"rng": 1}, "its seed (0, here 1)"),
        ({"X": X + 1.0}, "its data"),
    ],
)
def test_a_folder_of_another_fit_is_refused(change, words, tmp_path):
    call = {"model": bg.GaussianMixture(2), "X": X, "method": gibbs(110), "rng": 0, "checkpoint": tmp_path}
    bg.fit(**call)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ArgumentError, match="belongs to another fit") as error:
        bg.fit(**call | change, progress=never)
    assert words in str(error.value) and str(tmp_path) in str(error.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def never(done, total, note):
    raise AssertionError("work was done")


def test_other_folders_and_methods_are_refused_before_any_work(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="something else"):
        bg.fit(MODELS["finite"], X, gibbs(110), rng=0, checkpoint=tmp_path, progress=never)
    with pytest.raises(ArgumentError, match="cannot write|something else"):
        bg.fit(MODELS["finite"], X, gibbs(110), rng=0, checkpoint=tmp_path / "notes.txt", progress=never)
    with pytest.raises(ArgumentError, match="must be a path"):
        bg.fit(MODELS["finite"], X, gibbs(110), rng=0, checkpoint=3, progress=never)
    for method in (bg.EM(), bg.VB(), bg.OnlineEM(), bg.ADVI()):
        with pytest.raises(NotApplicableError, match="no draws that a checkpoint could keep"):
            bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path / "new", progress=never)
    with pytest.raises(NotApplicableError, match="nutpie"):
        bg.fit(MODELS["finite"], X, bg.NUTS(nuts_sampler="pymc"), rng=0, checkpoint=tmp_path / "new", progress=never)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_other_versions_are_told(tmp_path):
    bg.fit(MODELS["finite"], X, gibbs(110), rng=0, checkpoint=tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["versions"]["version_numpy"] = "1.0"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    sentence = bg.fit(MODELS["finite"], X, gibbs(110), rng=0, checkpoint=tmp_path).status.sentence
    assert "other versions of numpy: the draws are valid" in sentence


EMPTY = {"arrays": {"dict": {}}, "generator": {"dict": {}}}
DAMAGE = {
    "a chunk is gone": ("draws.zarr/means/c/0", None),
    "a chunk is empty": ("draws.zarr/means/c/0/0/0/0", b""),
    "the draws are gone": ("draws.zarr", None),
    "an array is gone": ("draws.zarr/means", None),
    "an array's description is torn": ("draws.zarr/means/zarr.json", b'{"shape'),
    "a chain is torn": ("chain-0.json", b'{"done": 1'),
    "a chain is a list": ("chain-0.json", b"[]"),
    "a chain has no number": ("chain-0.json", b'{"state": "null"}'),
    "a chain has an odd number": ("chain-0.json", b'{"done": "3", "state": "null"}'),
    "a chain has an odd state": ("chain-0.json", b'{"done": 60, "state": "[]"}'),
    "a chain's state is empty": (
        "chain-0.json",
        json.dumps({"done": 280, "state": json.dumps({"type": "ChainState", "fields": EMPTY})}).encode(),
    ),
    "a chain has no state": ("chain-0.json", b'{"done": 280, "state": "null"}'),
    "the manifest is torn": ("manifest.json", b'{"format": "bay'),
    "the manifest is a list": ("manifest.json", b"[]"),
    "the manifest has no identity": ("manifest.json", b'{"format": "FORMAT"}'),
    "the manifest has no seed": ("manifest.json", b'{"format": "FORMAT", "versions": {}, "identity": {"model": "1"}}'),
}


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complete")
    bg.fit(MODELS["finite"], X, gibbs(250), rng=0, checkpoint=folder)
    return folder


@pytest.mark.parametrize(("name", "content"), DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("seed", [0, None])
def test_a_damaged_folder_is_one_clear_error(name, content, seed, complete, tmp_path):
    folder = shutil.copytree(complete, tmp_path / "copy")
    if content is not None:
        (folder / name).write_bytes(content.replace(b"FORMAT", checkpoints.FORMAT.encode()))
    elif (folder / name).is_dir():
        shutil.rmtree(folder / name)
    with pytest.raises(DataError, match="is damaged.* missing or cannot be read. Remove the folder") as error:
        bg.fit(MODELS["finite"], X, gibbs(250), rng=seed, checkpoint=folder, progress=never)
    assert name.split("/")[0] in str(error.value) and str(folder) in str(error.value)


def test_a_chunk_whose_bytes_have_changed_is_noticed(complete, tmp_path):
    folder = shutil.copytree(complete, tmp_path / "copy")
    chunk = folder / "draws.zarr" / "means" / "c" / "1" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(DataError, match="draws.zarr/means is missing or cannot be read"):
        bg.fit(MODELS["finite"], X, gibbs(250), rng=0, checkpoint=folder, progress=never)


def test_the_test_of_equal_draws_sees_a_state_that_is_not_restored(tmp_path, monkeypatch):
    """A planted fault: the random numbers begin anew."""
    method = gibbs(450, chains=1)
    plain = bg.fit(MODELS["finite"], X, method, rng=0)
    original = checkpoints.Checkpoint.written

    def with_another_generator(self, chain):
        written = original(self, chain)
        if written is not None:
            written.state.generator["state"]["state"] += 1
        return written

    def press(done, total, note):
        if done > 250:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.Checkpoint, "written", with_another_generator)
    bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path, progress=press)
    resumed = bg.fit(MODELS["finite"], X, method, rng=0, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.params.weights[:, :200], plain.params.weights[:, :200])
    assert not np.array_equal(resumed.params.weights[:, 200:], plain.params.weights[:, 200:])


# ---- kill -9 ----

SCRIPT = """
    import sys, warnings
    import bayesgmm as bg
    warnings.simplefilter("ignore")
    fit = bg.fit({model}, bg.load_dataset("faithful").X, {method}, rng=0, checkpoint=sys.argv[1])
    fit.save(sys.argv[1] + ".nc")
"""


def begin(model, method, folder):
    script = textwrap.dedent(SCRIPT.format(model=model, method=method))
    env = os.environ | {"PYTHONPATH": str(PACKAGE_PARENT)}
    return subprocess.Popen([sys.executable, "-c", script, str(folder)], env=env, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "method", "words"),
    [
        (
            "bg.GaussianMixture(3)",
            "bg.Gibbs(draws=4000, tune=300, chains=3, thin=60)",
            "of each chain that was not finished at most 200 draws were made again",
        ),
        ("bg.GaussianMixture(2)", "bg.NUTS(draws=6000, tune=500, chains=6)", "begun again, each with its own seed"),
    ],
    ids=["Gibbs", "NUTS"],
)
@pytest.mark.often(1)
def test_a_killed_run_goes_on(model, method, words, tmp_path):
    """SIGKILL in the middle, twice; then the draws are those of a run that nobody disturbed."""
    folder, n_chains = tmp_path / "run", int(method.partition("chains=")[2].rstrip(")").partition(",")[0])
    is_gibbs = "Gibbs" in method
    for wanted in (1, 3) if is_gibbs else (1, 2):
        process = begin(model, method, folder)
        while not enough(folder, wanted, is_gibbs):
            assert process.poll() is None, f"it ended before it could be killed: {process.stderr.read()}"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not Path(f"{folder}.nc").exists()
    process = begin(model, method, folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    resumed = bg.load(f"{folder}.nc")
    assert words in resumed.status.sentence
    assert resumed.params.draw_shape[0] == n_chains
    names = {"bg": bg}
    assert_same_draws(resumed, bg.fit(eval(model, names), X, eval(method, names), rng=0))


def enough(folder, wanted, is_gibbs):
    """Whether chains have kept so many hundreds of draws each, or so many chains are finished."""
    states = [json.loads(path.read_text()) for path in folder.glob("chain-*.json")]
    if is_gibbs:
        return any(state["done"] >= 300 + 200 * wanted for state in states)
    return len(states) >= wanted


# ---- progress ----


@pytest.mark.parametrize(
    ("method", "word"),
    [
        (bg.EM(n_init=3), "restarts"),
        (bg.VB(n_init=3), "restarts"),
        (bg.OnlineEM(), "points"),
        (bg.StochasticVB(), "points"),
        (gibbs(100), "draws"),
        (bg.NUTS(draws=100, tune=100, chains=2), "draws"),
        (bg.Pathfinder(paths=3, draws=100), "paths"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_engine_says_how_far_it_is(method, word):
    said = []
    bg.fit(MODELS["finite"], X, method, rng=0, progress=lambda *step: said.append(step))
    assert all(0 <= done <= total and word in note for done, total, note in said)
    assert said[-1][0] == said[-1][1] > 0
    assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)


def test_nuts_counts_divergences_while_it_runs():
    import inspect

    import nutpie

    said = []
    method = bg.NUTS(draws=3000, tune=10, chains=2, target_accept=0.3)
    fit = bg.fit(bg.GaussianMixture(4), X, method, rng=0, progress=lambda *step: said.append(step[2]))
    assert fit.diagnostics.n_divergent > 0
    if "progress_callback" in inspect.signature(nutpie.sample).parameters:  # since nutpie 0.16.11
        assert any("divergent" in note for note in said)
    else:
        assert set(said) == {"draws"}
