"""What the commands on the catalog share: loading it, reading versions, printing results.

Standard output carries results only; what is wrong goes to standard error.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from guard.cli.options import usage
from guard.cli.terminal import Laid, emit, emit_lines, tell
from guard.decision.result import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from guard.catalog import Catalog
    from guard.catalog.answers import Answer
    from guard.versions import Build, Series

__all__ = [
    "Format",
    "PageFormat",
    "exit_for",
    "open_catalog",
    "print_json",
    "print_lines",
    "read_build",
    "read_series",
    "read_version",
    "wrap",
]


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


class PageFormat(StrEnum):
    """How a result is printed that can be a page as well."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


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
        usage(str(error))
    for age in catalog.ages(dt.datetime.now(dt.UTC)):
        if age.stale:
            tell(f"warning: {age.reason}; newer ones are unknown to guard")
    return catalog


def read_build(text: str) -> Build:
    """Read ``vX.Y.Z``, with or without the v; anything else is a usage error."""
    from guard.versions import Build, VersionError

    try:
        return Build.parse(text if text.startswith(("v", "sha256:")) else f"v{text}")
    except VersionError:
        usage(f"not a CockroachDB build such as v21.2.0: {text!r}")


def read_version(text: str) -> Build | Series:
    """Read ``vX.Y.Z`` or ``vX.Y``, with or without the v; anything else is a usage error."""
    from guard.versions import Build, Series, VersionError

    try:
        return Series.parse(text)
    except VersionError:
        pass
    try:
        return Build.parse(text if text.startswith(("v", "sha256:")) else f"v{text}")
    except VersionError:
        usage(f"not a version such as v21.2 or v21.2.0: {text!r}")


def read_series(text: str) -> Series:
    """Read ``vX.Y``; of ``vX.Y.Z`` the series counts. Anything else is a usage error."""
    from guard.versions import Series

    version = read_version(text)
    return version if isinstance(version, Series) else version.series


def print_lines(lines: Iterable[str]) -> None:
    """Print a result as text; a reader that has gone away is no error."""
    emit_lines(lines)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print a value as indented JSON."""
    import json

    from guard.report.plain import escape_json

    emit(escape_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def wrap(label: str, text: str, *, indent: int = 3, width: int = 100) -> Laid:
    """Lay a text out in lines behind a label of ten columns."""
    first = " " * indent + f"{label:<10}"
    filled = textwrap.fill(
        " ".join(text.split()),
        width=width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Laid(filled)
