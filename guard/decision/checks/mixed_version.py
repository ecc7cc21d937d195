"""Do the member nodes run the builds that this step may find?

Members are all nodes that liveness, gossip or node status know, except decommissioned ones, which
linger in gossip with their old build, and status records without a liveness record. A node whose
build no table tells, or about which the tables contradict each other, makes the answer UNKNOWN; so
does one that is older than the cluster version, which cannot be, unless it was left half-way through
decommissioning, where it ended before v20.2.

- start: all members run one build; a mix is the unfinished last rollout, and blocks; a release
  beside a custom build of it (v22.2.19 and v22.2.19-dirty) is a mix. Warn if all of them run the
  target already.
- next-node: every member is on the source or the target series; another series blocks, and so does a
  ``--node`` that is no member. Stray patch builds warn, and a ``--node`` that runs the target already.
  Without a target, and nothing under way that tells it, UNKNOWN, which cannot be waived.
- finalize: every member is on the target series, else block: CockroachDB refuses to finalize. A
  target that no member runs blocks as well. Different patches of the target series warn.
- rollback: some member still runs something newer than the build to go back to, else there is
  nothing left to roll back, and it blocks.
- verify: every member runs the same build, the target's if one is named, else block. Where all
  run one custom build of the target, that build is meant.

Reads gossip_liveness, kv_node_liveness, gossip_nodes and node status: admin, or VIEWCLUSTERMETADATA
from v23.1.12 on. Builds are compared by build tag, series by their first two numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from guard.catalog.answers import Answer
from guard.cluster.hop import Hop
from guard.cluster.members import Node
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import agreeing, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build

__all__ = ["CHECK"]


class _Member(msgspec.Struct, frozen=True):
    """A member whose build is known."""

    node: Node
    build: Build

    @property
    def name(self) -> str:
        return self.node.name


def _builds(members: Iterable[_Member]) -> dict[str, list[str]]:
    """Build tag to node names, for the evidence."""
    result: dict[str, list[str]] = {}
    for member in members:
        result.setdefault(str(member.build), []).append(member.name)
    return result


def _described(members: Iterable[_Member]) -> str:
    tags = _builds(members)
    return "; ".join(f"{tag} on {listed(names)}" for tag, names in sorted(tags.items()))


def _names(members: Iterable[_Member]) -> str:
    return listed(member.name for member in members)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings by the step's row of the table."""
    members = situation.cluster.members
    unknown = [node for node in members if node.build is None]
    yield from (_unknown(situation, node) for node in unknown if not node.is_abandoned)
    yield from _unknown_and_abandoned(situation, [node for node in unknown if node.is_abandoned])
    known = tuple(_Member(node, node.build) for node in members if node.build is not None)
    if not known:
        yield from () if members else (_nobody(),)
        return
    yield from _impossible(situation, known)
    match situation.step:
        case Step.START:
            yield _start(situation, known)
        case Step.NEXT_NODE:
            yield from _next_node(situation, known)
        case Step.FINALIZE:
            yield _finalize(situation, known)
        case Step.ROLLBACK:
            yield _rollback(situation, known)
        case Step.VERIFY:
            yield _verify(situation, known)
        case Step.AUTO:
            raise ValueError("auto is not a step")


def _finding(
    outcome: Outcome,
    title: str,
    known: tuple[_Member, ...],
    detail: str = "",
    *remedy: str,
    about: Iterable[_Member] = (),
    **evidence: object,
) -> Finding:
    return CHECK.finding(
        outcome,
        title,
        detail,
        evidence={"builds": _builds(known), **evidence},
        remedy=remedy,
        nodes=(member.node for member in about),
    )


def _nobody() -> Finding:
    return CHECK.finding(
        Outcome.UNKNOWN,
        "there is no member node: every node that guard sees was decommissioned, or is a ghost",
        remedy=("Ask through a node that is a member: --url",),
        unseen=True,
    )


def _unknown(situation: Situation, node: Node) -> Finding:
    return CHECK.finding(
        Outcome.UNKNOWN,
        f"the build of {node.name} is unknown",
        f"{node.name}: {node.doubt}.",
        evidence={"node_id": node.node_id, "build_tag": node.build_tag, "doubt": node.doubt},
        remedy=(
            f"Look at {node.name}: cockroach node status {node.node_id}",
            *((situation.decommission((node,)),) if node.is_down else ()),
        ),
        transient=node.is_up and not node.has_unreadable_tag,
        nodes=(node,),
        unseen=True,
    )


def _unknown_and_abandoned(situation: Situation, nodes: list[Node]) -> Iterator[Finding]:
    """One finding for all that were left half-way through decommissioning: one command cures them."""
    if nodes:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"the build of {listed(node.name for node in nodes)} is unknown",
            f"{'; '.join(f'{node.name}: {node.doubt}' for node in nodes[:5])}.",
            evidence={
                "nodes": [
                    {"node_id": n.node_id, "build_tag": n.build_tag, "doubt": n.doubt} for n in nodes
                ]
            },
            remedy=(situation.finish_decommissioning(nodes),),
            nodes=nodes,
            unseen=True,
        )


