"""The cluster as one picture: members, their builds and liveness, the cluster version.

Several tables know a part of it, each with its own way to be wrong, so the member nodes are the
union of liveness, gossip and node status, and only a node whose membership is `decommissioned`
leaves the comparison. The traps each rule answers are named beside it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from guard.decision.result import Liveness
from guard.snapshot.model import (
    Collected,
    GossipNodeRow,
    LivenessRow,
    NodeStatusRow,
    Reason,
    Snapshot,
    StoreStatusRow,
    Unavailable,
)
from guard.versions import Build, ClusterVersion, Series, VersionError

__all__ = ["Cluster", "Node", "NotCollected", "VersionState", "duration"]

_DEAD_AFTER_DEFAULT: Final = dt.timedelta(minutes=5)  # server.time_until_store_dead
_STATUS_FRESH: Final = dt.timedelta(seconds=60)  # nodes rewrite their status every 10 s


class NotCollected(Exception):
    """A check needs a section that could not be collected."""

    def __init__(self, section: str, why: Unavailable) -> None:
        super().__init__(f"{section}: {why.message}")
        self.section = section
        self.why = why


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster, from all tables that know it.

    Attributes:
        build: what the node's process runs, None if no table says it or they contradict each other.
        build_tag: the tag as the server printed it.
        doubt: why `build` is None, in words.
        membership: active, decommissioning, decommissioned or unknown.
        seen_until: when its liveness record expires or expired.
    """

    node_id: int
    build: Build | None
    build_tag: str | None
    doubt: str
    server_version: str | None
    liveness: Liveness
    membership: str
    address: str | None
    locality: str | None
    started_at: dt.datetime | None
    status_at: dt.datetime | None
    seen_until: dt.datetime | None

    @property
    def name(self) -> str:
        """How reports name the node."""
        return f"n{self.node_id}"


@dataclass(frozen=True, slots=True)
class VersionState:
    """The cluster version: what the gateway has in memory and what KV has.

    Attributes:
        active: the version that counts.
        migrating: True while an upgrade of the cluster version is under way.
        detail: why it is thought to be migrating although `active` looks final; else empty.
    """

    active: ClusterVersion
    migrating: bool
    detail: str = ""

    @property
    def series(self) -> Series:
        """The series that is active."""
        return self.active.series


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything checks ask of a snapshot; properties raise `NotCollected` where sight is missing."""

    snapshot: Snapshot
    cluster_time: dt.datetime
    nodes: tuple[Node, ...]
    _nodes_missing: NotCollected | None
    _version: VersionState | NotCollected

    @classmethod
    def of(cls, snapshot: Snapshot) -> Cluster:
        """Draw the picture. Never raises: what is missing raises when a check asks for it."""
        cluster_time = snapshot.taken_at
        if isinstance(snapshot.identity, Collected) and snapshot.identity.rows:
            cluster_time = snapshot.identity.rows[0].cluster_time
        missing = _missing_for_nodes(snapshot)
        return cls(
            snapshot=snapshot,
            cluster_time=cluster_time,
            nodes=_nodes(snapshot, cluster_time),
            _nodes_missing=missing,
            _version=_version(snapshot),
        )

    def rows(self, section: str) -> tuple[Any, ...]:
        """The rows of a section.

        Raises:
            NotCollected: it could not be collected.
        """
        collected = getattr(self.snapshot, section)
        if isinstance(collected, Unavailable):
            raise NotCollected(section, collected)
        rows: tuple[Any, ...] = collected.rows
        return rows

    @property
    def members(self) -> tuple[Node, ...]:
        """All nodes that count: everything but decommissioned.

        Raises:
            NotCollected: the node tables could not be read, or were empty.
        """
        if self._nodes_missing is not None:
            raise self._nodes_missing
        return self.known_members

    @property
    def known_members(self) -> tuple[Node, ...]:
        """The member nodes that were seen, whether or not all could be; for display."""
        return tuple(n for n in self.nodes if n.membership != "decommissioned")

    @property
    def version(self) -> VersionState:
        """The cluster version.

        Raises:
            NotCollected: it could not be read.
        """
        if isinstance(self._version, NotCollected):
            raise self._version
        return self._version

    def setting(self, name: str) -> str | None:
        """A cluster setting's value, None if this release does not have it.

        Raises:
            NotCollected: the settings, or this user's full sight of them, are missing.
        """
        rows = self.rows("settings")
        if not any(row.name == "version" for row in rows):
            # MODIFYCLUSTERSETTING alone sees sql.defaults.* only, without an error.
            raise NotCollected("settings", _VERSION_HIDDEN)
        return next((row.value for row in rows if row.name == name), None)

    @property
    def mixed(self) -> bool:
        """True if the members seen do not all run the same build."""
        return len({n.build or n.build_tag for n in self.known_members}) > 1


_VERSION_HIDDEN: Final = Unavailable(
    reason=Reason.PRIVILEGE,
    message="the setting 'version' is hidden from this user",
)


_EMPTY: Final = Unavailable(
    reason=Reason.MALFORMED, message="an empty answer where every node has a row"
)


def _missing_for_nodes(snapshot: Snapshot) -> NotCollected | None:
    for name in ("gossip_liveness", "gossip_nodes", "node_status"):
        section = getattr(snapshot, name)
        if isinstance(section, Unavailable):
            return NotCollected(name, section)
        if not section.rows:
            return NotCollected(name, _EMPTY)
    kv = snapshot.kv_node_liveness
    if isinstance(kv, Collected) and not kv.rows:
        return NotCollected("kv_node_liveness", _EMPTY)
    # Absent up to 21.1.1; anything else that keeps it away means gossip alone, which may be stale.
    if isinstance(kv, Unavailable) and not (
        kv.reason is Reason.NOT_IN_THIS_VERSION and _gateway_series(snapshot) <= Series(21, 1)
    ):
        return NotCollected("kv_node_liveness", kv)
    return None


def _gateway_series(snapshot: Snapshot) -> Series:
    """The gateway's series; of an unknown gateway the newest thinkable one."""
    try:
        return Build.parse(getattr(snapshot.connection, "build", None) or "").series
    except VersionError:
        return Series(9999, 1)


