"""Checks of arguments that the models share."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from bayesgmm.errors import ArgumentError, shown


def whole(value: Any, name: str, words: str) -> int:
    """A positive integer, or an ArgumentError that says in words what it is the number of."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ArgumentError(f"{name}={shown(value)}: the {words} must be an integer of at least 1.")
    return int(value)


def check_kinds(model: Any, **kinds: tuple[type, ...]) -> None:
    """Raise an ArgumentError where an attribute of the model is of no such class."""
    for name, allowed in kinds.items():
        if not isinstance(getattr(model, name), allowed):
            such = " or ".join(f"{kind.__name__}()" for kind in allowed)
            raise ArgumentError(f"{name}={shown(getattr(model, name))} must be an object such as {such}.")
