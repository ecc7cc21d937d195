"""range-health: only live stores' counts are believed, and what nobody counted is unknown."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from guard.snapshot.model import Reason, ReplicationStatsRow, ZoneReplicasRow
from tests.building import NOW, Node, collected, minutes, node, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, WARN, judge, one, outcomes

A_MINUTE = dt.timedelta(minutes=1)
SEVERITY = {"start": BLOCK, "next-node": BLOCK, "finalize": BLOCK, "rollback": WARN, "verify": BLOCK}
DEAD = [node(1), node(2), node(3, state="dead")]


def report(*unavailable_ranges: int, under: int = 0, ago: dt.timedelta = A_MINUTE) -> Any:
    return collected(
        *(
            ReplicationStatsRow(
                zone_id=zone,
                subzone_id=0,
                total_ranges=40,
                unavailable_ranges=number,
                under_replicated_ranges=under,
                generated=NOW - ago,
            )
            for zone, number in enumerate(unavailable_ranges)
        )
    )


@pytest.mark.parametrize("step", ALL_STEPS)
def test_ranges_that_stay_under_replicated_while_nothing_moves_are_not_waited_for(step: str) -> None:
    seen = snapshot([node(1, underreplicated_ranges=7), node(2), node(3), node(4)])
    finding = one("range-health", seen, step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], False)
    assert "CONFIGURATIONS" in " ".join(finding.remedy)


def zones(*numbers: int) -> Any:
    return collected(*(ZoneReplicasRow(num_replicas=n, num_voters=None) for n in numbers))


@pytest.mark.parametrize("step", ALL_STEPS)
def test_healthy_ranges_pass(step: str) -> None:
    assert outcomes("range-health", snapshot(), step, "v21.1.11") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_unavailable_ranges(step: str) -> None:
    seen = snapshot([node(1), node(2), node(3, unavailable_ranges=2)])
    finding = one("range-health", seen, step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], False)
    assert finding.title.startswith("2 ranges are unavailable")


@pytest.mark.parametrize("step", ALL_STEPS)
def test_under_replicated_ranges(step: str) -> None:
    back = node(3, underreplicated_ranges=3, started=NOW - minutes(20))
    seen = snapshot([node(1, underreplicated_ranges=7), node(2), back])
    finding = one("range-health", seen, step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], True)
    assert finding.evidence["under_replicated"] == 10


def test_unavailability_is_transient_while_a_node_restarts() -> None:
    nodes = [node(1, unavailable_ranges=1), node(2), node(3, started=NOW - minutes(2))]
    assert one("range-health", snapshot(nodes), "next-node", "v21.1.12").transient


@pytest.mark.parametrize("state", ["dead", "suspect"])
@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "verify"])
def test_the_zero_of_a_node_that_is_down_is_not_a_zero(step: str, state: str) -> None:
    seen = snapshot([node(1), node(2), node(3, state=state)])
    finding = one("range-health", seen, step, "v21.1.11")
    assert finding.outcome is UNKNOWN
    assert finding.evidence["not_counted"] == [3]


def test_nor_are_its_last_bad_numbers_believed() -> None:
    seen = snapshot([node(1), node(2), node(3, state="dead", unavailable_ranges=9)])
    assert one("range-health", seen, "start", "v21.1.12").evidence["unavailable"] == 0


def test_in_a_rollback_a_dead_node_only_warns() -> None:
    assert outcomes("range-health", snapshot(DEAD), "rollback", "v21.1.11") == [WARN]


def test_a_replication_report_made_after_the_death_covers_the_dead_store() -> None:
    seen = snapshot(DEAD, replication_stats=report(0, 0))
    finding = one("range-health", seen, "start", "v21.1.12")
    assert finding.outcome is PASS
    assert "n3 counts nothing" in finding.detail


@pytest.mark.parametrize(
    "silent",
    [
        node(3, tables=("liveness", "gossip", "status"), underreplicated_ranges=7),
        node(3, underreplicated_ranges=None),
        node(3, unavailable_ranges=None),
    ],
    ids=["no store", "no number", "no other number"],
)
@pytest.mark.parametrize("step", ALL_STEPS)
def test_what_a_live_node_would_count_the_report_knows_only_if_it_names_no_range(
    silent: Node, step: str
) -> None:
    """It calls ranges under-replicated that are not, so that one of this node's may be among them."""

    def with_report(under: int) -> list[Any]:
        seen = snapshot([node(1), node(2), silent], replication_stats=report(0, 0, under=under))
        return outcomes("range-health", seen, step, "v21.1.11")

    assert with_report(0) == [PASS]
    assert with_report(5) == [WARN if step == "rollback" else UNKNOWN]
    assert (
        one("range-health", snapshot([node(1), node(2), silent]), step, "v21.1.11").outcome is UNKNOWN
    )


