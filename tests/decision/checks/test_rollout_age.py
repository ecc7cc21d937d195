"""rollout-age: an upgrade that stays half-way, by what the running processes prove."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from guard.decision.policy.rules import Thresholds
from guard.snapshot.model import Snapshot
from tests.building import NOW, Node, node, snapshot
from tests.decision.judging import NOT_APPLICABLE, PASS, UNKNOWN, WARN, judge, one, outcomes

STEPS = ("next-node", "finalize", "rollback", "verify")
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def rolled(*ages: tuple[str, dt.timedelta], version: str = "21.1") -> Snapshot:
    """Nodes by build and for how long they have run it."""
    nodes = [node(i, build, started=NOW - age) for i, (build, age) in enumerate(ages, start=1)]
    return snapshot(nodes, version=version)


OLD, NEW = "v21.1.12", "v21.2.1"


@pytest.mark.parametrize("step", STEPS)
def test_mixed_for_longer_than_the_limit(step: str) -> None:
    seen = rolled((NEW, 5 * HOUR), (OLD, 9 * DAY), (OLD, 9 * DAY))
    finding = one("rollout-age", seen, step, NEW)
    assert (finding.outcome, finding.evidence["mixed_seconds"]) == (WARN, 5 * 3600)
    assert "two series for at least 5 h" in finding.title


@pytest.mark.parametrize("step", STEPS)
def test_within_the_limits(step: str) -> None:
    seen = rolled((NEW, 4 * HOUR), (OLD, 9 * DAY), (OLD, 9 * DAY))
    assert outcomes("rollout-age", seen, step, NEW) == [PASS]


def test_mixed_only_since_the_last_of_both_kinds_began() -> None:
    """All nodes were new, and one was put back an hour ago: mixed for an hour, under way for ten."""
    seen = rolled((NEW, 10 * HOUR), (NEW, 9 * HOUR), (OLD, HOUR))
    finding = one("rollout-age", seen, "rollback", OLD)
    assert finding.outcome is PASS
    assert (finding.evidence["mixed_seconds"], finding.evidence["unfinalized_seconds"]) == (
        3600,
        36_000,
    )


def test_all_new_and_never_finalized() -> None:
    seen = rolled((NEW, 4 * DAY), (NEW, 3 * DAY), (NEW, 3 * DAY))
    finding = one("rollout-age", seen, "finalize", NEW)
    assert finding.outcome is WARN
    assert "begun at least 4 d ago and is not finalized" in finding.title
    assert finding.evidence["mixed_seconds"] is None


def test_both_at_once() -> None:
    seen = rolled((NEW, 4 * DAY), (OLD, 5 * DAY), (OLD, 5 * DAY))
    assert outcomes("rollout-age", seen, "next-node", NEW) == [WARN, WARN]


@pytest.mark.parametrize(
    ("version", "builds"), [("21.2", [NEW, NEW]), ("21.1", [OLD, OLD]), ("21.1", [OLD, "v21.1.11"])]
)
def test_nothing_is_under_way(version: str, builds: list[str]) -> None:
    seen = rolled(*((build, 30 * DAY) for build in builds), version=version)
    assert outcomes("rollout-age", seen, "verify") == [NOT_APPLICABLE]


def test_the_limits_are_thresholds() -> None:
    seen = rolled((NEW, 5 * HOUR), (OLD, 9 * DAY))
    patient = Thresholds(mixed_for=DAY)
    strict = Thresholds(mixed_for=DAY, unfinalized_for=HOUR)
    assert outcomes("rollout-age", seen, "next-node", NEW, thresholds=patient) == [PASS]
    assert outcomes("rollout-age", seen, "next-node", NEW, thresholds=strict) == [WARN]


@pytest.mark.parametrize("undated", [NEW, OLD])
def test_nobody_says_since_when(undated: str) -> None:
    def made(number: int, build: str) -> Node:
        return node(number, build, started=None if build == undated else NOW - 9 * DAY)

    seen = snapshot([made(1, NEW), made(2, OLD), made(3, OLD)])
    assert outcomes("rollout-age", seen, "next-node", NEW) == [NOT_APPLICABLE]


def test_a_clock_behind_the_starts_is_no_crash() -> None:
    seen = rolled((NEW, -5 * HOUR), (OLD, -HOUR))
    assert outcomes("rollout-age", seen, "next-node", NEW) == [PASS]


@pytest.mark.parametrize("section", ["gossip_nodes", "settings"])
def test_without_sight_it_is_unknown(section: str) -> None:
    from tests.building import unavailable

    seen = msgspec.structs.replace(rolled((NEW, HOUR), (OLD, DAY)), **{section: unavailable()})
    assert {f.outcome for f in judge("rollout-age", seen, "next-node", NEW)} == {UNKNOWN}
