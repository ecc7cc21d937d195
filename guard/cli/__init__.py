"""The command line. Thin: parse, call, render, exit. The verdict is never computed here."""

from __future__ import annotations

import os
import signal

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``guard`` console script; never returns."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            # From the first moment on, while the rest is still being imported.
            signal.signal(number, lambda number, _: os._exit(128 + number))
    from guard.cli.process import run

    run()
