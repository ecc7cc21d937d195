"""A TCP proxy that makes PostgreSQL look like CockroachDB, watches the wire and breaks it on demand.

It speaks enough of the PostgreSQL protocol, version 3, to cut it at message boundaries: it announces
``crdb_version`` at the end of the login, replaces statements that PostgreSQL cannot parse by exact
text, writes down every message of the client, and knows which answer belongs to which statement.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

from tests.cluster.database import REWRITTEN
from tests.cluster.recording import Error

__all__ = ["Fault", "Proxy", "Sent", "What", "When"]

_SSL_REQUEST: Final = 80877103
_GSS_REQUEST: Final = 80877104
_TICK: Final = 0.2  # how often a waiting thread looks whether the proxy was closed


class When(Enum):
    """The moment of a fault."""

    ACCEPT = "when the connection is accepted"
    LOGIN = "in the middle of the login"
    ASKED = "when the statement is asked"
    BEFORE = "before the statement, all earlier ones answered"
    DURING = "in the middle of the statement's answer"
    AFTER = "right after the statement's answer"


class What(Enum):
    """The kind of a fault."""

    CUT = "the connection is closed"
    STALL = "nothing more arrives, the connection stays open"
    TRUNCATE = "half a message arrives and the connection is closed"
    GARBLE = "a message of no known type arrives"
    NOT_TEXT = "the values are not UTF-8"
    DELAY = "it arrives late"
    CALL = "something else happens"
    INSTEAD = "the server is asked something else, once"


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and when. `connections` is the number of first connections it is for."""

    what: What
    when: When
    statement: str = ""
    connections: int | None = None
    seconds: float = 0.0
    call: Callable[[], None] | None = None
    sql: str = ""


@dataclass(frozen=True)
class Sent:
    """A message of the client: its type letter, and for Parse and Query the name and the text."""

    connection: int
    kind: str
    name: str = ""
    sql: str = ""


class _Close(Exception):
    """This connection ends here."""


class Proxy:
    """Listens on loopback and forwards to a PostgreSQL server's Unix socket.

    Args:
        upstream: path of the Unix socket.
        database: the database every client ends up in, whatever it asks for.
        crdb_version: what is announced; None for a server that is no CockroachDB.
        faults: what goes wrong.
        replaced: statements to replace, by exact text, after the ones PostgreSQL needs replaced.
        login_error: refuse every login with this.
        tls: a server context; without it TLS is refused, as an insecure CockroachDB does.
        certificate_names_user: a client certificate must name the user, as CockroachDB wants it.
        ignores_options: the start-up ``options`` are not heeded, as v20.1 and v20.2 do and poolers may.
    """

    def __init__(
        self,
        upstream: str,
        database: str,
        crdb_version: str | None,
        *,
        faults: Sequence[Fault] = (),
        replaced: Mapping[str, str] | None = None,
        login_error: Error | None = None,
        tls: ssl.SSLContext | None = None,
        certificate_names_user: bool = False,
        ignores_options: bool | None = None,
    ) -> None:
        self.upstream = upstream
        self.database = database
        self.crdb_version = crdb_version
        self.faults = tuple(faults)
        self.replaced = dict(replaced or {})
        self.login_error = login_error
        self.tls = tls
        self.certificate_names_user = certificate_names_user
        self.ignores_options = (
            " v20." in (crdb_version or "") if ignores_options is None else ignores_options
        )
        self.sent: list[Sent] = []
        self.startups: list[dict[str, str]] = []
        self.closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def url(self, user: str = "root", **parameters: str) -> str:
        """The URL to give to guard."""
        query = "&".join(f"{k}={v}" for k, v in ({"sslmode": "disable"} | parameters).items())
        return f"postgresql://{user}@127.0.0.1:{self.port}/?{query}"

    @property
    def statements(self) -> list[str]:
        """The text of every statement that arrived, in order."""
        return [message.sql for message in self.sent if message.kind in "PQ"]

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._connections

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        for thread in list(self._threads):
            thread.join(10)
        self._listener.close()
        alive = [t.name for t in self._threads if t.is_alive()]
        assert not alive, f"threads of the proxy do not end: {alive}"

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            if not select.select([self._listener], [], [], _TICK)[0]:
                continue
            try:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # many small answers
            except OSError:  # closed
                return
            self._connections += 1
            self._spawn(self._serve, client, self._connections)

    def _serve(self, client: socket.socket, number: int) -> None:
        link = _Link(self, client, number)
        with contextlib.suppress(_Close, OSError):
            link.run()
        link.close()


