"""Ctrl-C, or SIGTERM: the first ends the grid, the second the program."""

from __future__ import annotations

import os
import signal
import sys
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # the second is what schedulers send before they kill


class Interrupts:
    """While this context is open, the first of `SIGNALS` raises KeyboardInterrupt and is remembered; the second exits.

    Methods catch the first to return what they have, so whoever runs several of them must ask `is_raised`.
    """

    def __init__(self):
        self.is_raised = False

    def __enter__(self) -> Interrupts:
        self._has_handler = threading.current_thread() is threading.main_thread()
        if self._has_handler:
            self._previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, *error) -> None:
        if self._has_handler:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise again where a method has caught the first one."""
        if self.is_raised:
            raise KeyboardInterrupt

    def _on_signal(self, number, frame) -> None:
        if self.is_raised:
            if sys.stderr.isatty():
                sys.stderr.write("\033[?25h")  # the cursor that the progress display hides
            os._exit(130)  # not SystemExit, which whatever runs at the moment could hold up
        self.is_raised = True
        raise KeyboardInterrupt
