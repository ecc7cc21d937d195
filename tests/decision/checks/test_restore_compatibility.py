"""restore-compatibility: backups that a hop leaves behind."""

from __future__ import annotations

import datetime as dt

import guard
from guard.decision.checks import restore_compatibility
from guard.decision.result import Finding, Outcome
from guard.snapshot.model import MigrationRow
from tests.building import NOW, collected, job, snapshot, three


def findings(target: str, **changes: object) -> tuple[Finding, ...]:
    taken = snapshot(three("v21.2.5"), version="21.2", gateway="v21.2.5", **changes)  # type: ignore[arg-type]
    return guard.evaluate(
        taken, step="start", target=target, checks=[restore_compatibility.CHECK]
    ).findings


def backup(days: int) -> object:
    return job(7, "BACKUP", "succeeded", created=NOW - dt.timedelta(days=days))


def test_backups_of_the_active_series_restore_into_the_next() -> None:
    (finding,) = findings("v22.1.22", history=[backup(1)])
    assert finding.outcome is Outcome.PASS
    assert finding.evidence["series"] == "21.2"


def test_backups_from_before_the_last_finalization_are_left_behind() -> None:
    finalized = MigrationRow(
        major=21, minor=2, patch=0, internal=0, completed_at=NOW - dt.timedelta(days=5)
    )
    (finding,) = findings("v22.1.22", history=[backup(8)], migrations=collected(finalized))
    assert finding.outcome is Outcome.WARN
    assert finding.evidence["series"] == "21.1"
    assert finding.evidence["jobs"][0]["job_id"] == "7"


def test_a_patch_changes_nothing() -> None:
    (finding,) = findings("v21.2.17")
    assert finding.outcome is Outcome.NOT_APPLICABLE


def test_without_sight_of_the_history_it_is_unknown() -> None:
    (finding,) = findings("v22.1.22", admin=False)
    assert finding.outcome is Outcome.UNKNOWN
