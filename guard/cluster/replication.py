"""How many copies a range needs, and what the replication reports say, as long as they are fresh."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

from guard.cluster.members import Node
from guard.cluster.picture import Cluster
from guard.snapshot.model import Collected, CriticalLocalityRow, ReplicationStatsRow

__all__ = [
    "critical_localities",
    "factors",
    "needed_voters",
    "never_enough",
    "replication_stats",
    "report_made_at",
    "reports_made_after",
    "tolerated_failures",
]

_FRESH: Final = dt.timedelta(minutes=5)  # kv.replication_reports.interval is one minute
_LEAST_COPIES: Final = 3  # minReplicationFactor of the allocator


def needed_voters(factor: int, nodes: int) -> int:
    """Voters that CockroachDB wants of a range on so many nodes (GetNeededVoters of the allocator).

    With fewer nodes than the factor it makes do with the next smaller odd number, but never with
    fewer than three unless the factor itself is smaller. On one or two nodes that cannot be met.
    """
    if nodes >= factor:
        return factor
    odd = nodes if nodes % 2 else nodes - 1
    return min(factor, max(odd, _LEAST_COPIES))


def tolerated_failures(voters: int) -> int:
    """How many of a range's voters may be down before it loses quorum."""
    return (voters - 1) // 2


def factors(cluster: Cluster) -> tuple[int, ...] | None:
    """The numbers of voters that zones ask for, smallest first; None if nobody could look."""
    section = cluster.snapshot.zone_replicas
    if not isinstance(section, Collected) or not section.rows:
        return None
    return tuple(sorted({row.num_voters or row.num_replicas for row in section.rows}))


def never_enough(cluster: Cluster, nodes: int, holding: int | None = None) -> bool:
    """True if CockroachDB wants more copies of some range than nodes can hold.

    Args:
        cluster: the cluster, for the replication factors.
        nodes: how many nodes it goes by.
        holding: how many of them can take a copy; all unless given.
    """
    room = nodes if holding is None else holding
    asked = factors(cluster)
    if asked is None:
        return needed_voters(_LEAST_COPIES, nodes) > room
    return any(needed_voters(factor, nodes) > room for factor in asked)


def report_made_at(cluster: Cluster) -> dt.datetime | None:
    """When the replication reports that were read were made; None if they do not say."""
    made: list[dt.datetime] = []
    for section in (cluster.snapshot.replication_stats, cluster.snapshot.critical_localities):
        if isinstance(section, Collected):
            made += [row.generated for row in section.rows if row.generated is not None]
    return max(made, default=None)


def reports_made_after(cluster: Cluster, nodes: Iterable[Node] = ()) -> dt.datetime | None:
    """When the replication reports were made, if lately and after these nodes went down; else None.

    They are rewritten about once a minute by whichever node leads; when that stops, they stay as
    they were.
    """
    newest = report_made_at(cluster)
    if newest is None or cluster.now - newest > _FRESH:
        return None
    for node in nodes:
        if node.seen_until is None or node.seen_until > newest:
            return None
    return newest


def replication_stats(cluster: Cluster) -> tuple[ReplicationStatsRow, ...]:
    """The replication report, empty if it was not read."""
    section = cluster.snapshot.replication_stats
    return section.rows if isinstance(section, Collected) else ()


def critical_localities(cluster: Cluster) -> tuple[CriticalLocalityRow, ...] | None:
    """The report of critical localities, None if it was not read."""
    section = cluster.snapshot.critical_localities
    return section.rows if isinstance(section, Collected) else None
