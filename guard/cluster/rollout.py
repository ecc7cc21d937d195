"""Since when an upgrade is under way, as far as the processes that run now prove it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from guard.cluster.members import Node
from guard.cluster.picture import Cluster

__all__ = ["Rollout", "rollout"]


class Rollout(msgspec.Struct, frozen=True):
    """An upgrade that is not finalized: at least one member runs a series above the active one.

    Attributes:
        newer: members on the new series.
        older: members on the active series.
        begun: since when one of them has provably run the new series; None if nobody says.
        mixed_since: since when there have provably been nodes of both; None if there are none of the
            old, or nobody says.
    """

    newer: tuple[Node, ...]
    older: tuple[Node, ...]
    begun: dt.datetime | None
    mixed_since: dt.datetime | None


def rollout(cluster: Cluster) -> Rollout | None:
    """The upgrade that is under way, None if there is none. Raises `NotCollected`.

    A process that has run the new series since one moment, beside one that has run the old series since
    another: from the later of both on the cluster was mixed. It may have been so for longer.
    """
    active = cluster.active_series
    newer = tuple(n for n in cluster.members if n.build is not None and n.build.series > active)
    older = tuple(n for n in cluster.members if n.build is not None and n.build.series <= active)
    if not newer:
        return None
    begun, stayed = _first_start(newer), _first_start(older)
    both = max(begun, stayed) if begun is not None and stayed is not None else None
    return Rollout(newer, older, begun, both)


def _first_start(nodes: Iterable[Node]) -> dt.datetime | None:
    return min((n.started_at for n in nodes if n.started_at is not None), default=None)
