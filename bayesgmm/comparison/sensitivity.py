"""`prior_sensitivity`: how evidence, prediction and the number of components move with the prior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from bayesgmm.checks import as_seed, instance, truth
from bayesgmm.comparison.influence import WIDEST, beside_likelihood
from bayesgmm.comparison.priors import log_prior, with_prior
from bayesgmm.comparison.sensitivity_text import LEGEND, for_people
from bayesgmm.comparison.text import wrapped
from bayesgmm.core.params import as_numbers
from bayesgmm.criteria.evidence import log_evidence
from bayesgmm.criteria.evidence.bridge import optimal_bridge
from bayesgmm.criteria.predictive import elpd_loo, relative_efficiency
from bayesgmm.criteria.score import Score, sum_error
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit, fit_once
from bayesgmm.result.method import Progress, silent
from bayesgmm.result.own_data import own_data
from bayesgmm.result.smoothing import pareto_k_limit
from bayesgmm.result.status import Outcome

if TYPE_CHECKING:
    import pandas as pd

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
VARIED = ("scale", "mean_precision")
Key = tuple[str, float]


@dataclass(frozen=True, eq=False)
class PriorSensitivity:
    """What became of a fit under other priors.

    Attributes
    ----------
    table : DataFrame
        One row for each constant and factor.  By refitting: ``log_evidence`` (of a finite conjugate mixture) with its
        ``_se``, or the ``elbo``; ``log_evidence_change`` against the fit's own prior, by bridge sampling between
        neighbouring refits, whatever the model; ``elpd_loo`` (without its refits of single points) with ``_se`` and
        ``_unreliable`` points; the most probable ``n_occupied``, its ``_probability`` and its ``_mean``, and
        ``n_components`` where that is unknown.  By weighting the fit's own draws: ``weighted_log_evidence_change``,
        ``weighted_elpd_loo`` and ``weighted_n_occupied_mean``, with the ``pareto_k`` of the weights; above
        ``pareto_k_limit`` they are not given.
    reasons : dict
        ``reasons[constant, factor][column]``: why there is no number.
    fits : dict of (str, float) to Fit
        The refits, and the fit itself where the factor is one.
    status : str
        Whether all is there, and what the prior decides: parameters whose intervals by maximum likelihood and under the
        posterior do not overlap, and the evidence where it moves by more than 3 nats with a scale up to four times
        smaller or larger.
    """

    table: pd.DataFrame
    reasons: dict[Key, dict[str, str]]
    fits: dict[Key, Fit]
    status: str
    occupied: dict[Key, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        lines = (for_people(self.table, self.fits).to_string(), LEGEND, self.status)
        return "\n".join([lines[0], "", *(wrapped(line) for line in lines[1:])])

    def _repr_html_(self) -> str:
        return f"{for_people(self.table, self.fits).to_html()}<p>{LEGEND}</p><p>{escape(self.status)}</p>"


def prior_sensitivity(
    fit: Fit,
    scale: Sequence[float] = FACTORS,
    mean_precision: Sequence[float] = FACTORS,
    refit: bool = True,
    rng: np.random.Generator | int | None = None,
    progress: Progress = silent,
) -> PriorSensitivity:
    """Evidence, LOO and the number of occupied components with the prior's scale, and its mean_precision, multiplied.

    One constant is changed at a time.  By default every prior is fitted anew, and beside it stands what importance
    weights of the fit's own draws say, where these are reliable.  An interrupt keeps what is there.

    Parameters
    ----------
    fit : Fit
        With draws or variational, of any model, with its data.
    scale, mean_precision : sequence of float
        Factors of the prior's constants; 1 is always among them.  Under an `IndependentNormalInverseWishart` the
        covariance of the means is divided by the second.  Of a `HierarchicalScale` the expected scale is multiplied.
    refit : bool
        False: importance weights only, which take no time.
    rng : numpy Generator, int seed or None
        Of the refits; None takes the fit's own seed.
    progress : callable
        ``progress(done, total, note)``.

    Returns
    -------
    PriorSensitivity

    Raises
    ------
    ArgumentError
        It is no fit, or a factor is not a positive number.
    NotApplicableError
        A fit without a prior, without its data, without a result, or one that cannot be made again.

    References
    ----------
    Kallioinen, Paananen, Buerkner and Vehtari (2024), Statistics and Computing 34, 57, doi:10.1007/s11222-023-10366-5.
    Meng and Wong (1996), Statistica Sinica 6, 831-860.
    """
    _check(fit)
    steps = [(varied, factor) for varied, given in zip(VARIED, (scale, mean_precision), strict=True)
             for factor in _outwards(_factors(given, varied))]  # fmt: skip
    seed = as_seed(fit.seed if rng is None else rng)
    study = _Study(fit, truth(refit, "refit"), seed)
    try:
        for done, (varied, factor) in enumerate(steps):
            progress(done, len(steps), f"{varied} x {factor:g}")
            study.add(varied, factor)
        progress(len(steps), len(steps), "done")
        measure = "the evidence lower bound" if fit.kind == "variational" else "the log evidence"
        status = " ".join(["Complete.", *beside_likelihood(fit, study.changes(), measure).sentences])
    except KeyboardInterrupt:
        status = f"Interrupted: {len(study.rows)} of {len(steps)} priors are there."
    return study.result(status)


@dataclass(eq=False)
class _Study:
    """What is known so far; the rows of the factor one come first, as neighbours of the others."""

    fit: Fit
    refit: bool
    seed: int
    rows: dict[Key, dict[str, float]] = field(default_factory=dict)
    reasons: dict[Key, dict[str, str]] = field(default_factory=dict)
    fits: dict[Key, Fit] = field(default_factory=dict)
    occupied: dict[Key, np.ndarray] = field(default_factory=dict)
    own: dict[str, float] = field(default_factory=dict)

    def add(self, varied: str, factor: float) -> None:
        """One more prior."""
        key, reasons = (varied, factor), {}
        model: Any = with_prior(self.fit.model, varied, factor)
        row: dict[str, Any] = {"value": _value(model, varied)}
        shares = None
        if factor == 1.0 or self.refit:
            other = self.fit if factor == 1.0 else _refitted(self.fit, model, self.seed)
            if other.status.is_usable:
                row |= self._scores(other, reasons)
                row |= self._change(key, other, reasons)
                shares = _occupied_shares(other)
                row |= _occupied_facts(shares, other)
            else:
                reasons["elpd_loo"] = other.status.sentence
            row["status"] = other.status.sentence
            self.fits[key] = other
        row |= _weighted(self.fit, model, factor, reasons)
        if shares is not None:
            self.occupied[key] = shares
        self.rows[key], self.reasons[key] = row, reasons

    def _scores(self, other: Fit, reasons: dict[str, str]) -> dict[str, float]:
        if other is self.fit and self.own:
            return self.own
        assert other.X is not None
        X = np.asarray(other.X)
        loo = _attempt("elpd_loo", reasons, lambda: elpd_loo(other, X, max_refits=0))
        row = {"elpd_loo": loo.value, "elpd_loo_se": loo.se, "elpd_loo_unreliable": float(loo.n_unreliable or 0)}
        if other.kind == "variational":
            row |= {"elbo": other.elbo}
        evidence = _attempt("log_evidence", reasons, lambda: log_evidence(other))
        row |= {"log_evidence": evidence.value, "log_evidence_se": evidence.se}
        if other is self.fit:
            self.own = row
        return row

    def _change(self, key: Key, other: Fit, reasons: dict[str, str]) -> dict[str, float]:
        """The evidence against that under the fit's own prior, over the neighbour that is nearer to it."""
        varied, factor = key
        if factor == 1.0:
            return {"log_evidence_change": 0.0, "log_evidence_change_se": 0.0}
        if not isinstance(other.estimate, Draws):
            reasons["log_evidence_change"] = "needs draws of the posterior"
            return {}
        known = [f for v, f in self.rows if v == varied and "log_evidence_change" in self.rows[v, f]]
        near = min((f for f in known if (f - 1.0) * (factor - 1.0) >= 0), key=lambda f: abs(np.log(f / factor)))
        before, row = self.fits[varied, near], self.rows[varied, near]
        change, se = _bridged(before, other)
        total = float(np.hypot(se, row["log_evidence_change_se"]))
        return {"log_evidence_change": row["log_evidence_change"] + change, "log_evidence_change_se": total}

    def changes(self) -> dict[float, float]:
        """Of the log evidence or its bound, by the factor of the scale, as far as a reasonable choice reaches."""
        found = {}
        for (varied, factor), row in self.rows.items():
            if varied != "scale" or factor == 1.0 or not 1.0 / WIDEST <= factor <= WIDEST:
                continue
            bound = row.get("elbo", np.nan) - self.own.get("elbo", np.nan)
            known = (row.get("log_evidence_change", np.nan), row.get("weighted_log_evidence_change", np.nan), bound)
            finite = [float(value) for value in known if np.isfinite(value)]
            if finite:
                found[factor] = finite[0]
        return found

    def result(self, status: str) -> PriorSensitivity:
        import pandas as pd

        keys = sorted(self.rows, key=lambda key: (VARIED.index(key[0]), key[1]))
        index = pd.MultiIndex.from_tuples(keys, names=["constant", "factor"])
        table = pd.DataFrame([self.rows[key] for key in keys], index=index)
        return PriorSensitivity(table, self.reasons, self.fits, status, self.occupied)


