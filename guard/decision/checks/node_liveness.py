"""Is every member node alive?

A node whose liveness record has run out is suspect, after server.time_until_store_dead (5 minutes
unless set) dead. While one is down every further restart can cost a range its quorum, and
CockroachDB cannot finalize because it cannot know the dead node's version. The record's expiration
is compared with the cluster's clock, not with this machine's.

- start, finalize, verify: block.
- next-node: block, except for the node that is being restarted now (``--node``).
- rollback: warn: going back may be the cure.

A node that died a moment ago still passes for live until its record runs out, up to 9 seconds later:
``--settle 15s`` looks again after that. A record with less than 2.5 seconds left, while others have
several more, was not renewed in time: that node may be going, and every step warns.

A node whose own records lie minutes in the future runs by another clock than the node that guard asked:
whether it is up cannot be told by either, which is UNKNOWN, and at rollback a warning. CockroachDB
wants clocks to agree within half a second.

A status record without any liveness record is a ghost, left by a node that is gone: it is no member
and counts nowhere. Every step warns of it, because automatic finalization waits for it for ever;
``SET CLUSTER SETTING version`` does not. ``cockroach node decommission`` cannot remove it. A node
that lives and has no liveness record is UNKNOWN.

Reads kv_node_liveness (v21.1.3 and later) and gossip_liveness: admin, or VIEWCLUSTERMETADATA from
v23.1.12 on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.cluster.finalization import Finalization, finalize_by_hand
from guard.cluster.liveness import Liveness
from guard.cluster.members import Node
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import age, listed, span
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Series

__all__ = ["CHECK"]

_NOT_RENEWED: Final = dt.timedelta(seconds=2.5)  # records last 6 to 9 s and are renewed half-way
_RENEWED: Final = dt.timedelta(seconds=4)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for each state of nodes that are not live, or one `pass`."""
    members = situation.cluster.members
    restarting = situation.node_id if situation.step is Step.NEXT_NODE else None
    down = [n for n in members if n.is_down and n.node_id != restarting]
    excused = [n for n in members if n.is_down and n.node_id == restarting]
    unknown = [n for n in members if n.liveness is Liveness.UNKNOWN]
    for node in unknown:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"{node.name} has no readable liveness record",
            "It seems to run all the same, so it may be a member that guard cannot judge.",
            evidence={"node_id": node.node_id},
            remedy=(f"Look at it: cockroach node status {node.node_id}",),
            nodes=(node,),
            unseen=True,
        )
    if situation.cluster.ghosts:
        yield _ghosts(situation)
    ahead = [n for n in members if n.ahead]
    if ahead:
        yield _by_another_clock(situation, ahead)
    for state in (Liveness.DEAD, Liveness.SUSPECT):
        nodes = [n for n in down if n.liveness is state]
        if nodes:
            yield _down(situation, state, nodes)
    if going := _going(situation):
        yield _running_out(situation, going)
    if not (unknown or down or going or ahead or situation.cluster.ghosts):
        yield CHECK.finding(
            Outcome.PASS,
            f"every member node is live but {excused[0].name}, which is being restarted"
            if excused
            else f"all {len(members)} member nodes are live"
            if len(members) > 1
            else "the only member node is live",
            evidence={"members": [n.node_id for n in members]},
        )


def _ghosts(situation: Situation) -> Finding:
    ghosts, cluster = situation.cluster.ghosts, situation.cluster
    names = listed(n.name for n in ghosts)
    series = max((n.build.series for n in cluster.members if n.build), default=None)
    ahead = series is not None and series > cluster.active_series
    return CHECK.finding(
        Outcome.WARN,
        f"{names} {'is a ghost' if len(ghosts) == 1 else 'are ghosts'}: a status record without a "
        "liveness record",
        "Such a record is left by a node that is gone; it is no member, and guard counts it nowhere. "
        "Automatic finalization waits for it for ever, finalizing by hand does not.",
        evidence={
            "nodes": [
                {"node_id": n.node_id, "build": n.build_tag, "status": n.status_at} for n in ghosts
            ]
        },
        remedy=_past_ghosts(cluster, series)
        if ahead and series is not None
        else ("When it is time to finalize, do it by hand: SET CLUSTER SETTING version = 'X.Y';",),
        nodes=ghosts,
    )


def _by_another_clock(situation: Situation, ahead: list[Node]) -> Finding:
    names = listed(n.name for n in ahead)
    return CHECK.finding(
        Outcome.WARN if situation.step is Step.ROLLBACK else Outcome.UNKNOWN,
        f"the clock of {names} is ahead of that of the node guard asked",
        "; ".join(f"{n.name}'s records lie {span(n.ahead)} in the future" for n in ahead[:5])
        + ". One of the clocks is wrong, so whether a node lives cannot be told by its record.",
        evidence={
            "nodes": [
                {"node_id": n.node_id, "seconds_ahead": int(n.ahead.total_seconds())} for n in ahead
            ]
        },
        remedy=(
            "Compare the clocks of all nodes (chronyc tracking, ntpq -p): they must agree within half "
            "a second.",
        ),
        nodes=ahead,
        unseen=situation.step is not Step.ROLLBACK,
    )


def _past_ghosts(cluster: Cluster, series: Series) -> tuple[str, ...]:
    """The statements that finalize in spite of them."""
    try:
        first, *more = Finalization.of(cluster).by_hand(series)
    except NotCollected:
        first, more = finalize_by_hand(series), []
    return (f"When it is time to finalize: {first}", *more)


