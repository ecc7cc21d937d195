"""schema-changes: a warning while nodes restart, a block before finalizing."""

from __future__ import annotations

import pytest

from tests.building import NOW, job, minutes, node, snapshot, three
from tests.decision.judging import BLOCK, PASS, WARN, one, outcomes

KINDS = ("SCHEMA CHANGE", "NEW SCHEMA CHANGE", "TYPEDESC SCHEMA CHANGE")
ALL_NEW = three("v21.2.1")
MIXED = [node(1, "v21.2.1", started=NOW - minutes(5)), node(2), node(3)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["start", "next-node", "rollback"])
def test_a_running_schema_change_warns_while_nodes_restart(step: str, kind: str) -> None:
    assert outcomes("schema-changes", snapshot(jobs=[job(job_type=kind)]), step, "v21.1.12") == [WARN]


@pytest.mark.parametrize("kind", KINDS)
def test_finalize_waits_for_it(kind: str) -> None:
    finding = one("schema-changes", snapshot(ALL_NEW, jobs=[job(job_type=kind)]), "finalize")
    assert (finding.outcome, finding.transient) == (BLOCK, True)


def test_finalize_does_not_wait_for_a_paused_one() -> None:
    seen = snapshot(ALL_NEW, jobs=[job(5, "SCHEMA CHANGE", "paused")])
    finding = one("schema-changes", seen, "finalize")
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert "RESUME JOB 5;" in " ".join(finding.remedy)


@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "rollback"])
def test_waiting_garbage_collection_is_nothing(step: str) -> None:
    seen = snapshot(ALL_NEW, jobs=[job(job_type="SCHEMA CHANGE GC"), job(2)])
    assert outcomes("schema-changes", seen, step, "v21.2.1") == [PASS]


def test_the_servers_own_schema_changes_belong_to_the_upgrade() -> None:
    own = job(job_type="SCHEMA CHANGE", owner="node", created=NOW - minutes(4))
    assert outcomes("schema-changes", snapshot(MIXED, jobs=[own]), "next-node", "v21.2.1") == [PASS]


@pytest.mark.parametrize("owner", ["node", "root"])
def test_older_or_other_ones_are_not_the_servers_own(owner: str) -> None:
    created = NOW - minutes(6 if owner == "node" else 4)
    seen = snapshot(MIXED, jobs=[job(job_type="SCHEMA CHANGE", owner=owner, created=created)])
    assert outcomes("schema-changes", seen, "next-node", "v21.2.1") == [WARN]


def test_finalize_waits_for_the_servers_own_as_well() -> None:
    seen = snapshot(ALL_NEW, jobs=[job(job_type="SCHEMA CHANGE", owner="node")])
    assert outcomes("schema-changes", seen, "finalize") == [BLOCK]


def test_a_stuck_one_blocks_the_start_already() -> None:
    stuck = job(5, "SCHEMA CHANGE", "reverting", created=NOW - minutes(60 * 24 * 40))
    finding = one("schema-changes", snapshot(jobs=[stuck]), "start", "v21.2.17")
    assert (finding.outcome, finding.transient) == (BLOCK, False)


def test_from_19_2_to_20_1_finalizing_is_the_cure() -> None:
    seen = snapshot(three("v20.1.17"), version="19.2", jobs=[job(5, "SCHEMA CHANGE")])
    assert outcomes("schema-changes", seen, "finalize", "v20.1.17") == [PASS]


def test_verify_does_not_ask() -> None:
    from guard.decision.checks import schema_changes

    assert "verify" not in schema_changes.CHECK.steps


@pytest.mark.parametrize("node_id", [None, 2])
def test_beginning_with_next_node_does_not_go_round_it(node_id: int | None) -> None:
    stuck = job(5, "SCHEMA CHANGE", "reverting", created=NOW - minutes(60 * 24 * 40))
    for seen, target, outcome in (
        (snapshot(jobs=[stuck]), "v21.2.17", BLOCK),
        (snapshot(MIXED, jobs=[stuck]), "v21.2.17", WARN),
        (snapshot(jobs=[stuck]), "v21.1.21", WARN),
    ):
        assert outcomes("schema-changes", seen, "next-node", target, node=node_id) == [outcome]
