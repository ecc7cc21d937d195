"""When is the cluster free of backups long enough for an upgrade? Pure, like the decision.

A backup schedule is busy from its next run, and from every later run that its recurrence names, for
as long as its longest known run took, half as long again, and the minute that the scheduler may
be late. What lies between is quiet. Backups that nobody scheduled in the cluster cannot be foreseen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from guard.cluster.interval import interval
from guard.cluster.jobs import active_backups, is_possible_backup
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.policy.rules import Thresholds
from guard.decision.result import ExitCode, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Connection, JobRow, ScheduleRow, Snapshot

if TYPE_CHECKING:
    from guard.catalog.catalog import Catalog

__all__ = ["LONGEST_HORIZON", "Busy", "QuietWindow", "StartNow", "WindowsAnswer", "quiet_windows"]

LONGEST_HORIZON: Final = dt.timedelta(days=31)

_SAFETY: Final = 1.5  # a run may take this much longer than the longest one that is known
_RUNS_LOOKED_AT: Final = 20
_SCHEDULER_LATE: Final = dt.timedelta(minutes=1)  # jobs.scheduler.pace
_ASSUMED: Final = dt.timedelta(hours=1)  # of a schedule without any known run
_LEAST: Final = dt.timedelta(minutes=1)
_MOST_RUNS: Final = 50_000  # of one schedule within the horizon: one a minute for a month

_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a backup is expected to run.

    Attributes:
        why: the job or the schedule, in words.
        assumed: True if no past run says how long it takes.
        ends: False for a paused job: only a person ends it.
    """

    start: dt.datetime
    end: dt.datetime
    why: str
    schedule_id: str | None = None
    job_id: str | None = None
    assumed: bool = False
    ends: bool = True


class QuietWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A time without backups that is long enough. `until` says what ends it."""

    start: dt.datetime
    end: dt.datetime
    seconds: int
    until: str


class StartNow(msgspec.Struct, frozen=True, kw_only=True):
    """What an upgrade that starts now and takes the asked duration would meet."""

    quiet: bool
    overlap_seconds: int
    overlaps: tuple[Busy, ...]


class WindowsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The quiet windows, soonest first.

    Attributes:
        cluster_time: the cluster's clock, from which everything is counted.
        until: up to when was looked; earlier than asked if a schedule cannot be foreseen further.
        unknown: what could not be seen or read; with no window beside it, nothing is known.
        notes: what to keep in mind.
    """

    schema_version: str = "1"
    exit_code: int
    cluster_time: dt.datetime
    duration_seconds: int
    until: dt.datetime
    windows: tuple[QuietWindow, ...] = ()
    now: StartNow | None = None
    busy: tuple[Busy, ...] = ()
    unknown: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def quiet_windows(
    snapshot: Snapshot,
    length: dt.timedelta,
    within: dt.timedelta,
    catalog: Catalog | None = None,
) -> WindowsAnswer:
    """Find the times without backups.

    Args:
        snapshot: what was seen of the cluster.
        length: how long the cluster must be free of backups.
        within: how far ahead to look; at most `LONGEST_HORIZON`.
        catalog: the bundled one unless given.

    Returns:
        Exit code 0 with at least one window, 10 without any, 11 if too little could be seen.
    """
    try:
        return _answer(snapshot, length, within, catalog)
    except OverflowError:  # times at the end of the calendar, which no healthy cluster has
        now = snapshot.taken_at
        return _blind(now, now, length, "the cluster's times are beyond the calendar", ())


