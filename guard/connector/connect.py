"""Open a connection: every host in turn, with back-off, until one answers or the time is up.

During a rolling upgrade nodes are expected to be down, so a refused connection is the normal case
and worth another round. What cannot change (a bad password, a certificate that does not fit, a
server that is no CockroachDB) ends the attempts at once.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from guard.connector.deadline import Deadline
from guard.connector.errors import ConnectFailed
from guard.connector.hosts import Target
from guard.connector.redact import scrub
from guard.snapshot.model import Connection, HostAttempt, Reason
from guard.versions import Build, VersionError

if TYPE_CHECKING:
    import psycopg

__all__ = ["connect", "gateway_build"]

_HOST_PATIENCE: Final = 5.0
_LEAST_PATIENCE: Final = 2.0  # libpq takes no less
_MOST_ADDRESSES: Final = 3  # localhost has two, and a server may listen on one of them only
_SERVER: Final = re.compile(r"CockroachDB\s+\S+\s+(\S+)")

# Text, because libpq hands over no SQLSTATE for a failed login.
_PERMANENT: Final = (
    "password authentication failed",
    "no password supplied",
    "fe_sendauth",
    "certificate",
    "ssl error",
    "sslmode",
    "tls",
    "server does not support ssl",
    "node is running secure mode",
    "requires encryption",
    "does not exist",
    "role is not permitted to log in",
    "does not have login privilege",
    "authentication method",
    "no pg_hba.conf entry",
    "private key file",
    "channel binding",
    "expired",
)
_NO_QUORUM: Final = ("internal error", "timed out", "timeout expired", "get-user-timeout")


def gateway_build(server: str) -> Build | None:
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
) -> tuple[psycopg.Connection[Any], Connection]:
    """Connect to the first target that answers.

    Args:
        targets: where to try, in order.
        deadline: when to give up; each host gets only a part, so that the next one has time left.
        log: structlog logger, or None.

    Raises:
        ConnectFailed: nothing answered in time, or what answered cannot be used.
    """
    from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential, wait_random

    def no_time_left(state: RetryCallState) -> bool:
        return deadline.remaining < state.upcoming_sleep + _LEAST_PATIENCE / 2

    retrying = Retrying(
        stop=no_time_left,
        wait=wait_exponential(multiplier=0.2, max=3.0) + wait_random(0, 0.5),
        retry=retry_if_exception(lambda e: isinstance(e, ConnectFailed) and not e.permanent),
        reraise=True,
    )
    return retrying(_one_round, targets, deadline, log)


def _one_round(
    targets: Sequence[Target],
    deadline: Deadline,
    log: Any,  # noqa: ANN401
) -> tuple[psycopg.Connection[Any], Connection]:
    attempts: list[HostAttempt] = []
    failures: list[ConnectFailed] = []
    for index, target in enumerate(targets):
        share = deadline.remaining / (len(targets) - index)
        patience = max(min(share, _HOST_PATIENCE), min(_LEAST_PATIENCE, deadline.remaining))
        if patience <= 0:
            break
        try:
            connection, server, tls = _open(target, patience)
        except ConnectFailed as failed:
            if log is not None:
                log.info("host did not answer", host=target.host, port=target.port, error=str(failed))
            attempts.append(HostAttempt(host=target.host, port=target.port, error=str(failed)))
            failures.append(failed)
            continue
        attempts.append(HostAttempt(host=target.host, port=target.port))
        build = gateway_build(server)
        return connection, Connection(
            host=target.host,
            port=target.port,
            server=server,
            build=build.tag if build else None,
            tls=tls,
            attempts=tuple(attempts),
        )
    if not failures:
        raise ConnectFailed("no time was left to connect", reason=Reason.TIMEOUT)
    told = _summary(failures, attempts)
    raise ConnectFailed(
        str(told),
        reason=told.reason,
        remedy=told.remedy,
        attempts=tuple(attempts),
        permanent=all(failed.permanent for failed in failures),
    )


def _summary(failures: Sequence[ConnectFailed], attempts: Sequence[HostAttempt]) -> ConnectFailed:
    lines = "; ".join(f"{a.host}:{a.port}: {a.error}" for a in attempts)
    worst = next((failed for failed in failures if failed.permanent), failures[-1])
    return ConnectFailed(lines, reason=worst.reason, remedy=worst.remedy)


def _resolve(target: Target, patience: float) -> list[str | None]:
    """The target's addresses; [None] if there is nothing to resolve.

    Resolving can hang for minutes and cannot be interrupted, so a thread of its own does it.
    """
    if target.host.startswith(("/", "@")) or "hostaddr" in target.params:
        return [None]
    try:
        return [str(ipaddress.ip_address(target.host))]
    except ValueError:
        pass
    found: list[str] = []
    problems: list[str] = []

    def look() -> None:
        try:
            entries = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            found.extend(str(entry[4][0]) for entry in entries)
        except (OSError, UnicodeError) as error:
            problems.append(getattr(error, "strerror", None) or str(error))

    thread = threading.Thread(target=look, name="guard-resolve", daemon=True)
    thread.start()
    thread.join(patience)
    if found:
        return list[str | None](dict.fromkeys(found))[:_MOST_ADDRESSES]
    reason = problems[0] if problems else "no answer from the name service"
    raise ConnectFailed(f"the host name cannot be resolved: {reason}")


def _open(target: Target, patience: float) -> tuple[psycopg.Connection[Any], str, str]:
    """Log in to a target and learn what it is; its addresses share the patience."""
    limit = Deadline.after(patience)
    connection: psycopg.Connection[Any] | None = None
    failed: ConnectFailed | None = None
    for address in _resolve(target, patience):
        if failed is not None and (failed.permanent or limit.remaining == 0):
            break
        try:
            connection = _log_in(target, address, limit.remaining)
            break
        except ConnectFailed as error:
            failed = error
    if connection is None:
        raise failed or ConnectFailed("the host name has no address")
    server = connection.pgconn.parameter_status(b"crdb_version")
    if server is None:
        connection.close()
        raise ConnectFailed(
            "what answered is not a CockroachDB server (it announces no crdb_version)",
            reason=Reason.ERROR,
            remedy=("Connect to a CockroachDB node directly, not to PostgreSQL or a pooler.",),
            permanent=True,
        )
    tls = target.sslmode if connection.pgconn.ssl_in_use else "off"
    return connection, server.decode("utf-8", "replace"), tls


def _log_in(target: Target, address: str | None, patience: float) -> psycopg.Connection[Any]:
    import psycopg

    params: dict[str, Any] = {
        "gssencmode": "disable",
        # libpq's own default is a database named like the user, and without one every SHOW fails
        # with 3D000 although the login went well. The system database is always there.
        "dbname": "system",
        **target.params,
        "host": target.host,
        "port": target.port,
        "application_name": "guard",
        "connect_timeout": max(1, round(patience)),
    }
    if address is not None:
        params["hostaddr"] = address
    try:
        return psycopg.connect("", autocommit=True, prepare_threshold=None, **params)
    except (psycopg.Error, OSError, ValueError) as error:
        raise _explained(error) from None


def _explained(error: Exception) -> ConnectFailed:
    """What a failed login means, from libpq's words."""
    text = scrub(" ".join(str(error).split())) or type(error).__name__
    # "connection failed: connection to server at "10.0.0.1", port 26257 failed: FATAL: …"
    text = re.sub(r"^connection failed: connection to server (at|on socket) .*? failed: ", "", text)
    text = re.sub(r"^connection failed: ", "", text)
    text = text.removesuffix(" Is the server running on that host and accepting TCP/IP connections?")
    lower = text.lower()
    if any(word in lower for word in _NO_QUORUM):
        # 28000 with an internal error is a cluster that cannot read its own users, not a password.
        if "internal error" in lower:
            return ConnectFailed(
                f"the cluster could not look the user up, a system range has no quorum: {text}",
                reason=Reason.TIMEOUT,
                remedy=("Bring the nodes that are down back; root logs in even without quorum.",),
            )
        return ConnectFailed(text, reason=Reason.TIMEOUT)
    if any(word in lower for word in _PERMANENT):
        return ConnectFailed(
            text,
            reason=Reason.ERROR,
            remedy=("Check the user, the password (passfile or PGPASSWORD) and the certificates.",),
            permanent=True,
        )
    return ConnectFailed(text)