def _impossible(situation: Situation, known: tuple[_Member, ...]) -> Iterator[Finding]:
    """Members older than the cluster version: no such binary could have opened its stores."""
    version = situation.cluster.version
    if version.active.is_development or version.migrating:
        return
    older = [m for m in known if m.build.series < version.series and not m.node.is_abandoned]
    if older and len(older) < len(known):  # all of them: cluster-version says so
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"{_names(older)} cannot be: older than the cluster version {version.active}",
            f"{_described(older)}. A binary of an older series refuses such a store, so what guard "
            "reads of these nodes, or of the cluster version, is not true.",
            evidence={"builds": _builds(known)},
            remedy=(f"Find out what runs there: cockroach node status {older[0].node.node_id}",),
            nodes=(member.node for member in older),
            unseen=True,
        )


def _start(situation: Situation, known: tuple[_Member, ...]) -> Finding:
    first = known[0].build
    staying = [m for m in known if not m.node.is_abandoned]
    if len({m.build for m in known}) > 1 and len({m.build for m in staying}) == 1:
        abandoned = [m for m in known if m.node.is_abandoned]
        return _finding(
            Outcome.BLOCK,
            f"{_names(abandoned)} had another build, and decommissioning "
            f"{agreeing(len(abandoned), 'it', 'them')} was never finished",
            known,
            f"{_described(known)}.",
            *_into_line(situation, abandoned, ""),
            about=known,
        )
    if len({member.build for member in known}) > 1:
        return _finding(
            Outcome.BLOCK,
            "the nodes do not all run the same build: the last rollout is unfinished",
            known,
            f"{_described(known)}.",
            *_one_build(situation, known, "Bring every node to one build first."),
            "If you are in the middle of this upgrade, ask with --step next-node.",
            about=known,
        )
    if first == situation.target:
        return _finding(
            Outcome.WARN, f"every node already runs {first}", known, "There is nothing to start."
        )
    return _finding(Outcome.PASS, f"every node runs {first}", known)


def _next_node(situation: Situation, known: tuple[_Member, ...]) -> Iterator[Finding]:
    hop = situation.hop
    if hop is None:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            "the target is unknown",
            "No upgrade is visibly under way that would tell it, and whether a node may be restarted "
            "depends on where the upgrade goes.",
            evidence={"builds": _builds(known)},
            remedy=("Add --target vX.Y.Z",),
            unseen=True,  # nothing was judged: no waiver stands in for the target
        )
        return
    strangers = [m for m in known if m.build.series not in (hop.source, hop.target.series)]
    if strangers:
        yield _finding(
            Outcome.BLOCK,
            f"{_names(strangers)} {agreeing(len(strangers), 'runs', 'run')} neither the source nor "
            "the target series",
            known,
            (
                f"The upgrade stays within v{hop.source}"
                if hop.is_patch
                else f"The upgrade goes from v{hop.source} to v{hop.target.series}"
            )
            + f", but there is {_described(strangers)}.",
            *_one_upgrade_at_a_time(situation, hop, known, strangers),
            about=strangers,
        )
        return
    if _has_stray_builds(hop, known):
        yield _finding(
            Outcome.WARN,
            "the nodes run more patch builds than the upgrade needs",
            known,
            f"{_described(known)}; the target is {hop.target}.",
            f"Bring every node to {hop.target} before finalizing.",
        )
    yield _which_node(situation, hop, known)


def _one_upgrade_at_a_time(
    situation: Situation, hop: Hop, known: tuple[_Member, ...], strangers: list[_Member]
) -> Iterator[str]:
    """What to do about members beside the hop; those between its ends belong to an earlier upgrade."""
    between = {m.build.series for m in strangers}
    [series, *more] = sorted(between)
    if more or not hop.source < series < hop.target.series:
        yield from _into_line(
            situation, strangers, "Put on the source or the target build before going on:"
        )
        return
    if situation.catalog.upgrade_allowed(hop.source, hop.target.series).supported is Answer.YES:
        yield (
            f"Put {_names(strangers)} back on v{hop.source}, and go on with the upgrade to "
            f"v{hop.target.series}: guard check --step rollback"
        )
        return
    over = [m for m in known if m.build.series == hop.target.series]
    if over:
        yield f"Put {_names(over)} back on v{series}."
    yield (
        f"The upgrade from v{hop.source} to v{series} comes first, to its end: guard check --step "
        "next-node, then finalize."
    )


def _has_stray_builds(hop: Hop, known: tuple[_Member, ...]) -> bool:
    """More than one build beside the target on either side of the hop."""
    others = {m.build for m in known if m.build != hop.target}
    if hop.is_patch:
        return len(others) > 1
    old = {build for build in others if build.series != hop.target.series}
    return len(old) > 1 or len(others) > len(old)


