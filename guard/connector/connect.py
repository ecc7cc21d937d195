"""Open a connection: every address of every host, several at once, until one answers or time is up.

During a rolling upgrade nodes are expected to be down, so a refused connection is the normal case
and worth another try, for a minute (`retry`). What cannot change (a bad password, a certificate that
does not fit, a server that is no CockroachDB) ends the tries of that host at once.

A host that stays silent costs the next one a moment, not its time: the next login begins beside it,
and the first that succeeds is taken. So the fourth address of a name is tried as surely as the
first, and a login that takes ten seconds (root's, while a system range has no quorum) still gets in.
"""

from __future__ import annotations

import re
import select
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from guard.connector.deadline import Deadline
from guard.connector.errors import ConnectFailed
from guard.connector.hosts import Target
from guard.connector.login import Login
from guard.connector.pipeline import secrets_of
from guard.connector.resolve import Lookup
from guard.connector.retry import LONGEST, Retry
from guard.connector.session import NOT_TO_A_POOLER, statement_timeout
from guard.snapshot.model import Connection, HostAttempt, Reason
from guard.versions import Build, VersionError

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

__all__ = ["announced_build", "connect"]

_PATIENCE: Final = 15.0  # seconds for one login: without quorum root's takes ten
_HEAD_START: Final = 1.0  # seconds that a login has before the next one begins beside it
_TICK: Final = 0.05  # how often a name that is being looked up is looked after, in seconds
_SERVER: Final = re.compile(r"CockroachDB\s++\S++\s++(\S++)")


def announced_build(server: str) -> Build | None:
    """The build in ``CockroachDB CCL v21.2.0 (x86_64…)``; None if there is none to be read."""
    match = _SERVER.match(server)
    if match is None:
        return None
    try:
        return Build.parse(match[1])
    except VersionError:
        return None


def connect(
    targets: Sequence[Target],
    deadline: Deadline,
    log: Any = None,  # noqa: ANN401 - a structlog logger, which has no common type
) -> tuple[PGconn, Connection, int]:
    """Connect to the first target that answers.

    Returns:
        The connection, how it was reached, and the statement time-out asked for in milliseconds.

    Args:
        targets: where to try, the preferred one first.
        deadline: when to give up.
        log: structlog logger, or None.

    Raises:
        ConnectFailed: nothing answered in time, or what answered cannot be used.
    """
    race = _Race(targets, deadline, log)
    try:
        return race.run()
    finally:
        race.close()


