"""When was the cluster mixed? By evidence that outlives the processes that were restarted then.

A node's start time tells of its last restart only: after any later one the upgrade lies before every
start. What lasts is the event log (node_restart, node_join, set_cluster_setting; kept for 90 days),
the completion of migrations and the MIGRATION jobs.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec

from guard.cluster.picture import Cluster
from guard.snapshot.model import Collected, EventRow
from guard.versions import Series

__all__ = ["MixedWindow", "finalized_at", "mixed_window"]

_LONGEST: Final = dt.timedelta(days=7)  # restarts further apart belong to no rollout
_RESTARTS: Final = frozenset({"node_restart", "node_join"})


class MixedWindow(msgspec.Struct, frozen=True):
    """From the first restart of a rollout to its end.

    Attributes:
        since: the first restart, None if nothing bounds it.
        until: when the upgrade was final, or the cluster's clock while it is not known.
        evidence: what told the beginning, in words; empty if nothing did.
    """

    since: dt.datetime | None
    until: dt.datetime
    evidence: str


def finalized_at(cluster: Cluster, source: Series) -> dt.datetime | None:
    """When the upgrade away from `source` was final, by the last of its migrations; None if untold."""
    section = cluster.snapshot.migrations
    if not isinstance(section, Collected):
        return None
    return max(
        (
            row.completed_at
            for row in section.rows
            if row.completed_at is not None
            and Series(row.major, row.minor) == source
            and row.internal > 0
        ),
        default=None,
    )


def mixed_window(cluster: Cluster, until: dt.datetime | None = None) -> MixedWindow:
    """The time of the last rollout that ended by `until` (now, unless it is known). Never raises
    for want of the event log; raises `NotCollected` without the nodes.
    """
    end = until or cluster.now
    starts = [n.started_at for n in cluster.members if n.started_at is not None]
    told = [start for start in starts if start <= end]
    restarts = [row.time for row in _events(cluster) if row.event_type in _RESTARTS]
    logged = [time for time in restarts if end - _LONGEST <= time <= end]
    if logged:
        return MixedWindow(min(logged), end, "the event log")
    if starts and len(told) == len(starts):  # nobody was restarted after it
        return MixedWindow(min(starts), end, "the start of the processes that run")
    return MixedWindow(None, end, "")


def _events(cluster: Cluster) -> tuple[EventRow, ...]:
    section = cluster.snapshot.events
    return section.rows if isinstance(section, Collected) else ()
