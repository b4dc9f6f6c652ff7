"""Prior constants that come from the data's own spread, and the data that have none to give."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.density import log_joint
from bayesgmm.core.forms import DIAGONAL, Form
from bayesgmm.core.params import ComponentScores, as_numbers
from bayesgmm.data import explain_few_rows, explain_singular
from bayesgmm.errors import ArgumentError, DataError
from bayesgmm.families.gaussian import STRUCTURES, CovarianceStructure
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.independent import ComponentsPrior, HierarchicalScale
from bayesgmm.rows import Rows

LARGEST_SUM = 1e304  # of squares, which are added to others of their size
# A component's variance may be a millionth of the data's, and below 2e-308 numbers lose their digits.
SMALLEST_VARIANCE = 1e6 * np.finfo(float).tiny
DEPENDENT = (
    "The covariance of the data is so nearly singular that float64 does not tell which columns depend on each other: "
    "leave out columns that others determine."
)


def moments_of(data: Rows, form: Form) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariance, or variances, of the data."""
    return data.moments(form)


def resolved_prior(
    prior: ComponentsPrior, structure: CovarianceStructure, n_components: int, data: Rows
) -> ComponentsPrior:
    """The prior with every constant given, from the data where they are asked; as it is where the family takes none."""
    check_columns(structure, data)
    if structure.conjugate is None and structure.coordinates is None:
        return prior
    if prior.needs_data:
        if prior.needs_spread:
            check_rows(structure, data)
        center, spread = moments_of(data, structure.form)
        check_range(spread, data)
        if prior.needs_spread:
            check_spread(structure, spread, data)
    else:
        center, spread = _given_location(prior, structure, data.values.shape[1])
    if isinstance(prior, NormalInverseWishart):
        return prior.resolve(structure, n_components, center, spread)
    squared_range = spread
    if prior.needs_spread:
        squared_range = _squared_range(data.values, structure, center, spread)
    if prior.mean is None and _has_ranges(structure, len(center)):
        center = 0.5 * (data.values.min(0).astype(float) + data.values.max(0))
    return prior.resolve(structure, n_components, center, spread, squared_range)


def _has_ranges(structure: CovarianceStructure, n_features: int) -> bool:
    """Whether the columns' ranges move with the data under all maps of the structure's group."""
    return n_features == 1 or structure.columns.have_ranges


