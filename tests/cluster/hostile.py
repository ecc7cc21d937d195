"""Servers that mean harm: they let guard log in as a CockroachDB does, and then misbehave for ever."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

__all__ = ["AFTER_LOGIN", "DURING_LOGIN", "Hostile", "message"]

_TICK: Final = 0.2
Behaviour = Callable[["Hostile"], Iterator[bytes]]
"""What is sent, piece by piece, until the client goes away."""


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


class Hostile:
    """Listens on loopback until it is left."""

    def __init__(self, behaviour: Behaviour, *, login: bool = True) -> None:
        self._behaviour = behaviour
        self._login = login
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

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
            self._read(client)  # the start-up message
            if self._login:
                client.sendall(_LOGGED_IN)
                self._read(client)
            for piece in self._behaviour(self):
                self._send(client, piece)
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    if not client.recv(1 << 16):
                        return

    def _read(self, client: socket.socket) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                client.recv(1 << 16)
                return

    def _send(self, client: socket.socket, data: bytes) -> None:
        while data:
            if self._closing.is_set():
                raise OSError("the server is being closed")
            with contextlib.suppress(TimeoutError):
                data = data[client.send(data) :]
