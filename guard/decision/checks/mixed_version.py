"""Do the member nodes run the builds that this step may find?

Members are all nodes that liveness, gossip or node status know, except decommissioned ones: those
linger in gossip with their old build and never count. A node whose build no table tells, or about
which the tables contradict each other, makes the answer UNKNOWN.

- start: all members run one build; a mix is the unfinished last rollout, and blocks.
- next-node: every member is on the source or the target series; another series blocks. Stray patch
  builds warn.
- finalize: every member is on the target series, else block: CockroachDB refuses to finalize.
- rollback: some member still runs something newer than the build to go back to, else there is
  nothing left to roll back, and it blocks.
- verify: every member runs the same build, the target's if one is named, else block.

Reads gossip_liveness, kv_node_liveness, gossip_nodes and node status: admin, or VIEWCLUSTERMETADATA
from v23.1.12 on. Builds are compared by build tag, series by their first two numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guard.cluster.members import Node
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build, Series

__all__ = ["CHECK"]


def _builds(nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Build tag to node names, for the evidence."""
    result: dict[str, list[str]] = {}
    for node in nodes:
        result.setdefault(node.build_tag or "unknown", []).append(node.name)
    return result


def _described(nodes: Iterable[Node]) -> str:
    return "; ".join(f"{tag} on {listed(names)}" for tag, names in sorted(_builds(nodes).items()))


def _unknown(nodes: tuple[Node, ...]) -> Iterator[Finding]:
    for node in nodes:
        if node.build is None:
            yield CHECK.finding(
                Outcome.UNKNOWN,
                f"the build of {node.name} is unknown",
                f"{node.name}: {node.doubt}.",
                evidence={"node_id": node.node_id, "build_tag": node.build_tag, "doubt": node.doubt},
                remedy=(
                    f"Look at {node.name}: cockroach node status {node.node_id}",
                    f"If it is gone for good: cockroach node decommission {node.node_id}",
                ),
                transient=node.liveness.value in ("live", "draining"),
            )


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings by the step's row of the table."""
    members = situation.cluster.members
    yield from _unknown(members)
    known = tuple(node for node in members if node.build is not None)
    if not known:
        return
    match situation.step:
        case Step.START:
            yield from _start(situation, known)
        case Step.NEXT_NODE:
            yield from _next_node(situation, known)
        case Step.FINALIZE:
            yield from _finalize(situation, known)
        case Step.ROLLBACK:
            yield from _rollback(situation, known)
        case Step.VERIFY:
            yield from _verify(situation, known)
        case Step.AUTO:
            raise ValueError("auto is not a step")


def _start(situation: Situation, known: tuple[Node, ...]) -> Iterator[Finding]:
    evidence = {"builds": _builds(known)}
    if len({node.build for node in known}) > 1:
        yield CHECK.finding(
            Outcome.BLOCK,
            "the nodes do not all run the same build: the last rollout is unfinished",
            f"{_described(known)}.",
            evidence=evidence,
            remedy=(
                "Bring every node to one build first.",
                "If you are in the middle of this upgrade, ask with --step next-node.",
            ),
        )
    elif situation.target is not None and known[0].build == situation.target:
        yield CHECK.finding(
            Outcome.WARN,
            f"every node already runs {situation.target}",
            "There is nothing to start.",
            evidence=evidence,
        )
    else:
        yield CHECK.finding(Outcome.PASS, f"every node runs {known[0].build}", evidence=evidence)


