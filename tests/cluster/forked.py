"""Guards whose interpreter and imports are there already: forked from one process, one for each run.

The tests run guard some thousand times, and most of the CPU time of a run is the start of Python and
the imports of psycopg, Typer and guard. Here one process (`python -m tests.cluster.forked`) imports
them once and forks for each run. From its first line on guard does the same as in a process that was
started for it: it has arguments, an environment, a working directory and three streams of its own,
and leaves with an exit code. What happens before that first line is for tests that start a real one.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

__all__ = ["Forked", "of_the_start"]

_ROOT: Final = Path(__file__).parents[2]
_LENGTH: Final = struct.Struct("!I")
_OF_THE_START: Final = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_", "OPENSSL_", "SSL_", "TZ")
_LIBRARIES: Final = ("psycopg", "tenacity", "structlog", "typer", "msgspec")


def of_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that an interpreter or a library reads once, when it starts."""
    return {k: v for k, v in environment.items() if k.startswith(_OF_THE_START)}


class Forked:
    """The client's end: starts the process that forks, and ends it with this one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.started_with = of_the_start(environment)
        self.busy = threading.Lock()
        mine, theirs = socket.socketpair()
        self._channel = mine
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.forked", str(theirs.fileno())],
                cwd=_ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # as a guard's are that a test starts
                pass_fds=(theirs.fileno(),),
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process; runs that are under way end by themselves."""
        self._channel.close()
        self._process.communicate()

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], stdin: bytes | None, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run guard to its end. Not for two threads at once: hold `busy`.

        Raises:
            subprocess.TimeoutExpired: it took longer, and was killed.
        """
        asked = {"arguments": list(arguments), "env": dict(env), "cwd": str(Path.cwd())}
        body = json.dumps(asked).encode()
        out, theirs_out = os.pipe()
        err, theirs_err = os.pipe()
        theirs_in, into = os.pipe() if stdin is not None else (os.open(os.devnull, os.O_RDONLY), -1)
        given = [theirs_in, theirs_out, theirs_err]
        try:
            socket.send_fds(self._channel, [_LENGTH.pack(len(body))], given)
            self._channel.sendall(body)
        finally:
            for each in given:
                os.close(each)
        (pid,) = _LENGTH.unpack(_exactly(self._channel, _LENGTH.size))
        try:
            texts = _talk(out, err, into, stdin or b"", timeout)
        finally:
            os.close(out)
            os.close(err)
        if texts is None:
            os.kill(pid, signal.SIGKILL)
        code = struct.unpack("!i", _exactly(self._channel, 4))[0]
        if texts is None:
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        return subprocess.CompletedProcess(list(arguments), code, *texts)


def _talk(out: int, err: int, into: int, stdin: bytes, timeout: float) -> tuple[bytes, bytes] | None:
    """What comes over both streams until they are closed; None if the time is over before that."""
    end = time.monotonic() + timeout
    texts: dict[int, list[bytes]] = {out: [], err: []}
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        selector.register(err, selectors.EVENT_READ)
        if into >= 0:
            os.set_blocking(into, False)
            selector.register(into, selectors.EVENT_WRITE)
        try:
            while selector.get_map():
                ready = selector.select(max(end - time.monotonic(), 0.0))
                if not ready:
                    return None
                for key, _ in ready:
                    if key.fd != into:
                        data = os.read(key.fd, 1 << 16)
                        texts[key.fd].append(data)
                        if not data:
                            selector.unregister(key.fd)
                        continue
                    try:
                        stdin = stdin[os.write(into, stdin) :]
                    except BrokenPipeError:
                        stdin = b""
                    if not stdin:
                        selector.unregister(into)
                        os.close(into)
                        into = -1
        finally:
            if into >= 0:
                os.close(into)
    return b"".join(texts[out]), b"".join(texts[err])


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = channel.recv(count - len(data))
        if not more:
            raise EOFError("the process that forks has ended")
        data += more
    return data


# The other end.


def serve(channel: socket.socket) -> None:
    """Fork a guard for each request, until nobody asks any more."""
    for library in _LIBRARIES:
        importlib.import_module(library)
    guard = importlib.import_module("guard")
    for module in pkgutil.walk_packages(guard.__path__, "guard."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()
    while True:
        head, streams, _, _ = socket.recv_fds(channel, _LENGTH.size, 3)
        if len(head) < _LENGTH.size:
            return
        asked = json.loads(_exactly(channel, _LENGTH.unpack(head)[0]))
        pid = os.fork()
        if pid == 0:
            channel.close()
            _become_guard(asked, streams)
        for each in streams:
            os.close(each)
        channel.sendall(_LENGTH.pack(pid))
        _, status = os.waitpid(pid, 0)
        channel.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))


def _become_guard(asked: Mapping[str, Any], streams: Sequence[int]) -> NoReturn:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # As Python makes them when it starts.
    sys.stdin = os.fdopen(0, encoding=sys.stdin.encoding, errors=sys.stdin.errors, closefd=False)
    for name, line_buffering in (("stdout", False), ("stderr", True)):
        was = getattr(sys, name)
        stream = os.fdopen(was.fileno(), "w", encoding=was.encoding, errors=was.errors, closefd=False)
        stream.reconfigure(line_buffering=line_buffering)
        setattr(sys, name, stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["guard", *asked["arguments"]]
    from guard.cli import main

    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
