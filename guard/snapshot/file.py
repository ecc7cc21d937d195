"""Snapshots on disk: read, write, and the JSON Schema of the format."""

from __future__ import annotations

import os
import select
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from guard.snapshot.model import SCHEMA_VERSION, Snapshot

__all__ = ["MAX_BYTES", "SnapshotError", "decode", "encode", "load_snapshot", "schema", "write"]

# A cluster of 1,000 nodes with 10,000 running jobs stays under 4 MiB.
MAX_BYTES: Final = 64 * 1024 * 1024
_FIFO_PATIENCE_SECONDS: Final = 10.0


class SnapshotError(ValueError):
    """A file is no snapshot that this guard can read. The message says why, in one line."""


class _Envelope(msgspec.Struct):
    schema_version: str


def decode(data: bytes) -> Snapshot:
    """Turn the bytes of a snapshot file into a `Snapshot`.

    Raises:
        SnapshotError: not JSON, of another schema version, or with a field that does not belong.
    """
    if not data.strip():
        raise SnapshotError("the snapshot is empty")
    if len(data) > MAX_BYTES:
        raise SnapshotError(f"the snapshot is larger than {MAX_BYTES // 2**20} MiB")
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        if envelope.schema_version != SCHEMA_VERSION:
            raise SnapshotError(
                f"snapshot schema {envelope.schema_version[:20]!r} is not {SCHEMA_VERSION!r}: "
                "it was written by another version of guard"
            )
        return msgspec.json.decode(data, type=Snapshot)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SnapshotError(f"not a guard snapshot: {str(error)[:300]}") from error


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"


def load_snapshot(path: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot file; ``-`` is standard input.

    Raises:
        SnapshotError: the file cannot be read or is no snapshot.
    """
    if os.fspath(path) == "-":
        return decode(sys.stdin.buffer.read(MAX_BYTES + 1))
    try:
        return decode(_read(Path(path)))
    except OSError as error:
        raise SnapshotError(f"cannot read the snapshot: {error.strerror}") from error


def _read(path: Path) -> bytes:
    # Opened without blocking, so that a FIFO nobody writes to cannot hang a gate.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise SnapshotError("cannot read the snapshot: it is a directory")
        if stat.S_ISREG(mode):
            return file.read(MAX_BYTES + 1)
        chunks: list[bytes] = []
        size = 0
        while size <= MAX_BYTES:
            ready, _, _ = select.select([descriptor], [], [], _FIFO_PATIENCE_SECONDS)
            if not ready:
                raise SnapshotError("cannot read the snapshot: nothing was written to it")
            chunk = file.read(1 << 16)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)


def write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all: an old file survives a full disk or an interrupt.

    Raises:
        OSError: it could not be written; the old file, if any, is untouched.
    """
    if path.exists() and not path.is_file():  # /dev/stdout, a FIFO: nothing to replace
        path.write_bytes(data)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the snapshot format."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guard snapshot",
        **msgspec.json.schema(Snapshot),
    }
