"""node-liveness: members that are down, by the cluster's own clock."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from guard.snapshot.model import Reason
from tests.building import node, put, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, WARN, judge, one, outcomes

SEVERITY = {"start": BLOCK, "next-node": BLOCK, "finalize": BLOCK, "rollback": WARN, "verify": BLOCK}


def down(state: str) -> list:  # type: ignore[type-arg]
    return [node(1), node(2), node(3, state=state)]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("state", ["live", "draining"])
def test_live_nodes_pass(step: str, state: str) -> None:
    assert outcomes("node-liveness", snapshot(down(state)), step, "v21.1.11") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize(("state", "transient"), [("dead", False), ("suspect", True)])
def test_a_node_that_is_down(step: str, state: str, transient: bool) -> None:
    finding = one("node-liveness", snapshot(down(state)), step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], transient)
    assert finding.evidence["nodes"][0]["node_id"] == 3


@pytest.mark.parametrize("state", ["dead", "suspect"])
def test_the_node_that_is_restarted_now_may_be_down(state: str) -> None:
    seen = snapshot(down(state))
    assert outcomes("node-liveness", seen, "next-node", "v21.1.12", node=3) == [PASS]
    assert outcomes("node-liveness", seen, "next-node", "v21.1.12", node=2) == [BLOCK]
    for step in ("start", "finalize", "verify"):
        assert outcomes("node-liveness", seen, step, "v21.1.12", node=3) == [BLOCK]


def test_only_that_one_node_is_excused() -> None:
    seen = snapshot([node(1), node(2, state="suspect"), node(3, state="dead")])
    assert outcomes("node-liveness", seen, "next-node", "v21.1.12", node=3) == [BLOCK]


@pytest.mark.parametrize(
    ("setting", "outcome"), [("2h0m0s", "suspect"), ("02:00:00", "suspect"), ("5m0s", "dead")]
)
def test_the_cluster_says_when_suspect_is_dead(setting: str, outcome: str) -> None:
    seen = snapshot(down("dead"), settings={"server.time_until_store_dead": setting})
    assert outcome in one("node-liveness", seen, "start", "v21.1.12").title


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_decommissioned_node_may_be_down(step: str) -> None:
    gone = node(4, state="dead", membership="decommissioned")
    assert outcomes("node-liveness", snapshot([*three(), gone]), step, "v21.1.11") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_stale_status_record_without_liveness_is_a_ghost_and_no_member(step: str) -> None:
    leftover = node(9, "v20.2.4", state="dead", tables=("status",))
    seen = snapshot([*three(), leftover])
    found = judge("node-liveness", seen, step, "v21.1.11")
    assert [f.outcome for f in found] == [WARN]
    assert found[0].nodes == (9,)
    assert "decommission" not in " ".join(found[0].remedy)
    for check in ("mixed-version", "quorum-safety", "range-health"):
        assert all(9 not in f.nodes for f in judge(check, seen, step, "v21.1.11"))


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_node_that_lives_without_a_liveness_record_is_unknown(step: str) -> None:
    odd = node(9, tables=("status",))
    found = judge("node-liveness", snapshot([*three(), odd]), step, "v21.1.11")
    assert [f.outcome for f in found] == [UNKNOWN]
    assert found[0].unseen


def test_an_expiration_nobody_can_read_is_unknown() -> None:
    third = node(3)
    assert third.liveness is not None
    odd = replace(third, liveness=msgspec.structs.replace(third.liveness, expiration=None))
    assert outcomes("node-liveness", snapshot([node(1), node(2), odd]), "verify") == [UNKNOWN]


@pytest.mark.parametrize("section", ["gossip_liveness", "kv_node_liveness"])
def test_liveness_that_cannot_be_read_is_unknown(section: str) -> None:
    seen = put(snapshot(), **{section: unavailable(Reason.TIMEOUT)})
    assert outcomes("node-liveness", seen, "start", "v21.1.12") == [UNKNOWN]


def test_two_states_are_two_findings() -> None:
    seen = snapshot([node(1), node(2, state="suspect"), node(3, state="dead")])
    assert outcomes("node-liveness", seen, "verify") == [BLOCK, BLOCK]
