"""The command line. Thin: parse, call, render, exit. The verdict is never computed here."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from typing import Final, NoReturn

__all__ = ["ENDING", "main"]

ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)
)
"""The signals that end guard, with 128 and their number."""

_COLLECT_EVERY: Final = 100_000  # objects


def main() -> NoReturn:
    """Entry point of the ``guard`` console script; never returns."""
    # What imports build stays: it is not searched for garbage again and again.
    gc.set_threshold(_COLLECT_EVERY)
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            # From the first moment on, while the rest is still being imported.
            signal.signal(number, lambda number, _: os._exit(128 + number))
    from guard.cli.process import run

    try:
        run()
    except SystemExit as leaving:  # what was to be written is written, and signals are ignored by now
        atexit._run_exitfuncs()
        # Not taken apart object by object, which takes a good part of a run's CPU time. Nothing that
        # could happen meanwhile replaces a verdict's exit code, PYTHONINSPECT included, and a look that
        # was left behind is not in the midst of a library that is being taken down.
        os._exit(leaving.code if isinstance(leaving.code, int) else 1)
