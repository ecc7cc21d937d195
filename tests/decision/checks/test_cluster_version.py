"""cluster-version: only X.Y is final, and each step needs it somewhere else."""

from __future__ import annotations

import pytest

from guard.decision.result import Outcome
from guard.snapshot.model import KvVersionRow, Reason, SettingRow
from tests.building import NOW, collected, job, node, put, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, WARN, one, outcomes

MIXED = [node(1, "v21.2.1"), node(2), node(3)]
NEW = three("v21.2.1")
MIGRATING = ("21.1-14", "21.1-13", "21.2--1")


@pytest.mark.parametrize(
    ("step", "nodes", "version", "target", "outcome"),
    [
        ("start", three(), "21.1", "v21.2.1", PASS),
        ("start", three(), "21.1", "v21.1.12", PASS),
        ("start", NEW, "21.1", "v22.1.0", BLOCK),
        ("start", MIXED, "21.1", "v21.2.1", BLOCK),
        ("next-node", MIXED, "21.1", "v21.2.1", PASS),
        ("next-node", three(), "21.1", "v21.1.12", PASS),
        ("finalize", NEW, "21.1", "v21.2.1", PASS),
        ("finalize", NEW, "21.2", "v21.2.1", PASS),
        ("rollback", MIXED, "21.1", "v21.1.11", PASS),
        ("rollback", NEW, "21.2", "v21.1.11", BLOCK),
        ("rollback", NEW, "21.2", "v21.2.0", PASS),
        ("verify", NEW, "21.2", "v21.2.1", PASS),
        ("verify", NEW, "21.1", "v21.2.1", BLOCK),
        ("verify", three(), "21.1", "v21.2.1", BLOCK),
        ("verify", three(), "21.1", None, PASS),
        ("finalize", three("v24.3.33"), "24.1", "v24.3.33", PASS),
        ("finalize", three("v25.1.10"), "24.1", "v25.1.10", BLOCK),
        ("finalize", three("v22.1.22"), "21.1", "v22.1.22", BLOCK),
    ],
)
def test_a_final_version(step: str, nodes: list, version: str, target: str, outcome: str) -> None:  # type: ignore[type-arg]
    assert outcomes("cluster-version", snapshot(nodes, version=version), step, target) == [outcome]


@pytest.mark.parametrize("step", ["start", "finalize", "verify"])
def test_a_jump_over_a_series_is_taken_back_and_not_finalized(step: str) -> None:
    jumped = snapshot([node(1, "v22.1.22"), node(2), node(3)], version="21.1")
    finding = one("cluster-version", jumped, step, "v22.1.22")
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert "v22.1 can be reached only from v21.2, not from v21.1" in finding.detail
    assert finding.remedy[-2:] == (
        "Put n1 back on v21.1: guard check --step rollback --target v21.1.Z",
        "Then see the way there: guard plan --from v21.1 --to v22.1",
    )
    assert one("cluster-version", jumped, "rollback", "v21.1.11").outcome is not BLOCK
    going_on = one("upgrade-path", jumped, "next-node", "v22.1.22")
    assert (going_on.outcome, going_on.remedy[0]) == (BLOCK, finding.remedy[-2])


@pytest.mark.parametrize("version", MIGRATING)
@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_migrating_version_blocks_every_step(step: str, version: str) -> None:
    finding = one("cluster-version", snapshot(NEW, version=version), step, "v21.2.1")
    assert finding.outcome is BLOCK
    assert finding.transient is (step != "rollback")


