"""What happened and what is to come, on one line of time: a result value that reports draw.

`guard.decision.draw_timeline` makes it of a cluster. Texts are the cluster's own and untrusted.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

__all__ = [
    "BackupLane",
    "BackupRun",
    "Mark",
    "MarkKind",
    "NodeStart",
    "QuietTime",
    "RunState",
    "Timeline",
]


class _Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a timeline is made of."""


class RunState(StrEnum):
    """How a backup's run ended, or that it has not."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RUNNING = "running"
    PAUSED = "paused"
    EXPECTED = "expected"


class BackupRun(_Struct, frozen=True):
    """One run of a backup.

    Attributes:
        start: when it began or will begin.
        end: when it ended or is expected to; None if nobody can tell.
        state: how it ended.
        status: the server's own word for that; empty for what is to come.
        job_id: the job; None for what is to come.
        assumed: True if no past run says how long it takes.
    """

    start: dt.datetime
    end: dt.datetime | None
    state: RunState
    status: str = ""
    job_id: str | None = None
    assumed: bool = False


class BackupLane(_Struct, frozen=True):
    """The runs of one backup schedule, or of the backups that no schedule started.

    Attributes:
        schedule_id: None for backups without a schedule.
        label: the schedule's own name.
        paused: True if it starts nothing until a person resumes it.
        runs: in the order of their start.
    """

    schedule_id: str | None
    label: str
    paused: bool
    runs: tuple[BackupRun, ...]


class NodeStart(_Struct, frozen=True):
    """The start of the process that a node runs now."""

    node_id: int
    build: str | None
    started_at: dt.datetime | None


class MarkKind(StrEnum):
    """What a mark stands for."""

    MIGRATION = "migration"
    EVENT = "event"
    LICENSE_END = "license end"


class Mark(_Struct, frozen=True):
    """A moment at which something happened or will happen."""

    at: dt.datetime
    kind: MarkKind
    text: str


class QuietTime(_Struct, frozen=True):
    """A time without backups."""

    start: dt.datetime
    end: dt.datetime


class Timeline(_Struct, frozen=True):
    """A cluster's past and near future, by the cluster's clock.

    Attributes:
        start: where the line begins; the past before it is left out.
        now: when the cluster was looked at.
        end: where the line ends.
        window_end: up to when a scheduled backup counts as due; None where nobody asked.
        known_since: from when on all finished backups were looked at; None if that is all of them.
        marks: in the order of time.
        unseen: what could not be looked at, and why.
    """

    start: dt.datetime
    now: dt.datetime
    end: dt.datetime
    window_end: dt.datetime | None = None
    lanes: tuple[BackupLane, ...] = ()
    nodes: tuple[NodeStart, ...] = ()
    marks: tuple[Mark, ...] = ()
    quiet: tuple[QuietTime, ...] = ()
    known_since: dt.datetime | None = None
    unseen: tuple[str, ...] = ()
