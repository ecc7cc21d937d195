"""auto-finalization: will the last restart end the way back? Were settings left behind?"""

from __future__ import annotations

import pytest

from guard.decision.checks import auto_finalization
from guard.decision.engine import evaluate
from guard.decision.result import Verdict
from guard.snapshot.model import Reason, SettingRow
from tests.building import collected, job, node, put, snapshot, three, unavailable
from tests.decision.judging import NOT_APPLICABLE, PASS, UNKNOWN, WARN, judge, one, outcomes

PRESERVE, AUTO = "cluster.preserve_downgrade_option", "cluster.auto_upgrade.enabled"
MODE = "bulkio.backup.experimental_21_2_mode.enabled"
TWO_LEFT = [node(1, "v21.2.1"), node(2), node(3)]
LAST = [node(1, "v21.2.1"), node(2, "v21.2.1"), node(3)]


def test_finalize_and_rollback_do_not_ask() -> None:
    steps = [step.value for step in auto_finalization.CHECK.steps]
    assert steps == ["start", "next-node", "verify"]


@pytest.mark.parametrize("step", ["start", "next-node"])
@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({}, WARN),
        ({PRESERVE: "21.1"}, PASS),
        ({PRESERVE: "20.2"}, WARN),  # left over from an upgrade before, preserves nothing
        ({PRESERVE: "21.2"}, WARN),
        ({AUTO: "true"}, WARN),
        ({AUTO: "false"}, PASS),
        ({PRESERVE: "20.2", AUTO: "false"}, PASS),
    ],
)
def test_only_the_current_version_preserves(step: str, settings: dict[str, str], outcome: str) -> None:
    seen = snapshot(three() if step == "start" else TWO_LEFT, settings=settings)
    assert outcomes("auto-finalization", seen, step, "v21.2.1") == [outcome]


def test_a_stale_value_is_named() -> None:
    seen = snapshot(settings={PRESERVE: "20.2"})
    assert (
        "is 20.2, which is not the cluster version 21.1"
        in one("auto-finalization", seen, "start", "v21.2.1").detail
    )


def test_the_last_old_node_is_the_one_that_finalizes() -> None:
    assert one("auto-finalization", snapshot(LAST), "next-node", "v21.2.1").evidence["last_old_node"]
    assert not one("auto-finalization", snapshot(TWO_LEFT), "next-node", "v21.2.1").evidence[
        "last_old_node"
    ]


@pytest.mark.parametrize("step", ["start", "next-node"])
def test_a_patch_upgrade_has_nothing_to_finalize(step: str) -> None:
    assert outcomes("auto-finalization", snapshot(), step, "v21.1.12") == [NOT_APPLICABLE]


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({}, PASS),
        ({AUTO: "true"}, PASS),
        ({PRESERVE: "21.1"}, WARN),
        ({PRESERVE: "21.2"}, PASS),
        ({AUTO: "false"}, WARN),
        ({MODE: "true"}, WARN),
        ({MODE: "false"}, PASS),
    ],
)
def test_verify_looks_for_what_was_left_behind(settings: dict[str, str], outcome: str) -> None:
    seen = snapshot(three("v21.2.1"), version="21.2", settings=settings)
    assert outcomes("auto-finalization", seen, "verify") == [outcome]


def test_verify_names_every_setting_to_reset() -> None:
    seen = snapshot(settings={PRESERVE: "20.2", AUTO: "false", MODE: "true"})
    text = " ".join(" ".join(f.remedy) for f in judge("auto-finalization", seen, "verify"))
    assert all(f"RESET CLUSTER SETTING {name};" in text for name in (PRESERVE, AUTO, MODE))


@pytest.mark.parametrize("step", ["start", "next-node", "verify"])
def test_settings_that_cannot_be_read_are_unknown(step: str) -> None:
    seen = put(snapshot(), settings=unavailable(Reason.PRIVILEGE))
    assert outcomes("auto-finalization", seen, step, "v21.2.1") == [UNKNOWN]


def test_a_preserve_option_that_is_hidden_is_unknown() -> None:
    seen = put(snapshot(), settings=collected(SettingRow(name="version", value="21.1")))
    assert outcomes("auto-finalization", seen, "start", "v21.2.1") == [UNKNOWN]


def test_on_the_last_old_node_the_finalize_column_applies_too() -> None:
    """A schema change only warns while nodes restart, but finalization waits for it."""
    running = job(job_type="SCHEMA CHANGE")

    def verdict(nodes: list, settings: dict[str, str]) -> Verdict:  # type: ignore[type-arg]
        from guard.decision.checks import by_id

        checks = [c for name in ("auto-finalization", "schema-changes") if (c := by_id(name))]
        seen = snapshot(nodes, jobs=[running], settings=settings)
        return evaluate(seen, step="next-node", target="v21.2.1", checks=checks).verdict

    assert verdict(LAST, {}) is Verdict.BLOCK
    assert verdict(LAST, {PRESERVE: "21.1"}) is Verdict.ALLOW
    assert verdict(TWO_LEFT, {}) is Verdict.ALLOW
