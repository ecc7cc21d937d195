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
        snapshot = msgspec.json.decode(data, type=Snapshot)
        _refuse_twice(data)
        return snapshot
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SnapshotError(f"not a guard snapshot: {str(error)[:300]}") from error


def _refuse_twice(data: bytes) -> None:
    """Refuse an object with two values of one name: people may read the first, guard takes the last.

    Raises:
        SnapshotError: there is one.
    """
    # What guard has written stays as it is when it is read and written once more.
    if msgspec.json.format(data, indent=-1) == msgspec.json.encode(msgspec.json.decode(data)):
        return
    import json

    def vetted(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SnapshotError(f"the snapshot names {twice[:40]!r} twice: which one is true?")

    json.loads(data, object_pairs_hook=vetted, parse_int=str, parse_float=str)


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
