"""The section ``features``: made of what several statements count, each with its own fate.

A statement that was refused, or that did not look at everything, makes only its own features unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from guard.connector.pipeline import Rows
from guard.connector.redact import scrub_row
from guard.connector.rows import MalformedRow, features
from guard.connector.statements import Statement
from guard.snapshot.model import Collected, FeatureRow, Reason, Unavailable

__all__ = ["merged", "read_features"]


def read_features(statement: Statement, answer: Rows, now: dt.datetime) -> Collected[FeatureRow]:
    """Read one statement's answer.

    Raises:
        MalformedRow: it is not one row with a count of each thing that was asked for.
    """
    if len(answer.rows) != 1:
        raise MalformedRow(f"{len(answer.rows)} rows where there is one")
    rows = features(scrub_row(answer.rows[0]))
    if {row.name for row in rows} != set(statement.tells):
        raise MalformedRow("other columns than those that were asked for")
    return Collected(rows=rows, read_at=now, statement=statement.name)


def merged(
    parts: Sequence[tuple[Statement, Any]], now: dt.datetime
) -> Collected[FeatureRow] | Unavailable:
    """Make one section of all statements' answers; unavailable if not one of them answered."""
    if not parts:
        return Unavailable(
            reason=Reason.NOT_IN_THIS_VERSION, message="this release has nothing to ask for it"
        )
    failed = [part for _, part in parts if isinstance(part, Unavailable)]
    lost = [part for part in failed if part.reason is Reason.CONNECTION]
    if lost or len(failed) == len(parts):
        return (lost or failed)[0]
    rows: list[FeatureRow] = []
    for statement, part in parts:
        if isinstance(part, Unavailable):
            rows += [FeatureRow(name=name, used=None, why=part.message) for name in statement.tells]
        else:
            rows += part.rows
    return Collected(
        rows=tuple(rows),
        read_at=now,
        statement=", ".join(statement.name for statement, part in parts if isinstance(part, Collected)),
    )
