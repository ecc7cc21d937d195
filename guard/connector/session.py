"""The session guard asks in: its own, read-only, bounded, and left as it was found.

What guard needs is asked for at start-up, so that nothing has to be set later: a session that begins
otherwise is not one that guard began. Then a pooler stands in between, whose server session belongs
to somebody else too: guard sets nothing there and answers unknown. v20.1 and v20.2 know no start-up
options, so there guard sets two variables, and takes them back at the end.

A role may carry any default (ALTER ROLE … SET). Those that would change an answer are put right and
read back; the others change nothing that guard reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from guard.connector import statements
from guard.connector.deadline import Deadline
from guard.connector.pipeline import ConnectionLost, Refused, Reply, Rows, TimedOut, ask
from guard.connector.refusals import unavailable
from guard.connector.statements import Statement, Variable
from guard.snapshot.model import Reason, Unavailable
from guard.versions import Series

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

__all__ = ["NOT_TO_A_POOLER", "Session", "log_refusals", "only_value", "startup_options"]
__all__ += ["statement_timeout"]

NOT_TO_A_POOLER: Final = (
    "Connect to a CockroachDB node or a plain TCP load balancer directly, not to PgBouncer or "
    "another pooler.",
)
"""What to do when something stands between guard and the server's session."""

_OPTIONS_SINCE: Final = Series(21, 1)
_BRIEF: Final = 40  # characters of a value that is told of
_FOR_UNDOING: Final = 0.5  # seconds after the deadline


def statement_timeout(deadline: Deadline) -> int:
    """The largest of the fixed time-outs that leaves room for two more statements, in ms."""
    fitting = [ms for ms in statements.STATEMENT_TIMEOUTS if ms <= deadline.remaining * 1000 / 3]
    return max(fitting, default=statements.STATEMENT_TIMEOUTS[0])


def startup_options(given: str, milliseconds: int) -> str:
    """libpq's ``options`` for a session of guard's: the user's own first, guard's win.

    Only variables that PostgreSQL has as well: one that is not known is ignored by CockroachDB.
    """
    own = {
        "default_transaction_read_only": "on",
        "statement_timeout": str(milliseconds),
        # The text of answers: what guard reads must not depend on the role's habits.
        "datestyle": "ISO",
        "timezone": "UTC",
        "extra_float_digits": "0",
    }
    words = " ".join(f"-c {name}={value}" for name, value in own.items())
    return f"{given} {words}".strip()


