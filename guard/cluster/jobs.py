"""Jobs and schedules in CockroachDB's words: which are backups, which are over, which are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from guard.cluster.picture import Cluster
from guard.snapshot.model import Collected, JobRow, ScheduleRow

__all__ = [
    "Activity",
    "active_backups",
    "active_jobs_of",
    "backup_activity",
    "due_schedules",
    "ended_badly",
    "history_reaches_back_to",
    "is_paused",
    "is_possible_backup",
    "is_unnamed",
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


_SHOW_JOBS_SHOWS: Final = dt.timedelta(hours=12)  # of finished jobs


def is_possible_backup(job: JobRow) -> bool:
    """True for a BACKUP, and for a job whose type the server could not name."""
    return job.job_type is None or job.job_type.upper() not in _OTHER_TYPES


def is_unnamed(job: JobRow) -> bool:
    """True if the server could not say what the job is: NULL, or the bare number of a newer type."""
    return job.job_type is None or not any(letter.isalpha() for letter in job.job_type)


def is_paused(job: JobRow) -> bool:
    """True for a job that only a person sets going again."""
    return job.status in ("paused", "pause-requested")


def ended_badly(job: JobRow) -> bool:
    """True for a finished job that did not succeed."""
    return job.status in ("failed", "canceled", "revert-failed")


def active_jobs_of(cluster: Cluster, types: Collection[str]) -> tuple[JobRow, ...]:
    """Jobs of these types in a non-terminal status, oldest id first. Raises `NotCollected`."""
    jobs = (j for j in cluster.active_jobs if j.job_type is not None and j.job_type.upper() in types)
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


def due_schedules(cluster: Cluster, window: dt.timedelta) -> tuple[ScheduleRow, ...]:
    """Backup schedules whose next run lies within the window or in the past.

    A next run in the past is due: the scheduler looks once a minute. Raises `NotCollected`.
    """
    limit = cluster.now + window
    due = (s for s in cluster.schedules if s.next_run is not None and s.next_run <= limit)
    return tuple(sorted(due, key=lambda s: (s.next_run or cluster.now, s.schedule_id)))


@dataclass(frozen=True, slots=True)
class Activity:
    """Backups that run now or are about to."""

    jobs: tuple[JobRow, ...]
    due: tuple[ScheduleRow, ...]

    def __bool__(self) -> bool:
        return bool(self.jobs or self.due)

    @property
    def clears_by_itself(self) -> bool:
        """False if a paused backup is among them: only a person ends that."""
        return not any(is_paused(job) for job in self.jobs)


def backup_activity(cluster: Cluster, window: dt.timedelta) -> Activity:
    """Backup activity as A-72839 means it. Raises `NotCollected`."""
    return Activity(active_backups(cluster), due_schedules(cluster, window))
