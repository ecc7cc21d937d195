"""Records as TOML text that reads back as the very same record."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from guard.catalog.loader import Record

__all__ = ["to_toml"]


def to_toml(record: Record) -> str:
    """Write a record, a line for every key, and for every element of a list of tables."""
    plain = msgspec.to_builtins(record, builtin_types=(dt.date,))
    return "".join(f"{key} = {_top(value)}\n" for key, value in plain.items())


def _top(value: Any) -> str:  # noqa: ANN401 - whatever a record holds
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return "[\n" + "".join(f"  {_inline(each)},\n" for each in value) + "]"
    return _inline(value)


def _inline(value: Any) -> str:  # noqa: ANN401 - whatever a record holds
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(each) for each in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
