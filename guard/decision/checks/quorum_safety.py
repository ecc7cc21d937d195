"""Would stopping a node leave any range without quorum?

Asked for the node that ``--node`` names, or for any one node. Two ways to tell:

- the report of critical localities, if this user may read it, it was made lately and after the last
  node went down, and the node has a locality of its own: it says how many ranges could make no
  progress without that locality;
- else counting: the smallest replication factor that a zone asks for bears so many nodes down, and
  so many are down already.

- start, next-node: block if ranges would lose quorum. A cluster of one or two nodes warns: its ranges
  are unavailable while a node restarts, which no waiting changes. The same holds for zones that ask for
  one or two replicas.
- rollback: as start if ``--node`` names a node that is up, block or warn; else warn, since the node
  that is put back may be the one that is down.
- finalize, verify: not asked, they stop no node.
- a draining node is on its way out and counts as down; a decommissioning one without a replica on it
  does not, for it gets none any more.
- with ``--node`` naming a node that is down already: pass, there is nothing left to stop. A ``--node``
  that is no member is UNKNOWN, which cannot be waived.

Zones of tables that the user may not see are left out by the server without an error; only an
admin's list is complete. What a node less would do is UNKNOWN while another one is down and not all
zones can be read, or none; with every node up the latter is a warning. Reads crdb_internal.zones, and
system.replication_critical_localities (admin, or VIEWSYSTEMTABLE from v23.1.11 on) where it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guard.cluster.liveness import Liveness
from guard.cluster.members import Node
from guard.cluster.replication import (
    critical_localities,
    factors,
    needed_voters,
    reports_made_after,
    tolerated_failures,
)
from guard.cluster.stores import replicas_on
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import PASSING, Collected, Unavailable

__all__ = ["CHECK"]

_SMALL = 2  # with so few nodes every restart costs quorum, or the whole cluster


def run(situation: Situation) -> Iterator[Finding]:
    """Yield exactly one finding."""
    members = situation.cluster.members
    named = next((n for n in members if n.node_id == situation.node_id), None)
    if situation.node_id is not None and named is None:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"there is no member node n{situation.node_id}",
            remedy=("Check --node: cockroach node status",),
            unseen=True,  # nothing was judged: no waiver stands in for the node
        )
        return
    left = replicas_on(situation.cluster.snapshot)
    down = [
        n
        for n in members
        if not n.counts_for_quorum
        and n is not named
        and not (n.is_leaving and left.get(n.node_id) == 0)
    ]
    evidence: dict[str, Any] = {
        "node": situation.node_id,
        "members": len(members),
        "down": [n.node_id for n in down],
    }
    if named is not None and named.is_down:
        yield CHECK.finding(
            Outcome.PASS,
            f"{named.name} is down already: starting it again costs no quorum",
            evidence=evidence,
        )
        return
    if len(members) <= _SMALL:
        yield CHECK.finding(
            Outcome.WARN,
            "this cluster has one node: it is down while that node restarts"
            if len(members) == 1
            else "this cluster has two nodes: ranges lose quorum while one of them restarts",
            "Three nodes or more can be restarted one by one without losing quorum.",
            evidence=evidence,
        )
        return
    at_risk = _ranges_at_risk(situation, named, down)
    if at_risk is not None and named is not None:
        yield _by_report(situation, named, down, at_risk, evidence)
        return
    yield _by_counting(situation, named, down, evidence)


def _ranges_at_risk(situation: Situation, named: Node | None, down: list[Node]) -> int | None:
    """Ranges that need this very node, None if the report cannot say."""
    rows = critical_localities(situation.cluster)
    if rows is None or named is None or not named.locality:
        return None
    if reports_made_after(situation.cluster, down) is None:
        return None
    locality = named.locality
    shared = any(
        n is not named
        and n.locality is not None
        and (n.locality == locality or n.locality.startswith(f"{locality},"))
        for n in situation.cluster.members
    )
    if shared:
        return None
    return sum(row.at_risk_ranges for row in rows if row.locality == locality)


def _severity(situation: Situation) -> Outcome:
    """A rollback may well put back the node that is down; of a named, healthy one it is the harm."""
    unnamed = situation.step is Step.ROLLBACK and situation.node_id is None
    return Outcome.WARN if unnamed else Outcome.BLOCK


def _about(named: Node | None, down: list[Node]) -> list[Node]:
    return [*down, named] if named is not None else down


def _may_come_back(down: list[Node]) -> bool:
    """True if none of them has been away for so long that it counts as dead."""
    return all(n.liveness is not Liveness.DEAD for n in down)


def _by_report(
    situation: Situation, named: Node, down: list[Node], at_risk: int, evidence: dict[str, Any]
) -> Finding:
    evidence = evidence | {"at_risk_ranges": at_risk, "locality": named.locality}
    if not at_risk:
        return CHECK.finding(
            Outcome.PASS,
            f"no range needs {named.name} to keep its quorum",
            f"By the report of critical localities, for {named.locality}.",
            evidence=evidence,
        )
    asked = factors(situation.cluster)
    if not down and asked is not None and tolerated_failures(asked[0]) == 0:
        return _few_copies(asked[0], evidence)
    return CHECK.finding(
        _severity(situation),
        f"{counted(at_risk, 'range')} would lose quorum without {named.name}",
        f"By the report of critical localities, for {named.locality}.",
        evidence=evidence,
        remedy=("Start the nodes that are down, and wait until every range is fully replicated.",),
        transient=_may_come_back(down),
        nodes=_about(named, down),
    )


def _few_copies(factor: int, evidence: dict[str, Any]) -> Finding:
    return CHECK.finding(
        Outcome.WARN,
        f"a zone asks for {counted(factor, 'replica')}: "
        "its ranges are unavailable while a node restarts",
        "With one or two voters a range bears no node down, however many nodes there are.",
        evidence=evidence,
        remedy=(
            "See which: SHOW ALL ZONE CONFIGURATIONS;",
            "Raise num_replicas to 3 or more for data that must stay available.",
        ),
    )


def _by_counting(
    situation: Situation, named: Node | None, down: list[Node], evidence: dict[str, Any]
) -> Finding:
    asked = factors(situation.cluster)
    what = named.name if named is not None else "one node"
    if asked is None:
        zones = situation.cluster.snapshot.zone_replicas
        why = zones if isinstance(zones, Unavailable) else None
        return CHECK.finding(
            Outcome.UNKNOWN if down else Outcome.WARN,
            "the replication factors in use could not be read",
            f"{listed(n.name for n in down)} is down already, and how much more the ranges bear "
            "depends on them."
            if down
            else "No other node is down; zones that ask for three replicas or more bear that one "
            "stops, but guard could not see whether all of them do.",
            evidence=evidence | {"reason": why.reason if why else None},
            nodes=_about(named, down),
            unseen=bool(down),
            remedy=(why.remedy if why else ()) or ("Let this user read crdb_internal.zones.",),
            transient=why is not None and why.reason in PASSING,
        )
    nodes = len(situation.cluster.members)
    smallest = min(needed_voters(factor, nodes) for factor in asked)
    borne = tolerated_failures(smallest)
    evidence = evidence | {"factors": list(asked), "failures_borne": borne}
    if not down and borne == 0:
        return _few_copies(asked[0], evidence)
    if len(down) + 1 > borne:
        return CHECK.finding(
            _severity(situation),
            f"stopping {what} could leave ranges without quorum",
            f"{_down_already(down)}, and a range with {smallest} voters bears "
            f"{counted(borne, 'node')} down.",
            evidence=evidence,
            remedy=_bring_back(situation, down),
            transient=_may_come_back(down),
            nodes=_about(named, down),
        )
    if down and not _sees_all_zones(situation):
        return CHECK.finding(
            Outcome.UNKNOWN,
            f"stopping {what} might leave ranges without quorum",
            "A zone that this user may not see may ask for fewer replicas than those that it may.",
            evidence=evidence,
            remedy=("Ask as a member of the admin role.",),
            nodes=_about(named, down),
            unseen=True,
        )
    return CHECK.finding(
        Outcome.PASS,
        f"ranges keep their quorum without {what}",
        f"The smallest number of voters in use is {smallest}, which bears {counted(borne, 'node')} down"
        + ("." if _sees_all_zones(situation) else ", as far as this user may see the zones."),
        evidence=evidence,
    )


def _bring_back(situation: Situation, down: list[Node]) -> tuple[str, ...]:
    gone = [n for n in down if n.is_down and not n.is_leaving]
    going = listed(n.name for n in down if not n.is_down and not n.is_leaving)
    leaving = [n for n in down if n.is_leaving]
    return (
        *((f"Start {listed(n.name for n in gone)} again and wait until live.",) if gone else ()),
        *((f"Wait until {going} has been restarted and is live.",) if going else ()),
        *((situation.decommission(gone),) if gone and not _may_come_back(gone) else ()),
        *((situation.finish_decommissioning(leaving),) if leaving else ()),
    )


def _down_already(down: list[Node]) -> str:
    draining = " or draining" if any(n.is_up for n in down) else ""
    return f"{listed(n.name for n in down)} {'is' if len(down) == 1 else 'are'} down{draining} already"


def _sees_all_zones(situation: Situation) -> bool:
    section = situation.cluster.snapshot.privileges
    return isinstance(section, Collected) and any(r.kind == "admin" and r.granted for r in section.rows)


CHECK = Check(
    id="quorum-safety",
    title="no range loses quorum when a node is stopped",
    reads=("gossip_liveness", "kv_node_liveness", "zone_replicas", "critical_localities"),
    docs=f"{DOCS}/stable/configure-replication-zones",
    explain=__doc__,
    run=run,
)
