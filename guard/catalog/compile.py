"""Turning the TOML records into the one file that guard reads at run time.

Decoding a hundred TOML files takes a tenth of a second and more; the compiled JSON takes a few
milliseconds. It holds one record per line, sorted, so that a change of one record is one changed
line, and it is the same bytes for the same records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guard.catalog.change_records import ChangesFile
from guard.catalog.errors import CatalogError
from guard.catalog.loader import read_directory
from guard.catalog.records import About, Advisory, SeriesRecord
from guard.versions import Series

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["compile_directory"]


def compile_directory(directory: Path) -> bytes:
    """Compile a complete catalog directory.

    Raises:
        CatalogError: a record is not well-formed, or ``about.toml`` is missing.
    """
    records = read_directory(directory)
    about = [record for record in records if isinstance(record, About)]
    if not about:
        raise CatalogError(f"{directory}: no about.toml")
    series = [record for record in records if isinstance(record, SeriesRecord)]
    series.sort(key=lambda record: Series.parse(record.series))
    advisories = [record for record in records if isinstance(record, Advisory)]
    advisories.sort(key=lambda record: (record.date, record.id))
    changes = [record for record in records if isinstance(record, ChangesFile)]
    changes.sort(key=lambda record: Series.parse(record.series))
    return b"".join(
        (
            b'{"schema":1,"about":',
            _json(about[0]),
            b',\n"series":[\n',
            b",\n".join(_json(record) for record in series),
            b'\n],\n"advisories":[\n',
            b",\n".join(_json(record) for record in advisories),
            b'\n],\n"changes":[\n',
            b",\n".join(_changes(record) for record in changes),
            b"\n]}\n",
        )
    )


def _changes(file: ChangesFile) -> bytes:
    """A file of changes, each change and each setting on a line of its own."""
    head = msgspec.structs.replace(file, changes=(), settings=())
    lines = [
        b'"%s":[\n%s\n]' % (name, b",\n".join(msgspec.json.encode(each) for each in records))
        for name, records in ((b"changes", file.changes), (b"settings", file.settings))
        if records
    ]
    return b",\n".join((msgspec.json.encode(head).removesuffix(b"}"), *lines)) + b"}"


def _json(record: About | SeriesRecord | Advisory) -> bytes:
    return msgspec.json.encode(record)
