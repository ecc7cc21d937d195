"""Jobs and schedules in CockroachDB's words: which are backups, which are over, which are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Final

import msgspec

from guard.cluster.picture import Cluster
from guard.cluster.schedules import due_schedules, is_overdue, never_quiet
from guard.snapshot.model import Collected, JobRow, ScheduleRow

__all__ = [
    "INGESTION",
    "Activity",
    "active_backups",
    "active_jobs_of",
    "backup_activity",
    "ended_badly",
    "history_reaches_back_to",
    "is_automatic",
    "is_foreign",
    "is_one_of",
    "is_paused",
    "is_possible_backup",
    "is_stuck",
    "is_unnamed",
    "needs_a_person",
]

# jobspb.Type of v20.1 to v26.2, as crdb_internal.jobs prints it. A name that is not here may be
# anything, a backup included: an older gateway prints types it does not know as a number or NULL.
_OTHER_TYPES: Final = frozenset(
    {
        "RESTORE",
        "SCHEMA CHANGE",
        "IMPORT",
        "IMPORT ROLLBACK",
        "CHANGEFEED",
        "CREATE STATS",
        "AUTO CREATE STATS",
        "AUTO CREATE PARTIAL STATS",
        "SCHEMA CHANGE GC",
        "TYPEDESC SCHEMA CHANGE",
        "NEW SCHEMA CHANGE",
        "STREAM INGESTION",
        "STREAM REPLICATION",
        "REPLICATION STREAM INGESTION",
        "REPLICATION STREAM PRODUCER",
        "LOGICAL REPLICATION",
        "STANDBY READ TS POLLER",
        "HISTORY RETENTION",
        "MIGRATION",
        "AUTO SPAN CONFIG RECONCILIATION",
        "AUTO SQL STATS COMPACTION",
        "ROW LEVEL TTL",
        "AUTO SCHEMA TELEMETRY",
        "KEY VISUALIZER",
        "POLL JOBS STATS",
        "AUTO CONFIG RUNNER",
        "AUTO CONFIG ENV RUNNER",
        "AUTO CONFIG TASK",
        "AUTO UPDATE SQL ACTIVITY",
        "SQL ACTIVITY FLUSH",
        "MVCC STATISTICS UPDATE",
        "UPDATE TABLE METADATA CACHE",
        "HOT RANGES LOGGER",
        "INSPECT",
        "FINGERPRINT",
    }
)

INGESTION: Final = frozenset({"REPLICATION STREAM INGESTION", "STREAM INGESTION"})
"""Jobs of a standby cluster, which takes in what its primary sends."""

_AUTOMATIC: Final = frozenset(
    kind for kind in _OTHER_TYPES if kind.startswith(("AUTO ", "POLL ", "KEY ", "MVCC ", "UPDATE "))
) | {"SQL ACTIVITY FLUSH", "HOT RANGES LOGGER", "SCHEMA CHANGE GC", "ROW LEVEL TTL"}
_PAUSED: Final = "paused"
_PAUSING: Final = "pause-requested"  # its node has not stopped it yet
_REQUESTED_TOO_LONG: Final = dt.timedelta(hours=1)
_RETRIED_TOO_LONG: Final = dt.timedelta(hours=24)
_SHOW_JOBS_SHOWS: Final = dt.timedelta(hours=12)  # of finished jobs


def is_unnamed(job: JobRow) -> bool:
    """True if the server could not say what the job is: NULL, or the bare number of a newer type."""
    return job.job_type is None or not any(letter.isalpha() for letter in job.job_type)


def is_foreign(job: JobRow) -> bool:
    """True for a type that has a name, but one that guard does not know."""
    return not is_unnamed(job) and (job.job_type or "").upper() not in (*_OTHER_TYPES, "BACKUP")


def is_one_of(job: JobRow, types: Collection[str]) -> bool:
    """True for a job of one of these types, named in capitals."""
    return job.job_type is not None and job.job_type.upper() in types


def is_automatic(job: JobRow) -> bool:
    """True for a job that CockroachDB runs for itself."""
    return (job.job_type or "").upper() in _AUTOMATIC


def is_possible_backup(job: JobRow) -> bool:
    """True for a BACKUP, and for a job whose type the server could not name."""
    return is_unnamed(job) or (job.job_type or "").upper() == "BACKUP"


def is_paused(job: JobRow) -> bool:
    """True for a job that stands still until a person sets it going again."""
    return job.status == _PAUSED


def needs_a_person(job: JobRow) -> bool:
    """True for a job that is paused, or still runs and will be: waiting does not end it."""
    return job.status in (_PAUSED, _PAUSING)


def is_stuck(job: JobRow, now: dt.datetime) -> bool:
    """True for a job that waiting will not end: it has been asked to stop, is reverting, or is tried
    again and again, for much longer than any of that takes. A paused job is not meant.
    """
    if job.created is None or is_paused(job):
        return False
    old = now - job.created
    if job.status.endswith("-requested"):
        return old > _REQUESTED_TOO_LONG
    retried = job.status.startswith("retry-") or "retry" in (job.running_status or "").lower()
    return (retried or "revert" in job.status) and old > _RETRIED_TOO_LONG


def ended_badly(job: JobRow) -> bool:
    """True for a finished job that did not succeed."""
    return job.status in ("failed", "canceled", "revert-failed")


def active_jobs_of(cluster: Cluster, types: Collection[str]) -> tuple[JobRow, ...]:
    """Jobs of these types in a non-terminal status, oldest id first. Raises `NotCollected`."""
    jobs = (job for job in cluster.active_jobs if is_one_of(job, types))
    return tuple(sorted(jobs, key=lambda job: job.job_id))


def history_reaches_back_to(cluster: Cluster) -> dt.datetime | None:
    """From when on every finished job was looked at; None if that is all of them.

    Raises:
        NotCollected: there is no history at all.
    """
    rows = cluster.job_history
    section = cluster.snapshot.job_history
    if not isinstance(section, Collected) or not section.truncated:
        return None
    if section.statement == "history_show_jobs":
        return cluster.now - _SHOW_JOBS_SHOWS
    if section.complete_since is not None:
        return section.complete_since
    # An older snapshot, which does not tell: any status may be the one that reached its limit.
    oldest: dict[str, dt.datetime] = {}
    for job in rows:
        if job.created is not None:
            oldest[job.status] = min(job.created, oldest.get(job.status, job.created))
    return max(oldest.values(), default=cluster.now)


def active_backups(cluster: Cluster) -> tuple[JobRow, ...]:
    """All (possible) backups in a non-terminal status, oldest id first. Raises `NotCollected`."""
    jobs = (job for job in cluster.active_jobs if is_possible_backup(job))
    return tuple(sorted(jobs, key=lambda job: job.job_id))


class Activity(msgspec.Struct, frozen=True):
    """Backups that run now or are about to."""

    jobs: tuple[JobRow, ...]
    due: tuple[ScheduleRow, ...]

    def __bool__(self) -> bool:
        return bool(self.jobs or self.due)

    incessant: bool = False

    @property
    def clears_by_itself(self) -> bool:
        """False if only a person ends it: a (soon) paused or stuck backup, schedules without a gap."""
        return not (self.incessant or any(needs_a_person(job) for job in self.jobs))


def backup_activity(cluster: Cluster, window: dt.timedelta) -> Activity:
    """Backup activity as A-72839 means it. Raises `NotCollected`."""
    due = due_schedules(cluster, window)
    jobs = active_backups(cluster)
    stuck = any(is_stuck(job, cluster.now) for job in jobs)
    incessant = bool(due) and (is_overdue(due[0], cluster.now) or never_quiet(cluster, window))
    return Activity(jobs, due, incessant or stuck)
