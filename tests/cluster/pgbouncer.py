"""A real PgBouncer in front of a gateway: the pooler that guard must not be fooled by."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["CannotPool", "PgBouncer"]

_PATIENCE: Final = 15.0


class CannotPool(Exception):
    """There is no PgBouncer here. Tests skip with it: `apt-get install pgbouncer`, as .ci/run does."""


class PgBouncer:
    """A pooler that listens on loopback.

    Args:
        port: the port of the gateway behind it, on 127.0.0.1.
        mode: ``session``, ``transaction`` or ``statement``.
        ignored: start-up parameters that it drops without a word; it refuses the others.
        pool: server connections for each user and database.
    """

    def __init__(
        self, port: int, *, mode: str = "transaction", ignored: str = "options", pool: int = 1
    ) -> None:
        program = shutil.which("pgbouncer") or shutil.which(
            "pgbouncer", path="/usr/sbin:/usr/local/sbin"
        )
        if program is None:
            raise CannotPool("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
        self._program = program
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._home = Path(tempfile.mkdtemp(prefix="guard-pgbouncer-"))
        users = self._home / "users.txt"
        users.write_text("".join(f'"{name}" ""\n' for name in ("root", "app")))
        self._file = self._home / "pgbouncer.ini"
        self._file.write_text(
            f"[databases]\n* = user=root host=127.0.0.1 port={port}\n\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {users}\npool_mode = {mode}\ndefault_pool_size = {pool}\n"
            f"ignore_startup_parameters = extra_float_digits,{ignored}\n"
            "server_tls_sslmode = disable\nlogfile =\npidfile =\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://root@127.0.0.1:{self.port}/?sslmode=disable"

    def __enter__(self) -> Self:
        owner = self._unprivileged()
        for path in (self._home, *self._home.iterdir()):
            if owner:
                os.chown(path, owner["user"], owner["group"])
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **owner,
            )
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    text = (self._home / "log").read_text(errors="replace")[-500:]
                    raise CannotPool(f"pgbouncer does not start: {text}") from error
                time.sleep(0.02)  # between two looks at the condition
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    @staticmethod
    def _unprivileged() -> dict[str, Any]:
        """PgBouncer refuses to run as root."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam("nobody")
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