def _next_node(situation: Situation, known: tuple[Node, ...]) -> Iterator[Finding]:
    target, evidence = situation.target, {"builds": _builds(known)}
    if target is None:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            "the target is unknown",
            "Name it, so that guard can tell old nodes from new ones.",
            remedy=("Add --target vX.Y.Z",),
        )
        return
    allowed: set[Series] = {situation.cluster.active_series, target.series}
    strangers = [n for n in known if n.build and n.build.series not in allowed]
    if strangers:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{listed(n.name for n in strangers)} run neither the source nor the target series",
            f"The upgrade goes from v{situation.cluster.active_series} to v{target.series}, "
            f"but there is {_described(strangers)}.",
            evidence=evidence,
            remedy=("Put those nodes on the source or the target build before going on.",),
        )
        return
    stray = [
        n
        for n in known
        if n.build and n.build.series == target.series and n.build != target and not situation.is_patch
    ]
    old = {n.build for n in known if n.build and n.build.series != target.series}
    if situation.is_patch:
        others = {n.build for n in known if n.build != target}
        stray = [n for n in known if n.build in others] if len(others) > 1 else []
    named = next((n for n in known if n.node_id == situation.node_id), None)
    if stray or len(old) > 1:
        yield CHECK.finding(
            Outcome.WARN,
            "the nodes run more patch builds than the upgrade needs",
            f"{_described(known)}; the target is {target}.",
            evidence=evidence,
            remedy=(f"Bring every node to {target} before finalizing.",),
        )
    if situation.node_id is not None and not any(
        n.node_id == situation.node_id for n in situation.cluster.members
    ):
        yield CHECK.finding(
            Outcome.BLOCK,
            f"there is no member node n{situation.node_id}",
            f"The members are {listed(n.name for n in situation.cluster.members)}.",
            evidence={"node_id": situation.node_id},
            remedy=("Check --node: cockroach node status",),
        )
    elif named is not None and named.build == target:
        yield CHECK.finding(
            Outcome.WARN,
            f"{named.name} already runs the target {target}",
            "Restarting it gains nothing for the upgrade.",
            evidence=evidence,
        )
    else:
        left = situation.old_nodes
        yield CHECK.finding(
            Outcome.PASS,
            "every node is on the source or the target series",
            f"{_described(known)}. "
            + (
                f"Still to restart on {target}: {listed(n.name for n in left)}."
                if left
                else f"No node is left to restart on {target}."
            ),
            evidence=evidence | {"left": [n.node_id for n in left]},
        )


def _finalize(situation: Situation, known: tuple[Node, ...]) -> Iterator[Finding]:
    if situation.finalizing:
        # The restarted node will be on the target; whether the rest is, next-node has judged.
        yield CHECK.finding(Outcome.PASS, "the last old node is being restarted on the target")
        return
    evidence = {"builds": _builds(known)}
    series = (
        situation.target.series if situation.target else max(n.build.series for n in known if n.build)
    )
    behind = [n for n in known if n.build and n.build.series != series]
    if behind:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"not every node runs v{series}",
            f"{_described(known)}. CockroachDB finalizes only when all members run the new series.",
            evidence=evidence,
            remedy=(f"Restart on v{series} first: {listed(n.name for n in behind)}.",),
        )
    elif len({n.build for n in known}) > 1:
        yield CHECK.finding(
            Outcome.WARN,
            f"every node runs v{series}, but different patches of it",
            f"{_described(known)}.",
            evidence=evidence,
            remedy=("Bring all nodes to one patch build.",),
        )
    else:
        yield CHECK.finding(Outcome.PASS, f"every node runs {known[0].build}", evidence=evidence)


def _rollback(situation: Situation, known: tuple[Node, ...]) -> Iterator[Finding]:
    evidence = {"builds": _builds(known)}
    target = situation.target
    if target is not None:
        newer = [n for n in known if n.build and n.build > target]
    else:
        active = situation.cluster.active_series
        newer = [n for n in known if n.build and n.build.series > active]
    if not newer:
        yield CHECK.finding(
            Outcome.BLOCK,
            "there is nothing to roll back",
            f"No node runs anything newer than {target or f'v{situation.cluster.active_series}'}: "
            f"{_described(known)}.",
            evidence=evidence,
            remedy=("If the upgrade was finalized there is no way back but a restore.",),
        )
        return
    yield CHECK.finding(
        Outcome.PASS,
        f"{listed(n.name for n in newer)} can be put back" + (f" on {target}" if target else ""),
        f"{_described(known)}. Put back one node at a time, the way they were upgraded.",
        evidence=evidence | {"to_roll_back": [n.node_id for n in newer]},
    )


def _verify(situation: Situation, known: tuple[Node, ...]) -> Iterator[Finding]:
    evidence = {"builds": _builds(known)}
    wanted: Build | None = situation.target
    wrong = [n for n in known if wanted is not None and n.build != wanted]
    if len({n.build for n in known}) > 1 or wrong:
        yield CHECK.finding(
            Outcome.BLOCK,
            "not every node runs " + (str(wanted) if wanted else "the same build"),
            f"{_described(known)}.",
            evidence=evidence,
            remedy=("Bring every node to the target build.",),
        )
    else:
        yield CHECK.finding(Outcome.PASS, f"every node runs {known[0].build}", evidence=evidence)


CHECK = Check(
    id="mixed-version",
    title="the nodes run the builds this step may find",
    reads=("gossip_liveness", "kv_node_liveness", "gossip_nodes", "node_status"),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
    with_finalize=True,
)
