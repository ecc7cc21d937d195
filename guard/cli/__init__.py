"""The command line. Thin: parse, call, render, exit. The verdict is never computed here."""

from __future__ import annotations

import gc
import os
import signal
from typing import Final

__all__ = ["ENDING", "main"]

ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)
)
"""The signals that end guard, with 128 and their number."""

_COLLECT_EVERY: Final = 100_000  # objects


def main() -> None:
    """Entry point of the ``guard`` console script; never returns."""
    # What imports build stays: it is not searched for garbage again and again.
    gc.set_threshold(_COLLECT_EVERY)
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            # From the first moment on, while the rest is still being imported.
            signal.signal(number, lambda number, _: os._exit(128 + number))
    from guard.cli.process import run

    run()
