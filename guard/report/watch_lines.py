"""The changes that ``guard watch`` saw, one line or one JSON object each."""

from __future__ import annotations

from typing import Any

import msgspec

from guard.report.plain import escape_json, plain
from guard.report.words import utc
from guard.watch.compare import Change

__all__ = ["json_line", "schema", "text_line"]


def text_line(change: Change) -> str:
    """One line: when, what sort, what."""
    return f"{utc(change.time)} {change.kind.value:<20} {plain(change.text)}\n"


def json_line(change: Change) -> str:
    """One JSON object on one line."""
    return escape_json(msgspec.json.encode(change).decode()) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one such object."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a change that guard watch saw",
        **msgspec.json.schema(Change),
    }
