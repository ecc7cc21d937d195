"""Ages, lengths of time and enumerations in words that stay readable on a cluster of any size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

__all__ = ["age", "agreeing", "counted", "listed", "span"]


def age(then: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago, for people: ``42 s ago``, ``2 h 5 min ago``; the future is ``just now``."""
    if then is None:
        return "at an unknown time"
    seconds = int((now - then).total_seconds())
    if seconds <= 0:
        return "just now"
    return f"{span(dt.timedelta(seconds=seconds))} ago"


def span(duration: dt.timedelta) -> str:
    """A length of time for people."""
    seconds = int(duration.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    if seconds < 172800:
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds // 86400} d"


def listed(items: Iterable[object], limit: int = 8) -> str:
    """``n1, n2 and 3 more``: enumerations that stay readable on a cluster of any size."""
    texts = [str(item) for item in items]
    if len(texts) <= limit:
        return ", ".join(texts)
    return f"{', '.join(texts[:limit])} and {len(texts) - limit} more"


def counted(number: int, noun: str, one: str = "", many: str = "") -> str:
    """``1 range is``, ``3 ranges are``: a number with its noun, and the verb that goes with it."""
    words = f"{number} {noun}" if number == 1 else f"{number} {noun}s"
    return f"{words} {agreeing(number, one, many)}".strip()


def agreeing(number: int, one: str, many: str) -> str:
    """The form of a verb for that many: ``lacks`` or ``lack``."""
    return one if number == 1 else many
