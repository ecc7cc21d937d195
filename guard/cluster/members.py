"""The member nodes: which count, what they run, whether they are up.

Several tables know a part of it, each with its own way to be wrong, so the member nodes are the
union of liveness, gossip and node status, and only a node whose membership is `decommissioned`
leaves the comparison. The traps each rule answers are named beside it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from guard.cluster.contradiction import contradiction
from guard.cluster.liveness import Liveness, dead_after, liveness
from guard.cluster.missing import NotCollected
from guard.cluster.stores import replicas_on
from guard.snapshot.model import (
    Collected,
    Connection,
    GossipNodeRow,
    LivenessRow,
    NodeStatusRow,
    Reason,
    Snapshot,
    Unavailable,
)
from guard.versions import Build, ClusterVersion, Series, VersionError

__all__ = ["Node", "draw_nodes", "gateway_build", "nodes_missing"]

_STATUS_FRESH: Final = dt.timedelta(seconds=60)  # nodes rewrite their status every 10 s
_UNREADABLE: Final = "its build tag cannot be read"
_CLOCKS_AGREE: Final = dt.timedelta(minutes=2)  # to half a second; a slow look reads some tables later


class Node(msgspec.Struct, frozen=True):
    """A node of the cluster, from all tables that know it.

    Attributes:
        build: what the node's process runs, None if no table says it or they contradict each other.
        build_tag: the tag as the server printed it.
        doubt: why `build` is None, in words.
        membership: active, decommissioning, decommissioned, ghost or unknown. A ghost has a status
            record and no liveness record: CockroachDB does not count it as a node.
        seen_until: when its liveness record expires or expired.
        fresh: True if its status record was written within a minute; nodes do so every 10 s.
        ahead: by how much its own times lie after the cluster's clock; zero while that is usual.
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
    fresh: bool
    ahead: dt.timedelta = dt.timedelta()

    @property
    def name(self) -> str:
        """How reports name the node."""
        return f"n{self.node_id}"

    @property
    def has_unreadable_tag(self) -> bool:
        """True if its build tag is known and cannot be read, which no further look changes."""
        return self.doubt.startswith(_UNREADABLE)

    @property
    def is_up(self) -> bool:
        """True if its liveness record has not run out: live or draining."""
        return self.liveness in (Liveness.LIVE, Liveness.DRAINING)

    @property
    def is_down(self) -> bool:
        """True if its liveness record has run out."""
        return self.liveness in (Liveness.SUSPECT, Liveness.DEAD)

    @property
    def is_leaving(self) -> bool:
        """True if it is half-way through decommissioning."""
        return self.membership == "decommissioning"

    @property
    def is_abandoned(self) -> bool:
        """True if it is down in the midst of decommissioning: nobody means to start it again."""
        return self.is_leaving and self.is_down

    @property
    def counts_for_quorum(self) -> bool:
        """True if its replicas can be relied on: live, and not on its way out."""
        return self.liveness is Liveness.LIVE


_EMPTY: Final = Unavailable(
    reason=Reason.MALFORMED, message="an empty answer where every node has a row"
)


def nodes_missing(snapshot: Snapshot) -> NotCollected | None:
    """Why the list of nodes cannot be believed, or None if it can."""
    for name in ("gossip_liveness", "gossip_nodes", "node_status"):
        section = getattr(snapshot, name)
        if isinstance(section, Unavailable):
            return NotCollected(name, section)
        if not section.rows:
            return NotCollected(name, _EMPTY)
        torn = contradiction(name, section)
        if torn is not None:
            return torn
    kv = snapshot.kv_node_liveness
    if isinstance(kv, Collected):
        if not kv.rows:
            return NotCollected("kv_node_liveness", _EMPTY)
        return contradiction("kv_node_liveness", kv)
    # Absent up to 21.1.1; anything else that keeps it away means gossip alone, which may be stale.
    if isinstance(kv, Unavailable) and not (
        kv.reason is Reason.NOT_IN_THIS_VERSION and _gateway_series(snapshot) <= Series(21, 1)
    ):
        return NotCollected("kv_node_liveness", kv)
    return None


def gateway_build(snapshot: Snapshot) -> Build | None:
    """The gateway's build as it announced it, None if unknown."""
    connection = snapshot.connection
    if not isinstance(connection, Connection) or connection.build is None:
        return None
    try:
        return Build.parse(connection.build)
    except VersionError:
        return None


def _gateway_series(snapshot: Snapshot) -> Series:
    """The gateway's series; of an unknown gateway the newest thinkable one."""
    build = gateway_build(snapshot)
    return build.series if build is not None else Series(9999, 1)


def _collected(section: Collected[Any] | Unavailable) -> tuple[Any, ...]:
    return section.rows if isinstance(section, Collected) else ()


def draw_nodes(snapshot: Snapshot, now: dt.datetime) -> tuple[Node, ...]:
    """Every node that some table knows, decommissioned ones included, by id."""
    gossip_liveness = _by_node(_collected(snapshot.gossip_liveness))
    kv_liveness = _by_node(_collected(snapshot.kv_node_liveness))
    gossip = _by_node(_collected(snapshot.gossip_nodes))
    status = _by_node(_collected(snapshot.node_status))
    ranges = replicas_on(snapshot)
    until_dead = dead_after(snapshot)
    half_is_all = _cannot_finish_decommissioning(snapshot)
    nodes = []
    for node_id in sorted({*gossip_liveness, *kv_liveness, *gossip, *status}):
        records = [r for r in (kv_liveness.get(node_id), gossip_liveness.get(node_id)) if r]
        state, seen_until = liveness(records, now, until_dead)
        live = state in (Liveness.LIVE, Liveness.DRAINING)
        build, tag, server_version, doubt = _build(
            gossip.get(node_id), status.get(node_id), now, live=live
        )
        status_at = status[node_id].updated_at if node_id in status else None
        fresh = status_at is not None and now - status_at <= _STATUS_FRESH
        membership = _membership(records, state, ranges.get(node_id), half_is_all=half_is_all)
        if not records and not fresh and _is_ghost(gossip.get(node_id), status.get(node_id)):
            membership = "ghost"
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
                membership=membership,
                address=first.address if first else None,
                locality=first.locality if first else None,
                started_at=max(started, default=None),
                status_at=status_at,
                seen_until=seen_until,
                fresh=fresh,
                ahead=_ahead(now, status_at, seen_until, *started),
            )
        )
    return tuple(nodes)


def _ahead(now: dt.datetime, *times: dt.datetime | None) -> dt.timedelta:
    """By how much the latest of a node's own times lies in the future, if by more than can be."""
    ahead = max((time - now for time in times if time is not None), default=dt.timedelta())
    return ahead if ahead > _CLOCKS_AGREE else dt.timedelta()


def _by_node(rows: Iterable[Any]) -> dict[int, Any]:
    return {row.node_id: row for row in rows}


def _is_ghost(gossip: GossipNodeRow | None, status: NodeStatusRow | None) -> bool:
    """True for a status record that is all that is left: nothing in gossip says that it lives."""
    return status is not None and not (gossip is not None and gossip.is_live)


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
        return None, tag, server_version, f"{_UNREADABLE}: {tag!r}"
