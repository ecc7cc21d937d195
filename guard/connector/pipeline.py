"""Send statements in libpq's pipeline mode, one Sync each, and wait no longer than the deadline.

psycopg's own pipeline can neither say which of several statements failed nor stop waiting by the
wall clock, and guard needs both: a refused statement must cost its own section only, and a silent
server must not hang a rolling upgrade. So this module drives the documented libpq wrapper
(`psycopg.pq`) itself. One Sync per statement keeps errors apart on every release (#104459).

Values stay text: column types drift between releases (TIMESTAMP to TIMESTAMPTZ in 23.2), their
text does not.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.pq import DiagnosticField, ExecStatus

from guard.connector.deadline import Deadline
from guard.connector.redact import scrub
from guard.connector.statements import ALL, Statement

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

__all__ = ["Answer", "ConnectionLost", "Refused", "Rows", "TimedOut", "ask"]

Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """A statement's rows, each a mapping from column name to the server's text or None."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with an error."""

    sqlstate: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer came before the deadline."""


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection ended before the answer was complete."""

    message: str


Answer = Rows | Refused | TimedOut | ConnectionLost


def ask(pgconn: PGconn, statements: Sequence[Statement], deadline: Deadline) -> list[Answer]:
    """Send all statements at once and collect one answer for each, in order.

    After a `TimedOut` or `ConnectionLost` answer the connection is unusable and must be closed.

    Raises:
        ValueError: a statement is not on the fixed list.
    """
    for statement in statements:
        if statement.sql not in ALL:
            raise ValueError(f"not on the list of statements: {statement.name}")
    if not statements:
        return []
    # Imported here, not above: psycopg raises its own errors from every libpq call.
    from psycopg import Error

    answers: list[Answer] = []
    try:
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        for statement in statements:
            pgconn.send_query_params(statement.sql.encode(), None)
            pgconn.pipeline_sync()
        _receive(pgconn, len(statements), answers, deadline)
        if len(answers) == len(statements):
            pgconn.exit_pipeline_mode()
    except (Error, OSError, ValueError) as error:
        lost = ConnectionLost(scrub(str(error).strip()) or type(error).__name__)
        answers.extend([lost] * (len(statements) - len(answers)))
    return answers + [TimedOut()] * (len(statements) - len(answers))


def _receive(pgconn: PGconn, count: int, answers: list[Answer], deadline: Deadline) -> None:
    results: list[PGresult] = []
    unsent = bool(pgconn.flush())
    while len(answers) < count:
        if pgconn.is_busy() or unsent:
            if not _wait(pgconn, deadline, writing=unsent):
                return
            pgconn.consume_input()
            unsent = bool(pgconn.flush())
            continue
        result = pgconn.get_result()
        if result is None:  # the boundary between a statement's results and its Sync
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            answers.append(_answer(results))
            results = []
        else:
            results.append(result)


def _wait(pgconn: PGconn, deadline: Deadline, *, writing: bool) -> bool:
    """Wait until the socket can be used; False at the deadline."""
    poller = select.poll()
    poller.register(pgconn.socket, select.POLLIN | (select.POLLOUT if writing else 0))
    return bool(poller.poll(deadline.remaining * 1000))


def _answer(results: Sequence[PGresult]) -> Answer:
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            return Refused(
                _text(result.error_field(DiagnosticField.SQLSTATE)) or "",
                scrub(_text(result.error_field(DiagnosticField.MESSAGE_PRIMARY)) or ""),
                scrub(_text(result.error_field(DiagnosticField.MESSAGE_HINT)) or ""),
            )
    for result in results:
        if result.status == ExecStatus.TUPLES_OK:
            names = [_text(result.fname(i)) or "" for i in range(result.nfields)]
            return Rows(
                tuple(
                    {name: _text(result.get_value(row, i)) for i, name in enumerate(names)}
                    for row in range(result.ntuples)
                )
            )
    if any(result.status == ExecStatus.COMMAND_OK for result in results):
        return Rows(())
    return Refused("", "the server sent no result")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
