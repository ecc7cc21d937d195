"""Lengths of time as cluster settings print them."""

from __future__ import annotations

import datetime as dt
import re

__all__ = ["interval"]


def interval(text: str) -> dt.timedelta | None:
    """Read an interval as settings print it: ``5m0s``, ``00:05:00``; None if unreadable."""
    clock = re.fullmatch(r"(\d{1,9}):(\d\d):(\d\d)(?:\.\d+)?", text)
    if clock:
        hours, minutes, seconds = (int(part) for part in clock.groups())
        return dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    units = re.fullmatch(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d+)?)s)?", text)
    if units and text:
        hours, minutes = (int(part or 0) for part in units.groups()[:2])
        return dt.timedelta(hours=hours, minutes=minutes, seconds=float(units[3] or 0))
    return None
