"""One run of the command `search`: fit, print, write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bayesgmm.cli.output import prepare_folder
from bayesgmm.data.writing import write_text
from bayesgmm.selection import search

if TYPE_CHECKING:
    import pandas as pd

INTERRUPTED = 130
SHOWN = 5  # models


def run_search(
    table: pd.DataFrame, sizes: tuple[int, ...], families: str | list[str], criterion: str, seed: int, out: Path
) -> int:
    """Run it and return the exit code.

    Raises
    ------
    BayesGMMError
        The data or an option cannot be used, or no model could be fitted.
    """
    from matplotlib.figure import Figure

    prepare_folder(out)
    found = search(table, sizes, families, criterion=criterion, rng=seed)
    rows = found.table.sort_values(criterion, ascending=False)
    write_text(out / "search.csv", found.table.to_csv(index=False))
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    found.plot(ax=figure.add_subplot())
    figure.savefig(out / "search.png", dpi=150)
    print(f"{criterion} is {found.table.attrs[criterion]}; bic_mclust is {found.table.attrs['bic_mclust']}.")
    names = ["n_components", "covariance", "log_likelihood", "n_parameters", criterion, "bic_mclust"]
    print(rows[rows["is_ranked"]][names].head(SHOWN).to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    n_left, n_flagged = found.n_asked - len(found.cells), int((~found.table["is_ranked"]).sum())
    if n_flagged:
        print(f"Not ranked: {n_flagged} of {len(found.cells)} models; the column status of search.csv has the reasons.")
    if rows["is_ranked"].any():
        found.best.save(out / "best.nc")
        print(f"Best: {found.best.status.sentence}")
    print(f"Written to {out}: search.csv, search.png{', best.nc' if rows['is_ranked'].any() else ''}.")
    if n_left:
        print(f"Interrupted: {n_left} models were not reached.")
    return INTERRUPTED if n_left else 0
