"""The data of a fit where something needs them, or the one sentence that says that they are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.data import matching_columns
from bayesgmm.errors import NotApplicableError
from bayesgmm.rows import Rows

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

KNOWN = (
    "labels or offsets of the rows are a part of this fit's likelihood, and what was asked does not take them into "
    "account. The fit answers log_density, class_probabilities, intervals, aic, aicc, bic, elpd_loo, elpd_waic and "
    "log_evidence."
)
FRACTIONS = (
    "the weights of the rows are no whole numbers, so that rows stand for no number of points, and the likelihood is "
    "raised to a power row by row: what leaves a point out, draws points anew or counts them has no meaning then. Use "
    "whole-number weights, or what a power has: log_density, aic, aicc and bic."
)
WITHOUT_DATA = "this fit is without its data (they were not in memory, or it was saved without them)"


def own_data(fit: Fit, need: str) -> np.ndarray:
    """The fit's own (n, d) data, every row as often as its weight says.

    Raises
    ------
    NotApplicableError
        There are no data, and the sentence says what they are needed for; weights are no whole numbers; or something is
        known of rows beside their values, for which there is `own_rows`.
    """
    rows = own_rows(fit, need)
    if rows.is_restricted:
        raise NotApplicableError(KNOWN)
    return rows.values


def own_rows(fit: Fit, need: str) -> Rows:
    """The fit's own rows, each as often as its weight says, with what is known of them.

    Raises
    ------
    NotApplicableError
        There are no data, and the sentence says what they are needed for; or weights are no whole numbers.
    """
    if fit.X is None:
        raise NotApplicableError(f"{WITHOUT_DATA}, which {need}.")
    return fit.point_rows


def given_or_own(fit: Fit, X: ArrayLike | None, purpose: str) -> np.ndarray:
    """The (n, d) points that are given, else the fit's own, or a NotApplicableError that asks for them."""
    values = points_to_show(fit, X, purpose)
    if X is None and fit.rows.is_restricted:
        raise NotApplicableError(f"{KNOWN} As points of which nothing is known they can be passed as X= to {purpose}.")
    return values


def points_to_show(fit: Fit, X: ArrayLike | None, purpose: str) -> np.ndarray:
    """The same for a picture, which shows values alone also where labels or offsets of rows are known."""
    if X is not None:
        return matching_columns(X, fit.feature_names)
    if fit.X is None:
        raise NotApplicableError(f"{WITHOUT_DATA}: pass X= to {purpose}.")
    return fit.points if fit.rows.is_whole else fit.X
