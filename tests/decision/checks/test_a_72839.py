"""A-72839: every row of the advisory's table."""

from __future__ import annotations

from typing import Any

import pytest

from guard.snapshot.model import Reason, Snapshot
from tests.building import (
    NOW,
    Node,
    collected,
    job,
    minutes,
    node,
    put,
    schedule,
    snapshot,
    three,
    unavailable,
)
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

SETTING = "bulkio.backup.experimental_21_2_mode.enabled"
ON, OFF = {SETTING: "true"}, {SETTING: "false"}
SET = f"SET CLUSTER SETTING {SETTING} = true;"
BEFORE = ("start", "next-node")

RUNNING: dict[str, Any] = {"jobs": [job()]}
DUE: dict[str, Any] = {"schedules": [schedule(next_run=NOW + minutes(10))]}
OVERDUE = {"schedules": [schedule(next_run=NOW - minutes(3))]}
LATER = {"schedules": [schedule(next_run=NOW + minutes(300))]}
PAUSED = {"schedules": [schedule(next_run=None)]}
TAKEN_ONCE = {"history": [job(5, "BACKUP", "succeeded")]}
FAILED_ONCE = {"history": [job(5, "BACKUP", "failed")]}
NAMELESS = {"jobs": [job(6, None)]}
NOTHING: dict[str, Any] = {}

ACTIVE = [RUNNING, DUE, OVERDUE, NAMELESS]
EXPECTED = [*ACTIVE, LATER, TAKEN_ONCE, FAILED_ONCE]
NOT_EXPECTED = [NOTHING, PAUSED, {"jobs": [job(job_type="RESTORE")]}]


def mixed(new: str, old: str = "v21.1.12") -> list[Node]:
    return [node(1, new), node(2, old), node(3, old)]


