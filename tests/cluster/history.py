"""The same finished jobs as each release keeps them: what a gateway of that release would answer.

Up to 22.2 type, owner and end are in an encoded payload beside the row, from 23.1 to 24.x in a
payload in a table of its own, from 25.1 on in columns of the row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.cluster.recording import Recording, Table, load

__all__ = ["PATHS", "PastJob", "at_release", "with_history"]

PATHS: Final = ("v20.2.19", "v22.1.22", "v23.1.30", "v24.3.9", "v25.1.6", "v26.1.0")
"""Builds that keep the job history in different ways, and the ends of their spans."""

_BASE: Final = "v21.1.11-to-v21.2.0/12-finalized"
_KEYS: Final = {"BACKUP": "backup", "RESTORE": "restore", "CREATE STATS": "createStats"}


@dataclass(frozen=True)
class PastJob:
    """A job that is over."""

    job_id: int
    created: dt.datetime
    finished: dt.datetime | None
    schedule_id: int | None = None
    status: str = "succeeded"
    job_type: str = "BACKUP"


def at_release(build: str, base: str = _BASE) -> Recording:
    """A recorded state, served by a gateway that announces another build."""
    recording = load(base)
    announced = recording.crdb_version.split(" ")
    announced[2] = build
    return replace(recording, name=f"{recording.name}@{build}", crdb_version=" ".join(announced))


def with_history(recording: Recording, suffix: str, jobs: Sequence[PastJob]) -> Recording:
    """The state with these finished jobs and no other job, stored as its release stores them."""
    build = recording.crdb_version.split(" ")[2]
    year, ordinal = (int(part) for part in build.removeprefix("v").split(".")[:2])
    common = [
        ("id", "int8"), ("status", "text"), ("created", "timestamp"), ("created_by_type", "text"),
        ("created_by_id", "int8"),
    ]  # fmt: skip
    rows = [_row(job) for job in jobs]
    tables: dict[str, Table] = {"jobs": recording.table("jobs").with_rows([])}
    payloads = [(job, f"\\x{job.job_id:016x}") for job in jobs]
    if (year, ordinal) < (23, 1):
        columns = [*common, ("payload", "bytea"), ("progress", "bytea")]
        for row, (_, payload) in zip(rows, payloads, strict=True):
            row["payload"] = payload
    elif (year, ordinal) < (25, 1):
        columns = [*common, ("job_type", "text")]
        tables["system_job_info"] = Table(
            (("job_id", "int8"), ("info_key", "text"), ("value", "bytea")),
            tuple(
                (job.job_id, key, value)
                for job, payload in payloads
                for key, value in (("legacy_payload", payload), ("legacy_progress", "\\x00"))
            ),
        )
    else:
        columns = [*common, ("job_type", "text"), ("owner", "text"), ("finished", "timestamptz")]
        for row, job in zip(rows, jobs, strict=True):
            row |= {"owner": "root", "finished": job.finished and job.finished.isoformat()}
    tables["system_jobs"] = _table(columns, rows)
    tables["system_jobs_decoded"] = Table((("id", "int8"),), ())
    tables["decoded"] = Table(
        (("kind", "text"), ("encoded", "bytea"), ("plain", "jsonb")),
        tuple(("cockroach.sql.jobs.jobspb.Payload", each, _payload(job)) for job, each in payloads),
    )
    return recording.but(suffix, **tables)


def _row(job: PastJob) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "status": job.status,
        "created": job.created.astimezone(dt.UTC).replace(tzinfo=None).isoformat(),
        "created_by_type": "crdb_schedule" if job.schedule_id is not None else None,
        "created_by_id": job.schedule_id,
        "job_type": job.job_type,
    }


def _payload(job: PastJob) -> dict[str, Any]:
    payload: dict[str, Any] = {_KEYS[job.job_type]: {}, "usernameProto": "root"}
    if job.finished is not None:
        payload["finishedMicros"] = str(round(job.finished.timestamp() * 1_000_000))
    return payload


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]]) -> Table:
    return Table(tuple(columns), ()).with_rows(rows)
