"""How far back a section reaches, when the statement that filled it has a limit.

A history that is cut off is evidence only for the time since its limits: where they hold for each
status of a job, the latest of them is the one that counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from guard.connector.rows import timestamp
from guard.connector.statements import Statement
from guard.snapshot.model import FeaturesRow, SetSettingRow

__all__ = ["reach"]

Row = dict[str, str | None]


def reach(
    statement: Statement, answer: Sequence[Row], rows: Sequence[Any]
) -> tuple[bool, dt.datetime | None]:
    """Whether rows were cut off, and since when none is missing.

    Args:
        statement: what was asked.
        answer: the server's rows.
        rows: the same as rows of the snapshot.

    Returns:
        ``truncated`` and ``complete_since`` of `guard.snapshot.model.Collected`.

    Raises:
        MalformedRow: the server's time is none.
    """
    if statement.limit is None:
        return False, None
    if statement.oldest is not None:
        return _of_a_log(statement.limit, statement.oldest, answer, rows)
    counts = [row.read for row in rows if isinstance(row, FeaturesRow)]
    if counts or any(isinstance(row, SetSettingRow) for row in rows):  # these have no times
        return max(counts, default=len(rows)) >= statement.limit, None
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(row.status if statement.limit_per_status else "", []).append(row)
    cut = [each for each in groups.values() if len(each) >= statement.limit]
    if not statement.limit:  # it has no limit of its own: SHOW JOBS forgets by the clock
        return True, None
    # More rows than the limit: those that were read for another reason, beyond it.
    limits = [_nth_newest((row.created for row in each), statement.limit) for each in cut]
    if None in limits:
        return True, None
    return bool(cut), max((each for each in limits if each is not None), default=None)


def _nth_newest(times: Iterable[dt.datetime | None], nth: int) -> dt.datetime | None:
    known = sorted((each for each in times if each is not None), reverse=True)
    return known[nth - 1] if len(known) >= nth else None


def _of_a_log(
    limit: int, oldest: str, answer: Sequence[Row], rows: Sequence[Any]
) -> tuple[bool, dt.datetime | None]:
    if len(rows) >= limit:
        return True, min(row.time for row in rows)
    # Without a row of these kinds nothing tells how old the oldest of the others was.
    return not rows, timestamp(answer[0].get(oldest)) if answer else None
