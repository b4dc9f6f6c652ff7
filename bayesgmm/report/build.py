"""`write_report`: chapters in order, set in one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.assessment.calibration import LEVEL, LooPit, loo_pit
from bayesgmm.comparison import conclusions
from bayesgmm.criteria.columns import ESTIMANDS
from bayesgmm.data.writing import write_text
from bayesgmm.errors import ArgumentError
from bayesgmm.partitions.partition import Partition, partition
from bayesgmm.plots.canvas import even_rows, name_of, points_of
from bayesgmm.report import origin, pictures, tables
from bayesgmm.report.choice import Choice, choose
from bayesgmm.report.content import Fold, Picture, Section, Table
from bayesgmm.report.intervals import interval_section, prior_sentences
from bayesgmm.report.probabilities import probabilities_table
from bayesgmm.result.own_data import FRACTIONS, KNOWN

if TYPE_CHECKING:
    from bayesgmm.comparison import Comparison
    from bayesgmm.result.fit import Fit

PARTITION_POINTS = 400  # more cannot be told apart in the picture
PIT_POINTS = 500  # a second or two; the band is then as narrow as 0.06


def write_report(
    path: str | Path,
    comparison: Comparison,
    fits: Mapping[str, Fit],
    labels: ArrayLike | None = None,
    title: str = "Gaussian mixtures compared",
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a comparison and its fits as one HTML file that needs no other file and no network.

    Parameters
    ----------
    path : path-like
    comparison : Comparison
    fits : dict of str to Fit
        Those that were compared; the ones without a usable result are named and not shown.
    labels : (n,) array, optional
        Known groups of the points.
    title : str
    facts : dict of str to str, optional
        What a reader should know of the origin, such as the command and the name of the data.

    Raises
    ------
    ArgumentError
        There is no fit with a usable result.
    """
    usable = {name: fit for name, fit in fits.items() if fit.kind not in ("none", "stacked")}
    if not usable:
        raise ArgumentError("a report needs at least one fit with a usable result.")
    first = next(iter(usable.values()))
    groups = None if labels is None else first.per_point(np.asarray(labels))
    sections = _sections(comparison, usable, groups, dict(facts or {}))
    page = _template().render(
        title=title, sections=sections, n_obs=first.n_obs, feature_names=first.feature_names,
        methods=list(dict.fromkeys(row.method for row in comparison.rows.values())),
        models=list(dict.fromkeys(row.label for row in comparison.rows.values() if not row.is_baseline)),
        created=first.provenance["created"],
        version=first.provenance["version_bayesgmm"],
    )  # fmt: skip
    write_text(path, page)


def _sections(
    comparison: Comparison, fits: dict[str, Fit], labels: np.ndarray | None, facts: dict[str, str]
) -> list[Section]:
    choice = choose(comparison, fits)
    return [
        Section(
            "summary", "What the comparison says",
            (*conclusions(comparison), choice.reason, *prior_sentences(choice)),
        ),
        Section(
            "criteria", "Criteria and the number of components", (),
            _drawn([lambda: pictures.criteria(comparison)]),
        ),
        _scores(comparison),
        _components(choice, labels),
        _density(choice),
        _calibration(choice),
        _partition(choice, labels),
        _responsibilities(choice),
        interval_section(choice),
        _convergence(choice, fits),
        Section(
            "origin", "Origin", (),
            (
                origin.origin_table(fits, facts), origin.methods_table(fits),
                origin.priors_table(fits), Fold("Seeds", (origin.seeds_table(fits),)),
            ),
        ),
    ]  # fmt: skip


def _scores(comparison: Comparison) -> Section:
    blocks = [tables.score_table(comparison, estimand) for estimand in ESTIMANDS]
    sentences = (
        "In nats, higher is better. Each entry is a value ± its standard error, or said to be exact, and below it the "
        "difference to the best of the column, in bold, ± the standard error of that difference. Numbers of one column "
        "may be compared; numbers of different columns may not.",
    )
    found = (*blocks, probabilities_table(comparison), tables.fits_table(comparison))
    parts = tuple(table for table in found if table is not None)
    return Section("comparison", "Comparison", sentences, parts)


