"""scheduled-backups: due within the window, and running again after the upgrade."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from guard.snapshot.model import Reason
from tests.building import NOW, minutes, node, put, schedule, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, PASS, UNKNOWN, WARN, judge, one, outcomes

BEFORE = ("start", "next-node", "finalize", "rollback")
EDGE = [node(1, "v21.2.0"), node(2), node(3)]


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize(
    ("next_run", "outcome"),
    [
        (NOW + minutes(10), WARN),
        (NOW + minutes(30), WARN),
        (NOW + minutes(31), PASS),
        (NOW, WARN),
        (NOW - minutes(90), WARN),  # in the past: the job may start any moment
        (None, PASS),
    ],
)
def test_due_within_the_window(step: str, next_run: dt.datetime | None, outcome: str) -> None:
    seen = snapshot(schedules=[schedule(next_run=next_run)])
    assert outcomes("scheduled-backups", seen, step, "v21.1.12") == [outcome]


def test_the_window_can_be_chosen() -> None:
    seen = snapshot(schedules=[schedule(next_run=NOW + minutes(50))])
    assert outcomes("scheduled-backups", seen, "start", "v21.1.12") == [PASS]
    assert outcomes("scheduled-backups", seen, "start", "v21.1.12", window=minutes(60)) == [WARN]


@pytest.mark.parametrize(
    ("step", "nodes", "target", "outcome"),
    [
        ("start", three(), "v21.2.0", WARN),
        ("next-node", EDGE, "v21.2.0", WARN),
        ("finalize", three("v21.2.0"), "v21.2.0", WARN),
        ("rollback", EDGE, "v21.1.11", WARN),
    ],
)
def test_on_the_edge_of_a_72839_the_advisory_blocks_and_this_warns(
    step: str, nodes: Any, target: str, outcome: str
) -> None:
    finding = one("scheduled-backups", snapshot(nodes, schedules=[schedule()]), step, target)
    assert (finding.outcome, finding.transient) == (outcome, True)


def test_no_schedule_passes() -> None:
    assert outcomes("scheduled-backups", snapshot(), "start", "v21.1.12") == [PASS]


@pytest.mark.parametrize(
    ("next_run", "outcome"),
    [(NOW + minutes(10), PASS), (NOW - minutes(4), PASS), (NOW - minutes(6), WARN), (None, WARN)],
)
def test_verify_asks_whether_schedules_run_again(next_run: dt.datetime | None, outcome: str) -> None:
    seen = snapshot(schedules=[schedule(77, next_run)])
    assert outcomes("scheduled-backups", seen, "verify") == [outcome]


def test_verify_names_the_paused_and_the_late_ones() -> None:
    seen = snapshot(schedules=[schedule(1), schedule(2, None), schedule(3, NOW - minutes(60))])
    paused, late = judge("scheduled-backups", seen, "verify")
    assert "RESUME SCHEDULE 2;" in paused.remedy[0]
    assert [s["schedule_id"] for s in late.evidence["late"]] == ["3"]


def test_20_1_has_no_schedules() -> None:
    none = unavailable(Reason.NOT_IN_THIS_VERSION, "nothing to ask", None)
    old = snapshot(three("v20.1.17"), version="20.1", gateway="v20.1.17")
    old = put(old, schedules=none)
    assert outcomes("scheduled-backups", old, "start", "v20.1.17") == [PASS]
    newer = put(snapshot([*three("v20.1.17"), node(4, "v20.2.1")], version="20.1"), schedules=none)
    assert outcomes("scheduled-backups", newer, "next-node", "v20.2.1") == [UNKNOWN]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_hidden_schedules_are_unknown(step: str) -> None:
    seen = put(snapshot(), schedules=unavailable(Reason.PRIVILEGE))
    assert outcomes("scheduled-backups", seen, step, "v21.1.12") == [UNKNOWN]


def test_the_soonest_is_named_first() -> None:
    seen = snapshot(schedules=[schedule(1, NOW + minutes(20)), schedule(2, NOW + minutes(5))])
    finding = one("scheduled-backups", seen, "start", "v21.1.12")
    assert finding.detail.index("schedule 2") < finding.detail.index("schedule 1")