def _going(situation: Situation) -> list[Node]:
    """Live members whose record was not renewed in time while others' were."""
    now = situation.cluster.now
    left = {
        n.node_id: n.seen_until - now
        for n in situation.cluster.members
        if n.is_up and n.seen_until is not None
    }
    if max(left.values(), default=dt.timedelta()) < _RENEWED:
        return []
    return [n for n in situation.cluster.members if left.get(n.node_id, _RENEWED) < _NOT_RENEWED]


def _running_out(situation: Situation, going: list[Node]) -> Finding:
    now = situation.cluster.now
    left = "; ".join(
        f"the record of {n.name} runs out in {(n.seen_until - now).total_seconds():.1f} s"
        for n in going[:5]
        if n.seen_until is not None
    )
    return CHECK.finding(
        Outcome.WARN,
        f"{listed(n.name for n in going)} may be going: the liveness record was not renewed in time",
        f"{left}; the others' last longer.",
        evidence={"nodes": [n.node_id for n in going]},
        remedy=("Look twice before you act: guard check --settle 15s",),
        transient=True,
        nodes=going,
    )


def _down(situation: Situation, state: Liveness, nodes: list[Node]) -> Finding:
    names, now = listed(n.name for n in nodes), situation.cluster.now
    seen = "; ".join(f"{n.name} last seen {age(n.seen_until, now)}" for n in nodes[:5])
    abandoned = [n for n in nodes if n.is_abandoned]
    remedy = [
        *_start_again(situation, state, [n for n in nodes if not n.is_abandoned]),
        *((situation.finish_decommissioning(abandoned),) if abandoned else ()),
    ]
    alone = sum(n.is_down for n in situation.cluster.members) == 1 and not abandoned
    if situation.step is Step.NEXT_NODE and alone:
        remedy.append(f"If you are restarting it right now: --node {nodes[0].node_id}")
    return CHECK.finding(
        Outcome.WARN if situation.step is Step.ROLLBACK else Outcome.BLOCK,
        f"{names} {'is' if len(nodes) == 1 else 'are'} {state}",
        f"{seen}. {_what_that_means(situation, nodes)}{_successors(situation, nodes)}",
        evidence={
            "nodes": [
                {"node_id": n.node_id, "liveness": n.liveness, "expired": n.seen_until} for n in nodes
            ]
        },
        remedy=remedy,
        transient=state is Liveness.SUSPECT,
        nodes=nodes,
    )


def _what_that_means(situation: Situation, nodes: list[Node]) -> str:
    """What these nodes being down means for the step, in a sentence."""
    if situation.step is Step.FINALIZE:
        return "CockroachDB cannot finalize while a member node's version cannot be determined."
    if all(n.is_abandoned for n in nodes):
        return "CockroachDB counts a node as a member until its decommissioning is finished."
    named = next((n for n in situation.cluster.members if n.node_id == situation.node_id), None)
    if named is None or not named.is_down:
        return "Another restart now could cost ranges their quorum."
    if named in nodes:
        return f"Starting {named.name} again costs no quorum."
    back = f"{listed(n.name for n in nodes)} {'is' if len(nodes) == 1 else 'are'} back"
    return (
        f"Starting {named.name}, which is down as well, costs no quorum; no other node may be "
        f"restarted before {back}."
    )


def _start_again(situation: Situation, state: Liveness, nodes: list[Node]) -> Iterator[str]:
    """The remedy for nodes that somebody may mean to start again."""
    if not nodes:
        return
    they, had = ("it is", "it") if len(nodes) == 1 else ("they are", "they")
    names = listed(n.name for n in nodes)
    build = _build_to_start_on(situation, nodes) or f"the build {had} had"
    begin = (
        f"Start {names}"
        if not _successors(situation, nodes)
        else f"If its store is left: start {names}"
    )
    yield f"{begin} again, on {build}, and wait until {they} live."
    if state is Liveness.DEAD:
        yield situation.decommission(nodes)


def _build_to_start_on(situation: Situation, nodes: list[Node]) -> str:
    """The build that nodes which are down belong on in this step; empty if the one they had will do."""
    target = situation.target
    if situation.step is Step.ROLLBACK:
        return str(target or "the build to go back to")
    after = situation.step in (Step.FINALIZE, Step.VERIFY) and target is not None
    behind = any(n.build is None or (target and n.build.series < target.series) for n in nodes)
    return str(target) if after and behind else ""


def _successors(situation: Situation, nodes: list[Node]) -> str:
    """Which live nodes have the address of one that is down, in a sentence; empty if none does.

    A node whose disk was lost joins again as a new one, at the old address.
    """
    members = situation.cluster.members
    found = [
        (old, new)
        for old in nodes
        for new in members
        if new.is_up and old.address is not None and new.address == old.address
    ]
    return "".join(
        f" {new.name} lives at the address of {old.name}: if it is {old.name}, come back without its "
        f"store, {old.name} never returns."
        for old, new in found[:3]
    )


CHECK = Check(
    id="node-liveness",
    title="every member node is alive",
    reads=("kv_node_liveness", "gossip_liveness"),
    docs=f"{DOCS}/stable/cluster-setup-troubleshooting#node-liveness-issues",
    explain=__doc__,
    run=run,
)
