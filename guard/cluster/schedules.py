"""Backup schedules: which are due, which are overdue, and whether they ever leave a gap."""

from __future__ import annotations

import datetime as dt
from itertools import islice, pairwise, takewhile
from typing import Final

from guard.cluster.picture import Cluster
from guard.cluster.recurrence import CannotFollow, recurrence
from guard.snapshot.model import ScheduleRow

__all__ = ["due_schedules", "is_overdue", "never_quiet"]

_OVERDUE: Final = dt.timedelta(hours=1)  # the scheduler looks once a minute
_LOOK_AHEAD: Final = dt.timedelta(hours=48)
_RUNS: Final = 3000  # one a minute


def due_schedules(cluster: Cluster, window: dt.timedelta) -> tuple[ScheduleRow, ...]:
    """Backup schedules whose next run lies within the window or in the past.

    A next run in the past is due: the scheduler looks once a minute. Raises `NotCollected`.
    """
    limit = cluster.now + window
    due = (s for s in cluster.schedules if s.next_run is not None and s.next_run <= limit)
    return tuple(sorted(due, key=lambda s: (s.next_run or cluster.now, s.schedule_id)))


def is_overdue(schedule: ScheduleRow, now: dt.datetime) -> bool:
    """True if it should have run long ago: whatever keeps it from running, waiting may not end it."""
    return schedule.next_run is not None and now - schedule.next_run > _OVERDUE


def never_quiet(cluster: Cluster, window: dt.timedelta) -> bool:
    """True if some schedule is due within the window at every moment of the next two days.

    Read from the recurrences, so False where one cannot be followed. Raises `NotCollected`.
    """
    horizon = cluster.now + _LOOK_AHEAD
    runs = [run for s in cluster.schedules for run in _runs(s, horizon)]
    moments = sorted({cluster.now, horizon, *runs})
    gaps = [later - sooner for sooner, later in pairwise(moments)]
    return len(gaps) > 1 and max(gaps) <= window


def _runs(schedule: ScheduleRow, horizon: dt.datetime) -> list[dt.datetime]:
    if schedule.next_run is None or not schedule.recurrence:
        return []
    try:
        following = recurrence(schedule.recurrence).after(schedule.next_run)
        runs = islice(takewhile(lambda run: run <= horizon, following), _RUNS)
        return [schedule.next_run, *runs]
    except CannotFollow:
        return [schedule.next_run]
