"""Servers that mean harm: they let guard log in as a CockroachDB does, and then misbehave for ever."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Final, Self

__all__ = ["AFTER_LOGIN", "DURING_LOGIN", "ODD_ANSWERS", "ODD_LOGINS", "Hostile", "message"]
__all__ += ["scram"]

_TICK: Final = 0.2
_TLS_REQUEST: Final = struct.pack("!i", 80877103)
Behaviour = Callable[["Hostile"], Iterator[bytes] | Generator[bytes | None, bytes | None]]
"""What is sent, piece by piece, until the client goes away. None asks for what the client says."""


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of the PostgreSQL protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


_ROW: Final = message(b"D", struct.pack("!hi", 1, 200) + b"x" * 200)
_NAMED: Final = message(
    b"T", struct.pack("!h", 1) + b"a\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
)
_LOGGED_IN: Final = b"".join((
    message(b"R", struct.pack("!i", 0)),
    message(b"S", b"crdb_version\0CockroachDB CCL v21.2.0 (x)\0"),
    message(b"Z", b"I"),
))  # fmt: skip


def _endless(*pieces: bytes) -> Behaviour:
    def send(_: Hostile) -> Iterator[bytes]:
        while True:
            yield from pieces

    return send


def _once(data: bytes) -> Behaviour:
    def send(_: Hostile) -> Iterator[bytes]:
        yield data

    return send


def _two_gigabytes(_: Hostile) -> Iterator[bytes]:
    yield b"D" + struct.pack("!i", 2**31 - 1)
    while True:
        yield b"x" * 65536


_PREFIX: Final = message(b"1") + message(b"2")


def _rows(_: Hostile) -> Iterator[bytes]:
    yield _PREFIX + _NAMED
    while True:
        yield _ROW * 300


AFTER_LOGIN: Final[dict[str, Behaviour]] = {
    "noise": _endless(bytes(range(256)) * 16),
    "zeros": _endless(b"\0" * 4096),
    "a message of 2 GiB is announced": _once(b"D" + struct.pack("!i", 2**31 - 1)),
    "a message of 2 GiB is sent": _two_gigabytes,
    "COPY": _once(_PREFIX + message(b"H", struct.pack("!bh", 0, 0))),
    "COPY without end": _endless(
        _PREFIX + message(b"H", struct.pack("!bh", 0, 0)), message(b"d", b"x" * 99)
    ),
    "COPY to the server": _once(_PREFIX + message(b"G", struct.pack("!bh", 0, 0))),
    "rows without end": _rows,
    "notices without end": _endless(message(b"N", b"SNOTICE\0C00000\0Mhello\0\0")),
    "parameters without end": _endless(message(b"S", b"application_name\0x\0")),
    "notifications without end": _endless(message(b"A", struct.pack("!i", 1) + b"channel\0text\0")),
    "answers without end": _endless(
        _PREFIX + message(b"n") + message(b"C", b"SELECT 0\0") + message(b"Z", b"I")
    ),
    "two answers to each statement": _endless(
        _PREFIX + message(b"n") + message(b"C", b"SELECT 0\0") * 9 + message(b"Z", b"I")
    ),
    "errors without end": _endless(message(b"E", b"SERROR\0CXX000\0Mno\0\0")),
    "ready without an answer": _endless(message(b"Z", b"I")),
    "an empty query": _endless(_PREFIX + message(b"n") + message(b"I") + message(b"Z", b"I")),
    "nothing": _once(b""),
}  # fmt: skip


DURING_LOGIN: Final[dict[str, Behaviour]] = {
    "noise": _endless(bytes(range(256)) * 16),
    "zeros": _endless(b"\0" * 4096),
    "notices without end": _endless(message(b"N", b"SNOTICE\0C00000\0Mhello\0\0")),
    "parameters without end": _endless(
        message(b"R", struct.pack("!i", 0)), message(b"S", b"application_name\0x\0")
    ),
    "a message of 2 GiB is announced": _once(b"R" + struct.pack("!i", 2**31 - 1)),
    "authentication without end": _endless(message(b"R", struct.pack("!i", 3))),
}


def _columns(*names: bytes, form: int = 0) -> bytes:
    each = b"".join(name + b"\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, form) for name in names)
    return message(b"T", struct.pack("!h", len(names)) + each)


def _row(*values: bytes | None) -> bytes:
    packed = [struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values]
    return message(b"D", struct.pack("!h", len(values)) + b"".join(packed))


_END: Final = message(b"C", b"SELECT 1\0") + message(b"Z", b"I")

# One answer to each statement, each wrong in its own way.
ODD_ANSWERS: Final[dict[str, Behaviour]] = {
    name: _once(answer * 99)
    for name, answer in {
        "a row of too many columns": _PREFIX + _columns(b"a") + _row(b"1", b"2") + _END,
        "a row of too few columns": _PREFIX + _columns(b"a", b"b") + _row(b"1") + _END,
        "a row before its columns": _PREFIX + _row(b"1") + _END,
        "columns of other names": _PREFIX + _columns(b"zzz") + _row(b"on") + _END,
        "a column twice": _PREFIX + _columns(b"node_id", b"node_id") + _row(b"1", b"2") + _END,
        "columns twice": _PREFIX + _columns(b"a") + _columns(b"b") + _row(b"1") + _END,
        "a negative number of columns": _PREFIX + message(b"T", struct.pack("!h", -5)) + _END,
        "binary values": _PREFIX + _columns(b"a", form=1) + _row(b"\0\1\xff") + _END,
        "NULL": _PREFIX + _columns(b"a") + _row(None) + _END,
        "no UTF-8": _PREFIX + _columns(b"\xff\xfe") + _row(b"\xff\xfe") + _END,
        "a value longer than its row": (
            _PREFIX + _columns(b"a") + message(b"D", struct.pack("!hi", 1, 9999) + b"x") + _END
        ),
        "a value of negative length": (
            _PREFIX + _columns(b"a") + message(b"D", struct.pack("!hi", 1, -2)) + _END
        ),
        "an error without fields": _PREFIX + message(b"E", b"\0") + message(b"Z", b"I"),
        "an error without a body": _PREFIX + message(b"E") + message(b"Z", b"I"),
        "a suspended portal": _PREFIX
        + _columns(b"a")
        + _row(b"1")
        + message(b"s")
        + message(b"Z", b"I"),
        "an unknown state": _PREFIX + message(b"C", b"SELECT 0\0") + message(b"Z", b"X"),
        "no state": _PREFIX + message(b"C", b"SELECT 0\0") + message(b"Z"),
        "an end without a word": _PREFIX
        + _columns(b"a")
        + message(b"C", b"SELECT")
        + message(b"Z", b"I"),
        "a login once more": message(b"R", struct.pack("!i", 3)),
        "a negative length": b"D" + struct.pack("!i", -7),
        "another server": message(b"S", b"crdb_version\0x\0") + _PREFIX + _END,
    }.items()
}

_WELCOME: Final = message(b"R", struct.pack("!i", 0))

# What a login, or the request for TLS before it, is answered with.
ODD_LOGINS: Final[dict[str, Behaviour]] = {
    name: _once(answer)
    for name, answer in {
        "an unknown way to log in": message(b"R", struct.pack("!i", 99)),
        "a way to log in without its number": message(b"R"),
        "no SASL mechanism": message(b"R", struct.pack("!i", 10) + b"\0"),
        "SASL goes on before it began": message(b"R", struct.pack("!i", 11) + b"r=x,s=y,i=1"),
        "a salt that is cut": message(b"R", struct.pack("!i", 5)),
        "an error without fields": message(b"E", b"\0"),
        "an error without a body": message(b"E"),
        "an error that is cut": message(b"E", b"SFATAL\0Cxx"),
        "an error of bytes": message(b"E", b"SFATAL\0C28000\0M\xff\x1b[2J\n::error::x\0\0"),
        "an error of an old protocol": b"EFATAL: no\n\0",
        "another protocol": message(b"v", struct.pack("!ii", 999, 5) + b"a\0"),
        "ready before the login": message(b"Z", b"I"),
        "a parameter that is cut": _WELCOME + message(b"S", b"abc") + message(b"Z", b"I"),
        "a key that is cut": _WELCOME + message(b"K", b"x") + message(b"Z", b"I"),
        "an endless version": (
            _WELCOME + message(b"S", b"crdb_version\0" + b"v" * 200_000 + b"\0") + message(b"Z", b"I")
        ),
        "TLS, then silence": b"S",
        "TLS, then plain text": b"S" + b"x" * 99,
        "no TLS": b"N",
        "neither TLS nor none": b"X",
    }.items()
}


def scram(iterations: int) -> Behaviour:
    """Asks for a password by SCRAM, hashed so many times."""

    def talk(_: Hostile) -> Generator[bytes | None, bytes | None]:
        yield message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
        first = yield None
        nonce = (first or b"").partition(b"r=")[2]
        answer = b"r=%sx,s=%s,i=%d" % (nonce, b64encode(b"salt" * 4), iterations)
        yield message(b"R", struct.pack("!i", 11) + answer)

    return talk


class Hostile:
    """Listens on loopback until it is left.

    Args:
        behaviour: what it does.
        login: let the client log in before that.
        offers_no_tls: refuse TLS before that, where it is asked for.
    """

    def __init__(
        self, behaviour: Behaviour, *, login: bool = True, offers_no_tls: bool = False
    ) -> None:
        self._behaviour = behaviour
        self._login = login
        self._offers_no_tls = offers_no_tls
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[bytes] = []

    @property
    def url(self) -> str:
        return f"postgresql://root@127.0.0.1:{self.port}/?sslmode=disable"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            if not select.select([self._listener], [], [], _TICK)[0]:
                continue
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(_TICK)
            first = self._read(client)  # the start-up message, or the request for TLS
            if self._offers_no_tls and first[4:8] == _TLS_REQUEST:
                client.sendall(b"N")
                self._read(client)
            if self._login:
                client.sendall(_LOGGED_IN)
                self._read(client)
            self._talk(client)
            while not self._closing.is_set():
                if not self._read(client):
                    return

    def _talk(self, client: socket.socket) -> None:
        behaviour = self._behaviour(self)
        said = None
        with contextlib.suppress(StopIteration):
            while True:
                piece = behaviour.send(said) if isinstance(behaviour, Generator) else next(behaviour)
                said = None
                if piece is None:
                    said = self._read(client)
                else:
                    self._send(client, piece)

    def _read(self, client: socket.socket) -> bytes:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                self.heard.append(client.recv(1 << 16))
                return self.heard[-1]
        return b""

    def _send(self, client: socket.socket, data: bytes) -> None:
        while data:
            if self._closing.is_set():
                raise OSError("the server is being closed")
            with contextlib.suppress(TimeoutError):
                data = data[client.send(data) :]
