"""mixed-version: which builds each step may find."""

from __future__ import annotations

import pytest

from guard.snapshot.model import Reason
from tests.building import Node, node, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, WARN, judge, one, outcomes


def nodes(*builds: str) -> list[Node]:
    return [node(number, build) for number, build in enumerate(builds, start=1)]


OLD, MIXED, NEW = three(), nodes("v21.2.1", "v21.1.11", "v21.1.11"), three("v21.2.1")


@pytest.mark.parametrize(
    ("step", "built", "target", "outcome"),
    [
        ("start", OLD, "v21.2.1", PASS),
        ("start", OLD, "v21.1.12", PASS),
        ("start", OLD, "v21.1.11", WARN),  # there already
        ("start", MIXED, "v21.2.1", BLOCK),
        ("start", nodes("v21.1.11", "v21.1.12"), "v21.2.1", BLOCK),
        ("next-node", MIXED, "v21.2.1", PASS),
        ("next-node", OLD, "v21.2.1", PASS),
        ("next-node", NEW, "v21.2.1", PASS),
        ("next-node", nodes("v21.1.12", "v21.1.11", "v21.1.11"), "v21.1.12", PASS),
        ("next-node", nodes("v22.1.0", "v21.1.11", "v21.1.11"), "v21.2.1", BLOCK),
        ("finalize", NEW, None, PASS),
        ("finalize", NEW, "v21.2.1", PASS),
        ("finalize", MIXED, "v21.2.1", BLOCK),
        ("finalize", MIXED, None, BLOCK),
        ("finalize", OLD, "v21.2.1", BLOCK),
        ("finalize", nodes("v21.2.1", "v21.2.0", "v21.2.1"), "v21.2.1", WARN),
        ("rollback", MIXED, "v21.1.11", PASS),
        ("rollback", NEW, "v21.1.11", PASS),
        ("rollback", NEW, None, PASS),
        ("rollback", OLD, "v21.1.11", BLOCK),
        ("rollback", OLD, None, BLOCK),
        ("rollback", three("v21.1.12"), "v21.1.11", PASS),
        ("verify", NEW, "v21.2.1", PASS),
        ("verify", NEW, None, PASS),
        ("verify", NEW, "v21.2.2", BLOCK),
        ("verify", MIXED, None, BLOCK),
        ("verify", nodes("v21.2.0", "v21.2.1"), None, BLOCK),
        # A custom build goes by its release where it is the only one; beside it, it is another build.
        ("start", nodes("v21.1.11", "v21.1.11-dirty"), "v21.2.1", BLOCK),
        ("start", nodes("v21.1.11-fips", "v21.1.11"), "v21.2.1", PASS),
        ("verify", three("v21.2.1-dirty"), "v21.2.1", PASS),
        ("verify", nodes("v21.2.1", "v21.2.1-dirty"), "v21.2.1", BLOCK),
        ("verify", three("sha256:abc:latest-v21.2-build"), "v21.2.0", BLOCK),
        ("finalize", nodes("v21.2.1", "v21.2.1-dirty"), "v21.2.1", WARN),
        ("finalize", NEW, "v21.2.1-dirty", BLOCK),
        ("rollback", three("v21.1.11-dirty"), "v21.1.11", PASS),
    ],
)
def test_what_each_step_may_find(
    step: str, built: list[Node], target: str | None, outcome: str
) -> None:
    assert outcomes("mixed-version", snapshot(built), step, target) == [outcome]


@pytest.mark.parametrize(
    ("built", "target"),
    [
        (nodes("v21.2.0", "v21.1.11", "v21.1.11"), "v21.2.1"),  # a new node on another patch
        (nodes("v21.2.1", "v21.1.11", "v21.1.12"), "v21.2.1"),  # old nodes on two patches
        (nodes("v21.1.10", "v21.1.11", "v21.1.12"), "v21.1.12"),  # three builds in a patch upgrade
    ],
)
def test_next_node_warns_of_stray_patch_builds(built: list[Node], target: str) -> None:
    assert outcomes("mixed-version", snapshot(built), "next-node", target) == [WARN, PASS]


def test_next_node_says_who_is_left() -> None:
    assert one("mixed-version", snapshot(MIXED), "next-node", "v21.2.1").evidence["left"] == [2, 3]