def _answer(
    snapshot: Snapshot, length: dt.timedelta, within: dt.timedelta, catalog: Catalog | None
) -> WindowsAnswer:
    cluster = Cluster.of(snapshot)
    now = cluster.now
    until = now + min(within, LONGEST_HORIZON)
    if not isinstance(snapshot.connection, Connection):
        return _blind(now, until, length, snapshot.connection.message, snapshot.connection.remedy)
    if catalog is None:
        from guard.catalog import load

        catalog = load()
    situation = Situation(
        cluster=cluster,
        step=Step.START,
        target=None,
        node_id=None,
        window=within,
        thresholds=Thresholds(),
        catalog=catalog,
    )
    try:
        running = active_backups(situation.cluster)
        schedules = [each for each in situation.cluster.schedules if each.next_run is not None]
        history = situation.cluster.job_history
    except NotCollected as missing:
        return _blind(now, until, length, missing.why.message, missing.why.remedy)
    past = _Past(history)
    busy = [_running(job, past, now, until) for job in running]
    unknown = []
    for schedule in sorted(schedules, key=lambda each: each.schedule_id):
        runs, seen_until, problem = _runs(schedule, now, until)
        busy += [_scheduled(schedule, run, past) for run in runs]
        if problem:
            unknown.append(problem)
            until = min(until, seen_until)
    busy = sorted((b for b in busy if b.start < until), key=lambda b: (b.start, b.end, b.why))
    windows = tuple(_gaps(busy, now, until, length))
    code = ExitCode.ALLOW if windows else ExitCode.UNKNOWN if unknown else ExitCode.BLOCK
    return WindowsAnswer(
        exit_code=int(code),
        cluster_time=now,
        duration_seconds=int(length.total_seconds()),
        until=until,
        windows=windows,
        now=_start_now(busy, now, length, until),
        busy=tuple(busy),
        unknown=tuple(unknown),
        notes=tuple(_notes(busy, past)),
    )


def _blind(
    now: dt.datetime, until: dt.datetime, length: dt.timedelta, why: str, remedy: tuple[str, ...]
) -> WindowsAnswer:
    return WindowsAnswer(
        exit_code=int(ExitCode.UNKNOWN),
        cluster_time=now,
        duration_seconds=int(length.total_seconds()),
        until=until,
        unknown=(why,),
        remedy=remedy,
    )


class _Past:
    """How long backups took, by schedule."""

    def __init__(self, history: Iterable[JobRow]) -> None:
        self._by_schedule: dict[int | None, list[dt.timedelta]] = {}
        for job in history:
            if not is_possible_backup(job) or job.created is None or job.finished is None:
                continue
            self._by_schedule.setdefault(job.schedule_id, [])
            if job.status == "succeeded" and job.finished >= job.created:
                self._by_schedule[job.schedule_id].append(job.finished - job.created)

    def expected(self, schedule_id: int | None) -> tuple[dt.timedelta, bool]:
        """How long the next run may take, and whether that is only assumed.

        A schedule without known runs is taken to be as slow as the slowest backup that is known.
        """
        own = self._by_schedule.get(schedule_id, [])[:_RUNS_LOOKED_AT]
        if own:
            return max(max(own) * _SAFETY, _LEAST), False
        others = [each for runs in self._by_schedule.values() for each in runs]
        return max(max(others, default=_ASSUMED) * _SAFETY, _ASSUMED), True

    @property
    def unscheduled(self) -> int:
        """How many past backups no schedule started."""
        return len(self._by_schedule.get(None, ()))


def _running(job: JobRow, past: _Past, now: dt.datetime, until: dt.datetime) -> Busy:
    """A backup that runs: until it has taken as long as expected, or half as long again as so far."""
    paused = job.status in ("paused", "pause-requested")
    expected, assumed = past.expected(job.schedule_id)
    begun = min(job.created or now, now)
    end = max(begun + expected, now + (now - begun) * (_SAFETY - 1), now + _LEAST)
    why = f"backup job {job.job_id} is {job.status}"
    return Busy(
        start=now,
        end=until if paused else end,
        why=why + (" and ends only by RESUME or CANCEL" if paused else ""),
        job_id=str(job.job_id),
        schedule_id=None if job.schedule_id is None else str(job.schedule_id),
        assumed=assumed and not paused,
        ends=not paused,
    )