def _components(choice: Choice, labels: np.ndarray | None) -> Section:
    folds = [
        Fold(label.replace("=", " = "), _drawn(_component_pictures(fits, labels)))
        for label, fits in choice.others.items()
    ]  # fmt: skip
    parts = (*_drawn(_component_pictures(choice.fits, labels)), *folds)
    sentences = ("Other models are folded away below.",) if folds else ()
    return Section("components", "The data and the components", sentences, parts)


def _component_pictures(fits: Mapping[str, Fit], labels: np.ndarray | None) -> list[Callable[[], Picture]]:
    """As many fits beside each other as can be read, draws beside point estimates."""
    of_kind = [[fit for fit in fits.values() if fit.kind == kind] for kind in ("draws", "point", "variational")]
    pairs = zip_longest(*of_kind[:2])
    shown = [fit for pair in pairs for fit in pair if fit is not None] + of_kind[2]
    across = 3 if len(shown) == 3 and len(shown[0].feature_names) <= 2 else 2
    rows = [shown[i : i + across] for i in range(0, len(shown), across)]
    return [lambda row=row: pictures.components(row, labels) for row in rows]


def _density(choice: Choice) -> Section:
    bands = choice.of_kind("draws") or choice.of_kind("variational")
    shown = [*list(bands.values())[:1], *list(choice.of_kind("point").values())[:1]]
    return Section("density", "Predictive density", (), _drawn([lambda: pictures.density(shown)]))


def _calibration(choice: Choice) -> Section:
    found = choice.of_kind("draws") or choice.of_kind("variational")
    fit = next(iter((found or choice.fits).values()))
    if not fit.rows.is_whole:
        return Section("calibration", "Calibration", (f"There is none to be seen, since {FRACTIONS}",), ())
    if fit.rows.is_restricted:
        return Section("calibration", "Calibration", (f"It cannot be seen: {KNOWN}",), ())
    sentence = f"For {name_of(fit)}: are its predictions of left-out points and of whole data sets like the data?"
    parts, said = [lambda: pictures.predictive_check(fit)], ()
    if found:
        pit = loo_pit(fit, even_rows(len(fit.points), PIT_POINTS))
        if len(pit.values) < fit.n_obs:
            sentence += f" Of the {fit.n_obs} points an even subsample of {len(pit.values)} is left out."
        if pit.n_unreliable:
            sentence += f" {pit.n_unreliable} of these have a Pareto k above {pit.limit:.2f}, and rough values."
        parts, said = [lambda: pictures.calibration(fit, pit), *parts], _departures(pit)
    else:
        sentence += " It takes its parameters as known, so that the p-values are nearer to 1/2 than they should be."
    return Section("calibration", "Calibration", (sentence, *said), _drawn(parts))


def _departures(pit: LooPit) -> tuple[str, ...]:
    """Which columns are not predicted with the right spread, in words."""
    found, n_columns = pit.departures(), len(pit.feature_names)
    if not found:
        return (f"LOO-PIT stays inside its {LEVEL:.0%} band in every column.",)
    by_chance = f"Calibrated predictions would be expected to leave it in {n_columns * (1 - LEVEL):.2g} of {n_columns}."
    return (*found.values(), *((by_chance,) if n_columns > 1 else ()))


def _partition(choice: Choice, labels: np.ndarray | None) -> Section:
    found = choice.of_kind("draws") or choice.of_kind("variational") or choice.of_kind("point")
    fit = next(iter(found.values()))
    if fit.kind == "point":
        sentences = (
            "There are no posterior draws with this number of components, so this is the matrix of a fit that takes "
            "its parameters as known, and shows less doubt than there is.",
        )
        parts = _drawn([lambda: pictures.co_clustering(fit, labels)])
    else:
        points = points_of(fit, None)
        rows = even_rows(len(points), PARTITION_POINTS)
        shown = partition(fit, X=points[rows])
        groups = None if labels is None else labels[rows]
        sentences = _partition_sentences(fit, shown, len(rows))
        parts = _drawn([lambda: pictures.partition(shown, groups), lambda: pictures.credible_ball(shown)])
    return Section("co-clustering", "Which points belong together", sentences, parts)


