"""`explain_singular`: which columns make the covariance of the data singular."""

from __future__ import annotations

import numpy as np

BLOCK = 65536  # rows centred at a time


def explain_singular(values: np.ndarray, names: tuple[str, ...]) -> str | None:
    """Say why the covariance of the data is singular.

    Everything is measured relative to each column's own spread, so neither units nor an offset of 1e8
    spreads change the answer.

    Parameters
    ----------
    values : (n, d) array
        Finite data.
    names : (d,) sequence of str

    Returns
    -------
    str or None
        One sentence that names the columns and what to do, for the first of these that is so: constant
        columns; two equal columns; no more rows than columns; two columns that are linear functions of
        each other; a linear dependence among several columns.  None where the covariance has full rank as
        far as float64 can tell.
    """
    n, d = values.shape
    low, high = values.min(0).astype(float), values.max(0).astype(float)
    # What the storage of the numbers leaves undetermined, in units of the column's range.
    rounding = np.finfo(values.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    constant = np.flatnonzero(high - low <= 4 * rounding)
    if n > 1 and len(constant):
        return _constant(values, names, constant)
    twins = _equal_pairs(values, low, high) if n > 1 else []
    if twins:
        return _pairs(names, twins, "are equal")
    if n <= d:
        return explain_few_rows(n, d)
    correlation = _correlation(values, low, high)
    # An eigenvalue of the computed correlation is known to about d eps, and a dependence among stored numbers
    # holds to their rounding, whose square it shows here: nothing below the two can be told from zero.
    noise = d * max(64 * np.finfo(float).eps, 16 * float((rounding / (high - low)).max()) ** 2)
    rows, columns = np.nonzero(np.triu(1 - np.abs(correlation) <= noise, 1))
    if len(rows):
        alike = list(zip(rows.tolist(), columns.tolist(), strict=True))
        return _pairs(names, alike, "are linear functions of each other")
    eigenvalues, vectors = np.linalg.eigh(correlation)
    null = vectors[:, eigenvalues <= noise]
    return _dependence(names, null) if null.size else None


def explain_few_rows(n: int, d: int) -> str:
    """The sentence for n <= d, where the covariance is singular whatever the values are."""
    return (
        f"{n} {'row does' if n == 1 else 'rows do'} not determine the covariance of {d} "
        f"{'column' if d == 1 else 'columns'}: give more rows than columns, or use fewer columns."
    )


def _correlation(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    n, d = values.shape
    # Measured from `low` in units of the range: the subtraction is exact where it matters, far from zero.
    spread, total, product = high - low, np.zeros(d), np.zeros((d, d))
    for start in range(0, n, BLOCK):
        total += ((values[start : start + BLOCK] - low) / spread).sum(0)
    for start in range(0, n, BLOCK):
        centred = (values[start : start + BLOCK] - low) / spread - total / n
        product += centred.T @ centred
    scale = np.sqrt(np.diag(product))
    return product / scale[:, None] / scale


def _equal_pairs(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[tuple[int, int]]:
    candidates = np.nonzero(np.triu((low[:, None] == low) & (high[:, None] == high), 1))
    return [(i, j) for i, j in zip(*candidates, strict=True) if np.array_equal(values[:, i], values[:, j])]


def _constant(values: np.ndarray, names: tuple[str, ...], constant: np.ndarray) -> str:
    if len(constant) == 1:
        return f"Column {names[constant[0]]!r} is constant ({values[0, constant[0]]:g} in every row): drop it."
    return f"Columns {_listed(names, constant)} are constant: drop them."


def _pairs(names: tuple[str, ...], pairs: list[tuple[int, int]], verb: str) -> str:
    shown = "; ".join(f"{names[i]!r} and {names[j]!r}" for i, j in pairs[:3])
    more = "" if len(pairs) <= 3 else f"; and {len(pairs) - 3} more pairs"
    return f"Columns {shown}{more} {verb}: drop one of {'them' if len(pairs) == 1 else 'each pair'}."


def _dependence(names: tuple[str, ...], null: np.ndarray) -> str:
    share = np.abs(null).max(1)
    part = np.flatnonzero(share > 1e-4 * share.max())  # the eigenvectors' noise is far below, a real part far above
    if null.shape[1] == 1:
        return f"Columns {_listed(names, part)} are linearly dependent: drop one of them."
    return f"Columns {_listed(names, part)} take part in {null.shape[1]} linear dependences: drop one column of each."


def _listed(names: tuple[str, ...], indices: np.ndarray) -> str:
    shown = [repr(names[i]) for i in indices[:10]]
    return ", ".join(shown) + ("" if len(indices) <= 10 else f" and {len(indices) - 10} more")