def _check(fit: Any) -> None:
    instance(fit, "fit", Fit)
    if fit.kind == "none":
        _ = fit.params  # raises with the reason of the failure
    if fit.kind not in ("draws", "variational"):
        raise NotApplicableError(
            f"a fit of kind {fit.kind!r} has no posterior to move with the prior: fit by Gibbs, NUTS or VB."
        )
    own_data(fit, "other priors need too")
    fit.check_data()
    with_prior(fit.model, "scale", 1.0)


def _factors(given: Sequence[float], name: str) -> list[float]:
    values = as_numbers(given, name)  # pyright: ignore[reportArgumentType]
    if values.ndim != 1 or not np.isfinite(values).all() or (values <= 0).any():
        raise ArgumentError(f"{name}={shown(given)} must be positive factors of the prior's {name}.")
    return sorted({1.0, *map(float, values)})


def _outwards(factors: list[float]) -> list[float]:
    """From one upwards and then from one downwards, so that every refit has a neighbour already."""
    return [f for f in factors if f >= 1.0] + [f for f in reversed(factors) if f < 1.0]


def _value(model: Any, varied: str) -> float:
    """The constant, as one number."""
    prior = model.prior
    values = np.asarray(prior.typical_scale if varied == "scale" else getattr(prior, varied, np.nan), float)
    if varied == "scale":
        values = model.covariance.form.mean_variance(values)
    return float(values.mean())