def _scheduled(schedule: ScheduleRow, run: dt.datetime, past: _Past) -> Busy:
    expected, assumed = past.expected(schedule.schedule_id)
    label = f" ({schedule.label})" if schedule.label else ""
    return Busy(
        start=run,
        end=run + _SCHEDULER_LATE + expected,
        why=f"backup schedule {schedule.schedule_id}{label}",
        schedule_id=str(schedule.schedule_id),
        assumed=assumed,
    )


def _runs(
    schedule: ScheduleRow, now: dt.datetime, until: dt.datetime
) -> tuple[list[dt.datetime], dt.datetime, str]:
    """A schedule's runs up to a time, how far they can be foreseen, and why not further."""
    first = schedule.next_run or now
    runs = [max(first, now)]
    if runs[0] >= until:
        return [], until, ""
    reason = "it has no further run, or too many"
    try:
        for run in _recurring(schedule.recurrence or "", first):
            if run >= until:
                return runs, until, ""
            if run > now:  # the runs missed in the past are made up for once
                runs.append(run)
            if len(runs) > _MOST_RUNS:
                break
    except ValueError as error:
        reason = str(error)
    except OverflowError:
        reason = f"its recurrence {(schedule.recurrence or '')[:50]!r} goes beyond the calendar"
    name = f"backup schedule {schedule.schedule_id}"
    # Its first run is known, and it keeps the cluster busy; what follows that one is not.
    return (
        runs,
        runs[-1] + _SCHEDULER_LATE,
        f"{name} cannot be foreseen after {runs[-1]:%Y-%m-%d %H:%M:%SZ}: {reason}",
    )


def _recurring(expression: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """The runs after a time. Cron expressions are in UTC. Raises ValueError if unreadable."""
    from cronsim import CronSim, CronSimError

    text = expression.strip().lower()
    if text.startswith("@every "):
        every = interval(text.removeprefix("@every ").strip())
        if every is None or every < dt.timedelta(seconds=1):
            raise ValueError(f"its recurrence {expression[:50]!r} cannot be read")
        while True:
            after += every
            yield after
    fields = _MACROS.get(text, text)
    if len(fields.split()) != 5:
        raise ValueError(f"its recurrence {expression[:50]!r} cannot be read")
    try:
        yield from CronSim(fields, after.astimezone(dt.UTC))
    except (CronSimError, OverflowError):
        raise ValueError(f"its recurrence {expression[:50]!r} cannot be read") from None


def _gaps(
    busy: list[Busy], now: dt.datetime, until: dt.datetime, length: dt.timedelta
) -> Iterator[QuietWindow]:
    """The quiet times that are long enough, in order."""
    free_from = now
    for each in busy:
        if each.start - free_from >= length:
            yield _window(free_from, each.start, each.why)
        free_from = max(free_from, each.end)
    if until - free_from >= length:
        yield _window(free_from, until, "the end of the time looked at")


def _window(start: dt.datetime, end: dt.datetime, ends_by: str) -> QuietWindow:
    return QuietWindow(start=start, end=end, seconds=int((end - start).total_seconds()), until=ends_by)


def _start_now(
    busy: list[Busy], now: dt.datetime, length: dt.timedelta, until: dt.datetime
) -> StartNow | None:
    """What a start now would meet; None if that is not known up to its end."""
    end = now + length
    hit = [each for each in busy if each.start < end and each.end > now]
    if not hit and until < end:
        return None
    covered, free_from = dt.timedelta(), now
    for each in hit:
        begin, stop = max(each.start, free_from), min(each.end, end)
        if stop > begin:
            covered += stop - begin
            free_from = stop
    return StartNow(quiet=not hit, overlap_seconds=int(covered.total_seconds()), overlaps=tuple(hit))


def _notes(busy: list[Busy], past: _Past) -> Iterator[str]:
    if any(each.assumed for each in busy):
        yield "some backups have no past run to go by, so their length is assumed"
    if past.unscheduled:
        yield (
            f"{past.unscheduled} past backups were started by no schedule of this cluster; such "
            "backups cannot be foreseen"
        )
