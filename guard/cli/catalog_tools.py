"""What the commands on the catalog share: loading it, reading versions, printing results.

Standard output carries results only; what is wrong goes to standard error.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from guard.decision.result import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from guard.catalog import Catalog
    from guard.catalog.answers import Answer
    from guard.versions import Build, Series

__all__ = [
    "Format",
    "exit_for",
    "open_catalog",
    "print_json",
    "read_build",
    "read_series",
    "read_version",
    "usage_error",
    "wrap",
]


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


def usage_error(message: str) -> NoReturn:
    """Say on standard error what is wrong with the call and exit with code 2."""
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(ExitCode.USAGE)


def exit_for(answer: Answer) -> ExitCode:
    """The exit code for an answer: yes 0, no 10, unknown 11."""
    codes = {"yes": ExitCode.ALLOW, "no": ExitCode.BLOCK, "unknown": ExitCode.UNKNOWN}
    return codes[answer.value]


def open_catalog(extra: Path | None) -> Catalog:
    """Load the catalog, with a user's records on top; a bad record is a usage error."""
    from guard.catalog import CatalogError, load

    try:
        catalog = load(extra)
    except CatalogError as error:
        usage_error(str(error))
    age = catalog.age(dt.datetime.now(dt.UTC))
    if age.stale:
        typer.echo(f"Warning: {age.reason}; newer releases and advisories are missing", err=True)
    return catalog


def read_build(text: str) -> Build:
    """Read ``vX.Y.Z``, with or without the v; anything else is a usage error."""
    from guard.versions import Build, VersionError

    try:
        return Build.parse(text if text.startswith(("v", "sha256:")) else f"v{text}")
    except VersionError as error:
        usage_error(str(error))


def read_version(text: str) -> Build | Series:
    """Read ``vX.Y.Z`` or ``vX.Y``, with or without the v; anything else is a usage error."""
    from guard.versions import Series, VersionError

    try:
        return Series.parse(text)
    except VersionError:
        return read_build(text)


def read_series(text: str) -> Series:
    """Read ``vX.Y``; of ``vX.Y.Z`` the series counts. Anything else is a usage error."""
    from guard.versions import Series

    version = read_version(text)
    return version if isinstance(version, Series) else version.series


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print a value as indented JSON."""
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def wrap(label: str, text: str, *, indent: int = 3, width: int = 100) -> str:
    """Lay a text out in lines behind a label of ten columns."""
    first = " " * indent + f"{label:<10}"
    return textwrap.fill(
        " ".join(text.split()),
        width=width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
