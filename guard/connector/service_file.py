"""libpq's service files: the parameters that ``PGSERVICE`` or ``service=`` stands for.

Read here because libpq, asked for them, mixes its compiled defaults among them, and a compiled
``sslmode=prefer`` would turn off the verification that a certificate directory asks for.

https://www.postgresql.org/docs/current/libpq-pgservice.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from guard.connector.errors import UrlError
from guard.files import read_regular

__all__ = ["service_parameters"]

_LIMIT: Final = 1 << 16
_SYSTEM_DIRECTORIES: Final = ("/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc")


def service_parameters(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What the service stands for, the user's file before the system's.

    Raises:
        UrlError: no file has it, or one that has it cannot be read.
    """
    for path in _files(environment):
        try:
            data = read_regular(path, _LIMIT)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UrlError(f"the service file {path} cannot be read: {error.strerror}") from None
        found = _section(data.decode("utf-8", "replace"), name)
        if found is not None:
            return found
    raise UrlError("the service is in no service file: see PGSERVICEFILE and ~/.pg_service.conf")


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get("PGSERVICEFILE")
    home = environment.get("HOME")
    if named:
        yield Path(named)
    elif home:
        yield Path(home) / ".pg_service.conf"
    directories = [environment["PGSYSCONFDIR"]] if environment.get("PGSYSCONFDIR") else []
    for directory in directories or _SYSTEM_DIRECTORIES:
        yield Path(directory) / "pg_service.conf"


def _section(text: str, name: str) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            if found is not None:
                break
            if stripped == f"[{name}]":
                found = {}
        elif found is not None:
            key, equals, value = stripped.partition("=")
            if not equals or key.strip() in ("", "service"):
                raise UrlError("the service file has a line that is no name=value")
            found.setdefault(key.strip(), value.strip())
    return found
