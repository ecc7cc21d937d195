"""Rows of a table in the archive, as the server's own texts: one dict per row, NULL as None.

Only the columns that are asked for leave this module. Those that can hold secrets (descriptions,
statements, payloads, environments) are never asked for.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import msgspec

from guard.connector.redact import scrub
from guard.debugzip.archive import Archive
from guard.debugzip.errors import Unreadable, as_unavailable, refusal
from guard.debugzip.layout import Layout, TableFile
from guard.snapshot.model import Reason, Unavailable

__all__ = ["Row", "Tables"]

Row = dict[str, str | None]

_LONGEST_FIELD: Final = 16 * 1024 * 1024  # the metrics of a node with many stores are below 1 MiB
_MOST_ROWS: Final = 5_000_000
_WHOLE_JSON: Final = 256 * 1024 * 1024  # an array of JSON is read at once
_HARMLESS: Final = re.compile(r"[0-9A-Za-z_ .:+-]{0,60}", re.ASCII)
_MARKS: Final = ("AKIA", "ASIA", "crl-")  # how a key's id and a license begin
_ERROR_BYTES: Final = 64 * 1024
_FOR_PEOPLE: Final = Unavailable(
    reason=Reason.MALFORMED,
    message="the tables are laid out for people, as v20.1 does on a terminal",
    remedy=("Make the zip again with its output in a pipe: cockroach debug zip debug.zip … | cat",),
)


class Tables:
    """The tables of one archive.

    Attributes:
        archive: the archive, for entries that are no tables.
        layout: where things are in it.
    """

    def __init__(self, archive: Archive, layout: Layout) -> None:
        self.archive = archive
        self.layout = layout

    def has(self, table: str, node: int | None = None) -> bool:
        """True if the table's rows are there; whether they can be read is another question."""
        return self.layout.table(table, node).entry is not None

    def rows(
        self,
        table: str,
        wanted: Sequence[str],
        *,
        optional: Sequence[str] = (),
        parsed: Sequence[str] = (),
        node: int | None = None,
    ) -> Iterator[Row]:
        """The rows of a table, one after the other.

        Args:
            table: the table, e.g. ``system.jobs``.
            wanted: columns that must be there.
            optional: columns that some releases, or redaction, leave out.
            parsed: those of them that the caller takes numbers or names out of and keeps nothing else
                of: they come whole. Every other text comes without secrets, and cut if it is endless.
            node: whose view of the table, for tables that every node answers for itself.

        Raises:
            Unreadable: it is not there, the server refused it, or it is damaged.
            DebugZipError: the entry is hostile.
        """
        file = self.layout.table(table, node)
        if file.entry is None:
            raise Unreadable(self._absent(file))
        columns = (*wanted, *optional)
        with self.archive.open(file.entry) as stream:
            for row in _READERS[file.how](stream, file, wanted):
                yield {
                    name: row[name] if name in parsed else _without_secrets(row[name])
                    for name in columns
                    if name in row
                }

    def _absent(self, file: TableFile) -> Unavailable:
        if file.error is not None:
            text = self.archive.read(file.error, _ERROR_BYTES).decode(errors="replace")
            return refusal(file.table, text)
        return Unavailable(
            reason=Reason.NOT_ASKED,
            message=f"the zip does not hold {file.table}: debug zip of that release did not ask for "
            "it, or was told to leave it out",
            remedy=("Ask the cluster itself with --url, or make the zip without leaving tables out.",),
        )


def _without_secrets(text: str | None) -> str | None:
    # Most cells are numbers, times and words: nothing in them can be a secret, and this is quick.
    if text is None or (_HARMLESS.fullmatch(text) and not any(mark in text for mark in _MARKS)):
        return text
    return scrub(text)


class _Lines:
    """Lines of a text that remember the last one."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self.last = text, ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._text)
        return self.last


def _separated(
    stream: IO[bytes], file: TableFile, wanted: Sequence[str], mark: str
) -> Iterator[dict[str, Any]]:
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
    csv.field_size_limit(_LONGEST_FIELD)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=mark, strict=True)
    try:
        header = next(reader, None)
        while header in ([], ["SET"]):  # some releases print the answer to a SET before the rows
            header = next(reader, None)
        if not header:
            raise as_unavailable(file.table, "its file is empty, without even the names of columns")
        _vet_header(header, file, wanted)
        for number, values in enumerate(reader, 1):
            _count(number, file)
            if len(values) != len(header):
                raise as_unavailable(file.table, f"row {number} is cut off")
            yield {
                name: None if value == "NULL" else value
                for name, value in zip(header, values, strict=True)
            }
        if not lines.last.endswith("\n"):
            raise as_unavailable(file.table, "its last row is cut off")
    except csv.Error as error:
        raise as_unavailable(file.table, f"the file is damaged or cut off: {error}") from error


def _tsv(stream: IO[bytes], file: TableFile, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    return _separated(stream, file, wanted, "\t")


def _csv(stream: IO[bytes], file: TableFile, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    return _separated(stream, file, wanted, ",")


def _ndjson(stream: IO[bytes], file: TableFile, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_FIELD), b""), 1):
        _count(number, file)
        if line.strip():
            yield _object(_decoded(line, file), file, wanted)


def _json(stream: IO[bytes], file: TableFile, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    data = stream.read(_WHOLE_JSON + 1)
    if len(data) > _WHOLE_JSON:
        raise as_unavailable(file.table, f"larger than {_WHOLE_JSON >> 20} MiB as one piece of JSON")
    rows = _decoded(data, file)
    if not isinstance(rows, list):
        raise as_unavailable(file.table, "its file is not a JSON array")
    for row in rows:
        yield _object(row, file, wanted)


_READERS: Final = {"tsv": _tsv, "csv": _csv, "json": _json, "ndjson": _ndjson}


def _decoded(data: bytes, file: TableFile) -> Any:  # noqa: ANN401 - JSON
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise as_unavailable(
            file.table, f"the file is damaged or cut off: {str(error)[:120]}"
        ) from error


def _object(row: Any, file: TableFile, wanted: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(row, dict):
        raise as_unavailable(file.table, "its file holds what is no row")
    _vet_header(row, file, wanted)
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    if value is None or value == "NULL":
        return None
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _vet_header(header: Any, file: TableFile, wanted: Sequence[str]) -> None:  # noqa: ANN401
    missing = [name for name in wanted if name not in header]
    if not missing:
        if len(set(header)) != len(header):
            raise as_unavailable(file.table, "a column is there twice")
        return
    if isinstance(header, list) and len(header) == 1 and " | " in header[0]:
        raise Unreadable(_FOR_PEOPLE)
    if isinstance(header, list) and len(header) == 1 and " " in header[0]:
        raise Unreadable(refusal(file.table, header[0]))  # up to v20.1 an error stands in its place
    raise as_unavailable(
        file.table, f"it has no column {missing[0]}: redacted, or of an unknown release"
    )


def _count(number: int, file: TableFile) -> None:
    if number > _MOST_ROWS:
        raise as_unavailable(file.table, f"more than {_MOST_ROWS} rows")