@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "verify"])
@pytest.mark.parametrize(
    ("jobs", "history", "goes_on"),
    [
        (["running"], [], True),
        (["paused"], [], False),
        (["paused", "running"], [], True),
        ([], ["failed"], False),
        (["pending"], ["failed"], True),
        ([], [], True),
    ],
)
def test_where_the_migrations_stand_still_nobody_is_told_to_wait(
    step: str, jobs: list[str], history: list[str], goes_on: bool
) -> None:
    seen = snapshot(
        NEW,
        version="21.1-14",
        jobs=[job(i, "MIGRATION", status) for i, status in enumerate(jobs, 1)],
        history=[job(9, "MIGRATION", status, finished=NOW) for status in history],
    )
    finding = one("cluster-version", seen, step, "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, goes_on)
    assert ("Wait until it is final" in finding.remedy[0]) is goes_on


@pytest.mark.parametrize("version", ["23.2-upgrading-to-24.1-step-008", "24.1-upgrading-final-step"])
@pytest.mark.parametrize("step", ["finalize", "verify"])
def test_the_long_names_of_24_1_are_not_final_although_one_begins_with_24_1(
    step: str, version: str
) -> None:
    seen = snapshot(three("v24.1.0"), version=version, gateway="v24.1.0")
    assert outcomes("cluster-version", seen, step, "v24.1.0") == [BLOCK]


@pytest.mark.parametrize(("memory", "kv"), [("21.2", "21.1"), ("21.1", "21.2"), ("21.2", "21.1-14")])
@pytest.mark.parametrize("step", ALL_STEPS)
def test_memory_and_kv_that_differ_are_a_migration(step: str, memory: str, kv: str) -> None:
    seen = snapshot(NEW, version=memory, kv_version=kv)
    assert outcomes("cluster-version", seen, step, "v21.2.1") == [BLOCK]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_version_newer_than_every_binary_cannot_be(step: str) -> None:
    assert outcomes("cluster-version", snapshot(version="21.2"), step, "v21.1.12") == [UNKNOWN]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("version", ["1000021.1", "1000022.1-56"])
def test_a_development_version_blocks_for_ever(step: str, version: str) -> None:
    finding = one("cluster-version", snapshot(version=version), step, "v21.1.12")
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert "SET CLUSTER SETTING" not in " ".join(finding.remedy)


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_testing_release_at_rest_is_unknown_and_not_migrating(step: str) -> None:
    nodes = [node(i, "v22.1.0-alpha.2", server_version="21.2-62") for i in (1, 2, 3)]
    seen = snapshot(nodes, version="21.2-62")
    assert outcomes("cluster-version", seen, step, "v22.1.0-alpha.2") == [UNKNOWN]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize(
    ("testing", "forward"),
    [("v24.3.0-beta.1", True), ("v24.3.0-rc.1", True), ("v24.3.0-alpha.2", False)],
)
def test_leaving_a_testing_release_is_no_finalization(step: str, testing: str, forward: bool) -> None:
    here = "24.1-upgrading-to-24.3-step-010"
    nodes = [
        node(1, "v24.3.0", server_version="24.3"),
        *(node(i, testing, server_version=here) for i in (2, 3)),
    ]
    finding = one("cluster-version", snapshot(nodes, version=here), step, "v24.3.0")
    assert (finding.outcome, finding.transient) == (UNKNOWN, False)
    assert testing in finding.title
    assert any("every node on one production release" in line for line in finding.remedy) is forward


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_testing_release_that_is_being_finalized_is_migrating(step: str) -> None:
    end = "24.1-upgrading-to-24.3-step-010"
    nodes = [node(i, "v24.3.0-beta.1", server_version=end) for i in (1, 2, 3)]
    seen = snapshot(nodes, version="24.1-upgrading-to-24.3-step-004")
    assert outcomes("cluster-version", seen, step, "v24.3.0-beta.1") == [BLOCK]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize(
    "sections",
    [
        {"settings": unavailable(Reason.PRIVILEGE)},
        {"settings": collected()},
        {"settings": collected(SettingRow(name="version", value="soon"))},
        {"settings": collected(SettingRow(name="version", value=None))},
        {"kv_version": unavailable(Reason.TIMEOUT)},
        {"kv_version": collected()},
        {"kv_version": collected(KvVersionRow(version="soon"))},
        {"gossip_nodes": unavailable(Reason.TIMEOUT)},
    ],
)
def test_what_cannot_be_read_is_unknown(step: str, sections: dict) -> None:  # type: ignore[type-arg]
    assert outcomes("cluster-version", put(snapshot(), **sections), step, "v21.1.12") == [UNKNOWN]


RESET_PRESERVE = "RESET CLUSTER SETTING cluster.preserve_downgrade_option;"
BY_HAND = "SET CLUSTER SETTING version = '24.3';"


@pytest.mark.parametrize(
    ("preserve", "auto", "statements"),
    [
        ("24.1", "true", [RESET_PRESERVE]),
        ("24.1", "false", [RESET_PRESERVE, BY_HAND]),
        ("", "false", [BY_HAND]),
        ("", "true", []),
    ],
)
def test_the_way_to_finalize_names_what_holds_it_back(
    preserve: str, auto: str, statements: list[str]
) -> None:
    settings = {"cluster.preserve_downgrade_option": preserve, "cluster.auto_upgrade.enabled": auto}
    seen = snapshot(three("v24.3.33"), version="24.1", gateway="v24.3.33", settings=settings)
    ready = one("cluster-version", seen, "finalize", "v24.3.33")
    unfinished = one("cluster-version", seen, "verify", "v24.3.33")
    before = one("cluster-version", seen, "start", "v25.2.19")
    assert (ready.outcome, unfinished.outcome, before.outcome) == (PASS, BLOCK, BLOCK)
    for text in (ready.detail, " ".join(unfinished.remedy), " ".join(before.remedy)):
        held = [each for each in (RESET_PRESERVE, BY_HAND) if each in text]
        assert held == statements or not statements
        assert ("by itself" in text or "Nothing holds it back" in text) is (not statements)
    assert unfinished.transient is (not statements)


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({}, WARN),
        ({"cluster.preserve_downgrade_option": "21.1"}, PASS),
        ({"cluster.auto_upgrade.enabled": "false"}, PASS),
    ],
)
def test_a_rollback_races_with_finalization_that_nothing_holds_back(
    settings: dict[str, str], outcome: Outcome
) -> None:
    finding = one("cluster-version", snapshot(NEW, settings=settings), "rollback", "v21.1.11")
    assert finding.outcome is outcome
    says = "SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1';" in " ".join(finding.remedy)
    assert says is (outcome is WARN)
    mixed = one("cluster-version", snapshot(MIXED, settings=settings), "rollback", "v21.1.11")
    assert mixed.outcome is PASS


def test_a_downgrade_option_of_another_version_holds_nothing_back_at_finalize() -> None:
    settings = {"cluster.preserve_downgrade_option": "20.2"}
    found = one("cluster-version", snapshot(three("v21.2.1"), settings=settings), "finalize", "v21.2.1")
    assert found.outcome == WARN
    assert "protects nothing" in found.title
    assert any(
        "SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'" in r for r in found.remedy
    )


@pytest.mark.parametrize(("state", "transient"), [("live", True), ("suspect", True), ("dead", False)])
def test_a_finalization_without_a_member_does_not_end_by_waiting(state: str, transient: bool) -> None:
    nodes = [node(1, "v21.2.1"), node(2, "v21.2.1"), node(3, "v21.2.1", state=state)]
    finding = one("cluster-version", snapshot(nodes, version="21.1-14"), "verify", "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, transient)
    assert ("n3" in finding.title) is (not transient)
