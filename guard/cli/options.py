"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated, Final, NoReturn

import typer

__all__ = [
    "CertsDir",
    "DebugZip",
    "LogFormat",
    "LogFormatOption",
    "SnapshotFile",
    "Timeout",
    "Url",
    "Verbose",
    "duration",
    "usage",
]

_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?", re.ASCII)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str | dt.timedelta) -> dt.timedelta:
    """Read ``30s``, ``20m`` or ``1h``. A default comes as a timedelta already.

    A number without a unit is refused: whoever writes 45 may mean minutes.

    Raises:
        typer.BadParameter: anything else.
    """
    if isinstance(text, dt.timedelta):
        return text
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration such as 30s, 20m or 1h")
    if match[2] is None and float(match[1]):
        raise typer.BadParameter(f"{text!r} has no unit: write {match[1]}s, {match[1]}m or {match[1]}h")
    return dt.timedelta(seconds=float(match[1]) * _SECONDS.get(match[2], 1.0))


def usage(message: str) -> NoReturn:
    """End with a usage error, exit code 2."""
    raise typer.BadParameter(message)


class LogFormat(StrEnum):
    """How -v logs."""

    CONSOLE = "console"
    JSON = "json"


Url = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Connection URL; may name several hosts; repeatable. Without it: GUARD_URL, then "
        "COCKROACH_URL, then libpq's PG* variables. Keep passwords out of it: use PGPASSFILE.",
    ),
]
CertsDir = Annotated[
    str | None,
    typer.Option(
        "--certs-dir",
        metavar="DIR",
        help="Directory with ca.crt, client.USER.crt and client.USER.key. Default: "
        "COCKROACH_CERTS_DIR.",
    ),
]
SnapshotFile = Annotated[
    str | None,
    typer.Option(
        "--snapshot", metavar="FILE", help="Judge this snapshot instead of a cluster; - is stdin."
    ),
]
DebugZip = Annotated[
    str | None,
    typer.Option(
        "--debug-zip",
        metavar="FILE",
        help="Judge the cluster as this file of cockroach debug zip shows it.",
    ),
]
Timeout = Annotated[
    dt.timedelta,
    typer.Option("--timeout", parser=duration, metavar="TIME", help="Wall clock for the whole look."),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log to standard error.")]
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="How -v logs: for people or as JSON lines.")
]
