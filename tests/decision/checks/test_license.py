"""license: major upgrades to v24.3 and later need one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from guard.decision.checks import license as license_check
from guard.decision.result import Outcome
from guard.snapshot.model import LicenseRow, Reason, Snapshot
from tests.building import collected, node, snapshot, three, unavailable
from tests.decision.judging import (
    BLOCK,
    NOT_APPLICABLE,
    PASS,
    UNKNOWN,
    WARN,
    judge,
    one,
    outcomes,
)

DAY = 86_400
TARGET = "v24.3.5"
STEPS = ("start", "next-node", "finalize", "verify")


def licensed(
    present: bool, left: int | None, kind: str | None = None, step: str = "start", **more: Any
) -> Snapshot:
    """A cluster at this step of an upgrade from v24.1 to v24.3."""
    old, new = "v24.1.10", TARGET
    nodes = {
        "start": three(old),
        "next-node": [node(1, new), node(2, old), node(3, old)],
        "finalize": three(new),
        "verify": three(new),
    }[step]
    section = collected(LicenseRow(present=present, kind=kind, seconds_left=left))
    final = "24.3" if step == "verify" else "24.1"
    return snapshot(more.pop("nodes", nodes), version=final, gateway=old, license=section, **more)


def test_rollback_does_not_ask() -> None:
    assert tuple(step.value for step in license_check.CHECK.steps) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_license_that_lasts_passes(step: str) -> None:
    assert outcomes("license", licensed(True, 30 * DAY, step=step), step, TARGET) == [PASS]


@pytest.mark.parametrize(
    ("step", "outcome"), [("start", BLOCK), ("next-node", WARN), ("finalize", BLOCK), ("verify", WARN)]
)
def test_without_a_license_or_with_an_expired_one(step: str, outcome: str) -> None:
    assert outcomes("license", licensed(False, 0, step=step), step, TARGET) == [outcome]
    assert outcomes("license", licensed(True, -5 * DAY, step=step), step, TARGET) == [outcome]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("left", "outcome"), [(7 * DAY - 1, WARN), (7 * DAY, PASS), (1, WARN)])
def test_it_warns_in_the_last_week(step: str, left: int, outcome: str) -> None:
    assert outcomes("license", licensed(True, left, step=step), step, TARGET) == [outcome]


def test_no_expiry_metric_is_unknown_where_a_license_is_a_must() -> None:
    assert outcomes("license", licensed(True, None), "start", TARGET) == [UNKNOWN]
    assert outcomes("license", licensed(True, None, step="next-node"), "next-node", TARGET) == [WARN]


def test_a_license_that_tells_no_end_warns() -> None:
    assert outcomes("license", licensed(True, 0), "start", TARGET) == [WARN]


def test_a_single_node_cluster_is_not_blocked() -> None:
    assert outcomes("license", licensed(False, 0, nodes=[node(1, "v24.1.10")]), "start", TARGET) == [
        WARN
    ]


@pytest.mark.parametrize(
    ("step", "kind", "expected"),
    [
        ("start", None, [PASS, WARN]),
        ("finalize", None, [PASS, UNKNOWN]),
        ("start", "Trial", [PASS, WARN]),
        ("finalize", "Trial", [PASS, BLOCK]),
        ("finalize", "Free", [PASS, BLOCK]),
        ("finalize", "Enterprise", [PASS]),
    ],
)
def test_telemetry_that_is_off(step: str, kind: str | None, expected: list[str]) -> None:
    off = {"diagnostics.reporting.enabled": "false"}
    seen = licensed(True, 90 * DAY, kind, step, settings=off)
    assert outcomes("license", seen, step, TARGET) == expected


def test_older_targets_need_none() -> None:
    assert outcomes("license", snapshot(), "start", "v21.2.1") == [NOT_APPLICABLE]
    assert outcomes("license", snapshot(), "verify") == [NOT_APPLICABLE]


def test_a_patch_upgrade_needs_none_but_is_throttled_without() -> None:
    seen = snapshot(three("v24.3.1"), version="24.3", gateway="v24.3.1")
    assert outcomes("license", seen, "start", "v24.3.5") == [WARN]
    assert outcomes("license", seen, "next-node", "v24.3.5") == [NOT_APPLICABLE]


@pytest.mark.parametrize(
    ("running", "target", "expected"),
    [
        ("v23.1.28", "v23.1.29", WARN),
        ("v23.1.27", "v23.1.28", NOT_APPLICABLE),
        ("v23.2.14", "v23.2.15", WARN),
        ("v24.1.6", "v24.1.29", WARN),
        ("v24.2.5", "v24.2.6", WARN),
        ("v22.2.10", "v22.2.19", NOT_APPLICABLE),
    ],
)
def test_patches_of_older_series_throttle_too(running: str, target: str, expected: Outcome) -> None:
    version = running.removeprefix("v").rpartition(".")[0]
    seen = snapshot(three(running), version=version, gateway=running)
    assert outcomes("license", seen, "start", target) == [expected]


def test_verify_tells_of_the_throttle() -> None:
    seen = snapshot(three("v24.2.6"), version="24.2", gateway="v24.2.6")
    assert outcomes("license", seen, "verify") == [WARN]


@pytest.mark.parametrize("step", STEPS)
def test_a_license_nobody_may_look_at_is_unknown(step: str) -> None:
    nothing_told = licensed(True, 0, step=step)
    for section in (unavailable(Reason.PRIVILEGE), collected()):
        seen = msgspec.structs.replace(nothing_told, license=section)
        assert outcomes("license", seen, step, TARGET) == [UNKNOWN]


def test_the_key_is_not_in_the_evidence() -> None:
    finding = one("license", licensed(True, 30 * DAY), "start", TARGET)
    assert set(finding.evidence) == {"present", "kind", "seconds_left"}
    assert judge("license", licensed(False, 0), "start", TARGET)[0].remedy
