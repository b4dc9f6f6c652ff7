"""Ctrl-C: the first ends the grid, the second the program."""

from __future__ import annotations

import os
import signal
import sys
import threading


class Interrupts:
    """While this context is open, the first Ctrl-C raises KeyboardInterrupt and is remembered; a second one exits.

    Methods catch the first to return what they have, so whoever runs several of them must ask `is_raised`.
    """

    def __init__(self):
        self.is_raised = False

    def __enter__(self) -> Interrupts:
        self._has_handler = threading.current_thread() is threading.main_thread()
        if self._has_handler:
            self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *error) -> None:
        if self._has_handler:
            signal.signal(signal.SIGINT, self._previous)

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
