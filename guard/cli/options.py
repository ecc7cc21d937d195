"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

__all__ = [
    "NO_LIMIT",
    "CatalogDir",
    "CertsDir",
    "DebugZip",
    "LogFormat",
    "LogFormatOption",
    "MaxAge",
    "NoPolicy",
    "PolicyFile",
    "SnapshotFile",
    "TargetBuild",
    "Timeout",
    "Url",
    "Verbose",
    "Window",
    "duration",
    "duration_or_none",
    "node_id",
    "usage",
]

_PIECE: Final = r"(\d{1,9}(?:\.\d{1,3})?)\s?([a-z]*)"
_SECONDS: Final = {
    **dict.fromkeys(("ms",), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_LONGEST: Final = 3650 * 86400.0


def duration(text: str | dt.timedelta) -> dt.timedelta:
    """Read ``30s``, ``5min``, ``1h30m`` or ``2d``. A default comes as a timedelta already.

    A number without a unit is refused: whoever writes 45 may mean minutes.

    Raises:
        typer.BadParameter: anything else, or more than ten years.
    """
    if isinstance(text, dt.timedelta):
        return text
    seconds, rest = 0.0, text.strip().lower()
    while rest or not text.strip():
        piece = re.match(_PIECE, rest, re.ASCII)
        if piece is None or (piece[2] and piece[2] not in _SECONDS):
            raise typer.BadParameter(f"{text[:40]!r} is not a duration such as 30s, 5min or 1h30m")
        if not piece[2] and float(piece[1]):
            one = piece[1]
            raise typer.BadParameter(f"{text[:40]!r} has no unit: write {one}s, {one}m or {one}h")
        seconds += float(piece[1]) * _SECONDS.get(piece[2], 1.0)
        rest = rest[piece.end() :].lstrip()
    if seconds > _LONGEST:
        raise typer.BadParameter(f"{text[:40]!r} is longer than ten years")
    return dt.timedelta(seconds=seconds)


NO_LIMIT: Final = dt.timedelta.max
"""What ``none`` stands for where a limit can be left out."""


def duration_or_none(text: str | dt.timedelta) -> dt.timedelta:
    """Read a duration as `duration` does, or ``none`` for no limit.

    Raises:
        typer.BadParameter: anything else.
    """
    if isinstance(text, str) and text.strip().lower() == "none":
        return NO_LIMIT
    return duration(text)


def node_id(text: str | int) -> int:
    """Read a node's id, ``3`` or ``n3``.

    Raises:
        typer.BadParameter: anything else.
    """
    digits = str(text).strip().lower().removeprefix("n")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits)):
        raise typer.BadParameter(f"{str(text)[:40]!r} is not the id of a node such as 3 or n3")
    return int(digits)


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
TargetBuild = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="vX.Y.Z", help="The build being moved to; needed for --step start."
    ),
]
Window = Annotated[
    dt.timedelta | None,
    typer.Option(
        "--window",
        parser=duration,
        metavar="TIME",
        help="How far ahead a scheduled backup counts as due. [default: 30m]",
    ),
]
PolicyFile = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="Severities, thresholds, targets, waivers. [default: guard.toml, or [tool.guard] in "
        "pyproject.toml, in the working directory]",
    ),
]
NoPolicy = Annotated[bool, typer.Option("--no-policy", help="Look for no policy file.")]
CatalogDir = Annotated[
    Path | None,
    typer.Option(
        "--catalog", metavar="DIR", help="More advisories and releases, or newer ones, as TOML."
    ),
]
MaxAge = Annotated[
    dt.timedelta | None,
    typer.Option(
        "--max-age",
        parser=duration_or_none,
        metavar="TIME",
        help="With --snapshot and --debug-zip: how old it may be to permit anything; none "
        "for replays and studies. [default: 1h]",
    ),
]
Timeout = Annotated[
    dt.timedelta,
    typer.Option(
        "--timeout",
        parser=duration,
        metavar="TIME",
        show_default="30s",
        help="Wall clock for the whole look. Where nothing answers guard tries for a minute of it.",
    ),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log to standard error.")]
LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="How -v logs: for people or as JSON lines.")
]
