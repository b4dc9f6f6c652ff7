"""`Comparison`: the scores of several fits as tables, as text and as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.comparison.adding import added
from bayesgmm.comparison.conclusions import conclusions
from bayesgmm.comparison.figure import plot_differences
from bayesgmm.comparison.probabilities import model_probabilities
from bayesgmm.comparison.scored import Scored
from bayesgmm.comparison.text import as_html, as_text
from bayesgmm.comparison.weighting import stacked, weights
from bayesgmm.criteria.columns import COLUMNS, ESTIMANDS
from bayesgmm.data.writing import spreadsheet_cell, write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bayesgmm.result.fit import Fit

FIT = "fit"


@dataclass(frozen=True, eq=False)
class Comparison(Scored):
    """Fits to the same data, side by side.

    Scores are in nats and higher is better, but for ``ari`` and ``inertia``.  Numbers of one column may be
    compared, numbers of different columns may not.

    Attributes
    ----------
    rows : dict of str to Row
        By the name of the fit; the k-means baselines stand at the end.
    scores : dict of str to dict of str to Score
        ``scores[fit][column]``.
    columns : tuple of str
        The kinds of score.
    n_obs : int
    fits : dict of str to Fit
        Those that were compared, where they are held: `compare` keeps them, a comparison from files has none.
    """

    @cached_property
    def blocks(self) -> dict[str, pd.DataFrame]:
        """One table per estimand, and the facts of the fits under "fit"; one row per fit, no column without a value.

        Of each column c there are c, its standard error ``c_se``, the difference to the best fit ``c_diff`` (zero
        or negative) and the standard error of that difference ``c_diff_se``, from paired pointwise differences.  A
        standard error of 0 means that the number is exact;
        ``elpd_loo_mc_se`` and ``elpd_kfold_mc_se`` are the errors of the simulation, for these points and folds;
        ``elpd_loo_unreliable`` and ``elpd_waic_unreliable`` count points, and so does ``elpd_loo_recomputed``, of
        those that importance sampling could not do.  NaN has its reason in `reasons`.
        """
        import pandas as pd

        facts = pd.DataFrame.from_dict({name: row.facts() for name, row in self.rows.items()}, orient="index")
        blocks = {FIT: facts}
        for estimand in ESTIMANDS:
            parts = [self._flat(kind) for kind in self.columns if COLUMNS[kind].estimand == estimand]
            blocks[estimand] = pd.concat([facts[[]], *parts], axis=1)
        return {name: block.dropna(axis=1, how="all").rename_axis("fit") for name, block in blocks.items()}

    @cached_property
    def table(self) -> pd.DataFrame:
        """All `blocks` in one frame with flat column names, for programs; ``print(comparison)`` is for people."""
        import pandas as pd

        return pd.concat(self.blocks.values(), axis=1)

    def _flat(self, kind: str) -> pd.DataFrame:
        import pandas as pd

        suffixes = COLUMNS[kind].suffixes
        differences = self.differences(kind) if COLUMNS[kind].has_differences else None
        rows = {}
        for name in self.rows:
            score = self.scores[name][kind]
            values = {"": score.value, "_se": score.se, "_mc_se": score.mc_se}
            if score.n_unreliable is not None:
                values["_unreliable"] = score.n_unreliable
            if score.n_recomputed is not None:
                values["_recomputed"] = score.n_recomputed
            if differences is not None and name in differences.index:
                values |= {"_diff": differences.at[name, "diff"], "_diff_se": differences.at[name, "diff_se"]}
            rows[name] = {kind + suffix: float(values.get(suffix, np.nan)) for suffix in suffixes}
        return pd.DataFrame.from_dict(rows, orient="index")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: NaN is None, and its reason stands under "reasons"."""
        table = self.table.astype(object).where(self.table.notna(), None)
        columns = {kind: {"estimand": COLUMNS[kind].estimand, "note": note} for kind, note in self.notes.items()}
        return {
            "n_obs": self.n_obs,
            "columns": columns,
            "fits": {str(name): row for name, row in table.to_dict(orient="index").items()},
            "reasons": {name: {k: list(v) for k, v in notes.items()} for name, notes in self.reasons.items()},
            "conclusions": self.conclusions(),
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """`to_dict` as JSON text, written to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False, default=lambda value: value.item())
        if path is not None:
            write_text(path, text + "\n")
        return text

    def to_csv(self, path: str | Path) -> None:
        """Write `table`; text that a spreadsheet would compute begins with a quote."""
        cells = self.table.map(spreadsheet_cell)
        cells.index = cells.index.map(spreadsheet_cell)
        write_text(path, cells.to_csv())

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def conclusions(self) -> list[str]:
        """Which number of components each estimand favours, and how sure that is, in plain sentences."""
        return conclusions(self)

    def model_probabilities(
        self, column: str = "log_evidence_bridge", prior: Mapping[str, float] | None = None
    ) -> pd.DataFrame:
        """Posterior probabilities of the models that were fitted, and their Bayes factors, with their errors.

        They are probabilities *given that one of these models is true*, and depend on the priors of their parameters:
        see `prior_sensitivity`.  Fits of the same model by different engines are one model: their estimates
        are averaged by their inverse variances (with Birge's ratio where they disagree), under the name of the first;
        of BIC and ELBO, which have no error, the largest stands.

        Parameters
        ----------
        column : str
            An evidence: ``log_evidence_bridge``, ``log_evidence_chib`` or ``log_evidence_exact``; ``bic`` and ``elbo``
            are approximations without an error, and their probabilities have none.
        prior : dict of str to float, optional
            Prior probability of each model, by the name of a fit of it; equal where not given.  They are scaled to sum
            to one.

        Returns
        -------
        DataFrame
            One row for each model, best first: ``probability`` and ``probability_se``, its Monte Carlo standard
            deviation to first order in the errors of the evidences; ``log_evidence`` and its ``_se``;
            ``log_bayes_factor`` against the best evidence, in nats, and its ``_se``; ``prior``; ``n_fits``; ``doubt``,
            which says how a fit behind it ended if it has not converged.
            ``.attrs["fits"]`` names the fits of each model, ``.attrs["notes"]`` says what to know of their scores.

        Raises
        ------
        ArgumentError
            The column is no evidence, or is not ranked; the prior does not fit the models.
        NotApplicableError
            No fit has that evidence.

        References
        ----------
        Kass and Raftery (1995), JASA 90, 773-795, doi:10.1080/01621459.1995.10476572.  Birge (1932), Physical Review
        40, 207-227, doi:10.1103/PhysRev.40.207.
        """
        return model_probabilities(self, column, prior)

    def weights(
        self,
        method: str = "stacking",
        column: str = "elpd_kfold",
        among: Sequence[str] | None = None,
        rng: np.random.Generator | int | None = 0,
    ) -> pd.Series:
        """Weights of the fits for prediction; no probabilities of models.

        Parameters
        ----------
        method : {"stacking", "pseudo-bma", "pseudo-bma+"}
            Stacking looks for the mixture of the predictive densities that predicts best, point by point left out: two
            fits that are alike share a weight, and a fit that is better nowhere gets none.  Pseudo-BMA is the softmax
            of the scores' sums, "+" its average over the Bayesian bootstrap of the points, which takes their
            uncertainty into account; both count two fits that are alike twice.
        column : str
            A pointwise score of new data: ``elpd_kfold``, ``elpd_loo``, ``elpd_holdout`` or ``elpd_waic``.
        among : sequence of str, optional
            The names to be weighted; all that have the score and may be ranked by it where not given.
        rng : numpy Generator, int seed or None
            Of the bootstrap.

        Returns
        -------
        Series
            By name, of sum one.  ``.attrs["left_out"]`` says which fits have no weight, and why.

        Raises
        ------
        ArgumentError
            There is no such method, column or name, or the column is no pointwise score of new data.
        NotApplicableError
            There is no such score.

        References
        ----------
        Yao, Vehtari, Simpson and Gelman (2018), Bayesian Analysis 13, 917-1007, doi:10.1214/17-BA1091.
        """
        return weights(self, method, column, among, rng)

    def stacked(
        self,
        method: str = "stacking",
        column: str = "elpd_kfold",
        among: Sequence[str] | None = None,
        rng: np.random.Generator | int | None = 0,
    ) -> Fit:
        """The mixture of the fits' predictive densities, weighted by `weights`, as a fit.

        It answers `log_density`, `sample`, `summary` (the weights), `refit` (of every member, the weights kept) and
        `save`.  It has no parameters, draws or components, and says so where they are asked for.

        Parameters
        ----------
        method, column, among, rng
            As in `weights`.

        Returns
        -------
        Fit
            ``fit.estimate.members`` and ``fit.estimate.weights`` are those with a positive weight.

        Raises
        ------
        ArgumentError, NotApplicableError
            As in `weights`; or the comparison does not hold a fit that has a weight.
        """
        return stacked(self, method, column, among, rng)

    def add(
        self,
        name: str,
        log_likelihood: ArrayLike,
        *,
        method: str = "-",
        model: str | None = None,
        n_parameters: int | None = None,
        relative_efficiency: float | None = None,
    ) -> Comparison:
        """A new comparison with a row for any other model, a mixture or not, of the same points.

        Parameters
        ----------
        name : str
        log_likelihood : (chain, draw, n) or (draws, n) array
            Log density of every point under every posterior draw, in nats and in the units of these data, rows in the
            same order.
        method, model : str
            What the row is called; by default the model has the name of the row.
        n_parameters : int, optional
        relative_efficiency : float, optional
            Effective draws per draw, which sets the length of the tail that is smoothed and nothing else; by default
            that of the log likelihood of all points together.

        Returns
        -------
        Comparison
            With ``elpd_loo`` and ``elpd_waic`` of the new row; its other cells say why they are empty.

        Raises
        ------
        ArgumentError
            The name is taken; the array has another shape or another number of points, fewer than 25 draws, or a value
            that is not finite (the message says which draw and row).
        """
        return added(self, name, log_likelihood, method, model, n_parameters, relative_efficiency)

    def plot(self) -> Figure:
        """Every column's differences to its best fit against K, with their paired standard errors."""
        return plot_differences(self)
