"""Random generators from their written states."""

from __future__ import annotations

from typing import Any

import numpy as np

# By a table: a file names the class, and whatever it names would be called.
BIT_GENERATORS = {
    kind.__name__: kind
    for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64)
}


def generator_from(state: dict[str, Any]) -> np.random.Generator:
    """The generator that goes on from the state of a bit generator.

    Raises
    ------
    KeyError, TypeError, ValueError
        It is no such state.
    """
    generator = np.random.Generator(BIT_GENERATORS[state["bit_generator"]]())
    generator.bit_generator.state = state
    return generator
