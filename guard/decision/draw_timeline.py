"""Draw the timeline of a cluster: past backups, what runs, what is due, restarts, migrations. Pure.

The line begins with the first backup of the last day, or with the first restart or migration of the
last week, so that an upgrade that drags on is seen from its beginning. What could not be looked at is
named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from guard.cluster.jobs import active_backups, history_reaches_back_to, is_paused, is_possible_backup
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.timeline import (
    BackupLane,
    BackupRun,
    Mark,
    MarkKind,
    NodeStart,
    QuietTime,
    RunState,
    Timeline,
)
from guard.snapshot.model import EventRow, JobRow, ScheduleRow

if TYPE_CHECKING:
    from guard.decision.quiet_windows import Busy, WindowsAnswer

__all__ = ["draw_timeline"]

_DAY: Final = dt.timedelta(days=1)
_WEEK: Final = dt.timedelta(days=7)
_LEAST_BACK: Final = dt.timedelta(minutes=30)
_LEAST_AHEAD: Final = dt.timedelta(hours=1)
_MOST_LANES: Final = 40


def draw_timeline(
    cluster: Cluster, window: dt.timedelta | None = None, answer: WindowsAnswer | None = None
) -> Timeline:
    """The timeline of a cluster.

    Args:
        cluster: what was seen.
        window: how far ahead a scheduled backup counts as due.
        answer: quiet windows, and the backups expected between them, to draw over it.

    Returns:
        A value that holds whatever could be seen; never raises.
    """
    now = cluster.now
    try:
        marks = sorted(_marks(cluster), key=lambda mark: mark.at)
        ahead = min(max(window or _LEAST_AHEAD, _LEAST_AHEAD), _WEEK)
        end = answer.until if answer is not None else now + ahead
        since = min([*_recent(cluster, marks, now), now - _DAY])
        lanes, known_since, unseen = _lanes(cluster, since, end, answer)
        begun = [run.start for lane in lanes for run in lane.runs if run.start <= now]
        first = min([*begun, *_recent(cluster, marks, now), now - _LEAST_BACK])
        start = max(first, since) - (now - max(first, since)) / 30
        return Timeline(
            start=start,
            now=now,
            end=end,
            window_end=None if window is None else now + window,
            lanes=lanes,
            nodes=tuple(
                NodeStart(node_id=n.node_id, build=n.build_tag, started_at=n.started_at)
                for n in cluster.known_members
            ),
            marks=tuple(
                m for m in marks if start <= m.at and (m.at <= end or m.kind is MarkKind.LICENSE_END)
            ),
            quiet=tuple(
                QuietTime(start=w.start, end=w.end) for w in (answer.windows if answer else ())
            ),
            known_since=known_since,
            unseen=unseen,
        )
    except OverflowError:  # a clock at the end of the calendar
        return Timeline(
            start=now, now=now, end=now, unseen=("the cluster's times are beyond the calendar",)
        )


def _recent(cluster: Cluster, marks: Iterable[Mark], now: dt.datetime) -> list[dt.datetime]:
    """The moments of the last week that the line should not leave out."""
    moments = [node.started_at for node in cluster.known_members if node.started_at is not None]
    moments += [mark.at for mark in marks]
    return [moment for moment in moments if now - _WEEK <= moment <= now]


def _marks(cluster: Cluster) -> Iterator[Mark]:
    try:
        for row in cluster.rows("migrations"):
            if row.completed_at is not None:
                name = f"{row.major}.{row.minor}" + (f"-{row.internal}" if row.internal else "")
                yield Mark(at=row.completed_at, kind=MarkKind.MIGRATION, text=f"migration to {name}")
    except NotCollected:
        pass  # the check named migrations says so where it matters
    try:
        for row in cluster.rows("events"):
            if (text := _event(row)) is not None:
                yield Mark(at=row.time, kind=MarkKind.EVENT, text=text)
    except NotCollected:
        pass  # weeks of a log that only some users may read: nothing rests on it
    try:
        for row in cluster.rows("license"):
            if row.present and row.seconds_left is not None:
                ends = cluster.now + dt.timedelta(seconds=row.seconds_left)
                yield Mark(at=ends, kind=MarkKind.LICENSE_END, text="the license ends")
    except NotCollected:
        pass


def _event(row: EventRow) -> str | None:
    """An event in words, None for one that says nothing here."""
    if row.node_id is not None:
        what = row.event_type.removeprefix("node_").replace("_", " ")
        return f"n{row.node_id}: {what}"
    return f"setting {row.setting} changed" if row.setting else None


def _lanes(
    cluster: Cluster, start: dt.datetime, end: dt.datetime, answer: WindowsAnswer | None
) -> tuple[tuple[BackupLane, ...], dt.datetime | None, tuple[str, ...]]:
    """The lanes, from when on the past is known, and what could not be seen."""
    unseen: list[str] = []
    known_since: dt.datetime | None = None
    schedules: tuple[ScheduleRow, ...] = ()
    runs: dict[int | None, list[BackupRun]] = {}
    try:
        for job in cluster.job_history:
            if is_possible_backup(job) and (job.finished or job.created or end) >= start:
                _add(runs, job.schedule_id, _past(job))
        known_since = history_reaches_back_to(cluster)
    except NotCollected as missing:
        unseen.append(f"past backups: {missing.why.message}")
    try:
        for job in active_backups(cluster):
            _add(runs, job.schedule_id, _running(job, answer))
    except NotCollected as missing:
        unseen.append(f"running backups: {missing.why.message}")
    try:
        schedules = cluster.schedules
    except NotCollected as missing:
        unseen.append(f"backup schedules: {missing.why.message}")
    for schedule in schedules:
        runs.setdefault(schedule.schedule_id, []).extend(_expected(schedule, end, answer))
    known = {schedule.schedule_id: schedule for schedule in schedules}
    lanes = [
        BackupLane(
            schedule_id=None if key is None else str(key),
            label=(known[key].label or "") if key in known else "",
            paused=key in known and known[key].next_run is None,
            runs=tuple(sorted(found, key=lambda run: run.start)),
        )
        for key, found in sorted(runs.items(), key=lambda item: (item[0] is None, item[0] or 0))
    ]
    if len(lanes) > _MOST_LANES:
        unseen.append(f"{len(lanes) - _MOST_LANES} more schedules are left out here")
    return tuple(lanes[:_MOST_LANES]), known_since, tuple(dict.fromkeys(unseen))


def _add(runs: dict[int | None, list[BackupRun]], key: int | None, run: BackupRun | None) -> None:
    if run is not None:
        runs.setdefault(key, []).append(run)


def _past(job: JobRow) -> BackupRun | None:
    begun = job.created or job.finished
    if begun is None:
        return None
    good = job.status == "succeeded"
    return BackupRun(
        start=begun,
        end=job.finished,
        state=RunState.SUCCEEDED if good else RunState.FAILED,
        status=job.status,
        job_id=str(job.job_id),
    )


def _running(job: JobRow, answer: WindowsAnswer | None) -> BackupRun | None:
    if job.created is None:
        return None
    foreseen = _foreseen(answer, lambda busy: busy.job_id == str(job.job_id))
    ends = foreseen[0].end if foreseen and foreseen[0].ends else None
    return BackupRun(
        start=job.created,
        end=ends,
        state=RunState.PAUSED if is_paused(job) else RunState.RUNNING,
        status=job.status,
        job_id=str(job.job_id),
        assumed=bool(foreseen and foreseen[0].assumed),
    )


def _expected(
    schedule: ScheduleRow, end: dt.datetime, answer: WindowsAnswer | None
) -> Iterator[BackupRun]:
    if answer is not None:
        name = str(schedule.schedule_id)
        for busy in _foreseen(answer, lambda each: each.schedule_id == name and each.job_id is None):
            yield BackupRun(
                start=busy.start, end=busy.end, state=RunState.EXPECTED, assumed=busy.assumed
            )
    elif schedule.next_run is not None and schedule.next_run <= end:
        yield BackupRun(start=schedule.next_run, end=None, state=RunState.EXPECTED)


def _foreseen(answer: WindowsAnswer | None, wanted: Callable[[Busy], bool]) -> list[Busy]:
    return [busy for busy in answer.busy if wanted(busy)] if answer is not None else []
