"""Jobs and schedules in words and as evidence; free text of a job is left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from guard.cluster.jobs import Activity
from guard.decision.phrases import age
from guard.snapshot.model import JobRow, ScheduleRow

__all__ = [
    "activity_evidence",
    "activity_text",
    "job_evidence",
    "job_text",
    "schedule_evidence",
    "schedule_text",
]


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
