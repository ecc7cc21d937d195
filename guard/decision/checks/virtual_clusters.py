"""Are there virtual clusters that may be behind the storage cluster?

Each virtual cluster has a cluster version of its own, and the storage cluster cannot be finalized to a
series while one of them is on a series before its own. guard sees that they are there, not their
versions, which only a connection to each of them tells.

- start, verify: warn if there are any; once the storage cluster is final, verify says that each is
  finalized for itself; warn where it could not be looked at.
- finalize: UNKNOWN if there are any, or where it could not be looked at; warn if nobody asked, as in a
  snapshot of an older guard. Waive it for the cluster once every virtual cluster was looked at.
- next-node, rollback: not asked.
- patch upgrades but for verify, targets before v22.1: not applicable.

Reads system.tenants (v20.2 and later): admin, or VIEWSYSTEMTABLE from v23.1.11 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import INGESTION, active_jobs_of
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import agreeing, counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Reason, Unavailable, VirtualClusterRow
from guard.versions import Series

__all__ = ["CHECK"]

_SYSTEM: Final = 1
_SINCE: Final = Series(22, 1)
_LOOK: Final = (
    "cockroach sql --url 'postgresql://USER@HOST:26257/?options=-ccluster%3DNAME' "
    "-e 'SHOW CLUSTER SETTING version;'"
)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding."""
    cluster = situation.cluster
    reached = situation.target.series if situation.target is not None else cluster.active_series
    section = cluster.snapshot.virtual_clusters
    arrived = situation.step is Step.VERIFY and not cluster.version.migrating
    unseen = isinstance(section, Unavailable)
    if reached < _SINCE or (situation.is_patch and (unseen or not arrived)):
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "virtual clusters do not hold up this step")
        return
    if isinstance(section, Unavailable):
        yield _not_seen(situation, section)
        return
    rows: tuple[VirtualClusterRow, ...] = cluster.rows("virtual_clusters")
    others = [row for row in rows if row.virtual_cluster_id != _SYSTEM and row.active is not False]
    if not others:
        yield CHECK.finding(Outcome.PASS, "there is no virtual cluster but the system one")
        return
    if arrived and _is_final(situation):
        yield _each_too(cluster, others)
        return
    yield CHECK.finding(
        Outcome.UNKNOWN if situation.step is Step.FINALIZE else Outcome.WARN,
        f"{counted(len(others), 'virtual cluster', 'has', 'have')} a cluster version of "
        f"{agreeing(len(others), 'its', 'their')} own",
        f"Numbers {listed(row.virtual_cluster_id for row in others)}. One that is behind v"
        f"{cluster.active_series} keeps the storage cluster from finalizing.",
        evidence={"virtual_clusters": [row.virtual_cluster_id for row in others[:50]]},
        remedy=(
            f"Connect to each by its NAME and see that it is on {cluster.active_series}"
            + (
                ", to one that is replicated here on its primary cluster:"
                if _is_standby(cluster)
                else ":"
            ),
            _LOOK,
            "When they all are: --accept virtual-clusters --reason 'looked at each'",
        ),
    )


def _is_final(situation: Situation) -> bool:
    """True if nothing is left to finalize in the storage cluster."""
    cluster = situation.cluster
    return all(n.build is not None and n.build.series == cluster.active_series for n in cluster.members)


def _each_too(cluster: Cluster, others: list[VirtualClusterRow]) -> Finding:
    """The storage cluster has arrived; its virtual clusters go on from there by themselves."""
    series = cluster.active_series
    return CHECK.finding(
        Outcome.WARN,
        f"{counted(len(others), 'virtual cluster', 'is', 'are')} finalized apart from the storage "
        f"cluster, which is on {series}",
        f"Numbers {listed(row.virtual_cluster_id for row in others)}. One that stays behind v{series} "
        "keeps the storage cluster from its next upgrade.",
        evidence={"virtual_clusters": [row.virtual_cluster_id for row in others[:50]]},
        remedy=(
            "It is finalized on the primary cluster that it is replicated from, and follows."
            if _is_standby(cluster)
            else f"In each that is not on it yet: SET CLUSTER SETTING version = '{series}';",
            _LOOK,
        ),
    )


def _is_standby(cluster: Cluster) -> bool:
    """True if a virtual cluster is replicated here: it cannot be connected to before a failover."""
    try:
        return bool(active_jobs_of(cluster, INGESTION))
    except NotCollected:
        return False


def _not_seen(situation: Situation, why: Unavailable) -> Finding:
    if why.reason is Reason.NOT_IN_THIS_VERSION:
        return CHECK.finding(Outcome.NOT_APPLICABLE, "this release has no virtual clusters")
    if situation.step is Step.FINALIZE and why.reason is not Reason.NOT_ASKED:
        raise NotCollected("virtual_clusters", why)
    return CHECK.finding(
        Outcome.WARN,
        "virtual clusters were not looked at",
        f"{why.message}. One that is behind keeps the storage cluster from finalizing.",
        evidence={"reason": why.reason},
        remedy=why.remedy,
    )


CHECK = Check(
    id="virtual-clusters",
    title="no virtual cluster is behind",
    reads=("virtual_clusters",),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