@pytest.mark.parametrize("ago", [minutes(6), minutes(61)])
def test_a_stale_report_covers_nothing(ago: dt.timedelta) -> None:
    seen = snapshot(DEAD, replication_stats=report(0, ago=ago))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [UNKNOWN]


def test_nor_does_one_made_before_the_death() -> None:
    suspect = [node(1), node(2), node(3, state="suspect")]  # gone for one minute
    seen = snapshot(suspect, replication_stats=report(0, ago=minutes(2)))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [UNKNOWN]


def test_nor_does_one_that_does_not_say_when_it_was_made() -> None:
    undated = tuple(msgspec.structs.replace(r, generated=None) for r in report(0).rows)
    seen = snapshot(DEAD, replication_stats=collected(*undated))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [UNKNOWN]


def test_unavailable_ranges_of_the_report_block_although_nobody_counts_them() -> None:
    seen = snapshot(DEAD, replication_stats=report(0, 4))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [BLOCK]


def test_those_of_a_stale_report_are_history() -> None:
    seen = snapshot(replication_stats=report(4, ago=minutes(10)))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [PASS]


def test_the_report_calls_every_three_node_cluster_under_replicated() -> None:
    """Its system zones ask for five copies: seen on real clusters, nothing anybody can fix."""
    seen = snapshot(replication_stats=report(0, 0, under=39))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [PASS]


@pytest.mark.parametrize("section", [unavailable(), unavailable(Reason.UNSAFE_INTERNALS), collected()])
def test_the_report_is_further_evidence_only(section: Any) -> None:
    seen = snapshot(replication_stats=section)
    assert outcomes("range-health", seen, "start", "v21.1.12") == [PASS]


@pytest.mark.parametrize(
    "nodes", [[node(1, underreplicated_ranges=44)], [node(1, underreplicated_ranges=9), node(2)]]
)
@pytest.mark.parametrize("factors", [zones(3, 5), zones(3), unavailable(Reason.TIMEOUT)])
@pytest.mark.parametrize("step", ALL_STEPS)
def test_one_or_two_nodes_are_under_replicated_for_ever(
    step: str, nodes: list[Node], factors: Any
) -> None:
    seen = snapshot(nodes, zone_replicas=factors)
    finding = one("range-health", seen, step, "v21.1.11")
    assert finding.outcome is WARN
    assert "always will be" in finding.title


def test_but_not_if_the_zones_ask_for_no_more_copies_than_there_are_nodes() -> None:
    seen = snapshot([node(1, underreplicated_ranges=9), node(2)], zone_replicas=zones(1, 2))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [BLOCK]


def test_three_nodes_can_hold_five_copies_asked_for() -> None:
    seen = snapshot([node(1, underreplicated_ranges=9), node(2), node(3)], zone_replicas=zones(3, 5))
    assert outcomes("range-health", seen, "start", "v21.1.12") == [BLOCK]


