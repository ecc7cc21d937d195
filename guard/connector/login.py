"""One login at one address, step by step: it never waits, so that several can be under way at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from guard.connector.errors import ConnectFailed
from guard.connector.hosts import Target
from guard.connector.pipeline import secrets_of
from guard.connector.redact import Secrets, scrub
from guard.connector.service_file import service_is_read
from guard.connector.session import NOT_TO_A_POOLER, startup_options
from guard.snapshot.model import Reason, stays_here

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

__all__ = ["Login"]

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
    # Ways to log in that guard, or this libpq, does not go.
    "authentication not supported",
    "authentication mechanisms are supported",
    "non-ssl connection",
    "gssapi",
    "oauth",
    "sspi",
    "no pg_hba.conf entry",
    "private key file",
    "channel binding",
    "expired",
    "invalid connection option",
    "could not match",
    "could not load",
    # Whoever answers does not know the password, or SCRAM.
    "server signature",
    "scram message",
    "scram response",
)
_PARAMETER: Final = (
    'value: "',
    "for connection option",
    "invalid scram client",
    "invalid scram server",
)
_OPTION: Final = (
    "invalid value for parameter",
    "unrecognized configuration parameter",
    "unrecognized option",
    "command-line argument",
    "requires a value",
)
_NO_QUORUM: Final = ("internal error", "timed out", "timeout expired", "get-user-timeout")
_NONE_KNOWN: Final = "-"
_SILENT: Final = "the login failed without a word"
_POOLER: Final = ("unsupported startup parameter", "pgbouncer", "no such database")


class Login:
    """A login that is under way.

    Attributes:
        target: where to.
        address: the IP address that is tried, None for a Unix socket.
        statement_timeout: what the session is asked to have, in milliseconds.
        reached: the other end accepted the connection; what is missing is its answer.
    """

    def __init__(self, target: Target, address: str | None, statement_timeout: int) -> None:
        """Begin.

        Raises:
            ConnectFailed: libpq refuses the parameters.
        """
        self.target = target
        self.address = address
        self.statement_timeout = statement_timeout
        self.reached = False
        self.began = time.monotonic()
        self._careful = False
        self._pgconn: PGconn = None  # type: ignore[assignment]
        self._begin(_parameters(target, address, statement_timeout))

    def _begin(self, params: dict[str, Any]) -> None:
        from psycopg import Error, pq
        from psycopg.conninfo import make_conninfo

        self.writing = True
        try:
            conninfo = make_conninfo("", **params).encode()
            with service_is_read():
                self._pgconn = pq.PGconn.connect_start(conninfo)
        except (Error, OSError, ValueError) as error:
            raise explained(str(error) or type(error).__name__, self._secrets()) from None
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise self._failed()

    @property
    def fileno(self) -> int:
        """The socket to wait for."""
        return self._pgconn.socket

    def go_on(self) -> PGconn | None:
        """Take the next step, now that the socket is ready; the connection once the login is done.

        Raises:
            ConnectFailed: it has failed; nothing is left open.
        """
        from psycopg import Error
        from psycopg.pq import ConnStatus, PollingStatus

        from guard.connector.login_step import poll

        try:
            status = poll(self._pgconn)
        except (Error, OSError, ValueError) as error:
            secrets = self._secrets()
            self.give_up()
            raise explained(str(error), secrets) from None
        if status == PollingStatus.FAILED:
            raise self._failed()
        if self._is_in_clear():
            self._begin_carefully()
            return None
        self.writing = status == PollingStatus.WRITING
        self.reached = self.reached or self._pgconn.status not in (
            ConnStatus.STARTED,
            ConnStatus.BAD,
        )
        return self._pgconn if status == PollingStatus.OK else None

    def give_up(self) -> None:
        """Close what there is."""
        self._pgconn.finish()

    def silence(self) -> ConnectFailed:
        """What it means that no answer has come so far."""
        seconds = f"{time.monotonic() - self.began:.3g} s"
        if self.reached:
            return ConnectFailed(
                f"the connection was accepted, but the login was not answered within {seconds}: either "
                "no CockroachDB listens there, or a system range has lost its quorum, which makes "
                "logins take ten seconds or fail",
                reason=Reason.TIMEOUT,
                remedy=(
                    "Bring the nodes that are down back; root logs in even without quorum, in about "
                    "ten seconds: use --timeout 30s or more.",
                ),
            )
        return ConnectFailed(f"no answer within {seconds}", reason=Reason.TIMEOUT)

    def _is_in_clear(self) -> bool:
        """True if a password might be sent now to whoever says that he knows no TLS.

        libpq's default, ``prefer``, does without TLS where none is offered: by an insecure cluster, or
        by somebody who stands in between and asks for the password.
        """
        from psycopg.pq import ConnStatus

        return (
            self.target.sslmode == "prefer"
            and not self._careful
            and self._pgconn.status == ConnStatus.AWAITING_RESPONSE
            and not self._pgconn.ssl_in_use
            and bool(self._pgconn.password)
            and not stays_here(self.target.host, self.address)
        )

    def _begin_carefully(self) -> None:
        """Begin anew, with a libpq that is told not to send the password itself."""
        given = next((o.val for o in self._pgconn.info if o.keyword == b"require_auth"), None)
        self._pgconn.finish()
        self._careful = True
        params = _parameters(self.target, self.address, self.statement_timeout)
        self._begin(params | {"sslmode": "disable", "require_auth": _not_in_clear(given)})

    def _failed(self) -> ConnectFailed:
        text, secrets = self._pgconn.get_error_message(), self._secrets()
        self.give_up()
        if self._careful and ("cleartext password" in text or "hashed password" in text):
            return ConnectFailed(
                "what answers offers no TLS and asks for the password: guard does not send it in clear",
                reason=Reason.ERROR,
                remedy=(
                    "Have the connection encrypted and the server verified: --certs-dir, or "
                    "sslrootcert and sslmode=verify-full in --url.",
                    "Only in a network that may know the password: sslmode=disable in --url.",
                ),
                permanent=True,
            )
        return explained(text, secrets)

    def _secrets(self) -> Secrets:
        given = (self.target.params.get(name, "") for name in ("password", "sslpassword"))
        return Secrets(given) if self._pgconn is None else secrets_of(self._pgconn)


_IN_CLEAR: Final = ("password", "md5")  # the second is as good as the first to who reads along


def _not_in_clear(given: bytes | None) -> str:
    """libpq's require_auth, as it was given, but for the ways that show a password."""
    methods = [each.strip() for each in (given or b"").decode().split(",") if each.strip()]
    if all(each.startswith("!") for each in methods):
        return ",".join(dict.fromkeys([*methods, *(f"!{each}" for each in _IN_CLEAR)]))
    return ",".join(each for each in methods if each not in _IN_CLEAR) or "none"


