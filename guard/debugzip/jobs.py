"""Jobs, by two tables that complete each other.

``crdb_internal.jobs`` has the decoded type and leaves out, without an error, what its reader may not
see. ``system.jobs`` is the table itself: whoever may read it reads all of it, and it knows which
schedule made a job. It was read after the other, so its status is the newer one. A job that only it
has keeps the type that is written in its row (v23.1 and later), or has none and counts as anything.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from guard.connector.rows import PARSERS
from guard.debugzip.errors import Unreadable
from guard.debugzip.tables import Row, Tables
from guard.snapshot.model import JobRow

__all__ = ["Jobs", "read_jobs"]

_TERMINAL: Final = frozenset({"succeeded", "failed", "canceled", "revert-failed"})
_KEPT: Final = 20_000  # finished jobs, the newest
_LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of an archive.

    Attributes:
        active: in a non-terminal status.
        finished: the newest ones, newest first.
        truncated: older finished ones were left out.
        whole: the table of all jobs was read to its end, so that none is hidden.
    """

    active: tuple[JobRow, ...]
    finished: tuple[JobRow, ...]
    truncated: bool
    whole: bool

    @property
    def complete_since(self) -> dt.datetime | None:
        """Since when no finished job was left out; None if none was."""
        return self.finished[-1].created if self.truncated and self.finished else None


@dataclass(slots=True)
class _Kept:
    """Jobs of one table: all that are not over, and the newest of the others."""

    active: dict[int, JobRow] = field(default_factory=dict)
    finished: list[tuple[dt.datetime, int, JobRow]] = field(default_factory=list)
    truncated: bool = False

    def add(self, job: JobRow) -> None:
        if job.status not in _TERMINAL:
            self.active[job.job_id] = job
            return
        entry = job.created or _LONG_AGO, job.job_id, job
        if len(self.finished) < _KEPT:
            heapq.heappush(self.finished, entry)
        else:
            heapq.heappushpop(self.finished, entry)
            self.truncated = True

    def by_id(self) -> dict[int, JobRow]:
        return {**{number: job for _, number, job in self.finished}, **self.active}


def read_jobs(tables: Tables, times: list[dt.datetime]) -> Jobs:
    """All jobs of the archive.

    Args:
        tables: the archive's tables.
        times: takes up when jobs began and ended.

    Raises:
        Unreadable: neither table can be read; with the reason of the first.
        MalformedRow: a value is none.
    """
    decoded, refused = _read(tables, "crdb_internal.jobs", _DECODED, _of_decoded)
    stored, _ = _read(tables, "system.jobs", _STORED, _of_stored)
    if stored is None and refused is not None:
        raise refused
    merged = _merge(decoded, stored)
    for job in merged:
        times.extend(moment for moment in (job.created, job.finished) if moment is not None)
    over = sorted(
        (job for job in merged if job.status in _TERMINAL),
        key=lambda job: (job.created or _LONG_AGO, job.job_id),
        reverse=True,
    )
    return Jobs(
        active=tuple(sorted((j for j in merged if j.status not in _TERMINAL), key=lambda j: j.job_id)),
        finished=tuple(over[:_KEPT]),
        truncated=len(over) > _KEPT or any(kept.truncated for kept in (decoded, stored) if kept),
        whole=stored is not None,
    )


def _merge(decoded: _Kept | None, stored: _Kept | None) -> tuple[JobRow, ...]:
    jobs = decoded.by_id() if decoded is not None else {}
    for number, row in (stored.by_id() if stored is not None else {}).items():
        known = jobs.get(number)
        jobs[number] = row if known is None else _both(known, row)
    return tuple(jobs.values())


def _both(decoded: JobRow, stored: JobRow) -> JobRow:
    return msgspec.structs.replace(
        decoded,
        status=stored.status,
        job_type=decoded.job_type or stored.job_type,
        schedule_id=stored.schedule_id,
        finished=stored.finished or decoded.finished,
    )


_Columns = tuple[tuple[str, ...], tuple[str, ...]]
_DECODED: Final[_Columns] = (
    ("job_id", "job_type", "status"),
    (
        "user_name",
        "created",
        "finished",
        "running_status",
        "fraction_completed",
        "coordinator_id",
        "high_water_timestamp",
    ),
)
_STORED: Final[_Columns] = (
    ("id", "status", "created"),
    ("created_by_type", "created_by_id", "job_type", "owner", "finished"),
)


def _read(
    tables: Tables,
    table: str,
    columns: _Columns,
    parse: Any,  # noqa: ANN401 - Callable[[Row], JobRow]
) -> tuple[_Kept | None, Unreadable | None]:
    kept = _Kept()
    try:
        _fill(kept, (parse(row) for row in tables.rows(table, columns[0], optional=columns[1])))
    except Unreadable as error:
        return None, error
    return kept, None


def _fill(kept: _Kept, jobs: Iterable[JobRow]) -> None:
    for job in jobs:
        kept.add(job)


def _of_decoded(row: Row) -> JobRow:
    job: JobRow = PARSERS["active_jobs"](row)
    if "high_water_timestamp" not in row:
        return job
    return msgspec.structs.replace(job, has_high_water=row["high_water_timestamp"] is not None)


def _of_stored(row: Row) -> JobRow:
    job: JobRow = PARSERS["active_jobs"]({**row, "job_id": row["id"], "user_name": row.get("owner")})
    return job