def ask(nodes: list[Node], step: str, target: str, **state: Any) -> list[str]:
    return [str(outcome) for outcome in outcomes("A-72839", snapshot(nodes, **state), step, target)]


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("state", [NOTHING, RUNNING])
@pytest.mark.parametrize("target", ["v21.2.0", "v21.2.0-rc.1", "v21.2.0-beta.2"])
def test_row_1_the_target_is_21_2_0(step: str, state: dict[str, Any], target: str) -> None:
    """Whatever the cluster does: choose v21.2.1 or later."""
    finding = one("A-72839", snapshot(three("v21.1.12"), settings=ON, **state), step, target)
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert "v21.2.1" in finding.remedy[0]


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("state", EXPECTED)
def test_row_2_a_node_older_than_21_1_12_blocks_if_backups_are_expected(
    step: str, state: dict[str, Any]
) -> None:
    nodes = [node(1, "v21.1.12"), node(2, "v21.1.11"), node(3, "v21.1.12")]
    finding = one("A-72839", snapshot(nodes, settings=ON, **state), step, "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert "Patch n2 to v21.1.12 or later first." in finding.remedy


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("state", NOT_EXPECTED)
def test_row_2_it_only_warns_if_none_are_expected(step: str, state: dict[str, Any]) -> None:
    assert ask(three("v21.1.11"), step, "v21.2.1", **state) == [WARN]


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("settings", [OFF, {}])
@pytest.mark.parametrize("state", EXPECTED)
def test_row_3_without_the_setting_it_blocks_and_the_remedy_is_the_setting(
    step: str, settings: dict[str, str], state: dict[str, Any]
) -> None:
    seen = snapshot(three("v21.1.12"), settings=settings, gateway="v21.1.12", **state)
    finding = one("A-72839", seen, step, "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert finding.remedy[0] == SET


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("state", NOT_EXPECTED)
def test_row_3_without_the_setting_it_warns_if_none_are_expected(
    step: str, state: dict[str, Any]
) -> None:
    assert ask(three("v21.1.12"), step, "v21.2.1", settings=OFF, **state) == [WARN]


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("state", [NOTHING, PAUSED, LATER, TAKEN_ONCE])
def test_row_4_with_the_setting_it_passes(step: str, state: dict[str, Any]) -> None:
    assert ask(three("v21.1.12"), step, "v21.2.1", settings=ON, **state) == [PASS]


@pytest.mark.parametrize("step", BEFORE)
@pytest.mark.parametrize("state", ACTIVE)
def test_row_4_with_the_setting_only_activity_blocks_and_waiting_helps(
    step: str, state: dict[str, Any]
) -> None:
    finding = one("A-72839", snapshot(three("v21.1.12"), settings=ON, **state), step, "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, True)


@pytest.mark.parametrize(
    ("new", "target"), [("v21.2.0", "v21.2.0"), ("v21.2.0", "v21.2.1"), ("v21.2.1", "v21.2.0")]
)
@pytest.mark.parametrize("settings", [ON, OFF])
@pytest.mark.parametrize("state", ACTIVE)
def test_row_5_mixed_with_21_2_0_activity_blocks_and_waiting_helps(
    new: str, target: str, settings: dict[str, str], state: dict[str, Any]
) -> None:
    seen = snapshot(mixed(new), settings=settings, **state)
    finding = one("A-72839", seen, "next-node", target)
    assert (finding.outcome, finding.transient) == (BLOCK, True)


@pytest.mark.parametrize("state", [NOTHING, LATER, PAUSED, TAKEN_ONCE])
def test_row_6_mixed_with_21_2_0_and_no_activity_warns_with_both_ways_out(
    state: dict[str, Any],
) -> None:
    finding = one("A-72839", snapshot(mixed("v21.2.0"), **state), "next-node", "v21.2.0")
    assert finding.outcome is WARN
    assert "Roll back" in finding.remedy[0]
    assert "finalize" in finding.remedy[1]


@pytest.mark.parametrize("old", ["v21.1.11", "v21.1.12"])
@pytest.mark.parametrize("state", ACTIVE)
def test_row_7_mixed_with_21_2_1_activity_blocks_without_the_setting(
    old: str, state: dict[str, Any]
) -> None:
    seen = snapshot(mixed("v21.2.1", old), settings=OFF, **state)
    finding = one("A-72839", seen, "next-node", "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, True)


@pytest.mark.parametrize("state", ACTIVE)
def test_row_8_mixed_with_21_2_1_activity_warns_with_the_setting(state: dict[str, Any]) -> None:
    assert ask(mixed("v21.2.1"), "next-node", "v21.2.1", settings=ON, **state) == [WARN]


@pytest.mark.parametrize("settings", [ON, OFF])
@pytest.mark.parametrize("state", [NOTHING, LATER, PAUSED])
def test_mixed_with_21_2_1_and_no_activity_passes(
    settings: dict[str, str], state: dict[str, Any]
) -> None:
    assert ask(mixed("v21.2.1"), "next-node", "v21.2.1", settings=settings, **state) == [PASS]


@pytest.mark.parametrize("new", ["v21.2.0", "v21.2.1"])
def test_row_9_finalizing_is_the_remedy(new: str) -> None:
    assert ask(three(new), "finalize", new) == [PASS]
    assert ask(three(new), "finalize", new, **DUE) == [PASS]
    assert ask(three(new), "finalize", new, **RUNNING) == [PASS, WARN]


@pytest.mark.parametrize("state", [NOTHING, RUNNING])
def test_row_10_so_is_rolling_back(state: dict[str, Any]) -> None:
    assert ask(mixed("v21.2.0"), "rollback", "v21.1.12", **state) == [PASS]


def lost(status: str, ago: float, kind: str | None = "BACKUP") -> Any:
    return job(5, kind, status, created=NOW - minutes(ago + 1), finished=NOW - minutes(ago))


@pytest.mark.parametrize("status", ["failed", "canceled", "revert-failed"])
def test_row_11_verify_lists_the_backups_that_were_lost(status: str) -> None:
    nodes = [node(i, "v21.2.1", started=NOW - minutes(60 - i)) for i in (1, 2, 3)]
    seen = snapshot(nodes, version="21.2", history=[lost(status, 30), lost(status, 90)])
    finding = one("A-72839", seen, "verify")
    assert finding.outcome is WARN
    assert len(finding.evidence["jobs"]) == 1
    assert "review the archives" in finding.detail


def test_row_11_verify_passes_if_none_was() -> None:
    history = [lost("succeeded", 30), lost("failed", 30, "RESTORE"), lost("failed", 700)]
    assert ask(three("v21.2.1"), "verify", "v21.2.1", version="21.2", history=history) == [PASS]


def test_verify_before_finalization_warns_that_backups_keep_failing() -> None:
    assert ask(three("v21.2.0"), "verify", "v21.2.0") == [WARN]


@pytest.mark.parametrize(
    ("nodes", "version", "step", "target"),
    [
        (three("v21.1.11"), "21.1", "start", "v21.1.12"),
        (mixed("v21.1.12", "v21.1.11"), "21.1", "next-node", "v21.1.12"),
        (three("v20.2.9"), "20.2", "start", "v21.1.11"),
        (three("v21.2.0"), "21.2", "start", "v21.2.1"),
        (mixed("v21.2.1", "v21.2.0"), "21.2", "next-node", "v21.2.1"),
        (three("v21.2.1"), "21.2", "start", "v22.1.0"),
        (three("v21.2.1"), "21.2", "finalize", "v21.2.1"),
        (three("v21.1.11"), "21.1", "verify", "v21.1.11"),
        (three("v23.1.1"), "23.1", "verify", "v23.1.1"),
    ],
)
def test_elsewhere_it_does_not_apply(nodes: list[Node], version: str, step: str, target: str) -> None:
    assert ask(nodes, step, target, version=version, **RUNNING) == [NOT_APPLICABLE]


def test_a_paused_backup_blocks_and_waiting_does_not_help() -> None:
    seen = snapshot(mixed("v21.2.0"), jobs=[job(status="paused")])
    finding = one("A-72839", seen, "next-node", "v21.2.0")
    assert (finding.outcome, finding.transient) == (BLOCK, False)


def test_a_new_gateway_does_not_show_the_setting_and_says_so() -> None:
    seen = snapshot(mixed("v21.2.1"), gateway="v21.2.1", **RUNNING)
    finding = one("A-72839", seen, "next-node", "v21.2.1")
    assert finding.outcome is BLOCK
    assert any("through a v21.1 node" in remedy for remedy in finding.remedy)


def test_while_the_version_migrates_the_edge_is_still_the_edge() -> None:
    assert ask(three("v21.2.0"), "verify", "v21.2.0", version="21.1-14") == [WARN]


@pytest.mark.parametrize("section", ["active_jobs", "schedules", "settings", "gossip_nodes"])
@pytest.mark.parametrize(
    ("nodes", "step", "target"),
    [(three("v21.1.12"), "start", "v21.2.1"), (mixed("v21.2.0"), "next-node", "v21.2.0")],
)
def test_what_cannot_be_read_is_unknown(
    section: str, nodes: list[Node], step: str, target: str
) -> None:
    seen = put(snapshot(nodes), **{section: unavailable(Reason.TIMEOUT)})
    assert outcomes("A-72839", seen, step, target) == [UNKNOWN]


def test_a_history_that_was_read_in_part_does_not_prove_that_no_backups_are_taken() -> None:
    def start(seen: Snapshot) -> list[Any]:
        return list(outcomes("A-72839", seen, "start", "v21.2.1"))

    nodes = three("v21.1.12")
    other = job(9, "SCHEMA CHANGE", "succeeded")
    assert start(snapshot(nodes, history=[other])) == [WARN]
    assert start(snapshot(nodes, history=[other], history_truncated=True)) == [UNKNOWN]
    hidden = put(snapshot(nodes), job_history=unavailable(Reason.TIMEOUT))
    assert start(hidden) == [UNKNOWN]


def test_the_unprivileged_users_empty_lists_are_unknown() -> None:
    seen = snapshot(mixed("v21.2.0"), admin=False, user="low")
    assert outcomes("A-72839", seen, "next-node", "v21.2.0") == [UNKNOWN]


def test_a_node_whose_build_nobody_knows_counts_as_an_old_one() -> None:
    seen = snapshot([node(1, "v21.2.1"), node(2, "unknown"), node(3, "v21.2.1")], **RUNNING)
    assert judge("A-72839", seen, "next-node", "v21.2.1")[0].outcome is BLOCK


def test_the_last_21_1_node_gone_backups_work_again_from_21_2_1_on() -> None:
    assert ask(three("v21.2.1"), "next-node", "v21.2.1", **RUNNING) == [PASS, WARN]  # and as finalize
    assert ask(three("v21.2.0"), "next-node", "v21.2.0", **RUNNING) == [BLOCK, WARN]


def test_an_empty_history_counts_as_none() -> None:
    seen = put(snapshot(three("v21.1.12")), job_history=collected())
    assert outcomes("A-72839", seen, "start", "v21.2.1") == [WARN]
