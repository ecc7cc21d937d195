"""The table of faults: a test says what goes wrong, what guard answers and with which exit code.

    @fault("the password is wrong", "UNKNOWN at once, without another try", 11)
    def test_…(…) -> Run: …

The decorated test returns the run (or runs); the decorator checks the exit code and that there is no
traceback. `python -m tests.faults_table` prints the table for tests/README.md.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, ParamSpec

from tests.cluster.process import Run, guard

__all__ = ["GRACE", "TABLE", "Row", "fault", "in_time"]

P = ParamSpec("P")

GRACE: Final = 15.0
"""Seconds after --timeout in which guard must have ended, whatever happens."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    group: str
    what: str
    answer: str
    codes: tuple[int, ...]
    module: str


TABLE: Final[list[Row]] = []


def fault(
    what: str, answer: str, *codes: int, group: str = "Connection"
) -> Callable[[Callable[P, Run | Sequence[Run]]], Callable[P, None]]:
    """Put a test into the table, and hold it to what the table says."""

    def decorate(test: Callable[P, Run | Sequence[Run]]) -> Callable[P, None]:
        TABLE.append(Row(group, what, answer, codes, test.__module__))

        @functools.wraps(test)
        def checked(*args: P.args, **kwargs: P.kwargs) -> None:
            result = test(*args, **kwargs)
            runs = [result] if isinstance(result, Run) else list(result)
            assert runs, "nothing was run"
            for run in runs:
                assert run.code in codes, run
                assert "Traceback" not in run.out + run.err, run

        del checked.__dict__["__wrapped__"].__annotations__["return"]
        return checked

    return decorate


def in_time(*arguments: str, seconds: float, **options: object) -> Run:
    """Run guard with --timeout; it must end within that and `GRACE`."""
    started = time.monotonic()
    run = guard(*arguments, "--timeout", f"{seconds}s", killed_after=seconds + 20, **options)  # type: ignore[arg-type]
    took = time.monotonic() - started
    if took > seconds + GRACE:
        # A machine that is busy with other things is no fault of guard's: its own start comes on top.
        started = time.monotonic()
        guard("--version")
        took -= 2 * (time.monotonic() - started)
    assert took <= seconds + GRACE, f"took {took:.1f} s with --timeout {seconds}s: {run.err}"
    return run
