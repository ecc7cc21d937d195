"""Where a cluster stands, for the commands that may read it instead of being told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import typer

from guard.cli.terminal import tell
from guard.cluster.finalization import Finalization, finalize_by_hand
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.result import ExitCode
from guard.plan.under_way import UnderWay
from guard.versions import Build, Series

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from guard.snapshot.model import Snapshot

__all__ = ["Position", "Unreadable", "position_of", "read_position"]


class Unreadable(Exception):
    """The snapshot does not say where the cluster stands; the text says why."""


class Position(msgspec.Struct, frozen=True):
    """Where a cluster stands.

    Attributes:
        series: the active cluster version's series: what backups taken now belong to.
        build: the oldest build among the member nodes.
        builds: all builds that member nodes run, oldest first.
        under_way: the series an upgrade is under way to, None when there is none.
        mixed: the member nodes do not all belong to one series.
        begun: the upgrade that is under way, None when there is none.
    """

    series: Series
    build: Build
    under_way: Series | None
    mixed: bool
    begun: UnderWay | None = None
    builds: tuple[Build, ...] = ()


def position_of(snapshot: Snapshot) -> Position:
    """Read the position from a snapshot.

    An upgrade is under way as long as a node runs a newer series than the cluster version, or the
    cluster version itself is migrating.

    Raises:
        Unreadable: the nodes or the cluster version were not collected, or a node's build is not
            known: the oldest build cannot be named then.
    """
    cluster = Cluster.of(snapshot)
    try:
        members, version = cluster.members, cluster.version
    except NotCollected as error:
        raise Unreadable(str(error)) from error
    nodes: list[tuple[str, Build]] = []
    for node in members:
        if node.build is None:
            raise Unreadable(f"the build of {node.name} is not known: {node.doubt}")
        if node.build.series < version.series:
            raise Unreadable(
                f"{node.name} is known with {node.build}, which cannot run at cluster version "
                f"{version.active}: start it on v{version.series}, or decommission it"
            )
        nodes.append((node.name, node.build))
    if not nodes:
        raise Unreadable("no member node is known")
    newest = max(build.series for _, build in nodes)
    reached = version.active.target or newest if version.migrating else newest
    under_way = max(reached, newest)
    unfinished = version.migrating or under_way > version.series
    return Position(
        series=version.series,
        build=min(build for _, build in nodes),
        under_way=under_way if unfinished else None,
        mixed=len({build.series for _, build in nodes}) > 1,
        begun=_begun(cluster, under_way, nodes) if unfinished else None,
        builds=tuple(sorted({build for _, build in nodes})),
    )


def _begun(cluster: Cluster, target: Series, nodes: list[tuple[str, Build]]) -> UnderWay:
    try:
        finalization = Finalization.of(cluster)
    except NotCollected as error:
        raise Unreadable(str(error)) from error
    return UnderWay(
        source=cluster.version.series,
        target=target,
        nodes=tuple(nodes),
        finalizing=cluster.version.migrating,
        held=not finalization.by_itself,
        release=finalization.release(target) or (finalize_by_hand(target),),
    )


def read_position(
    url: Sequence[str] | None,
    snapshot: str | None,
    certs_dir: str | None,
    timeout: dt.timedelta,
    debug_zip: str | None = None,
) -> Position:
    """Take or load a snapshot and read the position from it; exit with code 11 if it cannot be."""
    from guard.cli.source import take_snapshot

    try:
        return position_of(take_snapshot(url, snapshot, certs_dir, timeout, debug_zip=debug_zip))
    except Unreadable as error:
        tell(f"cannot tell where the cluster stands: {error}")
        raise typer.Exit(ExitCode.UNKNOWN) from error
