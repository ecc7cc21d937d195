"""recent-backup: has one succeeded lately?"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from guard.decision.checks import recent_backup
from guard.decision.policy.rules import Thresholds
from guard.snapshot.model import Reason
from tests.building import NOW, collected, job, snapshot, unavailable
from tests.decision.judging import PASS, UNKNOWN, WARN, one, outcomes

STEPS = ("start", "finalize")


def backup(hours_ago: float, status: str = "succeeded", kind: str | None = "BACKUP") -> Any:
    moment = NOW - dt.timedelta(hours=hours_ago)
    return job(1, kind, status, created=moment, finished=moment)


def test_the_other_steps_do_not_ask() -> None:
    assert tuple(step.value for step in recent_backup.CHECK.steps) == STEPS


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        ([backup(1)], PASS),
        ([backup(24)], PASS),
        ([backup(24.1)], WARN),
        ([], WARN),
        ([backup(1, "failed")], WARN),
        ([backup(1, "canceled")], WARN),
        ([backup(1, kind="RESTORE")], WARN),
        ([backup(1, kind=None)], WARN),
        ([backup(30), backup(2)], PASS),
    ],
)
def test_only_a_backup_that_succeeded_in_time_passes(step: str, history: Any, outcome: str) -> None:
    assert outcomes("recent-backup", snapshot(history=history), step, "v21.1.12") == [outcome]


def test_its_end_counts_not_its_start() -> None:
    long_one = job(
        1,
        "BACKUP",
        "succeeded",
        created=NOW - dt.timedelta(hours=30),
        finished=NOW - dt.timedelta(hours=1),
    )
    assert outcomes("recent-backup", snapshot(history=[long_one]), "start", "v21.1.12") == [PASS]


def test_the_age_is_a_threshold() -> None:
    weekly = Thresholds(backup_age=dt.timedelta(days=8))
    seen = snapshot(history=[backup(100)])
    assert outcomes("recent-backup", seen, "start", "v21.1.12", thresholds=weekly) == [PASS]


def test_a_history_that_was_read_in_part_says_so() -> None:
    seen = snapshot(history=[backup(2, kind="AUTO CREATE STATS")], history_truncated=True)
    finding = one("recent-backup", seen, "start", "v21.1.12")
    assert finding.outcome is WARN
    assert "created since 2026-11-22 00:00:00Z" in finding.detail


def test_show_jobs_looks_back_twelve_hours_only() -> None:
    section = collected(backup(1, kind="SCHEMA CHANGE"), statement="history_show_jobs", truncated=True)
    finding = one("recent-backup", snapshot(job_history=section), "start", "v21.1.12")
    assert finding.evidence["looked_back_to"] == NOW - dt.timedelta(hours=12)


def test_a_history_nobody_may_read_is_unknown() -> None:
    for seen in (snapshot(admin=False), snapshot(job_history=unavailable(Reason.TIMEOUT))):
        assert outcomes("recent-backup", seen, "start", "v21.1.12") == [UNKNOWN]
