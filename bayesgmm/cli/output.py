"""The files of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bayesgmm.cli.grid import GridResults
from bayesgmm.errors import ArgumentError
from bayesgmm.report import write_report
from bayesgmm.result.fit import Fit

FILES = ("comparison.csv", "comparison.json", "report.html")


def prepare_folder(out: Path) -> None:
    """Make the folder of the results before any work is put into them.

    Raises
    ------
    ArgumentError
        It cannot be made or written to.
    """
    try:
        (out / "fits").mkdir(parents=True, exist_ok=True)
        probe = out / "fits" / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ArgumentError(
            f"--out {out}: cannot write there ({error.strerror or error}); choose another folder."
        ) from None


def write_results(
    out: Path,
    results: GridResults,
    labels: np.ndarray | None,
    name: str,
    facts: dict[str, str],
    say: Callable[[str], None],
) -> bool:
    """Write everything, the report last; say where, and what was there before.  False where the report failed."""
    fit_files = [f"{fit_name}.nc" for fit_name in results.fits]
    older = {path.name for path in (out / "fits").glob("*.nc")}
    replaced = [file for file in FILES if (out / file).exists()] + sorted(older & set(fit_files))
    results.comparison.to_csv(out / "comparison.csv")
    (out / "comparison.json").write_text(_json(results, facts) + "\n", encoding="utf-8")
    for fit_name, fit in results.fits.items():
        fit.save(out / "fits" / f"{fit_name}.nc")
    is_reported = _report(out / "report.html", results, labels, name, facts, say)
    if replaced:
        say(f"Replaced {len(replaced)} files of an earlier run in {out}.")
    if older - set(fit_files):
        say(f"Left in {out / 'fits'} from an earlier run: {', '.join(sorted(older - set(fit_files)))}.")
    say(f"Written to {out}: comparison.csv, comparison.json, {len(fit_files)} fits in fits.")
    if is_reported:
        say(f"Report: {out / 'report.html'}")
    return is_reported


def _report(path: Path, results: GridResults, labels, name: str, facts: dict[str, str], say) -> bool:
    if not results.fits:
        return False
    try:
        write_report(path, results.comparison, results.fits, labels, f"Gaussian mixtures: {name}", facts)
    except Exception as error:  # hours of sampling must not end in a traceback because of a figure
        say(f"The report could not be made ({type(error).__name__}: {error}); all other files are written.")
        return False
    return True


def _json(results: GridResults, facts: dict[str, str]) -> str:
    content = results.comparison.to_dict() | {
        "run": facts,
        "provenance": {name: _provenance(fit) for name, fit in results.fits.items()},
    }
    return json.dumps(content, indent=1, allow_nan=False, default=lambda value: np.asarray(value).tolist())


def _provenance(fit: Fit) -> dict:
    prior = {**fit.model.weight_constants(), **fit.model.prior.constants()}
    return {
        **fit.provenance,
        "seed": fit.seed,
        "method": type(fit.method).__name__,
        "options": asdict(fit.method),
        "prior": prior,
    }
