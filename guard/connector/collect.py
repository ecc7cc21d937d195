"""One look at a cluster: connect, prepare the session, fill every section, or say why not.

The way of the data: `targets` -> `connect` -> `ask` -> rows -> `Snapshot`. Nothing is decided here;
a section that could not be read says so and the decision module draws the conclusion.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from guard import __version__
from guard.connector import statements
from guard.connector.connect import announced_build, connect
from guard.connector.deadline import Deadline
from guard.connector.errors import ConnectFailed
from guard.connector.features import merged, read_features
from guard.connector.hosts import Target
from guard.connector.pipeline import Reply, Rows, TimedOut, ask
from guard.connector.reach import reach
from guard.connector.redact import scrub_row
from guard.connector.refusals import another_statement_may_work, may_pass, unavailable
from guard.connector.rows import PARSERS, MalformedRow, role_options, timestamp
from guard.connector.session import Session, log_refusals, only_value
from guard.connector.statements import Statement
from guard.snapshot.model import (
    SCHEMA_VERSION,
    Collected,
    Connection,
    IdentityRow,
    PrivilegeRow,
    Reason,
    Snapshot,
    Unavailable,
    VariableRow,
)
from guard.snapshot.sight import job_sight
from guard.versions import Build

__all__ = ["Further", "collect", "without_connection"]

Further = Callable[[Snapshot], frozenset[str]]
"""Which of the sections that only some hops need a snapshot calls for, by name."""

_ROUNDS: Final = 3  # a gateway that restarts under guard's hands is replaced that often
_LEAST_TIME_FOR_ANOTHER: Final = 3.0
_FOR_READING: Final = 0.5  # seconds after the deadline for what arrived before it


class _GatewayGone(Exception):
    """The connection ended while sections were still to be read."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__("the gateway went away")
        self.snapshot = snapshot


