"""migrations: running, stuck, failed, and too late for a rollback."""

from __future__ import annotations

from typing import Any

import pytest

from guard.snapshot.model import MigrationRow, Reason
from tests.building import NOW, collected, job, minutes, node, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, NOT_APPLICABLE, PASS, UNKNOWN, one, outcomes

NEW = three("v21.2.1")
MIXED = [node(1, "v21.2.1"), node(2), node(3)]


def failed(status: str = "failed", ago: float = 30) -> Any:
    return job(9, "MIGRATION", status, created=NOW - minutes(ago), finished=NOW - minutes(ago - 1))


def succeeded(ago: float) -> Any:
    return job(10, "MIGRATION", "succeeded", created=NOW - minutes(ago))


def done(major: int, minor: int, internal: int, ago: float = 60) -> MigrationRow:
    return MigrationRow(
        major=major, minor=minor, patch=0, internal=internal, completed_at=NOW - minutes(ago)
    )


@pytest.mark.parametrize("step", ALL_STEPS)
def test_nothing_running_passes(step: str) -> None:
    assert outcomes("migrations", snapshot(MIXED), step, "v21.2.1") == [PASS]


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("status", ["running", "pending"])
def test_a_running_migration_is_a_finalization(step: str, status: str) -> None:
    finding = one("migrations", snapshot(NEW, jobs=[job(9, "MIGRATION", status)]), step, "v21.2.1")
    assert finding.outcome is BLOCK
    assert finding.transient is (step != "rollback")


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize(
    "status", ["paused", "pause-requested", "reverting", "cancel-requested", "odd"]
)
def test_a_stuck_migration_blocks_and_waiting_does_not_help(step: str, status: str) -> None:
    finding = one("migrations", snapshot(NEW, jobs=[job(9, "MIGRATION", status)]), step, "v21.2.1")
    assert (finding.outcome, finding.transient) == (BLOCK, False)
    assert ("paused" if status == "paused" else "stuck") in finding.title
    assert ("RESUME JOB 9;" in "\n".join(finding.remedy)) is status.startswith("pause")


@pytest.mark.parametrize("step", ["finalize", "verify", "rollback"])
@pytest.mark.parametrize("status", ["failed", "canceled", "revert-failed"])
def test_a_failed_migration_blocks_while_its_upgrade_is_open(step: str, status: str) -> None:
    seen = snapshot(NEW, history=[failed(status)])
    assert outcomes("migrations", seen, step, "v21.1.11" if step == "rollback" else None) == [BLOCK]


def test_a_failed_migration_blocks_while_the_version_is_migrating() -> None:
    seen = snapshot(NEW, version="21.1-14", history=[failed()])
    assert outcomes("migrations", seen, "verify") == [BLOCK]


def test_a_failure_that_a_later_migration_made_good_is_over() -> None:
    seen = snapshot(NEW, history=[succeeded(10), failed(ago=30)])
    assert outcomes("migrations", seen, "finalize") == [PASS]
    seen = snapshot(NEW, history=[failed(ago=30), succeeded(50)])
    assert outcomes("migrations", seen, "finalize") == [BLOCK]


def test_a_failure_that_the_migrations_table_shows_repaired_is_over() -> None:
    seen = snapshot(NEW, history=[failed(ago=30)], migrations=collected(done(21, 1, 8, ago=5)))
    assert outcomes("migrations", seen, "finalize") == [PASS]


@pytest.mark.parametrize("step", ["start", "next-node", "verify"])
def test_a_failure_of_an_upgrade_that_has_ended_does_not_count(step: str) -> None:
    for nodes, version in ((three(), "21.1"), (MIXED, "21.1"), (NEW, "21.2")):
        seen = snapshot(nodes, version=version, history=[failed()])
        assert outcomes("migrations", seen, step, "v21.2.1") == [PASS]


def test_the_history_is_needed_only_while_an_upgrade_is_open() -> None:
    hidden = unavailable(Reason.TIMEOUT, "statement timeout", "57014")
    assert outcomes("migrations", snapshot(job_history=hidden), "start", "v21.2.1") == [PASS]
    assert outcomes("migrations", snapshot(NEW, job_history=hidden), "finalize") == [UNKNOWN]


def test_migrations_of_the_new_series_end_the_way_back() -> None:
    seen = snapshot(NEW, migrations=collected(done(21, 1, 8), done(20, 2, 40)))
    finding = one("migrations", seen, "rollback", "v21.1.11")
    assert finding.outcome is BLOCK
    assert finding.evidence["completed"] == ["21.1-8"]


def test_migrations_of_past_upgrades_do_not() -> None:
    seen = snapshot(MIXED, migrations=collected(done(20, 2, 40), done(21, 1, 0)))
    assert outcomes("migrations", seen, "rollback", "v21.1.11") == [PASS]


@pytest.mark.parametrize("reason", [Reason.PRIVILEGE, Reason.NOT_IN_THIS_VERSION, Reason.TIMEOUT])
def test_the_migrations_table_is_further_evidence_only(reason: Reason) -> None:
    finding = one("migrations", snapshot(MIXED, migrations=unavailable(reason)), "rollback", "v21.1.11")
    assert finding.outcome is PASS
    assert "was not read" in finding.detail


def test_releases_before_21_1_have_no_migration_jobs() -> None:
    seen = snapshot(three("v20.2.10"), version="20.2", gateway="v20.2.10")
    assert outcomes("migrations", seen, "start", "v20.2.19") == [NOT_APPLICABLE]


def test_jobs_that_are_hidden_are_unknown() -> None:
    assert outcomes("migrations", snapshot(admin=False), "finalize", "v21.2.1") == [UNKNOWN]
