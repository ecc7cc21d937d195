"""Files that a command writes: an impossible path is found before the look at the cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import typer

from guard.cli.options import usage
from guard.decision.result import ExitCode
from guard.report import Format

if TYPE_CHECKING:
    from guard.decision.result import Decision
    from guard.report import Options

__all__ = ["refuse_impossible", "report_formats", "write_reports"]

_FORMATS: Final = {
    ".txt": Format.TEXT,
    ".json": Format.JSON,
    ".xml": Format.JUNIT,
    ".md": Format.MARKDOWN,
    ".html": Format.HTML,
}


def report_formats(paths: Sequence[Path], read: Sequence[str | None] = ()) -> dict[Path, Format]:
    """The format of each report to be written, by the suffix of its name.

    Args:
        paths: where to.
        read: the files that are read in this run.

    Raises:
        typer.BadParameter: another suffix, a path that can never be written, or one that is read or
            written in this run already.
    """
    for number, path in enumerate(paths):
        if any(_are_one(path, each) for each in paths[:number]):
            usage(f"-o {path}: two reports would be written there")
        if path.suffix.lower() not in _FORMATS:
            usage(f"-o {path}: the suffix has to name the format: {', '.join(_FORMATS)}")
        refuse_impossible(path, read)
    return {path: _FORMATS[path.suffix.lower()] for path in paths}


def _are_one(path: Path, other: Path) -> bool:
    try:
        return path.resolve() == other.resolve()
    except (OSError, ValueError, RuntimeError):  # a loop of links
        return path == other


def write_reports(reports: dict[Path, Format], decision: Decision, options: Options) -> None:
    """Write each report whole or not at all, without colours.

    Raises:
        typer.Exit: one could not be written: what was asked for was not done.
    """
    from guard.cli.process import uninterrupted
    from guard.cli.terminal import plain_line, tell
    from guard.files import write
    from guard.report import renderer

    failed = False
    for path, form in reports.items():
        text = renderer(form)(decision, msgspec.structs.replace(options, colour=False, width=100))
        clean = "\n".join(plain_line(line) for line in text.split("\n"))
        try:
            with uninterrupted():
                write(path, clean.encode())
        except OSError as error:
            tell(f"cannot write {path}: {error.strerror}")
            failed = True
    if failed:
        raise typer.Exit(ExitCode.USAGE)


def refuse_impossible(path: Path, read: Sequence[str | None] = ()) -> None:
    """End with a usage error if the path can never be written, or would take the place of evidence.

    Args:
        path: where to.
        read: the files that are read in this run. What was approved (``--expect-fingerprint FILE``)
            would be approved anew by the run that refuses it.

    Raises:
        typer.BadParameter: it is a directory, its directory does not exist, or may not be written to;
            or it is one of the files that are read.
    """
    for each in read:
        with contextlib.suppress(OSError, ValueError):  # none of that name
            if each is not None and path.samefile(each):
                usage(f"-o {path}: guard reads that file in the same run")
    try:
        if path.is_dir():
            usage(f"-o {path}: it is a directory")
        if path.exists():
            if not os.access(path, os.W_OK):
                usage(f"-o {path}: it may not be written")
        elif not path.parent.is_dir():
            usage(f"-o {path}: its directory does not exist")
        elif not os.access(path.parent, os.W_OK):
            usage(f"-o {path}: its directory may not be written to")
    except (OSError, ValueError) as error:
        usage(f"-o {path}: {getattr(error, 'strerror', None) or error}")
