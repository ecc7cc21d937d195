"""libpq's service files: the parameters that ``PGSERVICE`` or ``service=`` stands for.

Read here because libpq, asked for them, mixes its compiled defaults among them, and a compiled
``sslmode=prefer`` would turn off the verification that a certificate directory asks for. As libpq has
it: the file that PGSERVICEFILE names or the user's own, then the system's; the first line for a
parameter counts; no space belongs around the ``=``. Whatever libpq would refuse is a usage error.

https://www.postgresql.org/docs/current/libpq-pgservice.html
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from guard.connector.errors import UrlError
from guard.connector.local_files import home
from guard.files import read_regular

__all__ = ["environment_of_process", "service_is_read", "service_parameters"]

_LIMIT: Final = 1 << 16
# Where PGSYSCONFDIR names none: the directory compiled into psycopg's binary package (Debian's), then
# those of other builds of libpq.
_SYSTEM_DIRECTORIES: Final = ("/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc")


_SENT_BY_LIBPQ: Final = ("PGDATESTYLE", "PGTZ", "PGGEQO")

_taken_away = threading.Lock()
"""Held while PGSERVICE is out of the environment, which all looks of a process share."""


def environment_of_process() -> dict[str, str]:
    """The environment as it was given, also while another look keeps a part of it from libpq."""
    with _taken_away:
        return dict(os.environ)


def service_parameters(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What the service stands for, the user's file before the system's.

    Raises:
        UrlError: no file has it, or one that counts cannot be read or holds what libpq would refuse.
    """
    for path, must_be in _files(environment):
        try:
            data = read_regular(path, _LIMIT)
        except FileNotFoundError:
            if must_be:
                raise UrlError("the service file that PGSERVICEFILE names does not exist") from None
            continue
        except NotADirectoryError:
            continue
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UrlError(f"the service file {path} cannot be read: {why}") from None
        found = _section(data, name, path)
        if found is not None:
            return found
    raise UrlError(
        "the service is in no service file: guard looks into PGSERVICEFILE or ~/.pg_service.conf, "
        f"then pg_service.conf in PGSYSCONFDIR or in {', '.join(_SYSTEM_DIRECTORIES)}"
    )


@contextlib.contextmanager
def service_is_read() -> Iterator[None]:
    """Keep from libpq what of the environment guard has read, or answers by itself.

    With ``PGSERVICE`` libpq would look the service up again, and fill in from it. And it sends what
    ``PGDATESTYLE`` and its like say beside guard's own start-up options, which then do not count.
    """
    with _taken_away:
        for sent in _SENT_BY_LIBPQ:  # later on, with the start-up message: not to be put back
            os.environ.pop(sent, None)
        name = os.environ.pop("PGSERVICE", None)
        try:
            yield
        finally:
            if name is not None:
                os.environ["PGSERVICE"] = name


def _files(environment: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """The files in order, and whether a file must be there."""
    named = environment.get("PGSERVICEFILE")
    directory = home(environment)
    if named:
        yield Path(named), True
    elif directory is not None:
        yield directory / ".pg_service.conf", False
    own = environment.get("PGSYSCONFDIR")
    for systems in (own,) if own else _SYSTEM_DIRECTORIES:
        yield Path(systems) / "pg_service.conf", False


def _section(data: bytes, name: str, path: Path) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for number, line in enumerate(data.split(b"\n"), 1):
        stripped = line.strip(b" \t\r\v\f")
        if not stripped or stripped.startswith(b"#"):
            continue
        if stripped.startswith(b"["):
            if found is not None:
                break
            if stripped.startswith(b"[" + os.fsencode(name) + b"]"):
                found = {}
        elif found is not None:
            key, value = _parameter(stripped, f"the service file {path}, line {number}")
            found.setdefault(key, value)
    return found


def _parameter(line: bytes, where: str) -> tuple[str, str]:
    """A line's name and value. Its text is never repeated: it may be a password's."""
    from psycopg import pq

    if line.startswith(b"ldap"):
        raise UrlError(f"{where}: guard asks no LDAP server: write the parameters themselves")
    try:
        key, equals, value = line.decode().partition("=")
    except UnicodeDecodeError:
        raise UrlError(f"{where}: bytes that are not UTF-8") from None
    if key == "service":
        raise UrlError(f"{where}: a service may not name another service")
    known = {option.keyword.decode() for option in pq.Conninfo.parse(b"")}
    if not equals or key not in known or "\0" in value:
        raise UrlError(f"{where}: not parameter=value with a parameter of libpq, without spaces at =")
    return key, value
