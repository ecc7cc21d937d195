"""When is the cluster free of backups long enough for an upgrade? Pure, like the decision.

What lies between the backups that are expected (`guard.decision.expected_backups`) is quiet. Backups
that nobody scheduled in the cluster cannot be foreseen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

import msgspec

from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.expected_backups import Busy, expected_backups
from guard.decision.phrases import span
from guard.decision.result import ExitCode
from guard.snapshot.model import Connection, Snapshot

__all__ = ["LONGEST_HORIZON", "Busy", "QuietWindow", "StartNow", "WindowsAnswer", "quiet_windows"]

LONGEST_HORIZON: Final = dt.timedelta(days=31)


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
        cluster_time: the cluster's clock, from which everything is counted: now, not when the
            snapshot was taken.
        until: up to when was looked; earlier than asked if a schedule cannot be foreseen further.
        unknown: what could not be seen or read; with no window beside it, nothing is known.
        notes: what to keep in mind.
        snapshot_age_seconds: how long ago it was looked; 0 for a live cluster.
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
    snapshot_age_seconds: int = 0


def quiet_windows(
    snapshot: Snapshot,
    length: dt.timedelta,
    within: dt.timedelta,
    *,
    age: dt.timedelta = dt.timedelta(),
    max_age: dt.timedelta = dt.timedelta.max,
) -> WindowsAnswer:
    """Find the times without backups.

    Args:
        snapshot: what was seen of the cluster.
        length: how long the cluster must be free of backups.
        within: how far ahead to look; at most `LONGEST_HORIZON`.
        age: how long ago the snapshot was taken; what is over by now is no window.
        max_age: how old it may be; of an older one the answer is unknown, whatever it holds.

    Returns:
        Exit code 0 with at least one window, 10 without any, 11 if too little could be seen.
    """
    try:
        answer = _answer(snapshot, length, within, age)
    except OverflowError:  # times at the end of the calendar, which no healthy cluster has
        now = snapshot.taken_at
        return _blind(now, now, length, age, "the cluster's times are beyond the calendar", ())
    if age <= max_age:
        return answer
    why = f"the snapshot is {span(age)} old, and backups may have been planned since"
    return msgspec.structs.replace(
        answer,
        exit_code=int(ExitCode.UNKNOWN),
        unknown=(*answer.unknown, why),
        remedy=(*answer.remedy, "Take a new one, or take its age on yourself: --max-age TIME"),
    )


def _answer(
    snapshot: Snapshot, length: dt.timedelta, within: dt.timedelta, age: dt.timedelta
) -> WindowsAnswer:
    cluster = Cluster.of(snapshot)
    now = cluster.now + age
    until = now + min(within, LONGEST_HORIZON)
    if not isinstance(snapshot.connection, Connection):
        return _blind(now, until, length, age, snapshot.connection.message, snapshot.connection.remedy)
    try:
        expected = expected_backups(cluster, until)
    except NotCollected as missing:
        return _blind(now, until, length, age, missing.why.message, missing.why.remedy)
    busy = [each for each in expected.busy if each.end > now]
    windows = tuple(_gaps(busy, now, expected.until, length))
    code = ExitCode.ALLOW if windows else ExitCode.UNKNOWN if expected.unknown else ExitCode.BLOCK
    return WindowsAnswer(
        exit_code=int(code),
        cluster_time=now,
        duration_seconds=int(length.total_seconds()),
        until=max(now, expected.until),  # of an old snapshot nothing may be known up to now
        windows=windows,
        now=_start_now(busy, now, length, expected.until),
        busy=tuple(busy),
        unknown=expected.unknown,
        notes=expected.notes,
        snapshot_age_seconds=int(age.total_seconds()),
    )


def _blind(
    now: dt.datetime,
    until: dt.datetime,
    length: dt.timedelta,
    age: dt.timedelta,
    why: str,
    remedy: tuple[str, ...],
) -> WindowsAnswer:
    return WindowsAnswer(
        exit_code=int(ExitCode.UNKNOWN),
        cluster_time=now,
        duration_seconds=int(length.total_seconds()),
        until=until,
        unknown=(why,),
        remedy=remedy,
        snapshot_age_seconds=int(age.total_seconds()),
    )


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
