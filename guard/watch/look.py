"""One look of ``guard watch``: what of a cluster and a decision is compared with the next look."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from guard.cluster.jobs import active_backups, is_possible_backup
from guard.cluster.liveness import Liveness
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.cluster.rollout import rollout
from guard.decision.result import Decision, Finding, Outcome, Step, Verdict
from guard.snapshot.model import Collected, Connection, Snapshot

__all__ = ["Backup", "Look", "NodeSeen", "Ranges", "draw_look"]

_PRESERVE = "cluster.preserve_downgrade_option"
_TOLD = (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN)


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node at one look."""

    build: str | None
    liveness: Liveness
    membership: str
    started_at: dt.datetime | None

    def filled(self, before: NodeSeen | None) -> NodeSeen:
        """This node, with what no table says of it now as it was said last."""
        if before is None:
            return self
        return replace(
            self, build=self.build or before.build, started_at=self.started_at or before.started_at
        )

    @property
    def up(self) -> bool:
        """True if its liveness record has not run out."""
        return self.liveness in (Liveness.LIVE, Liveness.DRAINING)


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup job at one look."""

    status: str
    created: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges without quorum, and ranges with too few copies, over all live stores."""

    unavailable: int
    under_replicated: int

    @property
    def behind(self) -> int:
        """How many have something to catch up with."""
        return self.unavailable + self.under_replicated


@dataclass(frozen=True, slots=True)
class Look:
    """One look. What could not be seen is None, and is compared with nothing.

    Attributes:
        at: guard's clock.
        cluster_now: the cluster's clock, by which nodes started and the upgrade began.
        connected: False if no host answered; everything but `why` is then empty.
        why: why not.
        findings: what blocks, is unknown or warns: the first of each check and outcome, unwaived.
        nodes: all nodes by id; empty if not all could be seen.
        backups: backups that are not over, by job id.
        ended: how backups ended, as far as the history tells.
        final: True if the cluster version is final and not moving.
        held: True if the cluster does not finalize by itself, as far as that could be seen.
        rollout_seen: True if `mixed_since` and `begun` are what they are because that was seen.
        mixed_since: since when there have provably been nodes of two series.
        begun: since when the upgrade has provably been under way.
    """

    at: dt.datetime
    connected: bool
    step: Step
    target: str | None
    verdict: Verdict
    exit_code: int
    why: str = ""
    gateway: str | None = None
    cluster_now: dt.datetime | None = None
    findings: Mapping[tuple[str, Outcome], Finding] = field(default_factory=dict)
    nodes: Mapping[int, NodeSeen] = field(default_factory=dict)
    backups: Mapping[int, Backup] | None = None
    ended: Mapping[int, str] = field(default_factory=dict)
    ranges: Ranges | None = None
    version: str | None = None
    final: bool | None = None
    held: bool | None = None
    rollout_seen: bool = False
    mixed_since: dt.datetime | None = None
    begun: dt.datetime | None = None

    def filled(self, before: Look | None) -> Look:
        """This look, with what it could not see as it was seen last."""
        if before is None:
            return self
        return replace(
            self,
            nodes={i: n.filled(before.nodes.get(i)) for i, n in self.nodes.items()} or before.nodes,
            backups=before.backups if self.backups is None else self.backups,
            version=self.version or before.version,
            final=before.final if self.final is None else self.final,
            held=before.held if self.held is None else self.held,
            mixed_since=self.mixed_since if self.rollout_seen else before.mixed_since,
            begun=self.begun if self.rollout_seen else before.begun,
        )


def draw_look(snapshot: Snapshot, decision: Decision) -> Look:
    """What counts of a look. Never raises for what could not be seen."""
    findings: dict[tuple[str, Outcome], Finding] = {}
    for outcome in _TOLD:
        for finding in decision.of(outcome):
            findings.setdefault((finding.check, outcome), finding)
    base = Look(
        at=decision.taken_at,
        connected=False,
        step=decision.step,
        target=decision.target,
        verdict=decision.verdict,
        exit_code=int(decision.exit_code()),
    )
    if not isinstance(snapshot.connection, Connection):
        return replace(base, why=snapshot.connection.message)
    cluster = Cluster.of(snapshot)
    under_way = _rollout(cluster)
    return replace(
        base,
        connected=True,
        gateway=decision.cluster.gateway,
        cluster_now=cluster.now,
        findings=findings,
        nodes=_nodes(cluster),
        backups=_backups(cluster),
        ended=_ended(snapshot),
        ranges=_ranges(cluster),
        version=decision.cluster.active_version,
        final=decision.cluster.final if decision.cluster.active_version else None,
        held=_held(cluster),
        rollout_seen=under_way is not None,
        mixed_since=under_way[0] if under_way else None,
        begun=under_way[1] if under_way else None,
    )


def _nodes(cluster: Cluster) -> dict[int, NodeSeen]:
    try:
        _ = cluster.members
    except NotCollected:
        return {}
    return {
        n.node_id: NodeSeen(n.build_tag, n.liveness, n.membership, n.started_at) for n in cluster.nodes
    }


def _backups(cluster: Cluster) -> dict[int, Backup] | None:
    try:
        return {job.job_id: Backup(job.status, job.created) for job in active_backups(cluster)}
    except NotCollected:
        return None


def _ended(snapshot: Snapshot) -> dict[int, str]:
    section = snapshot.job_history
    if not isinstance(section, Collected):
        return {}
    return {job.job_id: job.status for job in section.rows if is_possible_backup(job)}


def _ranges(cluster: Cluster) -> Ranges | None:
    live = {n.node_id for n in cluster.nodes if n.liveness in (Liveness.LIVE, Liveness.DRAINING)}
    try:
        stores = [s for s in cluster.rows("store_status") if s.node_id in live]
    except NotCollected:
        return None
    unavailable = [s.unavailable_ranges for s in stores]
    under_replicated = [s.underreplicated_ranges for s in stores]
    if not stores or None in unavailable or None in under_replicated:
        return None
    return Ranges(sum(unavailable), sum(under_replicated))


def _held(cluster: Cluster) -> bool | None:
    try:
        preserve = cluster.setting(_PRESERVE)
        off = cluster.setting("cluster.auto_upgrade.enabled") == "false"
        return off or preserve == cluster.version.active.text
    except NotCollected:
        return None


def _rollout(cluster: Cluster) -> tuple[dt.datetime | None, dt.datetime | None] | None:
    """Since when it is mixed and under way; None if that could not be seen."""
    try:
        seen = rollout(cluster)
    except NotCollected:
        return None
    return (None, None) if seen is None else (seen.mixed_since, seen.begun)