def collect(
    targets: Sequence[Target],
    timeout: float,
    *,
    further: Further | None = None,
    log: Any = None,  # noqa: ANN401 - a structlog logger, which has no common type
    utcnow: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Snapshot:
    """Take a snapshot through the first gateway that answers.

    Args:
        targets: the hosts to try.
        timeout: seconds for everything, connecting included.
        further: says, from what was seen, which of the sections that only some hops need are to be
            read as well; none of them unless given.
        log: structlog logger, or None.
        utcnow: guard's own clock.

    Returns:
        A snapshot in every case: without a connection all its sections are unavailable.
    """
    deadline = Deadline.after(timeout)
    order = list(targets)
    for round_number in range(1, _ROUNDS + 1):
        # A part of the time stays for the statements.
        connecting = deadline.earlier(min(timeout * 0.3, 10.0))
        try:
            pgconn, reached, milliseconds = connect(order, connecting, log)
        except ConnectFailed as failed:
            reason = Unavailable(reason=failed.reason, message=str(failed), remedy=tuple(failed.remedy))
            return without_connection(reason, utcnow())
        try:
            return _look(pgconn, reached, milliseconds, deadline, further, log, utcnow)
        except _GatewayGone as gone:
            if round_number == _ROUNDS or deadline.remaining < _LEAST_TIME_FOR_ANOTHER:
                return gone.snapshot
            if log is not None:
                log.warning("gateway went away, trying again", host=reached.host, port=reached.port)
            # The same host last: it is probably the one that restarts.
            order.sort(key=lambda target: (target.host, target.port) == (reached.host, reached.port))
        finally:
            pgconn.finish()
    raise AssertionError("unreachable")


def without_connection(reason: Unavailable, now: dt.datetime) -> Snapshot:
    """The snapshot of a look that saw nothing."""
    sections = dict.fromkeys(
        ("identity", "variables", "privileges", *statements.SECTIONS, "features"),
        Unavailable(reason=reason.reason, message="there is no connection"),
    )
    return Snapshot(
        schema_version=SCHEMA_VERSION,
        guard_version=__version__,
        taken_at=now,
        connection=reason,
        **sections,
    )


def _look(
    pgconn: Any,  # noqa: ANN401 - psycopg.pq.abc.PGconn, imported late
    reached: Connection,
    milliseconds: int,
    deadline: Deadline,
    further: Further | None,
    log: Any,  # noqa: ANN401
    utcnow: Callable[[], dt.datetime],
) -> Snapshot:
    gateway = announced_build(reached.server)
    session = Session(pgconn, gateway.series if gateway else None, milliseconds)
    try:
        session.prepare(deadline)
        snapshot = _seen(session, reached, gateway, deadline, further, log, utcnow)
    finally:
        changed = session.finish(deadline)
    if changed is not None:
        snapshot = _without_trust(snapshot, changed)
    if _lost(snapshot):
        raise _GatewayGone(snapshot)
    return snapshot


_FROM_MEMORY: Final = frozenset({"gossip_liveness", "gossip_nodes"})
"""What a node knows without asking others. It permits nothing by itself and says who is there."""


def _without_trust(snapshot: Snapshot, why: Unavailable) -> Snapshot:
    """The snapshot of a session that was another one in the end, or could not be asked whether it was.

    A session that merely ran out of time keeps what its gateway had in memory: with quorum lost that is
    all there is to know.
    """
    kept = _FROM_MEMORY if why.reason is Reason.TIMEOUT else frozenset()
    lost = {
        name: why
        for name in (*statements.SECTIONS, *statements.CHANGE_SECTIONS, "features")
        if name not in kept and isinstance(getattr(snapshot, name), Collected)
    }
    return msgspec.structs.replace(snapshot, **lost)


def _seen(
    session: Session,
    reached: Connection,
    gateway: Build | None,
    deadline: Deadline,
    further: Further | None,
    log: Any,  # noqa: ANN401
    utcnow: Callable[[], dt.datetime],
) -> Snapshot:
    answers = session.answers
    log_refusals(log, answers)
    user = _one(answers[statements.IDENTITY], "current_user") or ""
    privileges = _privileges(answers, utcnow())
    sections: dict[str, Any] = {
        "identity": _identity(answers[statements.IDENTITY], gateway, utcnow()),
        "variables": _variables(answers, utcnow()),
        "privileges": privileges,
    }
    if session.problem is not None:
        sections |= dict.fromkeys((*statements.SECTIONS, "features"), session.problem)
        return _snapshot(reached, sections, utcnow())
    sight = job_sight(gateway, user, privileges.rows)
    asked = _Sections(session.pgconn, gateway, user, privileges, sight.proved, deadline, utcnow)
    sections |= asked.fill_first(log)
    snapshot = _snapshot(reached, sections, utcnow())
    if further is not None and not _lost(snapshot):
        wanted = further(snapshot)
        more = {name: s for name, s in statements.CHANGE_SECTIONS.items() if name in wanted}
        snapshot = _snapshot(reached, sections | asked.fill_one_by_one(more, log), utcnow())
    return snapshot


def _snapshot(reached: Connection, sections: dict[str, Any], now: dt.datetime) -> Snapshot:
    return Snapshot(
        schema_version=SCHEMA_VERSION,
        guard_version=__version__,
        taken_at=now,
        connection=reached,
        **sections,
    )


def _lost(snapshot: Snapshot) -> bool:
    """True if the connection ended while sections were read."""
    sections = (getattr(snapshot, name) for name in snapshot.__struct_fields__)
    return any(isinstance(s, Unavailable) and s.reason is Reason.CONNECTION for s in sections)


def _one(answer: Reply | None, column: str) -> str | None:
    """The value of a column in an answer of exactly one row."""
    if isinstance(answer, Rows) and len(answer.rows) == 1:
        return answer.rows[0].get(column)
    return None


def _identity(
    answer: Reply, gateway: Build | None, now: dt.datetime
) -> Collected[IdentityRow] | Unavailable:
    if not isinstance(answer, Rows) or len(answer.rows) != 1:
        return unavailable("identity", answer, gateway, "")
    row = answer.rows[0]
    try:
        clock = timestamp(row.get("clock_timestamp"))
    except MalformedRow as error:
        return Unavailable(reason=Reason.MALFORMED, message=str(error))
    user = row.get("current_user")
    if clock is None or user is None:
        return Unavailable(reason=Reason.MALFORMED, message="the server told no user or no time")
    return Collected(
        rows=(IdentityRow(user=user, cluster_time=clock),),
        read_at=now,
        statement=statements.IDENTITY.name,
    )


_VARIABLES: Final = {
    statements.SHOW_SUPERUSER: "is_superuser",
    statements.SHOW_NODE_ID: "node_id",
    statements.SHOW_VIRTUAL_CLUSTER: "virtual_cluster_name",
    statements.CLUSTER_ID: "cluster_id",
}


def _variables(answers: Mapping[Statement, Reply], now: dt.datetime) -> Collected[VariableRow]:
    rows = [
        VariableRow(name=name, value=value)
        for statement, name in _VARIABLES.items()
        if (value := only_value(answers.get(statement))) is not None
    ]
    answer = answers.get(statements.SET_UNSAFE_INTERNALS)
    if isinstance(answer, Rows):
        rows.append(VariableRow(name="allow_unsafe_internals", value="on"))
    return Collected(rows=tuple(rows), read_at=now, statement="session")


def _privileges(answers: Mapping[Statement, Reply], now: dt.datetime) -> Collected[PrivilegeRow]:
    """What is known of the user. What could not be asked has no row: it is neither yes nor no."""
    rows = []
    admin = only_value(answers.get(statements.IS_ADMIN))
    superuser = only_value(answers.get(statements.SHOW_SUPERUSER))
    # is_superuser as a session variable is right when it says "on", on every release.
    rows.append(PrivilegeRow(kind="admin", name="admin", granted=admin == "t" or superuser == "on"))
    controljob = _has_controljob(answers)
    if controljob is not None:
        rows.append(PrivilegeRow(kind="role-option", name="CONTROLJOB", granted=controljob))
    if only_value(answers.get(statements.CAN_VIEW_JOBS)) == "t":
        rows.append(PrivilegeRow(kind="function", name="can_view_job", granted=True))
    grants = answers.get(statements.SYSTEM_GRANTS)
    if isinstance(grants, Rows):
        rows.extend(
            PrivilegeRow(kind="system", name=name, granted=True)
            for row in grants.rows
            if (name := row.get("privilege_type")) is not None
        )
    return Collected(rows=tuple(rows), read_at=now, statement="privileges")


def _has_controljob(answers: Mapping[Statement, Reply]) -> bool | None:
    told = only_value(answers.get(statements.HAS_CONTROLJOB))
    if told is not None:
        return told == "t"
    options = only_value(answers.get(statements.ROLE_OPTIONS))
    return None if options is None else "CONTROLJOB" in role_options(options)


class _Sections:
    """Fills the sections: for each the first statement that suits, then the next if it is refused."""

    def __init__(
        self,
        pgconn: Any,  # noqa: ANN401 - psycopg.pq.abc.PGconn
        gateway: Build | None,
        user: str,
        privileges: Collected[PrivilegeRow],
        sees_all_jobs: bool,
        deadline: Deadline,
        utcnow: Callable[[], dt.datetime],
    ) -> None:
        self._pgconn = pgconn
        self._gateway = gateway
        self._user = user
        self._admin = any(row.granted and row.kind == "admin" for row in privileges.rows)
        self._sees_all_jobs = sees_all_jobs
        self._deadline = deadline
        self._utcnow = utcnow

    def fill_first(self, log: Any) -> dict[str, Any]:  # noqa: ANN401
        """Fill the sections of every look; `features` from all its statements that suit."""
        features = self._features()
        filled = self.fill({**statements.SECTIONS, **{each.name: (each,) for each in features}}, log)
        filled["features"] = merged(
            [(each, filled.pop(each.name)) for each in features], self._utcnow()
        )
        return filled

    def _features(self) -> list[Statement]:
        """The statements of the section `features`: of a gateway of unknown release none is asked."""
        if self._gateway is None:
            return []
        return [
            statement
            for statement in statements.FEATURES
            if statement.suits(self._gateway.series) and (self._admin or not statement.admin)
        ]

    def fill_one_by_one(
        self,
        sections: Mapping[str, Sequence[Statement]],
        log: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Ask for one section after the other: these are dear, and the server counts the time that a
        statement waits behind others towards its statement_timeout."""
        filled: dict[str, Any] = {}
        for name, choice in sections.items():
            if self._deadline.remaining > 0:
                filled |= self.fill({name: choice}, log)
            else:
                filled[name] = unavailable(name, TimedOut(), self._gateway, self._user)
        return filled

    def fill(self, sections: Mapping[str, Sequence[Statement]], log: Any) -> dict[str, Any]:  # noqa: ANN401
        """Ask round by round until every section is collected or has no statement left.

        What failed in a way that may pass is asked once more.
        """
        filled: dict[str, Any] = {}
        repeated: set[Statement] = set()
        waiting = {name: self._candidates(choice) for name, choice in sections.items()}
        for name in [name for name, candidates in waiting.items() if not candidates]:
            filled[name] = self._nothing_to_ask(sections[name])
            del waiting[name]
        while waiting:
            batch = {name: candidates.pop(0) for name, candidates in waiting.items()}
            answers = ask(self._pgconn, list(batch.values()), self._deadline)
            log_refusals(log, dict(zip(batch.values(), answers, strict=True)))
            # What came in time is read, also when others kept guard waiting until the very end.
            reading = self._deadline.or_later(_FOR_READING)
            for (name, statement), answer in zip(batch.items(), answers, strict=True):
                if may_pass(answer) and statement not in repeated:
                    repeated.add(statement)
                    waiting[name].insert(0, statement)
                    continue
                section = self._section(name, statement, answer, reading)
                if isinstance(section, Collected) or not (
                    waiting[name] and another_statement_may_work(answer)
                ):
                    filled[name] = section
                    del waiting[name]
        return filled

    def _candidates(self, choice: Sequence[Statement]) -> list[Statement]:
        series = self._gateway.series if self._gateway else None
        return [
            statement
            for statement in choice
            if statement.suits(series)
            and (self._admin or not statement.admin)
            and (self._sees_all_jobs or not statement.all_jobs)
        ]

    def _nothing_to_ask(self, choice: Sequence[Statement]) -> Unavailable:
        series = self._gateway.series if self._gateway else None
        if any(statement.all_jobs and statement.suits(series) for statement in choice):
            sight = job_sight(self._gateway, self._user, ())
            return Unavailable(
                reason=Reason.PRIVILEGE,
                message=f"not asked: the list would be silently filtered, because {sight.how}",
                remedy=sight.remedy,
            )
        return Unavailable(
            reason=Reason.NOT_IN_THIS_VERSION, message="this release has nothing to ask for it"
        )

    def _section(
        self, name: str, statement: Statement, answer: Reply, reading: Deadline
    ) -> Collected[Any] | Unavailable:
        if not isinstance(answer, Rows):
            return unavailable(name, answer, self._gateway, self._user)
        rows: list[Any] = []
        try:
            if statement.tells:
                return read_features(statement, answer, self._utcnow())
            for row in answer.rows:
                if reading.remaining == 0:
                    return unavailable(name, TimedOut(), self._gateway, self._user)
                rows.append(PARSERS[name](scrub_row(row)))
            truncated, complete_since = reach(statement, answer.rows, tuple(rows))
        except MalformedRow as error:
            return Unavailable(reason=Reason.MALFORMED, message=f"{statement.name}: {error}")
        return Collected(
            rows=tuple(rows),
            read_at=self._utcnow(),
            statement=statement.name,
            truncated=truncated,
            complete_since=complete_since,
        )