class Session(msgspec.Struct):
    """A session on a gateway.

    Attributes:
        pgconn: the connection.
        series: the gateway's, None if it announced none that can be read.
        milliseconds: the statement time-out that was asked for.
        answers: what was answered while the session was prepared.
        problem: why the session cannot be trusted, None if it can.
    """

    pgconn: PGconn
    series: Series | None
    milliseconds: int
    answers: dict[Statement, Reply] = msgspec.field(default_factory=dict)
    problem: Unavailable | None = None
    _was_set: list[Statement] = msgspec.field(default_factory=list)
    _id: str | None = None

    def prepare(self, deadline: Deadline) -> None:
        """Look at the session, put right what may be put right, and read it back."""
        variables = [v for v in statements.VARIABLES if self.series is None or v.suits(self.series)]
        self._ask([*statements.PREPARATION, *(v.show for v in variables)], deadline)
        self._id = only_value(self.answers[statements.SHOW_SESSION_ID])
        self.problem = self._ended() or self._pooled() or self._nameless()
        if self.problem is not None:
            return
        wrong = [v for v in variables if self._shown(v) not in (None, v.wanted)]
        settings = [v.set for v in wrong]
        if not self._is_read_only():
            settings = [statements.SET_READ_ONLY, statements.SET_TIMEOUT[self.milliseconds], *settings]
        gate = statements.SET_UNSAFE_INTERNALS
        if self.series is not None and gate.suits(self.series):
            settings.append(gate)
        self._was_set = settings
        again = [statements.SHOW_READ_ONLY, statements.SHOW_TIMEOUT, *(v.show for v in wrong)]
        privileges = [s for s in statements.PRIVILEGES if self.series is None or s.suits(self.series)]
        self._ask([*settings, *again, *privileges], deadline)
        self.problem = self._ended() or self._wrong(wrong)

    def finish(self, deadline: Deadline) -> Unavailable | None:
        """Take back what was set; say why the answers do not belong together, or None."""
        undo = list(dict.fromkeys(statements.UNDO[setting] for setting in self._was_set))
        self._was_set = []
        answers = ask(self.pgconn, [*undo, statements.SHOW_SESSION_ID], deadline.or_later(_FOR_UNDOING))
        last = answers[-1]
        if self.problem is not None or only_value(last) == self._id:
            return None
        if isinstance(last, (TimedOut, ConnectionLost)):
            return unavailable("identity", last, None, "")
        return _pooler("the session on the server changed while guard was looking")

    def _ask(self, asked: Sequence[Statement], deadline: Deadline) -> None:
        self.answers |= dict(zip(asked, ask(self.pgconn, asked, deadline), strict=True))

    def _shown(self, variable: Variable) -> str | None:
        return only_value(self.answers.get(variable.show))

    def _ended(self) -> Unavailable | None:
        for answer in self.answers.values():
            if isinstance(answer, (TimedOut, ConnectionLost)):
                return unavailable("identity", answer, None, "")
        return None

    def _is_read_only(self) -> bool:
        return only_value(self.answers[statements.SHOW_READ_ONLY]) == "on"

    def _pooled(self) -> Unavailable | None:
        """A session that did not take guard's start-up options, though the release knows them."""
        answer = self.answers[statements.SHOW_READ_ONLY]
        if self._is_read_only() or (self.series is not None and self.series < _OPTIONS_SINCE):
            return None
        return _no_database(answer) or _pooler(
            "the start-up options of guard's connection did not reach the server's session"
        )

    def _nameless(self) -> Unavailable | None:
        """A session without an id could be another one in the end, and nobody would notice."""
        if self._id:
            return None
        answer = self.answers[statements.SHOW_SESSION_ID]
        return _no_database(answer) or Unavailable(
            reason=Reason.ERROR,
            message="the server does not tell the id of guard's session, by which guard sees that all "
            "answers come from one session",
            sqlstate=answer.sqlstate or None if isinstance(answer, Refused) else None,
            remedy=NOT_TO_A_POOLER,
        )

    def _wrong(self, variables: Sequence[Variable]) -> Unavailable | None:
        """What is not as guard set it. It is read back, not assumed."""
        read_only = only_value(self.answers[statements.SHOW_READ_ONLY])
        timeout = only_value(self.answers[statements.SHOW_TIMEOUT])
        ms = self.milliseconds
        if read_only != "on" or timeout not in {str(ms), f"{ms}ms", f"{ms / 1000:g}s"}:
            for answer in self.answers.values():
                if missing := _no_database(answer):
                    return missing
            return Unavailable(
                reason=Reason.ERROR,
                message="the server did not accept a read-only session with a statement timeout "
                f"(default_transaction_read_only={_brief(read_only)}, "
                f"statement_timeout={_brief(timeout)})",
                remedy=("Check ALTER ROLE settings of this user, and that no pooler is in between.",),
            )
        for variable in variables:
            value = self._shown(variable)
            if value != variable.wanted:
                return Unavailable(
                    reason=Reason.ERROR,
                    message=f"{variable.name} is {_brief(value)} in guard's session and could not "
                    f"be set {variable.wanted}: {variable.why}",
                    remedy=(f"ALTER ROLE … RESET {variable.name}; for guard's user",),
                )
        return None


def _brief(value: str | None) -> str:
    return repr(value if value is None else value[:_BRIEF])


def _no_database(answer: Reply) -> Unavailable | None:
    """Without its database every SHOW of a session is refused, although the login went well."""
    if not isinstance(answer, Refused) or answer.sqlstate != "3D000":
        return None
    return Unavailable(
        reason=Reason.ERROR,
        message=answer.message,
        sqlstate=answer.sqlstate,
        remedy=("Name an existing database in --url, or none.",),
    )


def _pooler(how: str) -> Unavailable:
    return Unavailable(
        reason=Reason.ERROR,
        message=f"a connection pooler stands between guard and the cluster: {how}",
        remedy=NOT_TO_A_POOLER,
    )


def only_value(answer: Reply | None) -> str | None:
    """The value of an answer of exactly one row with one column, else None."""
    if isinstance(answer, Rows) and len(answer.rows) == 1 and len(answer.rows[0]) == 1:
        return next(iter(answer.rows[0].values()))
    return None


def log_refusals(log: Any, answers: Mapping[Statement, Reply]) -> None:  # noqa: ANN401 - structlog
    """Say in the log what was answered, refused or not answered; no value among it."""
    if log is None:
        return
    for statement, answer in answers.items():
        if isinstance(answer, Rows):
            log.debug("answered", statement=statement.name, rows=len(answer.rows))
        elif isinstance(answer, Refused):
            log.info(
                "refused", statement=statement.name, sqlstate=answer.sqlstate, error=answer.message
            )
        else:
            log.warning("no answer", statement=statement.name, answer=type(answer).__name__)