def _refitted(fit: Fit, model: Any, seed: int) -> Fit:
    assert fit.X is not None
    try:
        other = fit_once(model, fit.rows, fit.method, seed)
    except NotApplicableError as error:
        raise NotApplicableError(f"{error} With refit=False there are importance weights.") from None
    if other.status.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt  # the method kept what it had; a refit that was cut short is no comparison
    return other


def _attempt(name: str, reasons: dict[str, str], function: Callable[[], Score]) -> Score:
    try:
        return function()
    except NotApplicableError as error:
        reasons[name] = str(error)
        return Score.missing("elpd_loo", str(error))


def _log_ratio(fit: Fit, above: Any, below: Any) -> np.ndarray:
    """(chain, draw) log of the ratio of two priors at the fit's draws."""
    assert isinstance(fit.estimate, Draws)
    draws = fit.estimate.as_drawn()
    flat = draws.reshaped(-1)
    return (log_prior(above, flat) - log_prior(below, flat)).reshape(draws.draw_shape)


def _bridged(before: Fit, after: Fit) -> tuple[float, float]:
    """Log of the ratio of the evidences of two fits: the likelihood cancels, so only the priors are evaluated."""
    ours = _log_ratio(after, after.model, before.model)
    theirs = _log_ratio(before, after.model, before.model)
    return optimal_bridge(ours, theirs)


