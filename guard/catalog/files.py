"""Reading the catalog's TOML files, whatever lies under their names.

A catalog directory holds ``about.toml``, ``series/X.Y.toml``, ``changes/X.Y.toml``,
``advisories/ID.toml`` and ``hazards/ID.toml``; in a user's own directory series, advisories and
hazards may also lie side by side without their folders.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from guard.catalog.errors import CatalogError
from guard.files import NotRegular, TooLarge, read_regular
from guard.toml import parse

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_BYTES", "FileKind", "RecordFile", "find_files", "read_bytes", "read_toml"]

MAX_BYTES: Final = 1 << 20
"""No record is anywhere near this long; a longer file is not a record."""

_SERIES_NAME: Final = r"\d{1,4}\.\d{1,4}\.toml"


class FileKind(StrEnum):
    """What a catalog file is about."""

    ABOUT = "about"
    SERIES = "series"
    ADVISORY = "advisory"
    CHANGES = "changes"


class RecordFile(msgspec.Struct, frozen=True):
    """One TOML file of a catalog directory and what it must hold."""

    path: Path
    kind: FileKind


def find_files(directory: Path) -> tuple[RecordFile, ...]:
    """List the TOML files of a catalog directory in a fixed order; other files are ignored.

    Raises:
        CatalogError: the directory cannot be listed, is none, or holds no TOML file at all: an
            empty catalog is a mistake, not an absence of advisories.
    """
    found: list[RecordFile] = []
    for folder in (
        directory,
        *(directory / name for name in ("series", "advisories", "hazards", "changes")),
    ):
        try:
            names = sorted(entry.name for entry in folder.iterdir())
        except FileNotFoundError:
            if folder is directory:
                raise CatalogError(f"{directory}: no such catalog directory") from None
            continue
        except OSError as error:
            raise CatalogError(f"{folder}: cannot be listed: {error.strerror}") from error
        found += [
            RecordFile(folder / name, _kind(folder, directory, name))
            for name in names
            if name.endswith(".toml") and not name.startswith(".")
        ]
    if not found:
        raise CatalogError(f"{directory}: no .toml record in this catalog directory")
    return tuple(found)


def _kind(folder: Path, directory: Path, name: str) -> FileKind:
    if folder == directory and name == "about.toml":
        return FileKind.ABOUT
    if folder.name == "series" and folder != directory:
        return FileKind.SERIES
    if folder.name == "changes" and folder != directory:
        return FileKind.CHANGES
    if folder == directory and re.fullmatch(_SERIES_NAME, name, re.ASCII):
        return FileKind.SERIES
    return FileKind.ADVISORY


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file without ever blocking on a pipe or swallowing a huge one.

    Raises:
        CatalogError: not there, not readable, not a regular file, or longer than `limit` bytes.
    """
    try:
        return read_regular(path, limit)
    except NotRegular:
        raise CatalogError(f"{path}: not a regular file") from None
    except TooLarge:
        raise CatalogError(f"{path}: larger than {limit} bytes, which is no catalog file") from None
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read one TOML file.

    Raises:
        CatalogError: as `read_bytes`, or the content is not UTF-8 or not TOML.
    """
    try:
        return parse(read_bytes(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: not UTF-8 text") from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise CatalogError(f"{path}: not TOML: {str(error)[:300]}") from error
