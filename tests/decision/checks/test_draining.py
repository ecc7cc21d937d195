"""draining: nodes on their way out, and nodes that are only just back."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import msgspec
import pytest

from guard.decision.policy.rules import Thresholds
from tests.building import NOW, Node, minutes, node, snapshot
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, WARN, judge, one, outcomes

SEVERITY = {"start": WARN, "next-node": BLOCK, "finalize": BLOCK, "rollback": WARN, "verify": WARN}


def just_back(seconds: float) -> list[Node]:
    return [node(1), node(2), node(3, started=NOW - dt.timedelta(seconds=seconds))]


def with_status_at(moment: dt.datetime | None) -> list[Node]:
    third = node(3)
    assert third.status is not None
    return [
        node(1),
        node(2),
        replace(third, status=msgspec.structs.replace(third.status, updated_at=moment)),
    ]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_settled_nodes_pass(step: str) -> None:
    assert outcomes("draining", snapshot(), step, "v21.1.11") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_draining_node(step: str) -> None:
    finding = one("draining", snapshot([node(1), node(2), node(3, state="draining")]), step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], True)
    assert finding.evidence["nodes"] == [3]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("seconds", [0, 59, -5])
def test_a_node_that_is_only_just_back(step: str, seconds: float) -> None:
    finding = one("draining", snapshot(just_back(seconds)), step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], True)


def test_after_the_settle_time_it_is_back() -> None:
    assert outcomes("draining", snapshot(just_back(60)), "next-node", "v21.1.11") == [PASS]


def test_the_settle_time_is_a_threshold() -> None:
    patient = Thresholds(settle=dt.timedelta(minutes=3))
    seen = snapshot(just_back(120))
    assert outcomes("draining", seen, "next-node", "v21.1.11") == [PASS]
    assert outcomes("draining", seen, "next-node", "v21.1.11", thresholds=patient) == [BLOCK]


@pytest.mark.parametrize("moment", [None, NOW - minutes(2)])
def test_a_live_node_that_writes_no_status_is_not_settled(moment: dt.datetime | None) -> None:
    finding = one("draining", snapshot(with_status_at(moment)), "next-node", "v21.1.11")
    assert finding.outcome is BLOCK
    assert "status record" in finding.detail


@pytest.mark.parametrize(
    ("moment", "waits"), [(NOW - minutes(2), True), (NOW - minutes(9), False), (None, False)]
)
def test_a_node_that_has_long_been_silent_is_not_waited_for(
    moment: dt.datetime | None, waits: bool
) -> None:
    """It has been up for ten hours, so it does not begin to write status records now."""
    finding = one("draining", snapshot(with_status_at(moment)), "next-node", "v21.1.11")
    assert finding.transient is waits
    assert ("--wait" in "\n".join(finding.remedy)) is waits
    assert "its log says why" in finding.remedy[-1]


def test_one_that_is_only_just_back_may_still_begin_to() -> None:
    fresh = node(3, started=NOW - minutes(0.5), tables=("liveness", "gossip", "store"))
    finding = one("draining", snapshot([node(1), node(2), fresh]), "next-node", "v21.1.11")
    assert finding.transient


def test_the_node_that_is_restarted_now_may_drain() -> None:
    seen = snapshot([node(1), node(2), node(3, state="draining")])
    assert outcomes("draining", seen, "next-node", "v21.1.12", node=3) == [PASS]
    assert outcomes("draining", seen, "next-node", "v21.1.12", node=2) == [BLOCK]
    assert outcomes("draining", seen, "finalize", "v21.1.12", node=3) == [BLOCK]


def test_a_dead_node_is_not_this_checks_business() -> None:
    assert outcomes("draining", snapshot([node(1), node(2), node(3, state="dead")]), "verify") == [PASS]


def test_a_node_that_does_not_say_when_it_started_is_unknown() -> None:
    third = node(3, started=None)
    assert outcomes("draining", snapshot([node(1), node(2), third]), "next-node", "v21.1.12") == [
        UNKNOWN
    ]


def test_draining_and_unsettled_nodes_are_two_findings() -> None:
    nodes = [node(1, state="draining"), node(2), node(3, started=NOW)]
    assert len(judge("draining", snapshot(nodes), "next-node", "v21.1.12")) == 2
