"""running-backups: warn, block where A-72839 bites, list what was lost in verify."""

from __future__ import annotations

from typing import Any

import pytest

from guard.snapshot.model import Reason
from tests.building import NOW, collected, job, minutes, node, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, PASS, UNKNOWN, WARN, judge, one, outcomes

EDGE = [node(1, "v21.2.0"), node(2), node(3)]


def ended(status: str, ago: float, kind: str | None = "BACKUP") -> Any:
    return job(3, kind, status, created=NOW - minutes(ago + 5), finished=NOW - minutes(ago))


@pytest.mark.parametrize("step", ALL_STEPS)
def test_nothing_running_passes(step: str) -> None:
    assert outcomes("running-backups", snapshot(), step, "v21.1.11") == [PASS]


@pytest.mark.parametrize("status", ["running", "pending", "reverting", "cancel-requested", "odd"])
@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "rollback"])
def test_off_the_edge_a_backup_warns(step: str, status: str) -> None:
    finding = one("running-backups", snapshot(jobs=[job(status=status)]), step, "v21.1.12")
    assert (finding.outcome, finding.transient) == (WARN, True)


@pytest.mark.parametrize(
    ("step", "nodes", "target", "outcome"),
    [
        ("start", three(), "v21.2.0", WARN),
        ("start", three(), "v21.2.1", WARN),
        ("next-node", EDGE, "v21.2.0", WARN),
        ("next-node", [node(1, "v21.2.1"), node(2), node(3)], "v21.2.1", WARN),
        ("finalize", three("v21.2.0"), "v21.2.0", WARN),
        ("rollback", EDGE, "v21.1.11", WARN),
    ],
)
def test_on_the_edge_the_advisory_blocks_and_this_warns(
    step: str, nodes: Any, target: str, outcome: str
) -> None:
    finding = one("running-backups", snapshot(nodes, jobs=[job()]), step, target)
    assert finding.outcome is outcome
    assert finding.transient


def test_a_paused_backup_does_not_end_by_itself() -> None:
    seen = snapshot(jobs=[job(8, status="paused")])
    finding = one("running-backups", seen, "start", "v21.2.17")
    assert (finding.outcome, finding.transient) == (WARN, False)
    assert "RESUME JOB 8; or CANCEL JOB 8;" in finding.remedy[0]


SETTING = {"bulkio.backup.experimental_21_2_mode.enabled": "true"}


@pytest.mark.parametrize(
    ("new", "old", "settings", "fails"),
    [
        ("v21.2.0", "v21.1.21", {}, True),
        ("v21.2.0", "v21.1.21", SETTING, True),
        ("v21.2.17", "v21.1.21", {}, True),
        ("v21.2.17", "v21.1.11", SETTING, True),
        ("v21.2.17", "v21.1.21", SETTING, False),
        ("v21.2.17", "v21.2.17", {}, False),
        ("v21.1.21", "v21.1.11", {}, False),
    ],
)
def test_nobody_is_told_to_resume_what_fails_between_the_versions(
    new: str, old: str, settings: dict[str, str], fails: bool
) -> None:
    nodes = [node(1, new), node(2, old), node(3, old)]
    held = {"cluster.preserve_downgrade_option": "21.1"}
    seen = snapshot(nodes, settings=settings | held, jobs=[job(8, status="paused")])
    for check in ("running-backups", "A-72839"):
        finding = one(check, seen, "next-node", new)
        text = "\n".join(finding.remedy)
        if check == "running-backups":
            assert "CANCEL JOB 8;" in text
            assert ("RESUME" in text) is not fails
        elif fails:
            assert "paused and will fail if it is resumed" in finding.title
            assert "CANCEL JOB 8;" in text
            assert "RESUME" not in text


@pytest.mark.parametrize("kind", [None, "27"])
def test_a_job_of_unknown_type_may_be_a_backup(kind: str | None) -> None:
    assert outcomes("running-backups", snapshot(jobs=[job(job_type=kind)]), "start", "v21.1.12") == [
        WARN
    ]


@pytest.mark.parametrize(
    "kind", ["RESTORE", "SCHEMA CHANGE", "SOMETHING NEW", "AUTO SPAN CONFIG RECONCILIATION"]
)
def test_other_jobs_are_none(kind: str) -> None:
    assert outcomes("running-backups", snapshot(jobs=[job(job_type=kind)]), "start", "v21.1.12") == [
        PASS
    ]


def test_verify_passes_while_one_runs() -> None:
    assert outcomes("running-backups", snapshot(jobs=[job()]), "verify") == [PASS]


@pytest.mark.parametrize("status", ["failed", "canceled", "revert-failed"])
@pytest.mark.parametrize("version", ["21.1", "21.2", "23.1"])
def test_verify_lists_what_was_lost_since_the_first_restart(status: str, version: str) -> None:
    nodes = [node(i, f"v{version}.5", started=NOW - minutes(60 - 10 * i)) for i in (1, 2, 3)]
    lost = snapshot(nodes, version=version, history=[ended(status, 45), ended(status, 55)])
    found = judge("running-backups", lost, "verify")
    assert [f.outcome for f in found] == [PASS, WARN]
    assert len(found[1].evidence["jobs"]) == 1
    assert found[1].evidence["since"] == NOW - minutes(50)


@pytest.mark.parametrize(
    "fine", [ended("succeeded", 1), ended("failed", 1, "RESTORE"), ended("failed", 700)]
)
def test_verify_does_not_list_the_rest(fine: Any) -> None:
    assert outcomes("running-backups", snapshot(history=[fine]), "verify") == [PASS]


def test_verify_says_when_it_did_not_look_far_enough() -> None:
    seen = snapshot(history=[ended("succeeded", 30)], history_truncated=True)
    assert outcomes("running-backups", seen, "verify") == [PASS, WARN]
    far_enough = snapshot(history=[ended("succeeded", 700)], history_truncated=True)
    assert outcomes("running-backups", far_enough, "verify") == [PASS]


def test_show_jobs_is_far_enough_if_the_nodes_started_within_twelve_hours() -> None:
    section = collected(statement="history_show_jobs", truncated=True)
    assert outcomes("running-backups", snapshot(job_history=section), "verify") == [PASS]
    nodes = [node(i, started=NOW - minutes(800)) for i in (1, 2, 3)]
    assert outcomes("running-backups", snapshot(nodes, job_history=section), "verify") == [PASS, WARN]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_an_empty_list_proves_nothing_to_a_user_who_may_not_see_all_jobs(step: str) -> None:
    assert outcomes("running-backups", snapshot(admin=False, user="low"), step, "v21.1.11") == [UNKNOWN]


def test_a_history_that_cannot_be_read_is_unknown_in_verify_only() -> None:
    seen = snapshot(job_history=unavailable(Reason.TIMEOUT))
    assert outcomes("running-backups", seen, "start", "v21.1.12") == [PASS]
    assert UNKNOWN in outcomes("running-backups", seen, "verify")
