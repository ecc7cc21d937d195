"""Two rows of one thing that differ, or rows that were left out: what is true guard cannot tell."""

from __future__ import annotations

from typing import Any, Final

from guard.cluster.missing import NotCollected
from guard.snapshot.model import Collected, Reason, Unavailable

__all__ = ["contradiction"]

_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "gossip_liveness": ("node_id",),
    "kv_node_liveness": ("node_id",),
    "gossip_nodes": ("node_id",),
    "node_status": ("node_id",),
    "store_status": ("node_id", "store_id"),
    "settings": ("name",),
    "active_jobs": ("job_id",),
    "schedules": ("schedule_id",),
    "license": (),
}
"""Sections in which each thing has one row and none may be left out, and what names the thing."""


def contradiction(section: str, collected: Collected[Any]) -> NotCollected | None:
    """Why a section cannot be believed: two rows of one thing differ, or some are missing."""
    keys = _KEYS.get(section)
    if keys is None:
        return None
    if collected.truncated:
        why = Unavailable(reason=Reason.MALFORMED, message=f"only a part of {section} was read")
        return NotCollected(section, why)
    seen: dict[tuple[Any, ...], Any] = {}
    for row in collected.rows:
        key = tuple(getattr(row, name) for name in keys)
        if seen.setdefault(key, row) != row:
            what = ", ".join(f"{name} {value}" for name, value in zip(keys, key, strict=True))
            return NotCollected(
                section,
                Unavailable(
                    reason=Reason.MALFORMED,
                    message=f"two rows of {section} contradict each other{what and f': {what}'}",
                ),
            )
    return None
