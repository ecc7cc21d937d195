"""Two rows of one thing that differ: whatever is true, guard cannot tell which."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from guard.cluster.missing import NotCollected
from guard.snapshot.model import Reason, Unavailable

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
"""Sections in which a thing has one row, and what names the thing."""


def contradiction(section: str, rows: Iterable[Any]) -> NotCollected | None:
    """Why the rows of a section cannot be believed: two of one thing that differ; else None."""
    keys = _KEYS.get(section)
    if keys is None:
        return None
    seen: dict[tuple[Any, ...], Any] = {}
    for row in rows:
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
