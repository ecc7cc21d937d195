"""Is every member node alive?

A node whose liveness record has run out is suspect, after server.time_until_store_dead (5 minutes
unless set) dead. While one is down every further restart can cost a range its quorum, and
CockroachDB cannot finalize because it cannot know the dead node's version. The record's expiration
is compared with the cluster's clock, not with this machine's.

- start, finalize, verify: block.
- next-node: block, except for the node that is being restarted now (``--node``).
- rollback: warn: going back may be the cure.

A node that died a moment ago still passes for live until its record runs out, up to 9 seconds later:
``--settle 15s`` looks again after that.

A node with a status record but no liveness record is UNKNOWN: a leftover, or something worse.

Reads kv_node_liveness (v21.1.2 and later) and gossip_liveness: admin, or VIEWCLUSTERMETADATA from
v23.1.12 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.liveness import Liveness
from guard.cluster.members import Node
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import age, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for each state of nodes that are not live, or one `pass`."""
    members = situation.cluster.members
    restarting = situation.node_id if situation.step is Step.NEXT_NODE or situation.finalizing else None
    down = [n for n in members if n.liveness in (Liveness.SUSPECT, Liveness.DEAD)]
    excused = [n for n in down if n.node_id == restarting]
    unknown = [n for n in members if n.liveness is Liveness.UNKNOWN]
    for node in unknown:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"{node.name} has no readable liveness record",
            "It may be a leftover of a node removed under v20.2 or earlier; CockroachDB itself "
            "may refuse to finalize because of it.",
            evidence={"node_id": node.node_id},
            remedy=(f"If it is gone for good: cockroach node decommission {node.node_id}",),
        )
    for state in (Liveness.DEAD, Liveness.SUSPECT):
        nodes = [n for n in down if n.liveness is state and n not in excused]
        if nodes:
            yield _down(situation, state, nodes)
    if not unknown and len(down) == len(excused):
        yield CHECK.finding(
            Outcome.PASS,
            f"all {len(members)} member nodes are live"
            if not excused
            else f"every member node is live but {excused[0].name}, which is being restarted",
            evidence={"members": [n.node_id for n in members]},
        )


def _down(situation: Situation, state: Liveness, nodes: list[Node]) -> Finding:
    names = listed(n.name for n in nodes)
    seen = "; ".join(
        f"{n.name} last seen {age(n.seen_until, situation.cluster.now)}" for n in nodes[:5]
    )
    remedy = [f"Start {nodes[0].name} again, on the build it had, and wait until it is live."]
    if state is Liveness.DEAD:
        remedy.append(f"If it is gone for good: cockroach node decommission {nodes[0].node_id}")
    if situation.step is Step.NEXT_NODE:
        remedy.append(f"If you are restarting it right now: --node {nodes[0].node_id}")
    return CHECK.finding(
        Outcome.WARN if situation.step is Step.ROLLBACK else Outcome.BLOCK,
        f"{names} {'is' if len(nodes) == 1 else 'are'} {state}",
        f"{seen}. "
        + (
            "CockroachDB cannot finalize while a member node's version cannot be determined."
            if situation.step is Step.FINALIZE
            else "Another restart now could cost ranges their quorum."
        ),
        evidence={
            "nodes": [
                {"node_id": n.node_id, "liveness": n.liveness, "expired": n.seen_until} for n in nodes
            ]
        },
        remedy=remedy,
        transient=state is Liveness.SUSPECT,
    )


CHECK = Check(
    id="node-liveness",
    title="every member node is alive",
    reads=("kv_node_liveness", "gossip_liveness"),
    docs=f"{DOCS}/stable/cluster-setup-troubleshooting#node-liveness-issues",
    explain=__doc__,
    run=run,
    with_finalize=True,
)
