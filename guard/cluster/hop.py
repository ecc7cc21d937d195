"""The hop: from the active series to the target, with the nodes on either side of it."""

from __future__ import annotations

import msgspec

from guard.cluster.finalization import Finalization
from guard.cluster.members import Node
from guard.cluster.picture import Cluster
from guard.versions import Build, Series

__all__ = ["Hop", "hop_of", "is_between", "restart_finalizes"]


class Hop(msgspec.Struct, frozen=True):
    """An upgrade of a cluster to a target.

    Attributes:
        source: the active series, which counts until the upgrade is final.
        target: the build being moved to.
        old: members that still have to be restarted on the target, or on its series if it is another.
        new: the other members.
    """

    source: Series
    target: Build
    old: tuple[Node, ...]
    new: tuple[Node, ...]

    @property
    def is_patch(self) -> bool:
        """True within the active series: nothing is finalized then."""
        return self.target.series == self.source

    @property
    def begun(self) -> bool:
        """True if some member runs the target's side already."""
        return bool(self.new)


def hop_of(cluster: Cluster, target: Build) -> Hop:
    """The hop to `target` as the cluster stands. Raises `NotCollected`."""
    source = cluster.active_series
    patch = target.series == source

    def is_old(node: Node) -> bool:
        if node.build is None:
            return True
        return node.build < target if patch else node.build.series < target.series

    members = cluster.members
    return Hop(
        source=source,
        target=target,
        old=tuple(n for n in members if is_old(n)),
        new=tuple(n for n in members if not is_old(n)),
    )


def is_between(cluster: Cluster, target: Build | None, source: Series, to: Series) -> bool:
    """True while the cluster moves, or is about to move, from series `source` to series `to`.

    That is: the cluster version is not yet final on `to`, it comes from `source`, and the target or a
    member node is on `to`. While it migrates, `21.2-14` is on the way out of v21.2, and only
    `21.2--1` and `21.2-upgrading-final-step` still on the way to it. Raises `NotCollected`.
    """
    version = cluster.version
    reached = version.active.target
    from_source = version.series == source and reached in (None, to)
    if not (from_source or (version.migrating and reached == to)):
        return False
    if version.detail and version.series == to:  # stored already, and not yet known everywhere
        return False
    builds = [n.build for n in cluster.members if n.build is not None]
    if target is not None:
        builds.append(target)
    return any(b.series == to for b in builds)


def restart_finalizes(cluster: Cluster, target: Build | None, node_id: int | None) -> bool:
    """True if restarting a node on the target leaves the cluster free to finalize by itself.

    That is so when no old member is left after the restart of a major upgrade: the named node is
    the only old one, or it is not named and one is left, or none is left at all. A node that is new
    already is never the last old one. Raises `NotCollected`.
    """
    if target is None:
        return False
    hop = hop_of(cluster, target)
    if hop.is_patch or target.series < hop.source:
        return False
    left = [n for n in hop.old if n.node_id != node_id]
    if node_id is None and len(hop.old) == 1:
        left = []
    return not left and Finalization.of(cluster).by_itself
