"""An interrupt in the middle of a method: at the n-th sweep that one of its modules makes."""

import sys

from bayesgmm.rows import Rows


def interrupt_sweep(monkeypatch, module, n=1):
    """Let the n-th sweep over rows that `module` asks for end in a KeyboardInterrupt; others are not counted."""
    calls, sweep = [], Rows.sweep

    def interrupted(rows, *args):
        if sys._getframe(1).f_globals["__name__"] == module.__name__:
            calls.append(1)
            if len(calls) == n:
                raise KeyboardInterrupt
        return sweep(rows, *args)

    monkeypatch.setattr(Rows, "sweep", interrupted)
