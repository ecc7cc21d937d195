"""Which backups are to be expected when, by the schedules of the cluster and by its past runs.

A schedule runs at its next run and at every later time that its recurrence names. It is busy as long
as its longest known run took, half as long again, and the minute that the scheduler may be late.
The twenty newest runs count, by when they began, also those that failed or were cancelled: they kept
the cluster busy, too. A schedule without a known run is taken to be as slow as the slowest backup
that is known, and at least an hour.

A run whose beginning or end could not be read is no run that did not happen: where none of a
schedule's runs can be read, nothing is known of the time after its next one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from guard.cluster.jobs import (
    active_backups,
    history_reaches_back_to,
    is_possible_backup,
    needs_a_person,
)
from guard.cluster.picture import Cluster
from guard.cluster.recurrence import CannotFollow, Every, recurrence
from guard.decision.phrases import agreeing, counted, listed
from guard.snapshot.model import JobRow, ScheduleRow
from guard.versions import Series

__all__ = ["Busy", "Expected", "expected_backups"]

_SAFETY: Final = 1.5  # a run may take this much longer than the longest one that is known
_RUNS_LOOKED_AT: Final = 20
_SCHEDULER_LATE: Final = dt.timedelta(minutes=1)  # jobs.scheduler.pace
_ASSUMED: Final = dt.timedelta(hours=1)  # of a schedule without any known run
_LEAST: Final = dt.timedelta(minutes=1)
_MOST_RUNS: Final = 50_000  # of one schedule within the horizon: one a minute for a month
_ROBFIG: Final = Series(22, 1)


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a backup is expected to run.

    Attributes:
        why: the job or the schedule, in words.
        assumed: True if no past run says how long it takes.
        ends: False for a paused job: only a person ends it.
        as_job_id: the past run whose length was taken, as the longest one.
    """

    start: dt.datetime
    end: dt.datetime
    why: str
    schedule_id: str | None = None
    job_id: str | None = None
    assumed: bool = False
    ends: bool = True
    as_job_id: str | None = None


class Expected(msgspec.Struct, frozen=True):
    """What is expected, in order of its beginning.

    Attributes:
        until: up to when that is known; earlier than asked where something cannot be foreseen.
        unknown: why not further.
        notes: what to keep in mind.
    """

    busy: tuple[Busy, ...]
    until: dt.datetime
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


def expected_backups(cluster: Cluster, until: dt.datetime) -> Expected:
    """All backups that run or are to come, from the time of the snapshot on.

    Raises:
        NotCollected: jobs, their history or the schedules could not be seen.
    """
    running = active_backups(cluster)
    schedules = sorted(cluster.schedules, key=lambda each: each.schedule_id)
    past = _Past(cluster.job_history)
    busy: list[Busy] = []
    unknown: list[str] = []
    notes: list[str] = []
    without_run: list[ScheduleRow] = []
    for job in running:
        length = past.of_any() if job.schedule_id is None else past.of(job.schedule_id)
        busy.append(_running(job, length, cluster.now, until))
        if length.expected is None and not needs_a_person(job):
            unknown.append(_unreadable(f"backup job {job.job_id}"))
            until = cluster.now
    for schedule in schedules:
        first = schedule.next_run
        if first is None:
            first = _wakes(schedule, schedules, running, cluster.now)
            notes.append(_paused(schedule, first))
            if first is None:
                continue
        length = past.of(schedule.schedule_id)
        if length.unreadable:
            notes.append(
                f"{counted(length.unreadable, 'past run')} of {_name(schedule)} "
                f"{agreeing(length.unreadable, 'has', 'have')} no readable length"
            )
        runs, seen_until, problem = _runs(schedule, first, cluster, until)
        if length.expected is None and runs:
            problem = _unreadable(_name(schedule))
            runs, seen_until = runs[:1], runs[0].start
        elif length.assumed and runs:
            without_run.append(schedule)
        busy += [_scheduled(schedule, run, length) for run in runs]
        if problem:
            unknown.append(problem)
            until = min(until, seen_until)
    notes += _about_lengths(without_run, cluster)
    notes += _from_outside(schedules, past)
    busy = sorted((b for b in busy if b.start < until), key=lambda b: (b.start, b.end, b.why))
    return Expected(tuple(busy), until, tuple(unknown), tuple(notes))


def _unreadable(what: str) -> str:
    return (
        f"how long {what} takes could not be read: past backups are known, but not one with a "
        "beginning and an end"
    )


class _Length(msgspec.Struct, frozen=True):
    """How long the next run may take; None if there were runs and none of them can be read."""

    expected: dt.timedelta | None
    assumed: bool = False
    as_job_id: int | None = None
    unreadable: int = 0


class _Past:
    """How long backups took, by schedule."""

    def __init__(self, history: Iterable[JobRow]) -> None:
        self._runs: dict[int | None, list[JobRow]] = {}
        for job in history:
            if is_possible_backup(job):
                self._runs.setdefault(job.schedule_id, []).append(job)

    def of(self, schedule_id: int) -> _Length:
        """What to expect of a schedule's next run."""
        runs = self._runs.get(schedule_id)
        if runs is None:
            return self.of_any()
        newest = sorted(runs, key=_begun, reverse=True)[:_RUNS_LOOKED_AT]
        return _longest(newest, _LEAST) or _Length(None)

    def of_any(self) -> _Length:
        """What to expect of a backup of which no past run is known."""
        runs = [job for each in self._runs.values() for job in each]
        if not runs:
            return _Length(_ASSUMED * _SAFETY, assumed=True)
        length = _longest(runs, _ASSUMED)
        if length is None:
            return _Length(None, assumed=True)
        return _Length(length.expected, assumed=True, as_job_id=length.as_job_id)

    @property
    def unscheduled(self) -> int:
        """How many past backups no schedule started."""
        return len(self._runs.get(None, ()))


_LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


def _begun(job: JobRow) -> dt.datetime:
    return job.created or _LONG_AGO


def _longest(runs: list[JobRow], at_least: dt.timedelta) -> _Length | None:
    """The longest of these runs and half of it; None if not one of them can be read."""
    known = [
        (job.finished - job.created, job.job_id)
        for job in runs
        if job.created is not None and job.finished is not None and job.finished >= job.created
    ]
    if not known:
        return None
    longest, job_id = max(known)
    return _Length(
        max(longest * _SAFETY, at_least), as_job_id=job_id, unreadable=len(runs) - len(known)
    )


def _running(job: JobRow, length: _Length, now: dt.datetime, until: dt.datetime) -> Busy:
    """A backup that runs: until it has taken as long as expected, or half as long again as so far.

    From v23.1 on the list of running jobs does not tell their schedules: then any of them may be it.
    """
    paused = needs_a_person(job)
    begun = min(job.created or now, now)
    end = max(
        begun + (length.expected or dt.timedelta()), now + (now - begun) * (_SAFETY - 1), now + _LEAST
    )
    why = f"backup job {job.job_id} is {job.status}"
    return Busy(
        start=now,
        end=until if paused else end,
        why=why + (" and ends only by RESUME or CANCEL" if paused else ""),
        job_id=str(job.job_id),
        schedule_id=None if job.schedule_id is None else str(job.schedule_id),
        assumed=(length.assumed or length.expected is None) and not paused,
        ends=not paused,
        as_job_id=None if paused or length.as_job_id is None else str(length.as_job_id),
    )


class _Run(msgspec.Struct, frozen=True):
    """A run that begins between two times."""

    start: dt.datetime
    latest: dt.datetime


def _scheduled(schedule: ScheduleRow, run: _Run, length: _Length) -> Busy:
    return Busy(
        start=run.start,
        end=run.latest + (length.expected or dt.timedelta()),
        why=_name(schedule),
        schedule_id=str(schedule.schedule_id),
        assumed=length.assumed or length.expected is None,
        as_job_id=None if length.as_job_id is None else str(length.as_job_id),
    )


def _name(schedule: ScheduleRow) -> str:
    label = f" ({schedule.label})" if schedule.label else ""
    return f"backup schedule {schedule.schedule_id}{label}"


def _runs(
    schedule: ScheduleRow, first: dt.datetime, cluster: Cluster, until: dt.datetime
) -> tuple[list[_Run], dt.datetime, str]:
    """A schedule's runs up to a time, how far they can be foreseen, and why not further."""
    begin = max(first, cluster.now)
    if begin >= until:
        return [], until, ""
    runs = [_Run(begin, begin + _SCHEDULER_LATE)]
    reason = "it has too many runs"
    gateway = cluster.gateway
    try:
        rule = recurrence(
            schedule.recurrence or "", before_22_1=gateway is not None and gateway.series < _ROBFIG
        )
        # Each run that is late makes the next one late, where it counts from there.
        late = _SCHEDULER_LATE if isinstance(rule, Every) else dt.timedelta()
        for run in rule.after(first):
            if run >= until:
                return runs, until, ""
            if run > cluster.now:  # the runs missed in the past are made up for once
                runs.append(_Run(run, run + _SCHEDULER_LATE + late * len(runs)))
            if len(runs) > _MOST_RUNS:
                break
    except CannotFollow as error:
        reason = str(error)
    except OverflowError:
        reason = f"its recurrence {(schedule.recurrence or '')[:50]!r} goes beyond the calendar"
    # Its first run is known, and it keeps the cluster busy; what follows that one is not.
    last = runs[-1]
    return (
        runs,
        last.latest,
        f"{_name(schedule)} cannot be foreseen after {last.start:%Y-%m-%d %H:%M:%SZ}: {reason}",
    )


def _wakes(
    schedule: ScheduleRow, schedules: list[ScheduleRow], running: Iterable[JobRow], now: dt.datetime
) -> dt.datetime | None:
    """From when on a paused schedule may start by itself; None if only a person starts it.

    CREATE SCHEDULE makes two schedules of one label: one takes the full backups, the other waits for
    the first of them. What it waits for is one of the backups that run, or the next one.
    """
    if not schedule.waits_for_full:
        return None
    if any(True for _ in running):
        return now
    siblings = [each.next_run for each in schedules if each.next_run and each.label == schedule.label]
    return min(siblings, default=now)


def _paused(schedule: ScheduleRow, wakes: dt.datetime | None) -> str:
    if wakes is None:
        return f"{_name(schedule)} is paused: guard takes it to stay so"
    return (
        f"{_name(schedule)} is paused until its first full backup has succeeded, and then starts by "
        "itself: guard takes it to be active"
    )


def _about_lengths(without_run: list[ScheduleRow], cluster: Cluster) -> Iterator[str]:
    if not without_run:
        return
    reach = history_reaches_back_to(cluster)
    where = "in the job history" + (
        "" if reach is None else f", which reaches back to {reach:%Y-%m-%d %H:%MZ}"
    )
    yield (
        f"no past run of {listed(map(_name, without_run), 3)} is {where}, so how long it takes is "
        "assumed"
    )


def _from_outside(schedules: list[ScheduleRow], past: _Past) -> Iterator[str]:
    if past.unscheduled:
        yield (
            f"{past.unscheduled} past backups were started by no schedule of this cluster; such "
            "backups cannot be foreseen"
        )
    elif all(each.next_run is None for each in schedules):
        yield (
            "this cluster has no active backup schedule; backups that are started from outside (cron, "
            "a CI job) cannot be foreseen"
        )
