"""Snapshots on disk: read, write, and the JSON Schema of the format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from guard.files import TooLarge, read_standard_input, read_whole
from guard.snapshot.model import SCHEMA_VERSION, Snapshot

__all__ = ["MAX_BYTES", "SnapshotError", "decode", "encode", "load_snapshot", "schema"]

# A cluster of 1,000 nodes with 10,000 running jobs stays under 4 MiB.
MAX_BYTES: Final = 64 * 1024 * 1024
_TOO_LARGE: Final = f"the snapshot is larger than {MAX_BYTES // 2**20} MiB"


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
        raise SnapshotError(_TOO_LARGE)
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
    try:
        if os.fspath(path) == "-":
            return decode(read_standard_input(MAX_BYTES))
        return decode(read_whole(Path(path), MAX_BYTES))
    except TooLarge:
        raise SnapshotError(_TOO_LARGE) from None
    except OSError as error:
        raise SnapshotError(f"cannot read the snapshot: {error.strerror or error}") from error


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the snapshot format."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guard snapshot",
        **msgspec.json.schema(Snapshot),
    }
