"""decommissioning: half-way is neither in nor out."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from guard.snapshot.model import Reason, ZoneReplicasRow
from tests.building import collected, node, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, WARN, one, outcomes

SEVERITY = {"start": BLOCK, "next-node": BLOCK, "finalize": BLOCK, "rollback": WARN, "verify": WARN}


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("membership", ["active", "decommissioned"])
def test_in_or_out_passes(step: str, membership: str) -> None:
    seen = snapshot([*three(), node(4, membership=membership)])
    assert outcomes("decommissioning", seen, step, "v21.1.11") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize(("state", "transient"), [("live", True), ("draining", True), ("dead", False)])
def test_half_way(step: str, state: str, transient: bool) -> None:
    """`cockroach node status` hides the dead one; CockroachDB refuses to finalize because of it."""
    seen = snapshot([*three(), node(4, state=state, membership="decommissioning")])
    finding = one("decommissioning", seen, step, "v21.1.11")
    assert (finding.outcome, finding.transient) == (SEVERITY[step], transient)
    assert "cockroach node decommission 4" in finding.remedy[0]


@pytest.mark.parametrize(
    ("members", "leaving", "factors", "replicas", "ends"),
    [
        (4, 1, (3, 5), 60, True),
        (3, 1, (3, 5), 60, False),
        (3, 1, (3, 5), 0, True),  # nothing left to move: the command only has to be finished
        (3, 1, (1,), 60, True),
        (5, 2, (5,), 60, True),  # with three nodes it makes do with three copies
        (5, 3, (3,), 60, False),
    ],
)
def test_one_that_has_nowhere_to_put_its_replicas_is_not_waited_for(
    members: int, leaving: int, factors: tuple[int, ...], replicas: int, ends: bool
) -> None:
    nodes = [
        node(i, membership="decommissioning" if i <= leaving else "active", range_count=replicas)
        for i in range(1, members + 1)
    ]
    zones = collected(*(ZoneReplicasRow(num_replicas=each, num_voters=None) for each in factors))
    finding = one("decommissioning", snapshot(nodes, zone_replicas=zones), "start", "v21.1.12")
    assert (finding.outcome, finding.transient) == (BLOCK, ends)
    assert ("too few for all copies" in finding.detail) is not ends
    assert "recommission" in finding.remedy[-1]


def test_a_dead_one_cannot_be_taken_back() -> None:
    for state, remedies in (("live", 2), ("dead", 1)):
        seen = snapshot([*three(), node(4, state=state, membership="decommissioning")])
        assert len(one("decommissioning", seen, "start", "v21.1.12").remedy) == remedies


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_membership_nobody_knows_is_unknown(step: str) -> None:
    seen = snapshot([*three(), node(4, membership="retired")])
    assert outcomes("decommissioning", seen, step, "v21.1.11") == [UNKNOWN]


@pytest.mark.parametrize(("replicas", "outcome"), [(0, PASS), (12, BLOCK)])
def test_20_1_a_stopped_empty_node_is_taken_for_decommissioned(replicas: int, outcome: str) -> None:
    gone = node(4, "v20.1.5", state="dead", membership=None, range_count=replicas)
    assert gone.liveness is not None
    liveness = msgspec.structs.replace(gone.liveness, decommissioning=True)
    members = [node(i, "v20.1.5", membership=None) for i in (1, 2, 3)]
    seen = snapshot([*members, replace(gone, liveness=liveness)], version="20.1")
    assert outcomes("decommissioning", seen, "start", "v20.1.17") == [outcome]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_liveness_that_cannot_be_read_is_unknown(step: str) -> None:
    seen = snapshot(kv_node_liveness=unavailable(Reason.TIMEOUT))
    assert outcomes("decommissioning", seen, step, "v21.1.11") == [UNKNOWN]
