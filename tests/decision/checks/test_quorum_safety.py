"""quorum-safety: would stopping a node leave a range without quorum?"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from guard.cluster.replication import needed_voters, tolerated_failures
from guard.snapshot.model import CriticalLocalityRow, Reason, ReplicationStatsRow, ZoneReplicasRow
from tests.building import NOW, Node, collected, minutes, node, snapshot, three, unavailable
from tests.decision.judging import BLOCK, PASS, UNKNOWN, WARN, one, outcomes

A_MINUTE = dt.timedelta(minutes=1)
STEPS = ("start", "next-node", "rollback")
SEVERITY = {"start": BLOCK, "next-node": BLOCK, "rollback": WARN}


def zones(*numbers: int, voters: int | None = None) -> Any:
    return collected(*(ZoneReplicasRow(num_replicas=n, num_voters=voters) for n in numbers))


def located(*localities: str, dead: tuple[int, ...] = ()) -> list[Node]:
    nodes = []
    for number, locality in enumerate(localities, start=1):
        built = node(number, state="dead" if number in dead else "live")
        assert built.gossip is not None
        nodes.append(replace(built, gossip=msgspec.structs.replace(built.gossip, locality=locality)))
    return nodes


def critical(*rows: tuple[str, int], ago: dt.timedelta = A_MINUTE) -> Any:
    return collected(
        *(
            CriticalLocalityRow(
                zone_id=zone, subzone_id=0, locality=where, at_risk_ranges=ranges, generated=NOW - ago
            )
            for zone, (where, ranges) in enumerate(rows)
        )
    )


THREE_ZONES = ("region=a,zone=1", "region=a,zone=2", "region=a,zone=3")


@pytest.mark.parametrize("named", [None, 2])
@pytest.mark.parametrize("step", STEPS)
def test_three_nodes_bear_one(step: str, named: int | None) -> None:
    assert outcomes("quorum-safety", snapshot(), step, "v21.1.11", node=named) == [PASS]


@pytest.mark.parametrize("named", [None, 2])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", ["dead", "suspect"])
def test_three_nodes_do_not_bear_two(step: str, named: int | None, state: str) -> None:
    seen = snapshot([node(1), node(2), node(3, state=state)])
    finding = one("quorum-safety", seen, step, "v21.1.11", node=named)
    assert finding.outcome is (BLOCK if named else SEVERITY[step])
    assert "n3 is down already" in finding.detail


def test_the_factor_in_use_counts_not_three() -> None:
    five = [node(i) for i in range(1, 5)] + [node(5, state="dead")]
    assert outcomes("quorum-safety", snapshot(five, zone_replicas=zones(5)), "start", "v21.1.12") == [
        PASS
    ]
    assert outcomes(
        "quorum-safety", snapshot(five, zone_replicas=zones(5, 3)), "start", "v21.1.12"
    ) == [BLOCK]


def test_voters_count_not_all_replicas() -> None:
    five = [node(i) for i in range(1, 5)] + [node(5, state="dead")]
    seen = snapshot(five, zone_replicas=zones(5, voters=3))
    assert outcomes("quorum-safety", seen, "start", "v21.1.12") == [BLOCK]


def test_five_copies_asked_of_three_nodes_are_three() -> None:
    seen = snapshot([node(1), node(2), node(3, state="dead")], zone_replicas=zones(5))
    assert outcomes("quorum-safety", seen, "start", "v21.1.12") == [BLOCK]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nodes", [[node(1)], [node(1), node(2)], [node(1), node(2, state="dead")]])
def test_one_or_two_nodes_get_an_honest_warning(step: str, nodes: list[Node]) -> None:
    assert outcomes("quorum-safety", snapshot(nodes), step, "v21.1.11") == [WARN]


@pytest.mark.parametrize("factor", [1, 2])
def test_so_do_zones_with_one_or_two_replicas(factor: int) -> None:
    seen = snapshot(zone_replicas=zones(factor, 3))
    finding = one("quorum-safety", seen, "next-node", "v21.1.12")
    assert finding.outcome is WARN
    assert f"asks for {factor} replica" in finding.title


@pytest.mark.parametrize("section", [unavailable(Reason.TIMEOUT), unavailable(), collected()])
def test_without_the_factors(section: Any) -> None:
    assert outcomes("quorum-safety", snapshot(zone_replicas=section), "start", "v21.1.12") == [WARN]
    one_down = snapshot([node(1), node(2), node(3, state="dead")], zone_replicas=section)
    assert outcomes("quorum-safety", one_down, "start", "v21.1.12") == [UNKNOWN]


def test_zones_that_a_user_may_not_see_count_when_it_matters() -> None:
    five = [node(i) for i in range(1, 5)] + [node(5, state="dead")]
    seen = snapshot(five, zone_replicas=zones(5), admin=False)
    assert outcomes("quorum-safety", seen, "start", "v21.1.12") == [UNKNOWN]
    finding = one("quorum-safety", snapshot(admin=False), "start", "v21.1.12")
    assert finding.outcome is PASS
    assert "as far as this user may see" in finding.detail


def test_a_node_that_is_down_already_can_be_started() -> None:
    seen = snapshot([node(1), node(2), node(3, state="dead")])
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=3) == [PASS]


def test_a_node_nobody_knows_is_unknown() -> None:
    assert outcomes("quorum-safety", snapshot(), "next-node", "v21.1.12", node=9) == [UNKNOWN]


def test_a_decommissioned_node_is_not_down() -> None:
    gone = node(4, state="dead", membership="decommissioned")
    assert outcomes("quorum-safety", snapshot([*three(), gone]), "start", "v21.1.12") == [PASS]


def test_the_report_of_critical_localities_decides_where_it_can() -> None:
    rows = critical(("region=a", 40), (THREE_ZONES[0], 0), (THREE_ZONES[1], 3), (THREE_ZONES[1], 2))
    seen = snapshot(located(*THREE_ZONES), critical_localities=rows)
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [PASS]
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=3) == [PASS]
    finding = one("quorum-safety", seen, "next-node", "v21.1.12", node=2)
    assert finding.outcome is BLOCK
    assert finding.transient
    assert finding.evidence["at_risk_ranges"] == 5


def test_it_knows_more_than_counting_does() -> None:
    """Five nodes, one dead, its replicas long moved elsewhere: no range needs n1."""
    places = [f"zone={i}" for i in range(1, 6)]
    safe = snapshot(located(*places, dead=(5,)), critical_localities=critical(("zone=2", 1)))
    assert outcomes("quorum-safety", safe, "next-node", "v21.1.12", node=1) == [PASS]
    finding = one("quorum-safety", safe, "next-node", "v21.1.12", node=2)
    assert (finding.outcome, finding.transient) == (BLOCK, False)


@pytest.mark.parametrize("ago", [minutes(6), minutes(70)])
def test_a_stale_report_does_not_decide(ago: dt.timedelta) -> None:
    seen = snapshot(
        located(*THREE_ZONES, dead=(3,)), critical_localities=critical(("zone=9", 1), ago=ago)
    )
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [BLOCK]


def test_nor_does_one_made_before_the_last_node_went_down() -> None:
    nodes = located(*THREE_ZONES[:2])
    suspect = node(3, state="suspect")  # gone for one minute
    seen = snapshot([*nodes, suspect], critical_localities=critical(("zone=9", 1), ago=minutes(2)))
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [BLOCK]


@pytest.mark.parametrize("others", ["region=a,zone=1", "region=a,zone=1,rack=7"])
def test_a_locality_that_nodes_share_says_nothing_of_one_node(others: str) -> None:
    rows = critical(("region=a,zone=1", 12))
    seen = snapshot(located("region=a,zone=1", others, "region=b,zone=1"), critical_localities=rows)
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [PASS]


def test_an_empty_report_is_believed_only_if_the_reporter_is_alive() -> None:
    nodes = located("zone=1", "zone=2", "zone=3", "zone=4", "zone=5", dead=(5,))
    silent = snapshot(nodes)
    assert outcomes("quorum-safety", silent, "next-node", "v21.1.12", node=1) == [BLOCK]
    alive = ReplicationStatsRow(
        zone_id=0,
        subzone_id=0,
        total_ranges=9,
        unavailable_ranges=0,
        under_replicated_ranges=0,
        generated=NOW - minutes(1),
    )
    seen = snapshot(nodes, replication_stats=collected(alive))
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [PASS]


def test_a_hidden_report_falls_back_to_counting() -> None:
    for section in (unavailable(), unavailable(Reason.UNSAFE_INTERNALS, "restricted")):
        seen = snapshot(located(*THREE_ZONES), critical_localities=section)
        assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [PASS]


def test_ranges_at_risk_in_a_whole_cluster_are_those_with_few_copies() -> None:
    seen = snapshot(
        located(*THREE_ZONES),
        critical_localities=critical((THREE_ZONES[0], 4)),
        zone_replicas=zones(1, 3),
    )
    assert outcomes("quorum-safety", seen, "next-node", "v21.1.12", node=1) == [WARN]


@pytest.mark.parametrize(
    ("factor", "nodes", "voters"),
    [
        *((3, 1, 3), (3, 2, 3), (3, 3, 3), (3, 9, 3), (7, 2, 3), (7, 6, 5)),
        *((5, 3, 3), (5, 4, 3), (5, 5, 5), (4, 3, 3), (4, 4, 4)),
        *((1, 1, 1), (1, 5, 1), (2, 1, 2), (2, 2, 2)),
    ],
)
def test_needed_voters_as_the_allocator_has_it(factor: int, nodes: int, voters: int) -> None:
    assert needed_voters(factor, nodes) == voters


@pytest.mark.parametrize(("voters", "failures"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)])
def test_how_many_failures_a_range_bears(voters: int, failures: int) -> None:
    assert tolerated_failures(voters) == failures
