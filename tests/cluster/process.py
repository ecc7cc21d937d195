"""Run guard as a user does: another process, an exit code, two streams."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from guard.cli import ENDING
from tests.cluster.forked import Forked, of_the_start

__all__ = ["GUARD", "Run", "environment", "guard", "heard"]

GUARD: Final = (sys.executable, "-m", "guard")
_ROOT: Final = Path(__file__).parents[2]
_KILLED_AFTER: Final = 60.0  # a guard that hangs must not hang the tests


@dataclass(frozen=True)
class Run:
    """What came of a run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def findings(self) -> list[tuple[str, str, str]]:
        """The findings of a report, without what differs from look to look."""
        return [(f["check"], f["outcome"], f["title"]) for f in self.json["findings"]]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without anything that says where to connect."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "GUARD_", "COCKROACH_")) and name != "NO_COLOR"
    }
    return kept | {"PYTHONPATH": str(_ROOT), "HOME": "/nonexistent"} | dict(extra or {})


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """What is started within is ended by signals, though the tests run under nohup or with an ``&``."""
    deaf = [n for n in ENDING if signal.getsignal(n) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in deaf:
            signal.signal(number, signal.SIG_IGN)


def guard(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    killed_after: float = _KILLED_AFTER,
) -> Run:
    """Run guard to its end; kill it and fail if it takes longer than it ever may.

    Snapshots of tests are old: unless a test asks for their age, ``--max-age none`` is added.
    """
    offline = "--snapshot" in arguments or "--debug-zip" in arguments
    if arguments[:1] == ("check",) and offline and "--max-age" not in arguments:
        arguments = (*arguments, "--max-age", "none")
    done = _run(arguments, environment(env), stdin, killed_after)
    return Run(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


_forked: list[Forked] = []


def _run(
    arguments: Sequence[str], env: Mapping[str, str], stdin: bytes | None, killed_after: float
) -> subprocess.CompletedProcess[bytes]:
    """Fork a guard where that is the same; start one where the interpreter's start matters."""
    if not _forked:
        _forked.append(Forked(environment()))
    [forked] = _forked
    if of_the_start(env) == forked.started_with and forked.busy.acquire(blocking=False):
        try:
            return forked.run(arguments, env, stdin, killed_after)
        finally:
            forked.busy.release()
    return subprocess.run(
        [*GUARD, *arguments],
        env=dict(env),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=killed_after,
        check=False,
    )
