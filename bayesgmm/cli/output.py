"""The files of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bayesgmm.cli.grid import GridResults
from bayesgmm.data.writing import write_text
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
    others = sorted({path.name for path in (out / "fits").glob("*.nc")} - set(fit_files))
    replaced = [file for file in FILES if (out / file).exists()]
    results.comparison.to_csv(out / "comparison.csv")
    write_text(out / "comparison.json", _json(results, facts) + "\n")
    is_reported = _report(out / "report.html", results, labels, name, facts, say)
    if replaced:
        say(f"Replaced {', '.join(replaced)} of an earlier run in {out}.")
    if results.taken_up:
        say(
            f"{len(results.taken_up)} fits of the same data, options and versions were there from an earlier run and "
            f"were taken up: {', '.join(results.taken_up)}."
        )
    if others:
        say(f"Left in {out / 'fits'} from an earlier run: {', '.join(others)}.")
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
