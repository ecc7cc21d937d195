"""Are all ranges available and fully replicated?

Every node counts the ranges it answers for and writes the counts into its store's status record
every 10 seconds. guard adds up the records of live nodes only: the record of a dead node keeps its
last numbers for ever and proves nothing. A range that has no live replica at all is counted by
nobody, so while a node is down "no unavailable range" is believed only if the replication report
was made after the node went down and says so too; otherwise the answer is UNKNOWN. A time-out, as a
range without quorum causes it, is UNKNOWN as well.

- start, next-node, finalize, verify: block. rollback: warn, going back may be the cure.
- next-node with ``--node`` naming a node that is down: warn. Starting it again is the cure.

Under-replication is transient: CockroachDB repairs it. So is unavailability while a node is
restarting. A cluster of one or two nodes counts its ranges as under-replicated for ever unless its
zones ask for fewer than three copies (CockroachDB wants at least three, however few nodes there
are), which nobody can fix without more nodes: there it is a warning.

The replication report is only asked about unavailable ranges. It takes each zone's factor at its
word and so calls the system ranges of every three-node cluster, which ask for five copies,
under-replicated; the counts of the nodes do not.

Reads crdb_internal.kv_store_status: admin, or VIEWCLUSTERMETADATA from v23.1.12 on;
system.replication_stats (admin, or VIEWSYSTEMTABLE) where it may.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from guard.cluster.liveness import Liveness
from guard.cluster.members import Node
from guard.cluster.replication import (
    factors,
    is_up,
    needed_voters,
    replication_stats,
    reports_made_after,
)
from guard.decision.check_definition import DOCS, Check
from guard.decision.checks.draining import STATUS_FRESH, restarting
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import StoreStatusRow

__all__ = ["CHECK"]

_LATELY: Final = dt.timedelta(minutes=5)


def _is_fresh(situation: Situation, node: Node) -> bool:
    return node.status_at is not None and situation.cluster.now - node.status_at <= STATUS_FRESH


def _not_counted(situation: Situation, stores: tuple[StoreStatusRow, ...]) -> list[Node]:
    """Members whose ranges nobody vouches for, the one being started again left out."""
    with_store = {s.node_id for s in stores}
    silent = {
        s.node_id for s in stores if s.unavailable_ranges is None or s.underreplicated_ranges is None
    }
    return [
        n
        for n in situation.cluster.members
        if not (n.node_id == restarting(situation) and not is_up(n))
        and (
            not is_up(n)
            or not _is_fresh(situation, n)
            or n.node_id not in with_store
            or n.node_id in silent
        )
    ]


def _restless(situation: Situation) -> bool:
    """True if a node is coming or going, so that waiting may cure what is missing."""
    return any(
        n.liveness in (Liveness.SUSPECT, Liveness.DRAINING)
        or (n.started_at is not None and situation.cluster.now - n.started_at < _LATELY)
        for n in situation.cluster.members
    )


def _never_enough_nodes(situation: Situation) -> bool:
    """True if CockroachDB wants more copies than there are nodes to hold them."""
    nodes = sum(n.membership == "active" for n in situation.cluster.members)
    asked = factors(situation.cluster)
    if asked is None:
        return needed_voters(1000, nodes) > nodes
    return any(needed_voters(factor, nodes) > nodes for factor in asked)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings for unavailable and under-replicated ranges and for what nobody counted."""
    stores: tuple[StoreStatusRow, ...] = situation.cluster.rows("store_status")
    members = {n.node_id: n for n in situation.cluster.members}
    counted = [
        s
        for s in stores
        if (n := members.get(s.node_id)) is not None and is_up(n) and _is_fresh(situation, n)
    ]
    unavailable = sum(s.unavailable_ranges or 0 for s in counted)
    under = sum(s.underreplicated_ranges or 0 for s in counted)
    missing = _not_counted(situation, stores)
    report_at = reports_made_after(situation.cluster, (n for n in missing if not is_up(n)))
    reported = 0
    if report_at is not None:
        reported = sum(row.unavailable_ranges for row in replication_stats(situation.cluster))
    covered = report_at is not None and bool(replication_stats(situation.cluster))
    cured = any(
        n.node_id == restarting(situation) and not is_up(n) for n in situation.cluster.members
    ) and not any(not is_up(n) for n in missing)
    bad = Outcome.WARN if situation.step is Step.ROLLBACK or cured else Outcome.BLOCK
    evidence: dict[str, Any] = {
        "unavailable": unavailable,
        "under_replicated": under,
        "reported_unavailable": reported if report_at else None,
        "report_at": report_at,
        "not_counted": [n.node_id for n in missing],
    }
    if unavailable or reported:
        yield CHECK.finding(
            bad,
            f"{max(unavailable, reported)} range(s) are unavailable",
            "They have lost quorum and serve nothing."
            + (" Starting the node again may bring them back." if cured else ""),
            evidence=evidence,
            remedy=("Start the nodes that are down; see the DB Console: /#/reports/problemranges",),
            transient=_restless(situation),
        )
    if under:
        yield _under_replicated(situation, under, bad, evidence, cured=cured)
    if missing and not covered and not unavailable:
        names = listed(n.name for n in missing)
        yield CHECK.finding(
            Outcome.WARN
            if situation.step is Step.ROLLBACK and not any(is_up(n) for n in missing)
            else Outcome.UNKNOWN,
            f"nobody vouches for the ranges of {names}",
            "A node that is down, or writes no status, counts nothing, and a range without any "
            "live replica is counted by no one.",
            evidence=evidence,
            remedy=(
                f"Start {missing[0].name} again and wait until it is live.",
                "Or read the replication report too: it needs admin, or VIEWSYSTEMTABLE.",
            ),
            transient=_restless(situation),
        )
    elif not (unavailable or reported or under):
        yield CHECK.finding(
            Outcome.PASS,
            "every range is available and fully replicated",
            f"{listed(n.name for n in missing)} counts nothing, but the replication report of "
            f"{report_at:%H:%M:%SZ} knows no unavailable range."
            if missing
            else "",
            evidence=evidence,
        )


def _under_replicated(
    situation: Situation, under: int, bad: Outcome, evidence: dict[str, Any], *, cured: bool
) -> Finding:
    if _never_enough_nodes(situation):
        return CHECK.finding(
            Outcome.WARN,
            f"{under} range(s) are under-replicated, and on this few nodes they always will be",
            "CockroachDB wants at least three copies unless the zone asks for fewer. Every restart "
            "makes ranges unavailable until the node is back.",
            evidence=evidence,
            remedy=("Add nodes, or lower num_replicas of the zones.",),
        )
    return CHECK.finding(
        bad,
        f"{under} range(s) are under-replicated",
        "Starting the node again is the cure."
        if cured
        else "Another restart could cost them their quorum.",
        evidence=evidence,
        remedy=("Wait until they have caught up, or let guard wait: guard check --wait 20m",),
        transient=True,
    )


CHECK = Check(
    id="range-health",
    title="every range is available and fully replicated",
    reads=("store_status", "gossip_liveness", "kv_node_liveness", "node_status", "replication_stats"),
    docs=f"{DOCS}/stable/cluster-setup-troubleshooting#replication-issues",
    explain=__doc__,
    run=run,
    with_finalize=True,
)
