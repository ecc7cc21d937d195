"""Loading the catalog: the compiled file that ships with guard, and a user's own records on top."""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from guard.catalog.catalog import Catalog
from guard.catalog.changes import Changes
from guard.catalog.dates import with_dates
from guard.catalog.errors import CatalogError
from guard.catalog.files import FileKind, find_files, read_bytes, read_toml
from guard.catalog.records import About, Advisory, CatalogRecords, SeriesRecord
from guard.catalog.wellformed import problems_of
from guard.versions import Series, VersionError

if TYPE_CHECKING:
    from guard.catalog.change_records import ChangesFile
    from guard.catalog.files import RecordFile

    Record = About | SeriesRecord | Advisory | ChangesFile
    """Whatever a file of a catalog directory may hold."""

__all__ = ["COMPILED", "load", "read_directory", "read_record"]

COMPILED: Final = Path(__file__).with_name("data") / "compiled.json"
_COMPILED_LIMIT: Final = 32 << 20


def load(extra: Path | None = None, *, compiled: Path | None = None) -> Catalog:
    """Load the catalog.

    Args:
        extra: a directory of TOML records that add to the shipped ones; a record with the id or
            series of a shipped one replaces it. An ``about.toml`` moves the days up to which
            releases and advisories are known, as far as the directory's own records justify it.
        compiled: the compiled catalog to start from; the shipped one unless given.

    Raises:
        CatalogError: a file is missing, not what it should be, or not well-formed.
    """
    data = _shipped() if compiled is None else read_bytes(compiled, _COMPILED_LIMIT)
    compiled = compiled or COMPILED
    try:
        records = msgspec.json.decode(data, type=CatalogRecords)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogError(f"{compiled}: damaged catalog: {error}") from error
    try:
        series = {Series.parse(record.series): record for record in records.series}
    except VersionError as error:
        raise CatalogError(f"{compiled}: damaged catalog: {error}") from error
    advisories = {record.id: record for record in records.advisories}
    about = records.about
    changes: list[ChangesFile] = []
    if extra is not None:
        from guard.catalog.change_records import ChangesFile  # the run of most days needs none

        own = read_directory(extra)
        for found in own:
            if isinstance(found, SeriesRecord):
                series[Series.parse(found.series)] = found
            elif isinstance(found, ChangesFile):
                changes.append(found)
            elif isinstance(found, Advisory):
                advisories[found.id] = found
        about = with_dates(about, own)
    return Catalog(about, advisories, series, Changes(records.changes, tuple(changes)))


def _shipped() -> bytes:
    """The compiled catalog inside guard, which may itself be inside one file."""
    data = pkgutil.get_data("guard.catalog", "data/compiled.json")
    if data is None:
        raise CatalogError("guard was installed without its catalog")
    return data


def read_directory(directory: Path) -> list[Record]:
    """Read and check every record of a catalog directory.

    Raises:
        CatalogError: as `load`, and for two files that hold the same record.
    """
    found: list[Record] = []
    seen: dict[str, Path] = {}
    for file in find_files(directory):
        record = read_record(file)
        for problem in problems_of(record):
            raise CatalogError(f"{file.path}: {problem}")
        name = _name(record)
        if name in seen:
            raise CatalogError(f"{file.path}: {name} stands in {seen[name]} already")
        seen[name] = file.path
        found.append(record)
    return found


def read_record(file: RecordFile) -> Record:
    """Read one TOML file into the record its kind asks for.

    Raises:
        CatalogError: unreadable, not TOML, an unknown key, a missing one, or a wrong type.
    """
    from guard.catalog.change_records import ChangesFile

    kinds: dict[FileKind, type[Record]] = {
        FileKind.ABOUT: About,
        FileKind.SERIES: SeriesRecord,
        FileKind.ADVISORY: Advisory,
        FileKind.CHANGES: ChangesFile,
    }
    raw = read_toml(file.path)
    try:
        return msgspec.convert(raw, type=kinds[file.kind])
    except msgspec.ValidationError as error:
        raise CatalogError(f"{file.path}: {error}") from error


def _name(record: Record) -> str:
    if isinstance(record, About):
        return "about"
    if not isinstance(record, (Advisory, SeriesRecord)):
        return f"changes of {record.series}"
    return record.id if isinstance(record, Advisory) else f"series {record.series}"
