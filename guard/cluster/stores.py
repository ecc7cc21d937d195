"""How many replicas the stores of each node say that they hold."""

from __future__ import annotations

from guard.snapshot.model import Collected, Snapshot

__all__ = ["replicas_on"]


def replicas_on(snapshot: Snapshot) -> dict[int, int]:
    """How many replicas each node's stores count, by node id; a node that is down has its last word.

    A node with a store that does not say has no entry: its other stores do not speak for that one.
    """
    section = snapshot.store_status
    told: dict[int, int] = {}
    silent: set[int] = set()
    for store in section.rows if isinstance(section, Collected) else ():
        if store.range_count is None:
            silent.add(store.node_id)
        told[store.node_id] = told.get(store.node_id, 0) + (store.range_count or 0)
    return {node_id: count for node_id, count in told.items() if node_id not in silent}
