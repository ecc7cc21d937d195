"""Jobs and schedules in words and as evidence; free text of a job is left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

from guard.cluster.jobs import Activity, is_one_of, is_paused, is_stuck, needs_a_person
from guard.decision.phrases import age, counted
from guard.snapshot.model import JobRow, ScheduleRow

__all__ = [
    "activity_evidence",
    "activity_text",
    "ends_by_itself",
    "how_many",
    "job_evidence",
    "job_text",
    "schedule_evidence",
    "schedule_text",
    "way_to_end",
]

_SAID: Final = 200  # characters of a job's own words
_TELLING: Final = frozenset(
    {
        "MIGRATION",
        "SCHEMA CHANGE",
        "NEW SCHEMA CHANGE",
        "TYPEDESC SCHEMA CHANGE",
        "RESTORE",
        "IMPORT",
        "BACKUP",
    }
)
"""Types whose status in words is about the job and nothing else."""


def activity_text(activity: Activity, now: dt.datetime) -> str:
    """One sentence that names the backups of an activity."""
    parts = [job_text(job, now) for job in activity.jobs[:3]]
    parts += [schedule_text(schedule, now) for schedule in activity.due[: 3 - len(parts)]]
    more = len(activity.jobs) + len(activity.due) - len(parts)
    return "; ".join(parts) + (f"; and {more} more" if more else "")


def activity_evidence(activity: Activity) -> dict[str, Any]:
    """The backups of an activity as evidence."""
    return {"jobs": job_evidence(activity.jobs), "schedules_due": schedule_evidence(activity.due)}


def job_text(job: JobRow, now: dt.datetime) -> str:
    """One job in a sentence; free text of the job is left out."""
    kind = job.job_type or "job of unknown type"
    text = f"{kind} job {job.job_id} is {job.status}, created {age(job.created, now)}"
    if job.fraction_completed is not None:
        text += f", {job.fraction_completed:.0%} done"
    if job.schedule_id is not None:
        text += f", of schedule {job.schedule_id}"
    if job.owner:
        text += f", owner {job.owner}"
    if job.running_status and is_one_of(job, _TELLING):
        text += f", says: {' '.join(job.running_status.split())[:_SAID]!r}"
    return text


def how_many(jobs: Sequence[JobRow], noun: str, now: dt.datetime) -> str:
    """``1 backup is running``, ``2 restores are paused``: how many there are, and whether they move."""
    moving = [job for job in jobs if not is_paused(job) and not is_stuck(job, now)]
    if len(moving) == len(jobs):
        return f"{counted(len(jobs), noun, 'is', 'are')} running"
    if all(is_paused(job) for job in jobs):
        return f"{counted(len(jobs), noun, 'is', 'are')} paused"
    if not moving and not any(is_paused(job) for job in jobs):
        return f"{counted(len(jobs), noun, 'is', 'are')} stuck"
    return f"{counted(len(jobs), noun, 'has', 'have')} not ended"


def way_to_end(jobs: Sequence[JobRow], now: dt.datetime) -> tuple[str, ...]:
    """The remedy for jobs that stand in the way: what it takes to make the first of each kind end."""
    paused = [job for job in jobs if is_paused(job)]
    stuck = [job for job in jobs if is_stuck(job, now)]
    pausing = [job for job in jobs if needs_a_person(job) and job not in paused and job not in stuck]
    moving = [job for job in jobs if job not in (*paused, *stuck, *pausing)]
    remedy = [
        f"It is paused and will not end by itself: RESUME JOB {job.job_id}; or CANCEL JOB {job.job_id};"
        for job in paused[:2]
    ]
    remedy += [
        f"It will be paused in a moment, and not end by itself. Then: RESUME JOB {job.job_id}; or "
        f"CANCEL JOB {job.job_id};"
        for job in pausing[:2]
    ]
    for job in stuck[:2]:
        where = f" on n{job.coordinator_id}" if job.coordinator_id else ""
        remedy += [
            f"It has been {job.status} for too long and will not end by itself. See its error: "
            f"SHOW JOB {job.job_id};",
            f"Look for the job in the log of its coordinator{where}; cure what it names, or ask "
            "Cockroach Labs support before the upgrade.",
        ]
    if moving:
        remedy += [
            f"Wait for it: SHOW JOB WHEN COMPLETE {moving[0].job_id};",
            "Or let guard wait: guard check --wait 30m",
        ]
    return tuple(remedy)


def ends_by_itself(jobs: Iterable[JobRow], now: dt.datetime) -> bool:
    """True if waiting ends all of these jobs: none is paused, about to be, or stuck."""
    return not any(needs_a_person(job) or is_stuck(job, now) for job in jobs)


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
