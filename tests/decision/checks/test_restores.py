"""restores: a RESTORE in any non-terminal status blocks until verify."""

from __future__ import annotations

import pytest

from guard.snapshot.model import Reason
from tests.building import NOW, job, minutes, snapshot, unavailable
from tests.decision.judging import ALL_STEPS, BLOCK, PASS, UNKNOWN, one, outcomes

STOPPING = ("start", "next-node", "finalize", "rollback")
NON_TERMINAL = ("pending", "running", "reverting", "cancel-requested", "retry-reverting", "brand-new")


@pytest.mark.parametrize("step", ALL_STEPS)
def test_without_a_restore_it_passes(step: str) -> None:
    seen = snapshot(jobs=[job(job_type="BACKUP"), job(2, job_type="SCHEMA CHANGE")])
    assert outcomes("restores", seen, step, "v21.1.12") == [PASS]


@pytest.mark.parametrize("step", STOPPING)
@pytest.mark.parametrize("status", NON_TERMINAL)
def test_a_restore_blocks_until_it_ends(step: str, status: str) -> None:
    finding = one("restores", snapshot(jobs=[job(7, "RESTORE", status)]), step, "v21.1.12")
    assert finding.outcome is BLOCK
    assert finding.transient
    assert finding.evidence["jobs"][0]["job_id"] == "7"


@pytest.mark.parametrize("status", ["paused", "pause-requested"])
def test_a_paused_restore_blocks_and_waiting_does_not_help(status: str) -> None:
    finding = one("restores", snapshot(jobs=[job(7, "RESTORE", status)]), "start", "v21.1.12")
    assert finding.outcome is BLOCK
    assert not finding.transient
    assert "RESUME JOB 7; or CANCEL JOB 7;" in " ".join(finding.remedy)


@pytest.mark.parametrize(
    ("status", "age", "transient"),
    [
        ("cancel-requested", 30, True),
        ("cancel-requested", 60 * 24 * 9, False),
        ("reverting", 60, True),
        ("reverting", 60 * 24 * 40, False),
        ("running", 60 * 24 * 40, True),
    ],
)
def test_stuck_is_not_running(status: str, age: float, transient: bool) -> None:
    seen = snapshot(jobs=[job(7, "RESTORE", status, created=NOW - minutes(age))])
    finding = one("restores", seen, "start", "v21.1.12")
    assert (finding.outcome, finding.transient) == (BLOCK, transient)
    assert ("will not end by itself" in " ".join(finding.remedy)) is not transient


def test_verify_passes_and_names_the_restore() -> None:
    finding = one("restores", snapshot(jobs=[job(7, "RESTORE")]), "verify")
    assert finding.outcome is PASS
    assert "RESTORE job 7 is running" in finding.detail


def test_a_type_that_guard_does_not_know_but_the_server_can_name_is_no_restore() -> None:
    assert outcomes("restores", snapshot(jobs=[job(7, "NEW AUTO THING")]), "start", "v21.1.12") == [
        PASS
    ]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_an_empty_list_proves_nothing_to_a_user_who_may_not_see_all_jobs(step: str) -> None:
    assert outcomes("restores", snapshot(admin=False, user="low"), step, "v21.1.12") == [UNKNOWN]


def test_jobs_that_timed_out_are_unknown() -> None:
    seen = snapshot(active_jobs=unavailable(Reason.TIMEOUT, "statement timeout", "57014"))
    assert one("restores", seen, "start", "v21.1.12").evidence["section"] == "active_jobs"