def _squared_range(X: np.ndarray, structure: CovarianceStructure, center: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """R^2 of `IndependentNormalInverseWishart`, shaped as the spread."""
    if _has_ranges(structure, len(center)):
        return structure.form.of_diagonal((X.max(0).astype(float) - X.min(0)) ** 2)
    spread = structure.columns.within_group(spread)
    half_distances = log_joint(ComponentScores(np.zeros(1), center[None], structure.whitening(spread)[None]), X)
    return -8.0 * half_distances.min() * spread


def resolved_shared_prior(
    prior: ComponentsPrior, structure: CovarianceStructure, expected_components: int, data: Rows
) -> ComponentsPrior:
    """As above where every component has the same prior.

    Raises
    ------
    ArgumentError
        A constant has another shape than that of one for all, such as one for each component.
    """
    n_features = data.values.shape[1]
    # Before the prior is resolved: its own errors offer a constant for each component too.
    shapes = {"mean": (n_features,), "mean_precision": (), "scale": structure.compact_shape(1, n_features)[1:]}
    for name, shape in shapes.items():
        value = getattr(prior, name, None)
        if value is None or isinstance(value, HierarchicalScale):
            continue
        given = as_numbers(value, f"{type(prior).__name__}: {name}").shape
        if given != shape and not (given == () and name == "scale" and structure.form.takes_numbers):
            raise ArgumentError(
                f"{type(prior).__name__}({name}=...) has shape {given}; in this model components have no identity of "
                f"their own and share one prior: it must be {shape if shape else 'one number'}, one {name} for all."
            )
    return resolved_prior(prior, structure, expected_components, data)


def check_columns(structure: CovarianceStructure, data: Rows) -> None:
    """Raise a `DataError` where the family describes no data of so many columns."""
    d, name = data.values.shape[1], structure.name
    if d < structure.fewest_columns:
        raise DataError(
            f"covariance={name!r} tells columns apart, and X has one column: with one column use 'tied' "
            "(mclust's E) or 'full' (mclust's V)."
        )
    if d > structure.most_columns:
        raise DataError(
            f"covariance={name!r} is mclust's name for one column, and X has {d}: use one of the names of three "
            "letters."
        )


def is_singular(structure: CovarianceStructure, spread: np.ndarray) -> bool:
    """Whether the data's spread has no inverse within the structure's group."""
    return structure.columns.is_singular(spread)


def has_enough_rows(structure: CovarianceStructure, data: Rows) -> bool:
    """Whether the number of rows alone lets the spread have an inverse."""
    return structure.columns.are_enough(*data.values.shape)


def check_rows(structure: CovarianceStructure, data: Rows) -> None:
    """Raise a `DataError` where there are too few rows for a covariance of all columns; nothing is computed for it."""
    if not has_enough_rows(structure, data):
        raise _singular(explain_few_rows(*data.values.shape), structure, _others(np.ones(data.values.shape[1])))


def check_range(spread: np.ndarray, data: Rows) -> None:
    """Raise a `DataError` that names a column where sums of squares leave the range of float64."""
    if (np.abs(spread) <= LARGEST_SUM / len(data.values)).all():  # not so where it is NaN
        return
    row, column = np.unravel_index(np.abs(data.values).argmax(), data.values.shape)
    name, value = data.feature_names[column], data.values[row, column]
    raise DataError(
        f"The values of column {name!r} are so large ({value:.3g} in row {row}, counted from 0) that sums of "
        "their squares leave the range of float64: use larger units, or correct that row."
    )


def check_spread(structure: CovarianceStructure, spread: np.ndarray, data: Rows) -> None:
    """Raise a `DataError` that names the columns to blame where the spread is singular."""
    check_range(spread, data)
    columns = structure.form.diagonal(spread)
    _check_underflow(structure, columns, data)
    if not is_singular(structure, spread):
        return
    reason = explain_singular(data.values, data.feature_names) or DEPENDENT
    raise _singular(reason, structure, _others(columns))


def _check_underflow(structure: CovarianceStructure, variances: np.ndarray, data: Rows) -> None:
    # One variance for all columns is what the widest ones decide.
    is_small = (variances < SMALLEST_VARIANCE) & (structure.columns.within_group(variances) < SMALLEST_VARIANCE)
    if not is_small.any():
        return
    low, high = data.values.min(0).astype(float), data.values.max(0).astype(float)
    small = np.flatnonzero(is_small & (high > low))
    if not len(small):
        return  # constant columns
    name, extent = data.feature_names[small[0]], (high - low)[small[0]]
    power = min(300, -int(np.floor(np.log10(extent))))
    raise DataError(
        f"The values of column {name!r} vary so little (by {extent:.3g}) that their squares leave the range of "
        f"float64: use smaller units, such as values 1e{power} times as large."
    )


def _others(variances: np.ndarray) -> list[str]:
    """Structures whose covariance of data with these variances, and no correlations, has an inverse."""
    kinds = [kind for kind in STRUCTURES.values() if kind.form is DIAGONAL]
    return [repr(kind.name) for kind in kinds if not kind.columns.is_singular(variances)]


def _singular(reason: str, structure: CovarianceStructure, others: list[str]) -> DataError:
    names = " or ".join(filter(None, [", ".join(others[:-1]), *others[-1:]]))
    prior = "pass prior=NormalInverseWishart(scale=...) to a method with a prior (MAP, VB, NUTS)"
    ways = [f"choose covariance={names}"] * bool(others) + [prior] * (structure.conjugate is not None)
    what = "starts and the default prior" if structure.conjugate is not None else "starts"
    otherwise = f" Otherwise {', or '.join(ways)}: the" if ways else " The"
    return DataError(
        f"{reason}{otherwise} {what} of covariance={structure.name!r} come from the data's own covariance, which has "
        "no inverse."
    )


def _given_location(
    prior: ComponentsPrior, structure: CovarianceStructure, n_features: int
) -> tuple[np.ndarray, np.ndarray]:
    """Stand-ins of the right shapes where the prior already has its mean and scale."""
    mean = np.asarray(prior.mean, float)
    if mean.shape[-1:] != (n_features,):
        raise ArgumentError(
            f"{type(prior).__name__}(mean=...) has shape {mean.shape} and the data {n_features} columns: they must "
            "agree."
        )
    return np.ones(n_features), structure.form.identity(n_features)