def _collected(section: Collected[Any] | Unavailable) -> tuple[Any, ...]:
    return section.rows if isinstance(section, Collected) else ()


def _nodes(snapshot: Snapshot, now: dt.datetime) -> tuple[Node, ...]:
    gossip_liveness = _by_node(_collected(snapshot.gossip_liveness))
    kv_liveness = _by_node(_collected(snapshot.kv_node_liveness))
    gossip = _by_node(_collected(snapshot.gossip_nodes))
    status = _by_node(_collected(snapshot.node_status))
    ranges: dict[int, int] = {}
    store: StoreStatusRow
    for store in _collected(snapshot.store_status):
        ranges[store.node_id] = ranges.get(store.node_id, 0) + (store.range_count or 0)
    dead_after = _dead_after(snapshot)
    half_is_all = _cannot_finish_decommissioning(snapshot)
    nodes = []
    for node_id in sorted({*gossip_liveness, *kv_liveness, *gossip, *status}):
        records = [r for r in (kv_liveness.get(node_id), gossip_liveness.get(node_id)) if r]
        state, seen_until = _liveness(records, now, dead_after)
        live = state in (Liveness.LIVE, Liveness.DRAINING)
        build, tag, server_version, doubt = _build(
            gossip.get(node_id), status.get(node_id), now, live=live
        )
        described: Iterable[Any] = (r for r in (gossip.get(node_id), status.get(node_id)) if r)
        first = next(iter(described), None)
        started = [
            r.started_at for r in (gossip.get(node_id), status.get(node_id)) if r and r.started_at
        ]
        nodes.append(
            Node(
                node_id=node_id,
                build=build,
                build_tag=tag,
                doubt=doubt,
                server_version=server_version,
                liveness=state,
                membership=_membership(records, state, ranges.get(node_id), half_is_all=half_is_all),
                address=first.address if first else None,
                locality=first.locality if first else None,
                started_at=max(started, default=None),
                status_at=status[node_id].updated_at if node_id in status else None,
                seen_until=seen_until,
            )
        )
    return tuple(nodes)


def _by_node(rows: Iterable[Any]) -> dict[int, Any]:
    return {row.node_id: row for row in rows}


def _dead_after(snapshot: Snapshot) -> dt.timedelta:
    for row in _collected(snapshot.settings):
        if row.name == "server.time_until_store_dead" and row.value:
            return duration(row.value) or _DEAD_AFTER_DEFAULT
    return _DEAD_AFTER_DEFAULT


def duration(text: str) -> dt.timedelta | None:
    """Read an interval as settings print it: ``5m0s``, ``00:05:00``; None if unreadable."""
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d)(?:\.\d+)?", text)
    if clock:
        hours, minutes, seconds = (int(part) for part in clock.groups())
        return dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    units = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if units and text:
        hours, minutes = (int(part or 0) for part in units.groups()[:2])
        return dt.timedelta(hours=hours, minutes=minutes, seconds=float(units[3] or 0))
    return None


