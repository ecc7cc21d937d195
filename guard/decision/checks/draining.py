"""Are nodes draining, or only just back?

A node that was restarted counts as settled once it is live, its status record is fresh (nodes
rewrite it every 10 seconds) and it has been up for the settle time (60 seconds unless the policy
says otherwise). Until then its ranges may not have caught up, its range counts may not have been
made yet, and the next restart comes too early. The finding says how long that still lasts; a node
that has written no status for five minutes is not waited for. A live node of which no table says when
it started is UNKNOWN.

- start, rollback, verify: warn.
- next-node: block, transient, except for the node that is being restarted now (``--node``).
- finalize: block, transient: CockroachDB (v24.3 and later) does not finalize while a node drains.

A node that is down is judged by node-liveness, its ranges by range-health. Reads the liveness
tables, gossip and node status: admin, or VIEWCLUSTERMETADATA from v23.1.12 on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.cluster.liveness import Liveness
from guard.cluster.members import Node
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import age, agreeing, listed, span
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK", "restarting"]

_NAMED: Final = 3
_NEXT_STATUS: Final = dt.timedelta(seconds=10)
_SILENT_FOR_GOOD: Final = dt.timedelta(minutes=5)


def restarting(situation: Situation) -> int | None:
    """The node that the caller restarts now, if the step lets it be down."""
    return situation.node_id if situation.step is Step.NEXT_NODE else None


def _unsettled(situation: Situation, node: Node) -> str:
    """Why a live node is not settled yet, and for how long, or an empty text."""
    now, settle = situation.cluster.now, situation.thresholds.settle
    if node.ahead:  # by another clock: node-liveness says so
        return ""
    if node.started_at is not None and now - node.started_at < settle:
        left = span(min(settle, node.started_at + settle - now))
        return f"{node.name} started {age(node.started_at, now)}, settled in {left}"
    if node.status_at is None:
        return f"{node.name} has not written its status record, due every {span(_NEXT_STATUS)}"
    if not node.fresh:
        return f"{node.name} last wrote its status record {age(node.status_at, now)}"
    return ""


def _settles(situation: Situation, node: Node) -> bool:
    """True if waiting helps: a node that has long been up and writes no status does not begin to."""
    if node.fresh:
        return True
    silent_since = node.status_at or node.started_at
    return silent_since is None or situation.cluster.now - silent_since < _SILENT_FOR_GOOD


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for draining nodes, one for unsettled ones, or one `pass`."""
    others = [n for n in situation.cluster.members if n.node_id != restarting(situation)]
    outcome = Outcome.BLOCK if situation.step in (Step.NEXT_NODE, Step.FINALIZE) else Outcome.WARN
    draining = [n for n in others if n.liveness is Liveness.DRAINING]
    live = [n for n in others if n.liveness is Liveness.LIVE]
    undated = [n for n in live if n.started_at is None]
    unsettled = [n for n in live if _unsettled(situation, n)]
    if draining:
        yield _draining(situation, draining, outcome)
    if unsettled:
        yield _not_settled(situation, unsettled, outcome)
    if undated:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"nobody says when {listed(n.name for n in undated)} started",
            evidence={"nodes": [n.node_id for n in undated]},
            remedy=(f"Look at it: cockroach node status {undated[0].node_id}",),
            nodes=undated,
            unseen=True,
        )
    if not (draining or unsettled or undated):
        yield CHECK.finding(
            Outcome.PASS,
            "no node is draining or only just back",
            evidence={"settle_seconds": int(situation.thresholds.settle.total_seconds())},
        )


def _not_settled(situation: Situation, nodes: list[Node], outcome: Outcome) -> Finding:
    silent = [n for n in nodes if not n.fresh]
    for_good = [n for n in silent if not _settles(situation, n)]
    return CHECK.finding(
        outcome,
        f"{listed(n.name for n in nodes)} {agreeing(len(nodes), 'is', 'are')} not settled yet",
        "; ".join(_unsettled(situation, n) for n in nodes[:5])
        + f". A node is settled {span(situation.thresholds.settle)} after its start.",
        evidence={"nodes": [n.node_id for n in nodes]},
        nodes=nodes,
        remedy=(
            *(() if for_good else ("Wait, or let guard wait: guard check --wait 5m",)),
            *(
                f"{n.name} has written no status for too long to wait for it: its log says why."
                if n in for_good
                else f"If {n.name} writes no status record then either, its log says why."
                for n in silent[:_NAMED]
            ),
        ),
        transient=not for_good,
    )


def _draining(situation: Situation, nodes: list[Node], outcome: Outcome) -> Finding:
    leaving = [n for n in nodes if n.is_leaving]
    back = len(leaving) < len(nodes)
    naming_helps = situation.step is Step.NEXT_NODE and situation.node_id is None
    return CHECK.finding(
        outcome,
        f"{listed(n.name for n in nodes)} {'is' if len(nodes) == 1 else 'are'} draining",
        (
            "A draining node is about to stop, or was drained and left. It ends with the restart, not "
            "by itself."
            if back
            else "It drains because it is being decommissioned, and that ends it."
        ),
        evidence={"nodes": [n.node_id for n in nodes]},
        nodes=nodes,
        remedy=(
            *(("Wait until it has been restarted and is back, or restart it.",) if back else ()),
            *((situation.finish_decommissioning(leaving),) if leaving else ()),
            *(
                (f"If you are restarting it right now: --node {nodes[0].node_id}",)
                if naming_helps and len(nodes) == 1 and back
                else ()
            ),
        ),
        transient=True,
    )


CHECK = Check(
    id="draining",
    title="no node is draining or only just back",
    reads=("gossip_liveness", "kv_node_liveness", "gossip_nodes", "node_status"),
    docs=f"{DOCS}/stable/node-shutdown",
    explain=__doc__,
    run=run,
)