def _which_node(situation: Situation, hop: Hop, known: tuple[_Member, ...]) -> Finding:
    members = situation.cluster.members
    if situation.node_id is not None and all(n.node_id != situation.node_id for n in members):
        gone = any(n.node_id == situation.node_id for n in situation.cluster.nodes)
        return CHECK.finding(
            Outcome.BLOCK,
            f"there is no member node n{situation.node_id}"
            + (": it was decommissioned, or is a ghost" if gone else ""),
            f"The members are {listed(n.name for n in members)}.",
            evidence={"node_id": situation.node_id},
            remedy=("Check --node: cockroach node status",),
        )
    named = next((m for m in known if m.node.node_id == situation.node_id), None)
    if named is not None and named.build == hop.target:
        return _finding(
            Outcome.WARN,
            f"{named.name} already runs the target {hop.target}",
            known,
            "Restarting it gains nothing for the upgrade.",
            about=(named,),
        )
    left = listed(n.name for n in hop.old if not n.is_abandoned)
    return _finding(
        Outcome.PASS,
        "every node is on the source or the target series",
        known,
        f"{_described(known)}. "
        + (
            f"Still to restart on {hop.target}: {left}."
            if left
            else f"No node is left to restart on {hop.target}."
        ),
        left=[n.node_id for n in hop.old],
    )


def _finalize(situation: Situation, known: tuple[_Member, ...]) -> Finding:
    target = situation.target
    series = target.series if target is not None else max(m.build.series for m in known)
    behind = [m for m in known if m.build.series != series]
    if behind:
        return _finding(
            Outcome.BLOCK,
            f"not every node runs v{series}",
            known,
            f"{_described(known)}. CockroachDB finalizes only when all members run the new series.",
            *_into_line(situation, behind, f"Restart on v{series} first:"),
            about=behind,
        )
    if target is not None and all(m.build != target for m in known):
        return _finding(
            Outcome.BLOCK,
            f"no node runs {target}",
            known,
            f"{_described(known)}. What would be finalized is not what was asked about.",
            f"Bring every node to {target}, or name the build that runs: --target {known[0].build}",
            about=known,
        )
    if len({m.build for m in known}) > 1:
        return _finding(
            Outcome.WARN,
            f"every node runs v{series}, but different patches of it",
            known,
            f"{_described(known)}.",
            "Bring all nodes to one patch build.",
        )
    return _finding(Outcome.PASS, f"every node runs {known[0].build}", known)


def _rollback(situation: Situation, known: tuple[_Member, ...]) -> Finding:
    target, active = situation.target, situation.cluster.active_series
    if target is not None:
        newer = [m for m in known if m.build > target]
    else:
        newer = [m for m in known if m.build.series > active]
    if not newer:
        return _finding(
            Outcome.BLOCK,
            "there is nothing to roll back",
            known,
            f"No node runs anything newer than {target or f'v{active}'}: {_described(known)}.",
            *_never_came_up(known, target),
            "If the upgrade was finalized there is no way back but a restore.",
        )
    return _finding(
        Outcome.PASS,
        f"{_names(newer)} can be put back" + (f" on {target}" if target else f" on v{active}"),
        known,
        f"{_described(known)}. Put back one node at a time, the way they were upgraded.",
        to_roll_back=[m.node.node_id for m in newer],
    )


def _never_came_up(known: Iterable[_Member], target: Build | None) -> Iterator[str]:
    """A node that is down may have been tried on a newer build: its record tells of its last life."""
    down = [m for m in known if m.node.is_down and not m.node.is_abandoned]
    if down and target is not None:
        yield (
            f"{_names(down)} {agreeing(len(down), 'is', 'are')} down and never came up on a newer "
            f"build: start {agreeing(len(down), 'it', 'them')} on {target}, which is "
            "no rollback."
        )


def _into_line(situation: Situation, odd: Iterable[_Member], otherwise: str) -> Iterator[str]:
    """What to do about members on the wrong build: one that was left half-decommissioned is let go."""
    abandoned = [m.node for m in odd if m.node.is_abandoned]
    staying = [m for m in odd if not m.node.is_abandoned]
    if staying:
        yield f"{otherwise} {_names(staying)}."
    if abandoned:
        yield situation.finish_decommissioning(abandoned)


def _one_build(situation: Situation, odd: Iterable[_Member], otherwise: str) -> Iterator[str]:
    """The same where nobody can say which build is the wrong one."""
    abandoned = [m.node for m in odd if m.node.is_abandoned]
    if len({m.build for m in odd if not m.node.is_abandoned}) > 1 or not abandoned:
        yield otherwise
    if abandoned:
        yield situation.finish_decommissioning(abandoned)


def _verify(situation: Situation, known: tuple[_Member, ...]) -> Finding:
    wanted = situation.target
    wrong = [m for m in known if wanted is not None and m.build != wanted]
    if len({m.build for m in known}) > 1 or wrong:
        return _finding(
            Outcome.BLOCK,
            f"not every node runs {wanted or 'the same build'}",
            known,
            f"{_described(known)}.",
            *(
                _into_line(situation, wrong, "Bring to the target build:")
                if wrong
                else _one_build(situation, known, "Bring every node to one build.")
            ),
            about=wrong or known,
        )
    return _finding(Outcome.PASS, f"every node runs {known[0].build}", known)


CHECK = Check(
    id="mixed-version",
    title="the nodes run the builds this step may find",
    reads=("gossip_liveness", "kv_node_liveness", "gossip_nodes", "node_status"),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