class _Host:
    """One target: its addresses still to be tried, the logins under way, and how others failed."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.lookup: Lookup | None = Lookup(target)
        self.retry = Retry()
        self.waiting: deque[str | None] = deque()
        self.active: list[Login] = []
        self.failures: dict[str | None, ConnectFailed] = {}
        self.rounds = 0
        self.next_round = 0.0
        self.given_up = False

    def prepare(self, now: float) -> None:
        """Take in the addresses once they are known; look them up anew for another round."""
        if self.given_up or self.waiting or self.active:
            return
        if self.lookup is None and now >= self.next_round:
            self.lookup = Lookup(self.target)  # a restarted node may have another address
        if self.lookup is None:
            return
        if not self.lookup.done:
            if now - self.lookup.began > LONGEST:
                self.failures = {None: _no_name_service()}
                self.given_up = True
            return
        found, problem = self.lookup.addresses, self.lookup.problem
        self.lookup = None
        if problem:
            self.failures = {None: ConnectFailed(f"the host name cannot be resolved: {problem}")}
            self._pause(now)
            return
        self.waiting = deque(found)
        self.waiting.rotate(-self.rounds)
        self.rounds += 1

    def failed(self, address: str | None, why: ConnectFailed, now: float) -> None:
        """Remember a failure; the same password or user will not do at another address either."""
        self.failures.pop(None, None)
        self.failures[address] = why
        if why.permanent and not _is_about_tls(why):
            self.waiting.clear()
            self.given_up = True
        if not self.waiting and not self.active:
            self.given_up = self.given_up or all(f.permanent for f in self.failures.values())
            self._pause(now)

    def _pause(self, now: float) -> None:
        again = self.retry.next_after(now)
        if again is None:
            self.given_up = True
        else:
            self.next_round = again

    def told(self) -> Iterator[tuple[str, ConnectFailed]]:
        """Every address with what became of it, logins that are still silent among them."""
        several = len(self.failures) + len(self.active) > 1
        for address, why in self.failures.items():
            if all(login.address != address for login in self.active):
                yield (f"{address}: {why}" if several and address else str(why)), why
        for login in self.active:
            why = login.silence()
            yield (f"{login.address}: {why}" if several and login.address else str(why)), why
        if not self.failures and not self.active and self.lookup is not None:
            why = _no_name_service()
            yield str(why), why


def _no_name_service() -> ConnectFailed:
    return ConnectFailed(
        "the host name cannot be resolved: no answer from the name service", reason=Reason.TIMEOUT
    )


def _is_about_tls(why: ConnectFailed) -> bool:
    return any(word in str(why).lower() for word in ("certificate", "ssl", "tls"))


class _Race:
    def __init__(self, targets: Sequence[Target], deadline: Deadline, log: Any) -> None:  # noqa: ANN401
        self._hosts = [_Host(target) for target in targets]
        self._deadline = deadline
        self._log = log
        self._next_start = 0.0

    def run(self) -> tuple[PGconn, Connection, int]:
        while self._deadline.remaining > 0:
            now = self._deadline.clock()
            for host in self._hosts:
                host.prepare(now)
            if all(host.given_up and not host.active for host in self._hosts):
                break
            self._start(now)
            for host, login in self._ready(now):
                won = self._step(host, login)
                if won is not None:
                    return won
        raise self._lost()

    def close(self) -> None:
        for host in self._hosts:
            for login in host.active:
                login.give_up()
            host.active = []

    def _start(self, now: float) -> None:
        """Begin the next login if it is time: hosts that had fewest tries first, then in order."""
        able = [host for host in self._hosts if host.waiting]
        under_way = any(host.active for host in self._hosts)
        if not able or (under_way and now < self._next_start):
            return
        host = min(able, key=lambda each: len(each.active) + each.rounds)
        address = host.waiting.popleft()
        to_come = sum(len(each.waiting) for each in self._hosts)
        self._next_start = now + min(_HEAD_START, self._deadline.remaining / (to_come + 2))
        try:
            host.active.append(Login(host.target, address, statement_timeout(self._deadline)))
        except ConnectFailed as why:
            self._failed(host, address, why)

    def _ready(self, now: float) -> list[tuple[_Host, Login]]:
        """Wait until a login can go on, or until it is time for something else."""
        poller = select.poll()
        logins: dict[int, tuple[_Host, Login]] = {}
        times = [self._deadline.remaining]
        for host in self._hosts:
            if host.waiting:
                times.append(self._next_start - now)
            elif host.lookup is not None:
                times.append(_TICK)
            elif not host.active and not host.given_up:
                times.append(host.next_round - now)
            for login in host.active:
                poller.register(login.fileno, select.POLLOUT if login.writing else select.POLLIN)
                logins[login.fileno] = host, login
                times.append(login.began + _PATIENCE - now)
        ready = [logins[fd] for fd, _ in poller.poll(max(min(times), 0.001) * 1000)]
        now = self._deadline.clock()
        return ready or [pair for pair in logins.values() if now - pair[1].began > _PATIENCE]

    def _step(self, host: _Host, login: Login) -> tuple[PGconn, Connection, int] | None:
        if self._deadline.clock() - login.began > _PATIENCE:
            host.active.remove(login)
            why = login.silence()
            login.give_up()
            self._failed(host, login.address, why)
            return None
        try:
            pgconn = login.go_on()
            if pgconn is None:
                return None
            host.active.remove(login)
            return pgconn, self._connection(host, login, pgconn), login.statement_timeout
        except ConnectFailed as why:
            if login in host.active:
                host.active.remove(login)
            self._failed(host, login.address, why)
            return None

    def _failed(self, host: _Host, address: str | None, why: ConnectFailed) -> None:
        if self._log is not None:
            self._log.info(
                "host did not answer",
                host=host.target.host,
                address=address,
                port=host.target.port,
                error=str(why),
            )
        now = self._deadline.clock()
        self._next_start = now  # nobody has to wait for it any longer
        host.failed(address, why, now)

    def _connection(self, host: _Host, login: Login, pgconn: PGconn) -> Connection:
        target = host.target
        announced = pgconn.parameter_status(b"crdb_version")
        if announced is None:
            login.give_up()
            raise ConnectFailed(
                "what answered is not a CockroachDB server (it announces no crdb_version)",
                reason=Reason.ERROR,
                remedy=NOT_TO_A_POOLER,
                permanent=True,
            )
        server = secrets_of(pgconn).out_of(announced.decode("utf-8", "replace"))
        build = announced_build(server)
        failed = [attempt for attempt, _ in self._attempts() if attempt.error is not None]
        return Connection(
            host=target.host,
            port=target.port,
            server=server,
            build=build.tag if build else None,
            tls=target.sslmode if pgconn.ssl_in_use else "off",
            address=login.address,
            attempts=(*failed, HostAttempt(host=target.host, port=target.port)),
        )

    def _attempts(self) -> Iterator[tuple[HostAttempt, ConnectFailed]]:
        for host in self._hosts:
            for text, why in host.told():
                yield HostAttempt(host=host.target.host, port=host.target.port, error=text), why

    def _lost(self) -> ConnectFailed:
        told = list(self._attempts())
        if not told:
            return ConnectFailed("no time was left to connect", reason=Reason.TIMEOUT)
        attempts = tuple(attempt for attempt, _ in told)
        failures = [why for _, why in told]
        worst = next((why for why in failures if why.permanent), failures[-1])
        return ConnectFailed(
            "; ".join(f"{a.host}:{a.port}: {a.error}" for a in attempts),
            reason=worst.reason,
            remedy=worst.remedy,
            attempts=attempts,
            permanent=all(why.permanent for why in failures),
        )
