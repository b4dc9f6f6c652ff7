"""The commands and their options."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from bayesgmm import __version__
from bayesgmm.cli.options import METHODS, parse_components, parse_covariances, parse_methods, parse_models
from bayesgmm.cli.searching import run_search
from bayesgmm.cli.study import Study, run_study
from bayesgmm.data import read_known_labels, read_table
from bayesgmm.data.writing import printable
from bayesgmm.datasets import load_dataset
from bayesgmm.errors import ArgumentError, BayesGMMError
from bayesgmm.rows import Known

if TYPE_CHECKING:
    import pandas as pd

BAD_INPUT = 2  # the exit code; 1 is for a run that ended without any result

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Fit Gaussian mixtures by EM, variational Bayes and Markov chains, and compare them honestly.",
)


def main() -> None:
    """What the command ``bayesgmm`` runs."""
    app(prog_name="bayesgmm")


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can put right is one line on stderr, and no traceback."""
    try:
        yield
    except BayesGMMError as error:
        typer.echo(f"bayesgmm: error: {printable(' '.join(str(error).split()))}", err=True)
        raise typer.Exit(BAD_INPUT) from None


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"bayesgmm {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


Components = Annotated[
    str, typer.Option(help="Numbers of components of finite mixtures: a range 1:6, a list 2,3,5, or one number.")
]
Methods = Annotated[str, typer.Option(help=f"Any of {', '.join(METHODS)}, separated by commas.")]
Models = Annotated[
    str,
    typer.Option(
        help="Any of finite, dp (a Dirichlet process) and mfm (a prior on the number of components), separated by "
        "commas. What a method cannot fit is left out."
    ),
]
Truncation = Annotated[
    int, typer.Option(min=1, help="dp: where the sticks are cut off; mfm: the largest number of components.")
]
Covariance = Annotated[
    str,
    typer.Option(
        help="Any of full, tied, diagonal, shared_diagonal, spherical, isotropic and mclust's names such as VEV, "
        "separated by commas. What a method cannot fit is left out."
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        help="Folder for the results. Fits of the same data, options and versions that are there are taken up; other "
        "files of an earlier run are replaced."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Makes the run repeatable.")]
Folds = Annotated[int, typer.Option(min=0, help="Folds of the cross-validation; 0 leaves it out.")]
Draws = Annotated[
    int | None,
    typer.Option(help="NUTS and Gibbs: draws of each of the four chains; without it they go on until it is enough."),
]
Tune = Annotated[
    int | None, typer.Option(help="NUTS and Gibbs: tuning draws of each chain; by default NUTS makes 1,000, Gibbs 500.")
]


@app.command()
def compare(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file, with or without a header.", show_default=False)],
    components: Components = "1:6",
    methods: Methods = "em,vb,nuts",
    models: Models = "finite",
    truncation: Truncation = 20,
    covariance: Covariance = "full",
    columns: Annotated[
        str | None, typer.Option(help="The columns to use, separated by commas; all of them where not given.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="A column of known groups: shown and compared, never fitted.")
    ] = None,
    weights_column: Annotated[
        str | None, typer.Option(help="A column of weights: a row of weight 2 is the row twice.")
    ] = None,
    known_labels_column: Annotated[
        str | None,
        typer.Option(help="A column of classes that are known, empty or -1 where not: fitted with, in every model."),
    ] = None,
    out: Out = Path("bayesgmm-output"),
    seed: Seed = 0,
    folds: Folds = 5,
    draws: Draws = None,
    tune: Tune = None,
) -> None:
    """Fit every model by every method, compare the fits, and write a report.

    Prints the comparison and what follows from it.

    Writes comparison.csv, comparison.json, report.html and fits/em-K2.nc, fits/gibbs-dp-T20.nc and so on.

    Every fit is written when it is done. Ctrl-C, or SIGTERM, ends the grid and writes what is done; a second one exits
    at once. The same command goes on where it was.
    """
    with plain_errors():
        wanted = None if columns is None else [name.strip() for name in columns.split(",")]
        sizes, names = parse_components(components), parse_methods(methods)
        if weights_column is not None and weights_column in (label_column, known_labels_column):
            raise ArgumentError(f"column {weights_column!r} cannot hold both the weights and the labels.")
        if wanted is not None and weights_column is not None and weights_column not in wanted:
            wanted.append(weights_column)
        known = None if known_labels_column is None else read_known_labels(data, known_labels_column)
        not_fitted = [] if known_labels_column is None else [known_labels_column]
        table, labels = read_table(data, wanted, label_column, not_fitted)
        weights = None if weights_column is None else _taken_out(table, weights_column, data.name)
        study = Study(
            table, labels, Known(weights, known), data.name, sizes, names, parse_models(models), truncation,
            parse_covariances(covariance), folds, seed, draws, tune, out, _command(),
        )  # fmt: skip
        code = run_study(study)
    raise typer.Exit(code)


@app.command()
def search(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file, with or without a header.", show_default=False)],
    components: Components = "1:9",
    covariance: Annotated[
        str, typer.Option(help="all (mclust's fourteen models), or names of covariances separated by commas.")
    ] = "all",
    criterion: Annotated[str, typer.Option(help="bic or icl: what the models are ranked by.")] = "bic",
    columns: Annotated[
        str | None, typer.Option(help="The columns to use, separated by commas; all of them where not given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; files of an earlier search are replaced.")] = Path(
        "bayesgmm-search"
    ),
    seed: Seed = 0,
) -> None:
    """Fit every number of components with every family of covariances by EM, and rank them.

    Prints the best models. Writes search.csv, search.png and best.nc. Ctrl-C ends the search and writes what is done.
    """
    with plain_errors():
        wanted = None if columns is None else [name.strip() for name in columns.split(",")]
        table, _ = read_table(data, wanted, None, [])
        families = "all" if covariance == "all" else list(parse_covariances(covariance))
        code = run_search(table, parse_components(components), families, criterion, seed, out)
    raise typer.Exit(code)


@app.command()
def demo(out: Out = Path("demo-output"), seed: Seed = 0) -> None:
    """Compare EM, VB and NUTS with 1 to 4 components on the Old Faithful data, which come with the package."""
    import pandas as pd

    with plain_errors():
        data = load_dataset("faithful")
        table = pd.DataFrame(data.X, columns=list(data.feature_names))
        study = Study(
            table, None, Known(), "Old Faithful", (1, 2, 3, 4), ("em", "vb", "nuts"), ("finite",), 20, ("full",), 5,
            seed, None, 500, out, _command(),
        )  # fmt: skip
        code = run_study(study, source=data.source)
    raise typer.Exit(code)


def _taken_out(table: pd.DataFrame, column: str, name: str) -> np.ndarray:
    """A column of the table, which no longer has it."""
    if column not in table:
        raise ArgumentError(f"{name} has no column {column!r}; there are {', '.join(map(repr, table.columns))}.")
    if len(table.columns) == 1:
        raise ArgumentError(f"{name} has no column besides that of the weights, {column!r}, to be fitted.")
    return table.pop(column).to_numpy(float)


def _command() -> str:
    return shlex.join(["bayesgmm", *sys.argv[1:]])
