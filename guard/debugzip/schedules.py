"""Backup schedules, and whether there are tables with row-level TTL, by the table of schedules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.connector.rows import PARSERS
from guard.debugzip.errors import Unreadable
from guard.debugzip.tables import Tables
from guard.snapshot.model import FeatureRow, Reason, ScheduleRow, Unavailable
from guard.versions import Series

__all__ = ["features", "schedules"]

_TABLE: Final = "system.scheduled_jobs"  # v20.2 and later
_BACKUP: Final = "scheduled-backup-executor"
_TTL: Final = "scheduled-row-level-ttl-executor"


def schedules(tables: Tables, series: Series | None) -> Iterator[ScheduleRow]:
    """The BACKUP schedules.

    Args:
        tables: the archive's tables.
        series: the gateway's.

    Raises:
        Unreadable: the table cannot be read.
        MalformedRow: a value is none.
    """
    wanted = ("schedule_id", "next_run", "executor_type")
    try:
        rows = list(tables.rows(_TABLE, wanted, optional=("schedule_name", "owner", "schedule_expr")))
    except Unreadable as error:
        if series is not None and series < Series(20, 2):
            raise Unreadable(
                Unavailable(reason=Reason.NOT_IN_THIS_VERSION, message="schedules came with v20.2")
            ) from None
        raise error from None
    for row in rows:
        if row["executor_type"] == _BACKUP:
            yield PARSERS["schedules"](
                {
                    "id": row["schedule_id"],
                    "label": row.get("schedule_name"),
                    "schedule_status": "PAUSED" if row["next_run"] is None else "ACTIVE",
                    "next_run": row["next_run"],
                    "recurrence": row.get("schedule_expr"),
                    "owner": row.get("owner"),
                }
            )


def features(tables: Tables) -> Iterator[FeatureRow]:
    """What else the table of schedules tells. Raises as `schedules`."""
    executors = {row["executor_type"] for row in tables.rows(_TABLE, ("executor_type",))}
    yield FeatureRow(name="row-level-ttl", used=_TTL in executors)
