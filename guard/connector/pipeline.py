"""Send statements in libpq's pipeline mode, one Sync each, and wait no longer than the deadline.

psycopg's own pipeline can neither say which of several statements failed nor stop waiting by the
wall clock, and guard needs both: a refused statement must cost its own section only, and no server,
silent or never silent, may hang a rolling upgrade. So this module drives the documented libpq
wrapper (`psycopg.pq`) itself. One Sync per statement keeps errors apart on every release (#104459).

Values stay text: column types drift between releases (TIMESTAMP to TIMESTAMPTZ in 23.2), their
text does not.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PipelineStatus

from guard.connector.deadline import Deadline
from guard.connector.memory import peak_bytes
from guard.connector.redact import Secrets, scrub
from guard.connector.statements import ALL, Statement

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

__all__ = ["MOST_BYTES", "MOST_GROWTH", "MOST_ROWS", "ConnectionLost", "Refused", "Reply", "Rows"]
__all__ += ["TimedOut", "ask", "secrets_of"]

Row = dict[str, str | None]

# 1,000 nodes and 10,000 running jobs are 4 MB.
MOST_ROWS: Final = 100_000
"""Rows that one answer may have."""
MOST_BYTES: Final = 64 * 2**20
"""Bytes that the values of one answer may have together."""
MOST_GROWTH: Final = 512 * 2**20
"""Bytes that the process may grow by while it receives. libpq keeps a message until it is whole."""

_MOST_RESULTS: Final = 4  # what libpq makes of one statement's answer, at the very most
_LONGEST_POLL: Final = 60.0  # poll() takes milliseconds as a C int


class _Broken(Exception):
    """The server sends what no server of guard's statements sends."""


class Rows(msgspec.Struct, frozen=True):
    """A statement's rows, each a mapping from column name to the server's text or None."""

    rows: tuple[Row, ...]


class Refused(msgspec.Struct, frozen=True):
    """The server answered with an error."""

    sqlstate: str
    message: str
    hint: str = ""


class TimedOut(msgspec.Struct, frozen=True):
    """No answer came before the deadline."""


class ConnectionLost(msgspec.Struct, frozen=True):
    """The connection ended, or what came over it was no answer."""

    message: str


Reply = Rows | Refused | TimedOut | ConnectionLost


def ask(
    pgconn: PGconn,
    statements: Sequence[Statement],
    deadline: Deadline,
    *,
    peak: Callable[[], int] = peak_bytes,
) -> list[Reply]:
    """Send all statements at once and collect one answer for each, in order.

    After a `TimedOut` or `ConnectionLost` answer the connection is unusable and must be closed.

    Args:
        pgconn: a connection that is idle.
        statements: what to ask.
        deadline: when to stop waiting, whatever is still arriving then.
        peak: the most memory that the process has had, in bytes.

    Raises:
        ValueError: a statement is not on the fixed list.
    """
    for statement in statements:
        if statement.sql not in ALL:
            raise ValueError(f"not on the list of statements: {statement.name}")
    if not statements:
        return []
    if pgconn.pipeline_status != PipelineStatus.OFF:
        return [TimedOut()] * len(statements)  # answers of an earlier call are still missing
    # Imported here, not above: psycopg raises its own errors from every libpq call.
    from psycopg import Error

    answers: list[Reply] = []
    secrets = secrets_of(pgconn)
    try:
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        for statement in statements:
            pgconn.send_query_params(statement.sql.encode(), None)
            pgconn.pipeline_sync()
        _receive(pgconn, len(statements), answers, deadline, peak, secrets)
        if len(answers) == len(statements):
            pgconn.exit_pipeline_mode()
    except (Error, OSError, ValueError, MemoryError, _Broken) as error:
        text = scrub(" ".join(secrets.out_of(str(error)).split()))
        lost = ConnectionLost(text or type(error).__name__)
        answers.extend([lost] * (len(statements) - len(answers)))
    return answers + [TimedOut()] * (len(statements) - len(answers))


def secrets_of(pgconn: PGconn) -> Secrets:
    """What libpq logs in with, from wherever it has it, to be kept out of all that the server says."""
    from psycopg import Error

    try:
        options = {option.keyword: option for option in pgconn.info if option.val}
        words = [option.val for option in options.values() if option.dispchar == b"*"]
        words.append(pgconn.password)  # the one of a file of passwords
        names = [options[name].val for name in _PRINTED if name in options]
    except Error:  # closed
        return Secrets()
    secret, printed = (
        [word.decode("utf-8", "replace") for word in each if word] for each in (words, names)
    )
    return Secrets(secret, printed)


