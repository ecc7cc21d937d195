"""Are all ranges available and fully replicated?

Every node counts the ranges it answers for and writes the counts into its store's status record
every 10 seconds. guard adds up the records of live nodes only: the record of a dead node keeps its
last numbers for ever and proves nothing. A range that has no live replica at all is counted by
nobody, so while a node is down "no unavailable range" is believed only if the replication report
was made after the node went down and says so too; otherwise the answer is UNKNOWN. So it is while a
node is up and writes no counts, unless the report knows no under-replicated range either. A time-out,
as a range without quorum causes it, is UNKNOWN as well.

- start, next-node, finalize, verify: block; warn of under-replicated ranges on too few nodes (below).
- rollback: warn, going back may be the cure; UNKNOWN only where a node that is up counts nothing.
- next-node with ``--node`` naming a node that is down: warn. Starting it again is the cure.

Under-replication is transient: CockroachDB repairs it, unless a node is dead or leaving whose copies
the others have no room for, or nothing has moved for an hour (every node up, settled and none leaving):
then a zone probably asks for what the nodes cannot give, and no waiting helps. Unavailability is
transient while a node is restarting. A cluster of one or two nodes counts its ranges as
under-replicated for ever unless its zones ask for fewer than three copies (CockroachDB wants at least
three, however few nodes there are), which nobody can fix without more nodes: there it is a warning.

The replication report is asked about unavailable ranges, and of under-replicated ones only whether it
knows none. It takes each zone's factor at its word and so calls the system ranges of every three-node
cluster, which ask for five copies, under-replicated; the counts of the nodes do not.

Reads crdb_internal.kv_store_status: admin, or VIEWCLUSTERMETADATA from v23.1.12 on;
system.replication_stats (admin, or VIEWSYSTEMTABLE from v23.1.11 on) where it may.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from guard.cluster.liveness import Liveness
from guard.cluster.members import Node
from guard.cluster.picture import Cluster
from guard.cluster.replication import (
    never_enough,
    replication_stats,
    report_made_at,
    reports_made_after,
)
from guard.decision.check_definition import DOCS, Check
from guard.decision.checks.draining import restarting
from guard.decision.phrases import age, agreeing, counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, StoreStatusRow

__all__ = ["CHECK"]

_LATELY: Final = dt.timedelta(minutes=5)
_AT_REST: Final = dt.timedelta(hours=1)
_NAMED: Final = 3
_CONSTRAINTS: Final = "SELECT * FROM system.replication_constraint_stats WHERE violating_ranges > 0;"


class _Counts(msgspec.Struct, frozen=True):
    """What the nodes that can be believed count, and who is missing from it.

    Attributes:
        missing: members whose ranges nobody vouches for.
        reported: unavailable ranges by the replication report, None if it says nothing of use.
        reported_under: under-replicated ones, likewise.
        cured: True if the node that is down is the one being started again.
    """

    unavailable: int
    under: int
    missing: tuple[Node, ...]
    reported: int | None
    reported_under: int | None
    report_at: dt.datetime | None
    cured: bool

    @property
    def vouched_for(self) -> bool:
        """True if nothing is hidden by what those that are missing do not count.

        The ranges of a node that is down are counted by others. Those of a node that is up and silent
        are not, and of what is under-replicated the report says too much, so that only a zero counts.
        """
        silent = any(n.is_up for n in self.missing)
        return not self.missing or (
            self.reported is not None and (not silent or self.reported_under == 0)
        )

    @property
    def evidence(self) -> dict[str, Any]:
        return {
            "unavailable": self.unavailable,
            "under_replicated": self.under,
            "reported_unavailable": self.reported,
            "report_at": self.report_at,
            "not_counted": [n.node_id for n in self.missing],
        }


def _started_again(situation: Situation) -> Node | None:
    """The node that is down and that this step starts, if any."""
    cluster = situation.cluster
    named = next((n for n in cluster.members if n.node_id == restarting(situation)), None)
    node = cluster.restarted or named
    return node if node is not None and not node.is_up else None


def _count(situation: Situation) -> _Counts:
    cluster = situation.cluster
    back = _started_again(situation)
    stores: tuple[StoreStatusRow, ...] = tuple(
        s for s in cluster.rows("store_status") if back is None or s.node_id != back.node_id
    )
    others = [n for n in cluster.members if back is None or n.node_id != back.node_id]
    silent = {
        s.node_id for s in stores if s.unavailable_ranges is None or s.underreplicated_ranges is None
    }
    believed = {n.node_id for n in others if n.is_up and n.fresh}
    telling = believed & {s.node_id for s in stores} - silent
    counted = [s for s in stores if s.node_id in believed]
    missing = tuple(n for n in others if n.node_id not in telling)
    report_at = reports_made_after(cluster, (n for n in missing if not n.is_up))
    stats = replication_stats(cluster) if report_at is not None else ()
    return _Counts(
        unavailable=sum(s.unavailable_ranges or 0 for s in counted),
        under=sum(s.underreplicated_ranges or 0 for s in counted),
        missing=missing,
        reported=sum(row.unavailable_ranges for row in stats) if stats else None,
        reported_under=sum(row.under_replicated_ranges for row in stats) if stats else None,
        report_at=report_at,
        cured=back is not None and all(n.is_up for n in missing),
    )


def _restless(cluster: Cluster) -> bool:
    """True if a node is coming or going, so that waiting may cure what is missing."""
    return any(
        n.liveness in (Liveness.SUSPECT, Liveness.DRAINING)
        or (n.started_at is not None and cluster.now - n.started_at < _LATELY)
        for n in cluster.members
    )


def _at_rest(cluster: Cluster) -> bool:
    """True if nothing has moved for so long that waiting cures nothing any more."""
    left = max((n.seen_until for n in cluster.nodes if n.is_down and n.seen_until), default=None)
    return all(
        n.is_up
        and n.membership == "active"
        and n.started_at is not None
        and cluster.now - n.started_at > _AT_REST
        for n in cluster.members
    ) and (left is None or cluster.now - left > _AT_REST)


def _never_enough_nodes(cluster: Cluster) -> bool:
    """True if CockroachDB wants more copies than there are nodes to hold them."""
    return never_enough(cluster, sum(n.membership == "active" for n in cluster.members))


def _no_room_without(cluster: Cluster, dead: list[Node]) -> bool:
    """True if the live nodes cannot hold the copies that CockroachDB wants.

    It goes by the number of nodes that are not being decommissioned, dead ones included.
    """
    active = sum(n.membership == "active" for n in cluster.members)
    return never_enough(cluster, active, holding=active - len(dead))


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings for unavailable and under-replicated ranges and for what nobody counted."""
    counts = _count(situation)
    bad = Outcome.WARN if situation.step is Step.ROLLBACK or counts.cured else Outcome.BLOCK
    if counts.unavailable or counts.reported:
        yield _unavailable(situation, counts, bad)
    if counts.under:
        yield _under_replicated(situation, counts, bad)
    if not counts.vouched_for and not counts.unavailable:
        yield _not_vouched_for(situation, counts)
    elif not (counts.unavailable or counts.reported or counts.under):
        names = listed(n.name for n in counts.missing)
        yield CHECK.finding(
            Outcome.PASS,
            "every range is available and fully replicated",
            f"{names} counts nothing, but the replication report of {counts.report_at:%H:%M:%SZ} "
            "knows no unavailable range."
            if counts.missing
            else "",
            evidence=counts.evidence,
        )


