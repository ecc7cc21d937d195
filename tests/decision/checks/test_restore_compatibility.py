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


def test_a_series_that_was_left_out_is_not_the_backups() -> None:
    """From v24.1 to v24.3 the cluster version passes through v24.2 within seconds."""
    steps = [(23, 2, 4, 400), (24, 1, 8, 5), (24, 1, 12, 5), (24, 2, 6, 5)]
    migrations = [
        MigrationRow(
            major=major,
            minor=minor,
            patch=0,
            internal=internal,
            completed_at=NOW - dt.timedelta(days=days),
        )
        for major, minor, internal, days in steps
    ]
    backups = [
        job(number, "BACKUP", "succeeded", created=NOW - dt.timedelta(days=days))
        for number, days in ((1, 500), (2, 8), (3, 1))
    ]
    taken = snapshot(
        three("v24.3.33"), version="24.3", gateway="v24.3.33", history=backups,
        migrations=collected(*migrations),
    )  # fmt: skip
    found = guard.evaluate(
        taken, step="start", target="v25.2.19", checks=[restore_compatibility.CHECK]
    ).findings
    told = {f.evidence["series"]: f.jobs for f in found}
    assert told == {"23.2": ("1",), "24.1": ("2",)}
    assert "v24.1 binary" in found[-1].remedy[0]


def test_a_patch_changes_nothing() -> None:
    (finding,) = findings("v21.2.17")
    assert finding.outcome is Outcome.NOT_APPLICABLE


def test_without_sight_of_the_history_it_is_unknown() -> None:
    (finding,) = findings("v22.1.22", admin=False)
    assert finding.outcome is Outcome.UNKNOWN