def _partition_sentences(fit: Fit, shown: Partition, n_shown: int) -> tuple[str, ...]:
    some = "" if n_shown == fit.n_obs else f" of an even subsample of {n_shown} of the {fit.n_obs} points"
    count = f"{shown.n_clusters} cluster{'s' if shown.n_clusters > 1 else ''}"
    said = (
        f"For {name_of(fit)}: the partition{some} with the least expected variation of information has {count}. Its "
        f"expected loss is {shown.expected_loss:.3g} nats, out of at most log n = {np.log(n_shown):.3g}; the best "
        f"single draw has {shown.baselines['best draw']:.3g}. Clusters are counted by what they hold: a component "
        "without points is none.",
    )
    if fit.kind == "draws":
        return said
    return (
        *said,
        "There are no posterior draws with this number of components, so these are draws from an approximation, which "
        "usually shows less doubt than there is.",
    )


def _responsibilities(choice: Choice) -> Section:
    fits = list(choice.of_kind("point", "variational").values())
    shown = [fit for fit in fits if fit.estimate.is_aligned or fit.model.n_components == 1]
    left_out = " and ".join(name_of(fit) for fit in fits if fit not in shown)
    who = f"The draws of {left_out}" if left_out else "" if fits else "Only posterior draws were made. They"
    sentences = () if not who else (
        f"{who} have components that are not aligned, and so no responsibilities of their own. See the co-clustering "
        "probabilities instead.",
    )  # fmt: skip
    draw = [lambda: pictures.responsibilities(shown)] if shown else []
    return Section("responsibilities", "Responsibilities", sentences, _drawn(draw))


def _convergence(choice: Choice, fits: Mapping[str, Fit]) -> Section:
    parts: list[Picture | Table | Fold | None] = []
    for name, fit in choice.of_kind("draws").items():
        parts += [tables.quantities_table(name, fit)]
        parts += _drawn([lambda fit=fit: pictures.traces(fit), lambda fit=fit: pictures.ranks(fit)])
    parts += [tables.samplers_table(fits), *_other_chains(choice), tables.optimisers_table(fits)]
    sentences = (
        "Chains are judged by quantities that do not depend on the numbering of the components. R-hat should be at "
        "most 1.01 and effective sample sizes (ESS) at least 400 (Vehtari et al. 2021, doi:10.1214/20-BA1221); MCSE is "
        "the Monte Carlo error of the mean.",
    )
    if all(fit.kind != "draws" for fit in fits.values()):
        sentences = ("Optimisers climb from several starts; the best that is not suspicious is kept.",)
    return Section("convergence", "Convergence", sentences, tuple(part for part in parts if part is not None))


def _other_chains(choice: Choice) -> list[Fold]:
    """The chains with other numbers of components, where those that disagree can be looked at."""
    others = {name: fit for fits in choice.others.values() for name, fit in fits.items() if fit.kind == "draws"}
    return [
        Fold(f"Traces of {name}", _drawn([lambda fit=fit: pictures.traces(fit, 2)])) for name, fit in others.items()
    ]


def _drawn(drawings: list[Callable[[], Picture]]) -> tuple[Picture, ...]:
    return tuple(draw() for draw in drawings)


def _template():
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    here = files("bayesgmm.report")
    environment.globals["style"] = (here / "report.css").read_text(encoding="utf-8")
    environment.tests["picture"] = lambda part: isinstance(part, Picture)
    environment.tests["table"] = lambda part: isinstance(part, Table)
    return environment.from_string((here / "report.html.jinja").read_text(encoding="utf-8"))