class _Link:
    """One client's connection."""

    def __init__(self, proxy: Proxy, client: socket.socket, number: int) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None
        self._number = number
        self._logged_in = False
        self._waiting: deque[str] = deque()  # statements whose answers are not complete
        self._last_parsed = ""
        self._done: set[Fault] = set()
        self._held = False

    def run(self) -> None:
        self._strike(When.ACCEPT)
        startup = self._startup()
        if startup is None:
            return
        parameters, version = startup
        self._proxy.startups.append(parameters)
        self._strike(When.LOGIN)
        if self._proxy.login_error is not None:
            self._client.sendall(_error(self._proxy.login_error))
            return
        if self._proxy.certificate_names_user and not self._certificate_fits(parameters["user"]):
            self._client.sendall(_error(Error("28000", "certificate authentication failed for user")))
            return
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(self._proxy.upstream)
        words = b"".join(
            k.encode() + b"\0" + v.encode() + b"\0"
            for k, v in (parameters | {"database": self._proxy.database}).items()
            if not (k == "options" and self._proxy.ignores_options)
        )
        self._server.sendall(struct.pack("!ii", len(words) + 9, version) + words + b"\0")
        self._relay()

    def close(self) -> None:
        for end in (self._client, self._server):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()

    def _startup(self) -> tuple[dict[str, str], int] | None:
        while True:
            length, code = struct.unpack("!ii", self._exactly(8))
            body = self._exactly(length - 8)
            if code == _SSL_REQUEST and self._proxy.tls is not None:
                self._client.sendall(b"S")
                self._client = self._proxy.tls.wrap_socket(self._client, server_side=True)
            elif code in (_SSL_REQUEST, _GSS_REQUEST):
                self._client.sendall(b"N")
            elif code >> 16 != 3:  # a request to cancel
                return None
            else:
                words = body.decode().split("\0")
                pairs = zip(words[::2], words[1::2], strict=False)
                return {name: value for name, value in pairs if name}, code

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if not self._readable(self._client):
                continue
            chunk = self._client.recv(count - len(data))
            if not chunk:
                raise _Close
            data += chunk
        return data

    def _certificate_fits(self, user: str) -> bool:
        certificate = self._client.getpeercert() if isinstance(self._client, ssl.SSLSocket) else None
        subject: Any = (certificate or {}).get("subject", ())
        return ("commonName", user) in [pair for part in subject for pair in part]

    def _readable(self, end: socket.socket) -> bool:
        if self._proxy.closing.is_set():
            raise _Close
        if isinstance(end, ssl.SSLSocket) and end.pending():
            return True
        return bool(select.select([end], [], [], _TICK)[0])

    def _relay(self) -> None:
        assert self._server is not None
        from_client, from_server = bytearray(), bytearray()
        while not self._proxy.closing.is_set():
            ends = [self._server] if self._held else [self._server, self._client]
            ready = select.select(ends, [], [], _TICK)[0]
            if self._server in ready:
                data = self._server.recv(1 << 16)
                if not data:
                    return
                from_server += data
                for kind, message in _messages(from_server):
                    self._from_server(kind, message)
            if self._client in ready:
                data = self._client.recv(1 << 16)
                while isinstance(self._client, ssl.SSLSocket) and self._client.pending():
                    data += self._client.recv(1 << 16)
                if not data:
                    return
                from_client += data
            self._held = False
            while not self._held and (size := _size(from_client)):
                self._from_client(bytes(from_client[:size]))
                if not self._held:
                    del from_client[:size]

    def _from_client(self, message: bytes) -> None:
        assert self._server is not None
        kind = chr(message[0])
        name = text = ""
        if kind in "PQ":
            words = [word.decode() for word in message[5:].split(b"\0")[:2]]
            name, text = (words[0], words[1]) if kind == "P" else ("", words[0])
            if self._fault(When.BEFORE, text) is not None:
                if self._waiting:
                    self._held = True  # not yet: earlier answers are still on their way
                    return
                self._strike(When.BEFORE, text)
            message = self._rewritten(kind, message, text)
            self._last_parsed = text
        if kind == "S" or kind == "Q":
            self._waiting.append(self._last_parsed)
        self._proxy.sent.append(Sent(self._number, kind, name, text))
        self._server.sendall(message)

    def _rewritten(self, kind: str, message: bytes, text: str) -> bytes:
        replacement = self._proxy.replaced.get(text, text)
        replacement = REWRITTEN.get(replacement, replacement)
        fault = self._fault(When.ASKED, text)
        if fault is not None:
            self._done.add(fault)
            replacement = fault.sql
        if replacement == text:
            return message
        body = message[5:].replace(text.encode() + b"\0", replacement.encode() + b"\0", 1)
        return kind.encode() + struct.pack("!i", len(body) + 4) + body

    def _from_server(self, kind: str, message: bytes) -> None:
        if not self._logged_in:
            if kind == "Z":
                self._logged_in = True
                if self._proxy.crdb_version is not None:
                    value = b"crdb_version\0" + self._proxy.crdb_version.encode() + b"\0"
                    self._client.sendall(b"S" + struct.pack("!i", len(value) + 4) + value)
            self._client.sendall(message)
            return
        current = self._waiting[0] if self._waiting else ""
        if kind in "DC":
            message = self._strike(When.DURING, current, message)
        self._client.sendall(message)
        if kind == "Z" and self._waiting:
            self._waiting.popleft()
            self._strike(When.AFTER, current)

    def _fault(self, when: When, statement: str) -> Fault | None:
        for fault in self._proxy.faults:
            if (
                fault.when is when
                and fault not in self._done
                and fault.statement == statement
                and (fault.connections is None or self._number <= fault.connections)
            ):
                return fault
        return None

    def _strike(self, when: When, statement: str = "", message: bytes = b"") -> bytes:
        fault = self._fault(when, statement)
        if fault is None:
            return message
        if fault.what is not What.NOT_TEXT:
            self._done.add(fault)
        if fault.what is What.CUT:
            raise _Close
        if fault.what is What.STALL:
            self._stall()
        elif fault.what is What.TRUNCATE:
            self._client.sendall(message[: max(len(message) // 2, 3)])
            raise _Close
        elif fault.what is What.GARBLE:
            return b"\x01" + message[1:]
        elif fault.what is What.NOT_TEXT:
            return _not_text(message)
        elif fault.what is What.DELAY:
            self._proxy.closing.wait(fault.seconds)
        elif fault.call is not None:
            fault.call()
        return message

    def _stall(self) -> None:
        while True:  # until the client goes away, or the proxy
            if self._readable(self._client) and not self._client.recv(1 << 16):
                raise _Close


def _size(buffer: bytearray) -> int:
    """The size of the first message in the buffer, 0 if it is not complete."""
    if len(buffer) < 5:
        return 0
    size = 1 + int(struct.unpack_from("!i", buffer, 1)[0])
    return size if len(buffer) >= size else 0


def _messages(buffer: bytearray) -> Iterator[tuple[str, bytes]]:
    while size := _size(buffer):
        message = bytes(buffer[:size])
        del buffer[:size]
        yield chr(message[0]), message


def _error(error: Error) -> bytes:
    body = b"SFATAL\0VFATAL\0C" + error.sqlstate.encode() + b"\0M" + error.message.encode() + b"\0\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def _not_text(message: bytes) -> bytes:
    """The DataRow with every byte of its values set to one that UTF-8 does not have."""
    if message[:1] != b"D":
        return message
    result = bytearray(message)
    (fields,) = struct.unpack_from("!h", message, 5)
    at = 7
    for _ in range(fields):
        (length,) = struct.unpack_from("!i", message, at)
        at += 4
        if length > 0:
            result[at : at + length] = b"\xff" * length
            at += length
    return bytes(result)
