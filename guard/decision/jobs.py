"""Jobs and schedules in CockroachDB's words: which are backups, which are over, which are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from guard.decision.check import age
from guard.decision.situation import Situation
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
    "job_evidence",
    "job_text",
    "schedule_evidence",
    "schedule_text",
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


def active_jobs_of(situation: Situation, types: Collection[str]) -> tuple[JobRow, ...]:
    """Jobs of these types in a non-terminal status, oldest id first. Raises `NotCollected`."""
    jobs = (j for j in situation.active_jobs if j.job_type is not None and j.job_type.upper() in types)
    return tuple(sorted(jobs, key=lambda job: job.job_id))


def history_reaches_back_to(situation: Situation) -> dt.datetime | None:
    """From when on every finished job was looked at; None if that is all of them.

    Raises:
        NotCollected: there is no history at all.
    """
    rows = situation.job_history
    section = situation.snapshot.job_history
    if not isinstance(section, Collected) or not section.truncated:
        return None
    if section.statement == "history_show_jobs":
        return situation.now - _SHOW_JOBS_SHOWS
    return min((job.created for job in rows if job.created is not None), default=situation.now)


def active_backups(situation: Situation) -> tuple[JobRow, ...]:
    """All (possible) backups in a non-terminal status, oldest id first. Raises `NotCollected`."""
    jobs = (job for job in situation.active_jobs if is_possible_backup(job))
    return tuple(sorted(jobs, key=lambda job: job.job_id))


def due_schedules(situation: Situation) -> tuple[ScheduleRow, ...]:
    """Backup schedules whose next run lies within the window or in the past.

    A next run in the past is due: the scheduler looks once a minute. Raises `NotCollected`.
    """
    limit = situation.now + situation.window
    due = (s for s in situation.schedules if s.next_run is not None and s.next_run <= limit)
    return tuple(sorted(due, key=lambda s: (s.next_run or situation.now, s.schedule_id)))


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

    def text(self, now: dt.datetime) -> str:
        """One sentence that names them."""
        parts = [job_text(job, now) for job in self.jobs[:3]]
        parts += [schedule_text(schedule, now) for schedule in self.due[: 3 - len(parts)]]
        more = len(self.jobs) + len(self.due) - len(parts)
        return "; ".join(parts) + (f"; and {more} more" if more else "")

    def evidence(self) -> dict[str, Any]:
        """Them as evidence."""
        return {"jobs": job_evidence(self.jobs), "schedules_due": schedule_evidence(self.due)}


def backup_activity(situation: Situation) -> Activity:
    """Backup activity as A-72839 means it. Raises `NotCollected`."""
    return Activity(active_backups(situation), due_schedules(situation))


def job_text(job: JobRow, now: dt.datetime) -> str:
    """One job in a sentence; free text of the job is left out."""
    kind = job.job_type or "job of unknown type"
    text = f"{kind} job {job.job_id} is {job.status}, created {age(job.created, now)}"
    if job.fraction_completed is not None:
        text += f", {job.fraction_completed:.0%} done"
    if job.schedule_id is not None:
        text += f", of schedule {job.schedule_id}"
    return text + (f", owner {job.owner}" if job.owner else "")


def schedule_text(schedule: ScheduleRow, now: dt.datetime) -> str:
    """One schedule in a sentence."""
    label = f" ({schedule.label})" if schedule.label else ""
    if schedule.next_run is None:
        return f"backup schedule {schedule.schedule_id}{label} is paused"
    minutes = (schedule.next_run - now).total_seconds() / 60
    when = f"due in {minutes:.0f} min" if minutes >= 1 else "due now" if minutes > -1 else "overdue"
    return f"backup schedule {schedule.schedule_id}{label} is {when}, {_utc(schedule.next_run)}"


def _utc(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def job_evidence(jobs: Iterable[JobRow], limit: int = 50) -> list[dict[str, Any]]:
    """Jobs as evidence: ids and times, no description."""
    return [
        {
            "job_id": str(job.job_id),  # beyond the integers that every JSON reader keeps exact
            "type": job.job_type,
            "status": job.status,
            "owner": job.owner,
            "created": job.created,
            "finished": job.finished,
            "schedule_id": None if job.schedule_id is None else str(job.schedule_id),
        }
        for job in list(jobs)[:limit]
    ]


def schedule_evidence(schedules: Iterable[ScheduleRow], limit: int = 50) -> list[dict[str, Any]]:
    """Schedules as evidence."""
    return [
        {
            "schedule_id": str(schedule.schedule_id),
            "label": schedule.label,
            "next_run": schedule.next_run,
            "recurrence": schedule.recurrence,
        }
        for schedule in list(schedules)[:limit]
    ]
