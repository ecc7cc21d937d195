"""Is a node up? By its liveness records and the cluster's clock, never by gossip's `is_live`."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Final

from guard.cluster.interval import interval
from guard.snapshot.model import Collected, LivenessRow, Snapshot

__all__ = ["Liveness", "dead_after", "liveness"]

_DEAD_AFTER_DEFAULT: Final = dt.timedelta(minutes=5)  # server.time_until_store_dead


class Liveness(StrEnum):
    """A node's state by its liveness record and the cluster's clock."""

    LIVE = "live"
    DRAINING = "draining"
    SUSPECT = "suspect"
    DEAD = "dead"
    UNKNOWN = "unknown"


def dead_after(snapshot: Snapshot) -> dt.timedelta:
    """How long after its record ran out a node counts as dead (server.time_until_store_dead)."""
    if isinstance(snapshot.settings, Collected):
        for row in snapshot.settings.rows:
            if row.name == "server.time_until_store_dead" and row.value:
                return interval(row.value) or _DEAD_AFTER_DEFAULT
    return _DEAD_AFTER_DEFAULT


def liveness(
    records: list[LivenessRow], now: dt.datetime, dead_after: dt.timedelta
) -> tuple[Liveness, dt.datetime | None]:
    """The state that a node's records tell, and when the newest of them runs out."""
    expirations = [r.expiration for r in records if r.expiration is not None]
    if not expirations:
        return Liveness.UNKNOWN, None
    # Records only move forward, so the later one is the newer truth.
    latest = max(expirations)
    if latest > now:
        newest = next(r for r in records if r.expiration == latest)
        return (Liveness.DRAINING if newest.draining else Liveness.LIVE), latest
    return (Liveness.DEAD if now - latest > dead_after else Liveness.SUSPECT), latest
