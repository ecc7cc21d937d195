"""The archive, read as little and as carefully as possible.

A debug.zip comes from somebody else. Nothing of it is ever written to disk; only the entries that
are asked for are read, as streams, up to a limit that counts what really comes out. Names that
would leave a folder, encrypted entries, names that appear twice and archives whose directory is too
large are refused as a whole, because ``cockroach debug zip`` makes none of them.
"""

from __future__ import annotations

import datetime as dt
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from guard.debugzip.errors import DebugZipError, as_unavailable
from guard.files import open_regular

__all__ = ["Archive", "open_archive"]

MAX_DIRECTORY_BYTES: Final = 256 * 1024 * 1024
"""Of the archive's own directory: two million ranges in files of their own, as up to v22.2."""

MAX_ENTRY_BYTES: Final = 1024 * 1024 * 1024
"""Of one table after decompression; kv_node_status of 1,000 nodes has about 200 MB."""

MAX_TOTAL_BYTES: Final = 8 * 1024 * 1024 * 1024
"""Of all that is read from one archive."""

_ENCRYPTED: Final = 0x1
_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_LONGEST_COMMENT: Final = 0xFFFF
_EXTENDED_TIME: Final = 0x5455


class Archive:
    """The entries of an archive by name."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._read = 0
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._twice: set[str] = set()
        for entry in file.infolist():
            _vet(entry)
            if entry.filename in self._entries:
                self._twice.add(entry.filename)
            self._entries[entry.filename] = entry

    def names(self) -> Iterator[str]:
        """Every name in the archive."""
        return iter(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def modified(self, name: str) -> dt.datetime | None:
        """When the entry was written, UTC; to two seconds where only the old field is there."""
        entry = self._entries[name]
        extended = _extended_time(entry.extra)
        try:
            if extended is not None:
                return dt.datetime.fromtimestamp(extended, dt.UTC)
            return dt.datetime(*entry.date_time, tzinfo=dt.UTC)
        except (ValueError, OverflowError, OSError):
            return None

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The content of an entry as a stream that ends with an error at the limit.

        Raises:
            DebugZipError: it is encrypted, appears twice, or is larger than anything of its kind.
            Unreadable: it is damaged.
        """
        entry = self._entries[name]
        if name in self._twice:
            raise DebugZipError(f"the archive holds {_shown(name)} twice: which one is true?")
        if entry.file_size > MAX_ENTRY_BYTES:
            raise DebugZipError(
                f"{_shown(name)} would have {entry.file_size >> 20} MiB, more than guard reads "
                f"({MAX_ENTRY_BYTES >> 20} MiB)"
            )
        try:
            with self._file.open(entry) as stream:
                yield io.BufferedReader(_Counted(stream, self, name), 1 << 16)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise as_unavailable(name, f"the entry is damaged: {error}") from error

    def read(self, name: str, limit: int) -> bytes:
        """The whole content of a small entry.

        Raises:
            DebugZipError, Unreadable: as `open`; and if there is more than `limit`.
        """
        with self.open(name) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise as_unavailable(name, f"larger than {limit >> 10} KiB")
        return data

    def count(self, size: int, name: str, of_entry: int) -> None:
        """Take note of bytes that came out. Raises `DebugZipError` at a limit."""
        self._read += size
        if of_entry > MAX_ENTRY_BYTES or self._read > MAX_TOTAL_BYTES:
            raise DebugZipError(f"{_shown(name)} grows beyond what guard reads: is this a zip bomb?")


class _Counted(io.RawIOBase):
    """A stream that counts what comes out of it."""

    def __init__(self, stream: IO[bytes], archive: Archive, name: str) -> None:
        self._stream, self._archive, self._name, self._size = stream, archive, name, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        self._size += len(data)
        self._archive.count(len(data), self._name, self._size)
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_archive(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Open an archive for reading.

    Raises:
        DebugZipError: it is no archive, is cut off, or holds what ``debug zip`` never writes.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        raise DebugZipError(f"cannot read the zip: {error.strerror or error}") from error
    with file:
        _vet_directory(file)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
            raise DebugZipError(f"the zip is damaged or cut off: {error}") from error
        with archive:
            yield Archive(archive)


def _vet_directory(file: IO[bytes]) -> None:
    """Refuse what is no zip, and a directory that would fill the memory."""
    size = file.seek(0, os.SEEK_END)
    tail_size = min(size, _END_SIZE + _LONGEST_COMMENT)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    file.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        begins = file.read(4)
        file.seek(0)
        if begins == b"PK\x03\x04":
            raise DebugZipError(
                "the zip is cut off: its directory, which stands at the end, is missing"
            )
        raise DebugZipError("not a zip file")
    directory_size = int(struct.unpack("<L", tail[at + 12 : at + 16])[0])
    # In a zip64 archive the field may say nothing; then the file's own size bounds the directory.
    if directory_size == 0xFFFFFFFF:
        directory_size = _zip64_directory_size(tail, at, file, size)
    if directory_size > MAX_DIRECTORY_BYTES:
        raise DebugZipError(
            f"the archive's directory has {directory_size >> 20} MiB, more than guard reads "
            f"({MAX_DIRECTORY_BYTES >> 20} MiB)"
        )


def _zip64_directory_size(tail: bytes, at: int, file: IO[bytes], size: int) -> int:
    locator = tail[at - 20 : at] if at >= 20 else b""
    if locator[:4] != b"PK\x06\x07":
        return size
    file.seek(min(int(struct.unpack("<Q", locator[8:16])[0]), size))
    record = file.read(56)
    file.seek(0)
    if len(record) < 56 or record[:4] != b"PK\x06\x06":
        return size
    return int(struct.unpack("<Q", record[40:48])[0])


def _vet(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or parts[0].endswith(":"):
        raise DebugZipError(
            f"the archive holds the name {_shown(name)}, which leads out of its folder: "
            "cockroach debug zip writes none like it"
        )
    if entry.flag_bits & _ENCRYPTED:
        raise DebugZipError(f"{_shown(name)} is encrypted: decrypt the zip first")


def _extended_time(extra: bytes) -> int | None:
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        body = extra[4 : 4 + size]
        if kind == _EXTENDED_TIME and len(body) >= 5 and body[0] & 1:
            return int(struct.unpack("<l", body[1:5])[0])
        extra = extra[4 + size :]
    return None


def _shown(name: str) -> str:
    return repr(name[:120])