def _parameters(target: Target, address: str | None, statement_timeout: int) -> dict[str, Any]:
    params: dict[str, Any] = {
        "gssencmode": "disable",
        # libpq's own default is a database named like the user, and without one every SHOW fails
        # with 3D000 although the login went well. The system database is always there.
        "dbname": "system",
        **target.params,
        # Without any, OpenSSL asks the terminal for an encrypted key's, and waits.
        "sslpassword": target.params.get("sslpassword") or _NONE_KNOWN,
        "host": target.host,
        "port": target.port,
        "application_name": "guard",
        "client_encoding": "UTF8",
        # Not what PGTARGETSESSIONATTRS says: read-write would refuse the read-only session.
        "target_session_attrs": "any",
        "options": startup_options(target.params.get("options", ""), statement_timeout),
    }
    if address is not None:
        params["hostaddr"] = address
    return params


def explained(message: str, secrets: Secrets | None = None) -> ConnectFailed:
    """What a failed login means, from libpq's words, which may repeat one of the `secrets`."""
    told = message if secrets is None else secrets.out_of(message)
    return _explained(scrub(" ".join(told.split())) or _SILENT)


def _explained(text: str) -> ConnectFailed:
    # "connection to server at "10.0.0.1", port 26257 failed: FATAL: …"
    if text.startswith("connection to server "):
        before, failed, after = f"{text} ".partition(" failed: ")
        text = after.strip() or _SILENT if failed else before.strip()
    text = text.removesuffix(" Is the server running on that host and accepting TCP/IP connections?")
    lower = text.lower()
    if any(word in lower for word in _POOLER):
        return ConnectFailed(
            f"what answered is a connection pooler: {text}",
            reason=Reason.ERROR,
            remedy=NOT_TO_A_POOLER,
            permanent=True,
        )
    if any(word in lower for word in _NO_QUORUM):
        # 28000 with an internal error is a cluster that cannot read its own users, not a password.
        if "internal error" in lower or "get-user" in lower:
            return ConnectFailed(
                f"the cluster could not look the user up, a system range has no quorum: {text}",
                reason=Reason.TIMEOUT,
                remedy=("Bring the nodes that are down back; root logs in even without quorum.",),
            )
        return ConnectFailed(text, reason=Reason.TIMEOUT)
    if any(word in lower for word in _PARAMETER) and "fatal:" not in lower:
        return ConnectFailed(
            f"libpq refuses a parameter of the connection: {text}",
            reason=Reason.ERROR,
            remedy=("Look for it in --url, the service file and the PG* variables.",),
            permanent=True,
        )
    if any(word in lower for word in _OPTION):
        return ConnectFailed(
            f"the server refuses a start-up option: {text}",
            reason=Reason.ERROR,
            remedy=("Look for it in --url (options=), the service file and PGOPTIONS.",),
            permanent=True,
        )
    if "could not load private key" in lower:
        return ConnectFailed(
            text,
            reason=Reason.ERROR,
            remedy=(
                "Check that the key belongs to the certificate; for an encrypted one guard never asks: "
                "say sslpassword in a service file, or use a key without a passphrase.",
            ),
            permanent=True,
        )
    if "certificate verify failed" in lower:  # OpenSSL knows why, and libpq does not say it
        return ConnectFailed(
            text,
            reason=Reason.ERROR,
            remedy=(
                "The server's certificate is not of the authority in ca.crt (sslrootcert), has "
                "expired, is not valid yet, or is revoked. This tells which:",
                "openssl s_client -starttls postgres -CAfile ca.crt -connect HOST:PORT",
            ),
            permanent=True,
        )
    if any(word in lower for word in _PERMANENT):
        return ConnectFailed(
            text,
            reason=Reason.ERROR,
            remedy=("Check the user, the password (passfile or PGPASSWORD) and the certificates.",),
            permanent=True,
        )
    return ConnectFailed(text)
