"""Files that libpq and OpenSSL open during a login, looked at before they do.

They open whatever lies under a name and wait for what a FIFO nobody writes to will never say, or read
gigabytes, in one call that nothing can interrupt, the deadline included.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from guard.connector.errors import UrlError

__all__ = ["home", "refuse_endless_files"]

_HASHED: Final = re.compile(r"[0-9a-f]{8}\.r[0-9]+", re.ASCII)
_LARGEST: Final = 16 << 20  # bytes; certificates and passwords have some thousand

# libpq's parameter, its variable where guard does not read it itself, and the default under HOME.
_FILES: Final = (
    ("passfile", "PGPASSFILE", ".pgpass"),
    ("sslrootcert", "PGSSLROOTCERT", ".postgresql/root.crt"),
    ("sslcert", "PGSSLCERT", ".postgresql/postgresql.crt"),
    ("sslkey", "PGSSLKEY", ".postgresql/postgresql.key"),
    ("sslcrl", "PGSSLCRL", ".postgresql/root.crl"),
)


def home(environment: Mapping[str, str]) -> Path | None:
    """The user's directory as libpq has it: HOME, else what the system says."""
    if environment.get("HOME"):
        return Path(environment["HOME"])
    try:
        import pwd

        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except (ImportError, KeyError, AttributeError):
        return None


def refuse_endless_files(params: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """End if a file of the login is a FIFO, a device or so large that it could keep libpq for ever.

    Args:
        params: libpq's parameters.
        environment: what libpq adds to them.

    Raises:
        UrlError: it is one.
    """
    for name, path in _opened(params, environment):
        try:
            seen = path.stat()
            mode, size = seen.st_mode, seen.st_size
        except (OSError, ValueError):
            continue  # libpq says so itself, and at once
        device = stat.S_ISCHR(mode) and name != "passfile" and str(path) != os.devnull
        if stat.S_ISFIFO(mode) or device:
            raise UrlError(f"{name} must be a regular file, not a FIFO or a device")
        if stat.S_ISREG(mode) and size > _LARGEST:
            raise UrlError(f"{name} is larger than {_LARGEST >> 20} MiB")
        # libpq prints a warning of its own, name and all, past what cleans all that guard writes.
        if name == "passfile" and not str(path).isprintable():
            raise UrlError("passfile has a name that cannot be printed")
    if params.get("sslmode") != "disable":
        _refuse_a_list_that_is_none(params, environment)


def _refuse_a_list_that_is_none(params: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """A named list of revoked certificates that libpq cannot read is left out by it, silently."""
    file = params.get("sslcrl") or environment.get("PGSSLCRL")
    if file:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(file)
            found = context.cert_store_stats()["crl"]
        except (OSError, ValueError):
            found = 0
        if not found:
            raise UrlError("sslcrl names no list of revoked certificates: libpq would look at none")
    directory = params.get("sslcrldir") or environment.get("PGSSLCRLDIR")
    if directory:
        try:
            hashed = any(_HASHED.fullmatch(path.name) for path in Path(directory).iterdir())
        except (OSError, ValueError):
            hashed = False
        if not hashed:
            raise UrlError("sslcrldir has no list of revoked certificates under the name of its hash")


def _opened(params: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    directory = home(environment)
    encrypted = params.get("sslmode") != "disable"
    for name, variable, default in _FILES:
        if name != "passfile" and not encrypted:
            continue
        given = params.get(name) or environment.get(variable)
        if given == "system" and name == "sslrootcert":
            given = environment.get("SSL_CERT_FILE")
        if given:
            yield name, Path(given)
        elif directory is not None:
            yield name, directory / default
