"""capacity: live stores that run full."""

from __future__ import annotations

from typing import Any

import pytest

from guard.decision.checks import capacity
from guard.decision.policy.rules import Thresholds
from guard.snapshot.model import Reason
from tests.building import collected, node, snapshot, unavailable
from tests.decision.judging import PASS, UNKNOWN, WARN, one, outcomes

STEPS = ("start", "next-node", "finalize")


def test_rollback_and_verify_do_not_ask() -> None:
    assert tuple(step.value for step in capacity.CHECK.steps) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_room_enough(step: str) -> None:
    assert outcomes("capacity", snapshot(), step, "v21.1.12") == [PASS]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("available", "outcome"), [(149_999, WARN), (150_000, PASS), (0, WARN)])
def test_the_boundary_is_15_percent(step: str, available: int, outcome: str) -> None:
    seen = snapshot([node(1), node(2), node(3, available=available)])
    assert outcomes("capacity", seen, step, "v21.1.12") == [outcome]


def test_the_boundary_is_a_threshold() -> None:
    seen = snapshot([node(1), node(2), node(3, available=100_000)])
    generous = Thresholds(capacity_free=0.05)
    assert outcomes("capacity", seen, "start", "v21.1.12", thresholds=generous) == [PASS]


@pytest.mark.parametrize("nothing", [{"capacity": None}, {"capacity": 0}, {"available": None}])
def test_a_store_that_does_not_say_warns(nothing: dict[str, Any]) -> None:
    seen = snapshot([node(1), node(2), node(3, **nothing)])
    assert one("capacity", seen, "start", "v21.1.12").evidence["stores"][2]["free"] is None
    assert outcomes("capacity", seen, "start", "v21.1.12") == [WARN]


def test_the_old_record_of_a_dead_store_says_nothing() -> None:
    seen = snapshot([node(1), node(2), node(3, state="dead", available=0)])
    assert outcomes("capacity", seen, "start", "v21.1.12") == [PASS]


def test_no_store_at_all_is_unknown() -> None:
    assert outcomes("capacity", snapshot(store_status=collected()), "start", "v21.1.12") == [UNKNOWN]


def test_stores_that_cannot_be_read_are_unknown() -> None:
    seen = snapshot(store_status=unavailable(Reason.TIMEOUT))
    assert outcomes("capacity", seen, "start", "v21.1.12") == [UNKNOWN]