def _occupied_shares(fit: Fit) -> np.ndarray:
    return fit.occupied()["n_occupied"].to_numpy()


def _occupied_facts(shares: np.ndarray, fit: Fit) -> dict[str, float]:
    sizes = np.arange(1, len(shares) + 1)
    row = {
        "n_occupied": float(sizes[shares.argmax()]), "n_occupied_probability": float(shares.max()),
        "n_occupied_mean": float(sizes @ shares),
    }  # fmt: skip
    table = fit.occupied()
    if "n_components" in table:
        row["n_components"] = float(table["n_components"].idxmax())
        row["n_components_mean"] = float(sizes @ table["n_components"].to_numpy())
    return row


def _weighted(fit: Fit, model: Any, factor: float, reasons: dict[str, str]) -> dict[str, float]:
    """What the fit's own draws, weighted by the ratio of the priors, say of another prior."""
    if not isinstance(fit.estimate, Draws):
        reasons["pareto_k"] = "importance weights need draws of the posterior"
        return {"pareto_k": np.nan}
    log_ratio = _log_ratio(fit, model, fit.model)
    limit = pareto_k_limit(log_ratio.size)
    log_weights, pareto_k = np.full(log_ratio.size, -np.log(log_ratio.size)), np.nan
    if factor != 1.0:
        found = array_stats().psislw(-log_ratio.ravel())  # which takes the logarithms of inverse ratios
        log_weights, pareto_k = np.asarray(found[0]), float(found[1])
    row = {"pareto_k": pareto_k, "pareto_k_limit": limit}
    if pareto_k > limit:
        reasons["weighted_elpd_loo"] = (
            f"the importance weights are unreliable (Pareto k {pareto_k:.2f}, limit {limit:.2f}): the posterior under "
            "this prior is too far away, and only a refit tells"
        )
        return row
    weights = np.exp(log_ratio - log_ratio.max())
    ess = weights.size if factor == 1.0 else array_stats().ess(weights, chain_axis=0, draw_axis=1, method="mean")
    row["weighted_log_evidence_change"] = float(logsumexp(log_ratio) - np.log(log_ratio.size))
    row["weighted_log_evidence_change_se"] = float(weights.std() / weights.mean() / np.sqrt(float(ess)))
    row |= _weighted_loo(fit, log_ratio.ravel(), limit)
    if "n_occupied" in fit.estimate.sample_stats:
        counts = fit.estimate.sample_stats["n_occupied"].ravel()
        row["weighted_n_occupied_mean"] = float(np.exp(log_weights) @ counts / np.exp(log_weights).sum())
    return row


def _weighted_loo(fit: Fit, log_ratio: np.ndarray, limit: float) -> dict[str, float]:
    pointwise, n_unreliable, r_eff = np.empty(len(fit.points)), 0, relative_efficiency(fit.estimate.draws())
    for rows, block in fit.pointwise.blocks():
        log_weights, pareto_k = array_stats().psislw((block - log_ratio[:, None]).T, r_eff=r_eff)
        pointwise[rows] = logsumexp(log_weights + block.T, axis=1) - logsumexp(log_weights, axis=1)
        n_unreliable += int((pareto_k > limit).sum())
    return {
        "weighted_elpd_loo": float(pointwise.sum()), "weighted_elpd_loo_se": sum_error(pointwise),
        "weighted_elpd_loo_unreliable": float(n_unreliable),
    }  # fmt: skip