def test_next_node_names_a_node_that_is_none_or_done() -> None:
    assert outcomes("mixed-version", snapshot(MIXED), "next-node", "v21.2.1", node=9) == [BLOCK]
    assert outcomes("mixed-version", snapshot(MIXED), "next-node", "v21.2.1", node=1) == [WARN]
    assert outcomes("mixed-version", snapshot(MIXED), "next-node", "v21.2.1", node=2) == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_decommissioned_node_never_counts(step: str) -> None:
    gone = node(4, "v20.2.9", state="dead", membership="decommissioned")
    target = {"rollback": "v21.1.11"}.get(step, "v21.2.1")
    built = {"start": OLD, "next-node": MIXED, "rollback": MIXED}.get(step, NEW)
    assert outcomes("mixed-version", snapshot([*built, gone]), step, target) == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("tag", ["unknown", "", "21.2.1", "v21.2", "v21.2.1; DROP TABLE t"])
def test_a_build_nobody_can_read_is_unknown(step: str, tag: str) -> None:
    found = judge("mixed-version", snapshot([*OLD, node(4, tag)]), step, "v21.2.1")
    assert UNKNOWN in [f.outcome for f in found]
    assert found[0].evidence["node_id"] == 4


@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "verify"])
def test_a_dead_member_counts_with_the_build_it_had(step: str) -> None:
    """Dead nodes must not lower the quorum of "done"."""
    dead = node(4, "v20.2.9", state="dead")
    assert BLOCK in outcomes("mixed-version", snapshot([*OLD, dead]), step, "v21.1.11")


def test_the_order_of_patches_is_by_number() -> None:
    seen = snapshot(three("v21.1.9"))
    assert outcomes("mixed-version", seen, "rollback", "v21.1.10") == [BLOCK]


def test_fips_builds_are_the_same_release() -> None:
    seen = snapshot(nodes("v23.1.5", "v23.1.5-fips", "v23.1.5"), version="23.1")
    assert outcomes("mixed-version", seen, "verify") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_nodes_that_cannot_be_seen_are_unknown(step: str) -> None:
    seen = snapshot(gossip_nodes=unavailable(Reason.VIRTUAL_CLUSTER))
    assert outcomes("mixed-version", seen, step, "v21.1.12") == [UNKNOWN]


def test_next_node_without_a_target_is_unknown() -> None:
    seen = snapshot([node(1, "unknown"), node(2, "unknown")])
    assert set(outcomes("mixed-version", seen, "next-node")) == {UNKNOWN}


@pytest.mark.parametrize("step", ALL_STEPS)
def test_no_readable_build_at_all_is_one_unknown_for_each_node(step: str) -> None:
    seen = snapshot(nodes("sha256:abc", "unknown", "custom"))
    assert outcomes("mixed-version", seen, step, "v21.2.1") == [UNKNOWN] * 3


@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "rollback", "verify"])
def test_a_node_older_than_the_cluster_version_cannot_be(step: str) -> None:
    seen = snapshot(nodes("v21.2.1", "v20.2.9", "v21.1.11"))
    assert outcomes("mixed-version", seen, step, "v21.2.1")[0] == UNKNOWN


def test_next_node_needs_a_target_where_nothing_is_under_way() -> None:
    assert outcomes("mixed-version", snapshot(OLD), "next-node") == [UNKNOWN]
    assert outcomes("mixed-version", snapshot(MIXED), "next-node") == [PASS]


def test_finalizing_a_build_that_no_node_runs_is_not_what_was_asked() -> None:
    assert outcomes("mixed-version", snapshot(NEW), "finalize", "v21.2.9") == [BLOCK]


@pytest.mark.parametrize(("build", "waits"), [("no tag at all", False), ("", True)])
def test_a_tag_that_cannot_be_read_is_not_waited_for(build: str, waits: bool) -> None:
    """No table may tell the build of a node that is only just back; what one tells stays the same."""
    seen = snapshot([node(1), node(2), node(3, build)])
    finding = next(f for f in judge("mixed-version", seen, "start", "v21.1.21") if f.nodes)
    assert (finding.outcome, finding.transient) == (UNKNOWN, waits)


def test_a_node_on_the_series_that_the_upgrade_skips_goes_back() -> None:
    stray = snapshot(nodes("v24.3.33", "v24.2.10", "v24.1.29"), version="24.1")
    finding = one("mixed-version", stray, "next-node", "v24.3.33")
    assert (finding.outcome, finding.remedy) == (
        BLOCK,
        ("Put n2 back on v24.1, and go on with the upgrade to v24.3: guard check --step rollback",),
    )
    assert one("mixed-version", stray, "rollback", "v24.1.29").outcome is PASS