def _unavailable(situation: Situation, counts: _Counts, bad: Outcome) -> Finding:
    return CHECK.finding(
        bad,
        counted(max(counts.unavailable, counts.reported or 0), "range", "is", "are") + " unavailable",
        "They have lost quorum and serve nothing."
        + (" Starting the node again may bring them back." if counts.cured else ""),
        evidence=counts.evidence,
        remedy=_available_again(situation),
        transient=_restless(situation.cluster),
    )


def _available_again(situation: Situation) -> tuple[str, ...]:
    """The remedy for ranges without quorum: their copies are on nodes that are down or gone."""
    down = [n for n in situation.cluster.members if n.is_down and not n.is_abandoned]
    see = "See which ranges, and where their copies are, in the DB Console: /#/reports/problemranges"
    if down:
        return (f"Start {listed(n.name for n in down)} again.", see)
    if _restless(situation.cluster):
        return ("Wait until every node has settled: guard check --wait 5m", see)
    return (
        see,
        "No member is down, so their copies may be on nodes that were taken away: bring those back, or "
        "ask Cockroach Labs support, before anything is restarted.",
    )


def _not_vouched_for(situation: Situation, counts: _Counts) -> Finding:
    missing = counts.missing
    available = counts.reported is not None or not any(n.is_up for n in missing)
    lenient = situation.step is Step.ROLLBACK and available
    return CHECK.finding(
        Outcome.WARN if lenient else Outcome.UNKNOWN,
        f"nobody vouches for the ranges of {listed(n.name for n in missing)}",
        "A node that is down, or writes no status, counts nothing, and a range without any "
        "live replica is counted by no one.",
        evidence=counts.evidence,
        remedy=(
            *_bring_back(situation, missing),
            _about_the_report(situation.cluster, counts),
        ),
        transient=_restless(situation.cluster),
        nodes=missing,
        unseen=not lenient,
    )


def _bring_back(situation: Situation, missing: tuple[Node, ...]) -> Iterator[str]:
    """The remedies for the nodes whose ranges nobody vouches for."""
    staying = [n for n in missing if not n.is_abandoned]
    down = [n for n in staying if not n.is_up]
    if not staying:
        yield situation.finish_decommissioning(missing)
    if down:
        yield (
            f"Start {listed(n.name for n in down)} again and wait until "
            f"{agreeing(len(down), 'it is', 'they are')} live."
        )
    yield from (
        f"{n.name} lives and writes no status: its log says why." for n in staying[:_NAMED] if n.is_up
    )