_PRINTED: Final = (b"user", b"host", b"hostaddr", b"port", b"dbname")


def _receive(
    pgconn: PGconn,
    count: int,
    answers: list[Reply],
    deadline: Deadline,
    peak: Callable[[], int],
    secrets: Secrets,
) -> None:
    most = peak() + MOST_GROWTH
    results: list[PGresult] = []
    nothing = 0
    unsent = bool(pgconn.flush())
    while len(answers) < count:
        # Looked at in every turn, not when the socket is silent: some servers never are.
        if deadline.remaining == 0:
            return
        if pgconn.is_busy() or unsent:
            if _wait(pgconn, deadline, writing=unsent):
                pgconn.consume_input()
                unsent = bool(pgconn.flush())
            if peak() > most:
                raise _Broken(f"one answer is larger than {MOST_GROWTH >> 20} MiB")
            continue
        result = pgconn.get_result()
        # None stands between a statement's results and its Sync.
        nothing = nothing + 1 if result is None else 0
        if nothing > _MOST_RESULTS:
            raise _Broken("the server ended its answers too early")
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            answers.append(_answer(results, deadline, secrets))
            results = []
        elif result is not None:
            results.append(_possible(pgconn, result))
            if len(results) > _MOST_RESULTS:
                raise _Broken("more than one answer to one statement")


def _possible(pgconn: PGconn, result: PGresult) -> PGresult:
    """The result, if it is of a kind that a statement of the list can give."""
    if result.status not in _POSSIBLE:
        raise _Broken(f"an answer of a kind that guard never asks for ({_name(result.status)})")
    if pgconn.status == ConnStatus.BAD:
        raise _Broken(result.get_error_message() or "the server ended the connection")
    return result


_POSSIBLE: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.FATAL_ERROR)
"""What SELECT, SHOW and SET can give. COPY, for one, would wait for ever."""


def _name(status: int) -> str:
    try:
        return ExecStatus(status).name
    except ValueError:
        return str(status)


def _wait(pgconn: PGconn, deadline: Deadline, *, writing: bool) -> bool:
    """Wait until the socket can be used; False if it could not for as long as poll() may wait."""
    poller = select.poll()
    poller.register(pgconn.socket, select.POLLIN | (select.POLLOUT if writing else 0))
    return bool(poller.poll(min(deadline.remaining, _LONGEST_POLL) * 1000))


_SILENT: Final = "the server refused without a word"
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}", re.ASCII)


def _answer(results: Sequence[PGresult], deadline: Deadline, secrets: Secrets) -> Reply:
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            state, message, hint = (
                secrets.out_of(_text(result.error_field(field)) or "")
                for field in (
                    DiagnosticField.SQLSTATE,
                    DiagnosticField.MESSAGE_PRIMARY,
                    DiagnosticField.MESSAGE_HINT,
                )
            )
            known = _SQLSTATE.fullmatch(state) is not None
            return Refused(state if known else "", scrub(message) or _SILENT, scrub(hint))
    for result in results:
        if result.status == ExecStatus.TUPLES_OK:
            return _rows(result, deadline, secrets)
    if any(result.status == ExecStatus.COMMAND_OK for result in results):
        return Rows(())
    return Refused("", "the server sent no result")


_NO_SECRETS: Final = Secrets()


def _rows(result: PGresult, deadline: Deadline, secrets: Secrets = _NO_SECRETS) -> Rows | TimedOut:
    if result.ntuples > MOST_ROWS:
        raise _Broken(f"one answer has more than {MOST_ROWS} rows")
    names = [secrets.out_of(_text(result.fname(i)) or "") for i in range(result.nfields)]
    if len(set(names)) < len(names):
        raise _Broken("an answer has two columns of one name")
    rows: list[Row] = []
    size = 0
    for number in range(result.ntuples):
        if number % 1000 == 0 and deadline.remaining == 0:
            return TimedOut()
        row: Row = {}
        for column, name in enumerate(names):
            value = result.get_value(number, column)
            size += len(value or b"")
            text = _text(value)
            row[name] = text and secrets.out_of(text)
        if size > MOST_BYTES:
            raise _Broken(f"one answer is larger than {MOST_BYTES >> 20} MiB")
        rows.append(row)
    return Rows(tuple(rows))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