def test_the_node_that_is_restarted_now_is_cured_by_starting_it() -> None:
    down = [node(1, underreplicated_ranges=49, unavailable_ranges=1), node(2), node(3, state="suspect")]
    assert outcomes("range-health", snapshot(down), "next-node", "v21.1.12", node=3) == [WARN, WARN]
    assert BLOCK in outcomes("range-health", snapshot(down), "next-node", "v21.1.12", node=2)
    assert BLOCK in outcomes("range-health", snapshot(down), "start", "v21.1.12", node=3)
    healed = [node(1), node(2), node(3, state="suspect")]
    assert outcomes("range-health", snapshot(healed), "next-node", "v21.1.12", node=3) == [PASS]


def test_starting_one_node_does_not_cure_what_another_one_does() -> None:
    down = [node(1, underreplicated_ranges=9), node(2, state="dead"), node(3, state="suspect"), node(4)]
    found = judge("range-health", snapshot(down), "next-node", "v21.1.12", node=3)
    assert [f.outcome for f in found] == [BLOCK, UNKNOWN]


@pytest.mark.parametrize("column", ["unavailable_ranges", "underreplicated_ranges"])
def test_a_store_without_numbers_is_unknown(column: str) -> None:
    nothing: dict[str, Any] = {column: None}
    seen = snapshot([node(1), node(2), node(3, **nothing)])
    assert outcomes("range-health", seen, "start", "v21.1.12") == [UNKNOWN]


def test_a_node_without_a_store_record_is_unknown() -> None:
    seen = snapshot([node(1), node(2), node(3, tables=("liveness", "gossip", "status"))])
    assert outcomes("range-health", seen, "start", "v21.1.12") == [UNKNOWN]


def test_a_live_node_that_writes_no_status_counts_nothing() -> None:
    third = node(3, underreplicated_ranges=9)
    assert third.status is not None
    stale = msgspec.structs.replace(third.status, updated_at=NOW - minutes(2))
    seen = snapshot([node(1), node(2), replace(third, status=stale)])
    finding = one("range-health", seen, "start", "v21.1.12")
    assert (finding.outcome, finding.evidence["under_replicated"]) == (UNKNOWN, 0)


def test_the_leftover_store_of_a_decommissioned_node_does_not_count() -> None:
    gone = node(4, state="dead", membership="decommissioned", unavailable_ranges=3)
    assert outcomes("range-health", snapshot([*three(), gone]), "start", "v21.1.12") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_lost_quorum_shows_as_a_time_out_and_is_never_quiet(step: str) -> None:
    seen = snapshot(store_status=unavailable(Reason.TIMEOUT, "statement timeout", "57014"))
    assert one("range-health", seen, step, "v21.1.11").outcome is UNKNOWN


def test_empty_store_table_is_unknown() -> None:
    assert outcomes("range-health", snapshot(store_status=collected()), "start", "v21.1.12") == [
        UNKNOWN
    ]


@pytest.mark.parametrize(("state", "back"), [("live", True), ("dead", False)])
@pytest.mark.parametrize("step", ALL_STEPS)
def test_nodes_that_would_do_if_none_were_leaving_are_not_too_few_for_ever(
    step: str, state: str, back: bool
) -> None:
    leaving = node(3, membership="decommissioning", state=state)
    seen = snapshot([node(1, underreplicated_ranges=9), node(2), leaving])
    found = judge("range-health", seen, step, "v21.1.11")[0]
    assert (found.outcome, found.transient, found.nodes) == (SEVERITY[step], False, (3,))
    assert ("recommission 3" in " ".join(found.remedy)) is back


def test_the_remedy_names_every_node_that_is_missing() -> None:
    """Starting one of three and looking again would only name the next."""
    status = node(4).status
    assert status is not None
    silent = msgspec.structs.replace(status, updated_at=NOW - minutes(9))
    quiet = replace(node(4), status=silent)
    dead = [node(i, state="dead") for i in (7, 8, 9)]
    living = [node(i) for i in (1, 2, 3, 5, 6)]
    finding = one("range-health", snapshot([*living, quiet, *dead]), "start", "v21.1.21")
    assert finding.remedy[:2] == (
        "Start n7, n8, n9 again and wait until they are live.",
        "n4 lives and writes no status: its log says why.",
    )
