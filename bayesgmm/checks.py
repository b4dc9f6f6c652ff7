"""Checks of arguments in one wording: the argument's name, the value that was given, and what is wanted.

Each returns the plain Python value or raises an `ArgumentError`.  NumPy's scalars, and arrays of no axes, are taken for
what they hold; True and False are no numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from bayesgmm.errors import ArgumentError, shown

Kind = TypeVar("Kind")


def whole_number(value: Any, name: str, least: int = 1, also: str = "") -> int:
    """An integer of at least `least`; `also` says what else the caller takes."""
    held = _held(value)
    if isinstance(held, (bool, np.bool_)) or not isinstance(held, Integral) or held < least:
        raise _refusal(value, name, f"an integer of at least {least}", also)
    return int(held)


def real_number(
    value: Any,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    also: str = "",
) -> float:
    """A number within bounds; NaN is within none, and infinity within ``below=inf`` is not."""
    number = _as_float(value)
    is_within = (
        number is not None and not math.isnan(number)
        and (least is None or number >= least) and (above is None or number > above)
        and (most is None or number <= most) and (below is None or number < below)
    )  # fmt: skip
    if number is None or not is_within:
        finite = "a finite number" if below == math.inf else "a number"
        given = {"of at least": least, "above": above, "at most": most, "below": below}
        bounds = {word: None if bound in (math.inf, -math.inf) else bound for word, bound in given.items()}
        words = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        raise _refusal(value, name, f"{finite} {words}".rstrip(), also)
    return number


def positive(value: Any, name: str) -> float:
    """A finite number above 0."""
    return real_number(value, name, above=0.0, below=math.inf)


def probability(value: Any, name: str) -> float:
    """A number from 0 to 1, both of which it may be."""
    return real_number(value, name, least=0.0, most=1.0)


def fraction(value: Any, name: str) -> float:
    """A number between 0 and 1, neither of which it may be."""
    return real_number(value, name, above=0.0, below=1.0)


def truth(value: Any, name: str, also: str = "") -> bool:
    """True or False."""
    held = _held(value)
    if not isinstance(held, (bool, np.bool_)):
        raise _refusal(value, name, "True or False", also)
    return bool(held)


def one_of(value: Any, name: str, known: Iterable[str], also: str = "") -> str:
    """One of some words."""
    words = list(known)
    if not isinstance(value, str) or value not in words:
        raise _refusal(value, name, f"one of {', '.join(map(repr, words))}", also)
    return value


def as_seed(rng: np.random.Generator | int | None) -> int:
    """An int seed that stands for `rng`, so that every fit can be run again."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    if rng is None:
        return int(np.random.default_rng().integers(2**63))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return int(rng)
    raise ArgumentError(f"rng={shown(rng)} must be a numpy Generator, a non-negative int seed or None.")


def as_generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """The generator itself, or one of that seed."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(as_seed(rng))


def instance(value: Any, name: str, kind: type[Kind]) -> Kind:
    """An object of a class."""
    if not isinstance(value, kind):
        raise _refusal(value, name, f"a {kind.__name__}", "")
    return value


def store(options: Any, **values: Any) -> None:
    """Put checked values where a frozen object had those that were given."""
    for name, value in values.items():
        object.__setattr__(options, name, value)


def whole_numbers(options: Any, least: dict[str, int], optional: tuple[str, ...] = ()) -> None:
    """Check and store the options of these names; the `optional` ones may be None."""
    for name, bound in least.items():
        value = getattr(options, name)
        if value is not None or name not in optional:
            store(options, **{name: whole_number(value, name, bound, "None" if name in optional else "")})


def _held(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _as_float(value: Any) -> float | None:
    held = _held(value)
    if isinstance(held, (bool, np.bool_)) or not isinstance(held, (Real, Decimal)):
        return None
    try:
        return float(held)
    except (OverflowError, ValueError):  # ValueError: a signalling NaN of Decimal
        return None


def _refusal(value: Any, name: str, wanted: str, also: str) -> ArgumentError:
    return ArgumentError(f"{name}={shown(value)} must be {wanted}{', or ' + also if also else ''}.")
