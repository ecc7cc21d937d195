"""The changes that ``guard watch`` saw, one line or one JSON object each."""

from __future__ import annotations

import msgspec

from guard.report.plain import escape_json, plain
from guard.report.words import utc
from guard.watch.compare import Change

__all__ = ["json_line", "text_line"]


def text_line(change: Change) -> str:
    """One line: when, what sort, what."""
    return f"{utc(change.time)} {change.kind.value:<20} {plain(change.text)}\n"


def json_line(change: Change) -> str:
    """One JSON object on one line."""
    return escape_json(msgspec.json.encode(change).decode()) + "\n"