def _about_the_report(cluster: Cluster, counts: _Counts) -> str:
    """Why the replication report does not stand in for the nodes that are missing."""
    if counts.reported is not None:
        return (
            f"The replication report knows no unavailable range, but names {counts.reported_under} "
            "under-replicated ones, more than there may be: it cannot say what this node would count."
        )
    section = cluster.snapshot.replication_stats
    if not isinstance(section, Collected):
        return (
            "Or read the replication report too: it needs admin, or VIEWSYSTEMTABLE from v23.1.11 on."
        )
    made = report_made_at(cluster)
    if made is None or cluster.now - made > _LATELY:
        when = f"was last made {age(made, cluster.now)}" if made is not None else "is empty"
        return (
            f"The replication report {when}, so nobody makes it now: SHOW CLUSTER SETTING "
            "kv.replication_reports.interval; says how often it should be."
        )
    return (
        f"The replication report was made {age(made, cluster.now)}, too early to know of it: it is "
        "made about once a minute, so look again."
    )


def _under_replicated(situation: Situation, counts: _Counts, bad: Outcome) -> Finding:
    cluster = situation.cluster
    leaving = [n for n in cluster.members if n.membership != "active"]
    if _never_enough_nodes(cluster) and leaving and not never_enough(cluster, len(cluster.members)):
        return _too_few_stay(counts, bad, leaving)
    if _never_enough_nodes(cluster):
        return CHECK.finding(
            Outcome.WARN,
            f"{counted(counts.under, 'range', 'is', 'are')} under-replicated, and on this few nodes "
            "always will be",
            "CockroachDB wants at least three copies unless the zone asks for fewer. Every restart "
            "makes ranges unavailable until the node is back.",
            evidence=counts.evidence,
            remedy=("Add nodes, or lower num_replicas of the zones.",),
        )
    dead = [n for n in cluster.members if n.liveness is Liveness.DEAD and n.membership == "active"]
    if not counts.cured and dead and _no_room_without(cluster, dead):
        return CHECK.finding(
            bad,
            f"{counted(counts.under, 'range', 'is', 'are')} under-replicated, and the live nodes are "
            "too few for all copies",
            f"{listed(n.name for n in dead)} {agreeing(len(dead), 'is', 'are')} dead, so waiting does "
            "not help. Another restart could cost these ranges their quorum.",
            evidence=counts.evidence,
            remedy=(
                f"Start {listed(n.name for n in dead)} again, or let a new node join.",
                situation.decommission(dead),
            ),
            nodes=dead,
        )
    if not counts.cured and _at_rest(cluster):
        return CHECK.finding(
            bad,
            f"{counted(counts.under, 'range', 'is', 'are')} under-replicated, and nothing is moving",
            "Every node has been up for a long time, so waiting will hardly help: a zone probably asks "
            "for replicas that its constraints leave no room for. Another restart could cost these "
            "ranges their quorum.",
            evidence=counts.evidence,
            remedy=(
                "See which zones ask for what: SHOW ALL ZONE CONFIGURATIONS;",
                f"See which constraints are violated: {situation.internals(_CONSTRAINTS)}",
                "See the ranges in the DB Console: /#/reports/problemranges",
            ),
        )
    return CHECK.finding(
        bad,
        f"{counted(counts.under, 'range', 'is', 'are')} under-replicated",
        "Starting the node again is the cure."
        if counts.cured
        else "Another restart could cost them their quorum.",
        evidence=counts.evidence,
        remedy=("Start it, and wait until they have caught up before another node is restarted.",)
        if counts.cured
        else ("Wait until they have caught up, or let guard wait: guard check --wait 20m",),
        transient=not counts.cured,
    )


def _too_few_stay(counts: _Counts, bad: Outcome, leaving: list[Node]) -> Finding:
    """The nodes would do, if some of them were not being decommissioned."""
    back = " ".join(str(n.node_id) for n in leaving if n.is_up)
    return CHECK.finding(
        bad,
        f"{counted(counts.under, 'range', 'is', 'are')} under-replicated, and the nodes that stay are "
        "too few for all copies",
        f"{listed(n.name for n in leaving)} {agreeing(len(leaving), 'is', 'are')} leaving, so waiting "
        "does not help. Another restart could cost these ranges their quorum.",
        evidence=counts.evidence,
        remedy=(
            "Let a new node join before it goes.",
            *((f"Or take it back: cockroach node recommission {back}",) if back else ()),
        ),
        nodes=leaving,
    )


CHECK = Check(
    id="range-health",
    title="every range is available and fully replicated",
    reads=("store_status", "gossip_liveness", "kv_node_liveness", "node_status", "replication_stats"),
    docs=f"{DOCS}/stable/cluster-setup-troubleshooting#replication-issues",
    explain=__doc__,
    run=run,
)
