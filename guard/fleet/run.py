"""Look at many clusters at once, so many at a time, and let no failure of one hide another.

Each look has a time of its own. One that does not come back in it, however it hangs, becomes a line
that says so; its thread is left behind and the next cluster gets its place.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from guard.fleet.result import ClusterLine

__all__ = ["GRACE_SECONDS", "Job", "look_at_all"]

GRACE_SECONDS: Final = 10.0
"""Beyond its own deadline: for judging what was seen on a busy machine."""


@dataclass(frozen=True, slots=True)
class Job:
    """A cluster to look at.

    Attributes:
        look: looks and judges; raises nothing it can put into a line.
        failed: the line for when it did raise, or did not come back: why, and the seconds it took.
        timeout: seconds the look may take by itself.
    """

    look: Callable[[], ClusterLine]
    failed: Callable[[str, float], ClusterLine]
    timeout: float


def look_at_all(
    jobs: Sequence[Job],
    workers: int,
    told: Callable[[int, int], None] = lambda _done, _all: None,
    *,
    grace: float = GRACE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> list[ClusterLine]:
    """The lines of all clusters, in the order of the jobs.

    Args:
        jobs: the clusters.
        workers: how many to look at at a time.
        told: called with how many are done, and of how many, whenever one is.
        grace: seconds beyond a job's own time until it is given up.
        clock: seconds, monotonic.
    """
    waiting = deque(enumerate(jobs))
    under_way: dict[int, float] = {}
    done: queue.Queue[tuple[int, ClusterLine]] = queue.Queue()
    lines: dict[int, ClusterLine] = {}
    while len(lines) < len(jobs):
        while waiting and len(under_way) < workers:
            number, job = waiting.popleft()
            under_way[number] = clock()
            threading.Thread(target=_run, args=(number, job, done, clock), daemon=True).start()
        now = clock()
        patience = min(began + jobs[n].timeout + grace - now for n, began in under_way.items())
        try:
            number, line = done.get(timeout=max(patience, 0.0))
        except queue.Empty:
            number, line = _overdue(jobs, under_way, grace, clock())
        if number not in under_way:  # it came back after it had been given up
            continue
        del under_way[number]
        lines[number] = line
        told(len(lines), len(jobs))
    return [lines[number] for number in range(len(jobs))]


def _run(
    number: int,
    job: Job,
    done: queue.Queue[tuple[int, ClusterLine]],
    clock: Callable[[], float],
) -> None:
    began = clock()
    try:
        line = job.look()
    except BaseException as error:  # noqa: BLE001 - a line must come, whatever happens
        line = job.failed(f"guard failed: {type(error).__name__}: {error}", clock() - began)
    done.put((number, line))


def _overdue(
    jobs: Sequence[Job], under_way: dict[int, float], grace: float, now: float
) -> tuple[int, ClusterLine]:
    """The look that should have ended first."""
    number = min(under_way, key=lambda n: under_way[n] + jobs[n].timeout)
    took = now - under_way[number]
    job = jobs[number]
    return number, job.failed(f"no answer within {job.timeout + grace:.0f} s, so it was given up", took)
