"""Checks of arguments that the models share."""

from __future__ import annotations

from typing import Any

from bayesgmm.errors import ArgumentError, shown


def check_kinds(model: Any, **kinds: tuple[type, ...]) -> None:
    """Raise an ArgumentError where an attribute of the model is of no such class."""
    for name, allowed in kinds.items():
        if not isinstance(getattr(model, name), allowed):
            such = " or ".join(f"{kind.__name__}()" for kind in allowed)
            raise ArgumentError(f"{name}={shown(getattr(model, name))} must be an object such as {such}.")
