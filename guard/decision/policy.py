"""The thresholds a decision uses."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

__all__ = ["Thresholds"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Numbers that a policy file may change."""

    window: dt.timedelta = dt.timedelta(minutes=30)
    capacity_free: float = 0.15
    backup_age: dt.timedelta = dt.timedelta(hours=24)
    settle: dt.timedelta = dt.timedelta(seconds=60)
