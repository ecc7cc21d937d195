"""Is a node half-way through decommissioning?

A node in membership `decommissioning` still counts as a member: ``cockroach node status`` hides it
once it is down, CockroachDB does not, and will not finalize. A node that was decommissioned under
v20.2 or earlier can stay `decommissioning` for ever until the command is run once more.

- start, next-node, finalize: block, transient while the node lives and the others can take its
  replicas. rollback, verify: warn.
- A membership that guard has never heard of is UNKNOWN in every step.

v20.1 has no membership column and cannot tell a decommissioned node from one that died half-way:
there a decommissioning node that is down and holds no replica counts as decommissioned.

Reads kv_node_liveness and gossip_liveness, crdb_internal.kv_store_status for the replicas that are
left, and crdb_internal.zones for the copies that are asked for: admin, or VIEWCLUSTERMETADATA from
v23.1.12 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.members import Node
from guard.cluster.replication import never_enough
from guard.cluster.stores import replicas_on
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]

_TOLD = 5
_NEVER = " The nodes that stay are too few for all copies, so that does not end."
_KNOWN = frozenset({"active", "decommissioning", "decommissioned", "unknown"})


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for the decommissioning nodes, one for memberships nobody knows."""
    members = situation.cluster.members
    strange = [n for n in members if n.membership not in _KNOWN]
    if strange:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"{listed(n.name for n in strange)}: a membership that guard does not know",
            evidence={"nodes": [{"node_id": n.node_id, "membership": n.membership} for n in strange]},
            remedy=(
                "Take a newer guard, or look at it: cockroach node status "
                f"{strange[0].node_id} --decommission",
            ),
            nodes=strange,
        )
    half = [n for n in members if n.membership == "decommissioning"]
    if not half:
        if not strange:
            yield CHECK.finding(Outcome.PASS, "no node is half-way through decommissioning")
        return
    alive = all(n.is_up for n in half)
    ids = " ".join(str(n.node_id) for n in half)
    left = replicas_on(situation.cluster.snapshot)
    no_room = _no_room(situation, half, left)
    yield CHECK.finding(
        Outcome.WARN if situation.step in (Step.ROLLBACK, Step.VERIFY) else Outcome.BLOCK,
        f"{listed(n.name for n in half)} {'is' if len(half) == 1 else 'are'} half-way through "
        "decommissioning",
        " ".join(_how_far(node, left) for node in half[:_TOLD]) + (_NEVER if no_room else ""),
        evidence={
            "nodes": [
                {"node_id": n.node_id, "liveness": n.liveness, "replicas": left.get(n.node_id)}
                for n in half
            ]
        },
        remedy=(
            situation.decommission(half, "Finish it"),
            *((f"Or take it back: cockroach node recommission {ids}",) if alive else ()),
        ),
        transient=alive and not no_room,
        nodes=half,
    )


def _no_room(situation: Situation, half: list[Node], left: dict[int, int]) -> bool:
    """True if replicas have to move away that the nodes that stay have no room for."""
    staying = sum(n.membership == "active" for n in situation.cluster.members)
    moving = any(n.is_up and left.get(n.node_id) != 0 for n in half)
    return moving and never_enough(situation.cluster, staying)


def _how_far(node: Node, left: dict[int, int]) -> str:
    """How far a node's decommissioning has come, in a sentence."""
    if node.is_down:
        return f"{node.name} is down and was never finished."
    held = left.get(node.node_id)
    if held is None:
        return f"{node.name} lives, and its replicas are still moving away."
    if not held:
        return f"{node.name} holds no replica any more: the command only has to be finished."
    return f"{node.name} still holds {counted(held, 'replica')}, which are moving away."


CHECK = Check(
    id="decommissioning",
    title="no node is half-way through decommissioning",
    reads=("kv_node_liveness", "gossip_liveness", "store_status"),
    docs=f"{DOCS}/stable/node-shutdown#decommission-the-node",
    explain=__doc__,
    run=run,
)
