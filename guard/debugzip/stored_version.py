"""The cluster version as KV has it, which no table of the archive prints in clear.

``system.settings`` holds it as an encoded message (v21.2 and later). Before that the archive does not
have the table, but each node's ``gossip.json`` has the system configuration, rows of that table
included (up to v22.1). Only the row ``version`` is looked for there.

Source: pkg/clusterversion and pkg/roachpb (message Version: major, minor, patch, internal), pkg/keys
and pkg/roachpb/data.go (the key and the encoded row), and real archives of v20.2 to v26.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from guard.versions import ClusterVersion, VersionError

__all__ = ["from_gossip", "from_setting"]

_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{3}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SIMPLE: Final = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13}
_ACTIVE: Final = 2  # field of message ClusterVersion
_ROW_KEY: Final = b"\x8e\x89\x12version\x00\x01\x88"  # /Table/6/1/"version"/0
_CHECKSUM: Final = 4
_TUPLE: Final = 10
_BYTES_COLUMN_2: Final = 0x26


class _Malformed(ValueError):
    pass


def from_setting(text: str) -> str | None:
    """The version in a value of ``system.settings``; None if it cannot be read."""
    if re.fullmatch(r"\d{1,7}\.\d{1,3}", text, re.ASCII):
        return text
    try:
        return _version(_unescaped(text.encode()))
    except _Malformed:
        return None


def from_gossip(encoded: str) -> str | None:
    """The version in the system configuration as gossip carries it; None if it is not in it.

    Args:
        encoded: ``infos["system-db"].value.raw_bytes`` of a ``gossip.json``.
    """
    try:
        raw = base64.b64decode(encoded, validate=True)
        for entry in _messages(raw[_CHECKSUM + 1 :], 1):
            if next(_messages(entry, 1), b"") != _ROW_KEY:
                continue
            value = next(_messages(next(_messages(entry, 2), b""), 1), b"")
            return _version(_second_column(value[_CHECKSUM:]))
    except (_Malformed, binascii.Error, ValueError):
        return None
    return None


def _second_column(row: bytes) -> bytes:
    if len(row) < 3 or row[0] != _TUPLE or row[1] != _BYTES_COLUMN_2:
        raise _Malformed
    size, at = _varint(row, 2)
    return row[at : at + size]


def _version(message: bytes) -> str | None:
    active = next(_messages(message, _ACTIVE), None)
    if active is None:
        return None
    numbers = dict(_integers(active))
    major, minor, internal = (numbers.get(field, 0) for field in (1, 2, 4))
    internal = internal - 2**64 if internal >= 2**63 else internal
    text = f"{major}.{minor}" + (f"-{internal}" if internal else "")
    try:
        return ClusterVersion.parse(text).text if major else None
    except VersionError:
        return None


def _unescaped(text: bytes) -> bytes:
    """Undo the escapes that ``debug zip`` prints bytes with: ``\\x12``, ``\\022``, ``\\b``."""

    def one(match: re.Match[bytes]) -> bytes:
        what = match[1]
        if what[:1] == b"x":
            return bytes([int(what[1:], 16)])
        if len(what) == 3:
            return bytes([int(what, 8) & 0xFF])
        if what[:1] == b"u" and len(what) == 5:
            return chr(int(what[1:], 16)).encode("utf-8", "replace")
        return bytes([_SIMPLE[what]]) if what in _SIMPLE else what

    return _ESCAPE.sub(one, text)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _Malformed


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of an encoded message: number, and an integer or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise _Malformed
        if at + size > len(message):
            raise _Malformed
        yield tag >> 3, message[at : at + size]
        at += size


def _messages(message: bytes, number: int) -> Iterator[bytes]:
    return (value for field, value in _fields(message) if field == number and isinstance(value, bytes))


def _integers(message: bytes) -> Iterator[tuple[int, int]]:
    return ((field, value) for field, value in _fields(message) if isinstance(value, int))