def _liveness(
    records: list[LivenessRow], now: dt.datetime, dead_after: dt.timedelta
) -> tuple[Liveness, dt.datetime | None]:
    expirations = [r.expiration for r in records if r.expiration is not None]
    if not expirations:
        return Liveness.UNKNOWN, None
    # Records only move forward, so the later one is the newer truth.
    latest = max(expirations)
    if latest > now:
        newest = next(r for r in records if r.expiration == latest)
        return (Liveness.DRAINING if newest.draining else Liveness.LIVE), latest
    return (Liveness.DEAD if now - latest > dead_after else Liveness.SUSPECT), latest


def _cannot_finish_decommissioning(snapshot: Snapshot) -> bool:
    """True until v20.2 is final: before it nothing writes the membership `decommissioned`."""
    for row in _collected(snapshot.settings):
        if row.name == "version" and row.value:
            try:
                return ClusterVersion.parse(row.value).series < Series(20, 2)
            except VersionError:
                return False
    return False


def _membership(
    records: list[LivenessRow], state: Liveness, range_count: int | None, *, half_is_all: bool
) -> str:
    named = [r.membership for r in records if r.membership is not None]
    if named and not (half_is_all and named[0] == "decommissioning"):
        return named[0]  # KV first: gossip may lag behind
    if not records:
        return "unknown"
    if not named and not any(r.decommissioning for r in records):
        return "active"
    # A cluster on 20.1 knows no `decommissioned`. Its own auto-upgrade takes a decommissioning node
    # whose liveness has run out for gone; guard wants no replica left on it as well.
    if state in (Liveness.DEAD, Liveness.SUSPECT) and not range_count:
        return "decommissioned"
    return "decommissioning"


def _build(
    gossip: GossipNodeRow | None, status: NodeStatusRow | None, now: dt.datetime, *, live: bool
) -> tuple[Build | None, str | None, str | None, str]:
    """The build of a node's process, its tag, its server_version, and why it is in doubt."""
    told: list[tuple[dt.datetime, GossipNodeRow | NodeStatusRow]] = [
        (row.started_at or dt.datetime.min.replace(tzinfo=dt.UTC), row)
        for row in (status, gossip)
        if row is not None and row.build_tag
    ]
    if not told:
        return None, None, None, "no table knows its build"
    # The process that started last is the one that runs; the other row is of its predecessor.
    newest_start = max(start for start, _ in told)
    newest = [row for start, row in told if start == newest_start]
    tag, server_version = newest[0].build_tag, newest[0].server_version
    if len({row.build_tag for row in newest}) > 1:
        return None, tag, server_version, "gossip and node status contradict each other"
    undated = any(row.started_at is None for _, row in told)
    if undated and len({row.build_tag for _, row in told}) > 1:
        return None, tag, server_version, "its tables differ and do not say which one is newer"
    if (
        live
        and status in newest
        and gossip not in newest
        and (status is None or status.updated_at is None or now - status.updated_at > _STATUS_FRESH)
    ):
        return None, tag, server_version, "its status record is stale and gossip does not know it"
    try:
        return Build.parse(tag or ""), tag, server_version, ""
    except VersionError:
        return None, tag, server_version, f"its build tag cannot be read: {tag!r}"


def _version(snapshot: Snapshot) -> VersionState | NotCollected:
    if isinstance(snapshot.settings, Unavailable):
        return NotCollected("settings", snapshot.settings)
    memory = next((row.value for row in snapshot.settings.rows if row.name == "version"), None)
    if memory is None:
        return NotCollected("settings", _VERSION_HIDDEN)
    try:
        active = ClusterVersion.parse(memory)
    except VersionError as error:
        return NotCollected("settings", Unavailable(reason=Reason.MALFORMED, message=str(error)))
    if not active.is_final:
        return VersionState(active, migrating=True)
    if isinstance(snapshot.kv_version, Unavailable):
        return NotCollected("kv_version", snapshot.kv_version)
    if len(snapshot.kv_version.rows) != 1:
        return NotCollected(
            "kv_version", Unavailable(reason=Reason.MALFORMED, message="not exactly one version")
        )
    stored = snapshot.kv_version.rows[0].version
    if stored == memory:
        return VersionState(active, migrating=False)
    try:
        persisted = ClusterVersion.parse(stored)
    except VersionError as error:
        return NotCollected("kv_version", Unavailable(reason=Reason.MALFORMED, message=str(error)))
    return VersionState(
        persisted,
        migrating=True,
        detail=f"the gateway has {memory} in memory while the cluster has stored {stored}",
    )
