"""The job history on every release: who, when and of which schedule, and how far back it reaches."""

from __future__ import annotations

import datetime as dt

import pytest

from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.connector.statements import HISTORY_LIMIT
from guard.decision.quiet_windows import quiet_windows
from guard.snapshot.model import Collected, JobRow, Snapshot
from tests.cluster.fake import Fake
from tests.cluster.history import PATHS, PastJob, at_release, with_history
from tests.cluster.recording import Recording

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
STATEMENTS = {
    "v20.2.19": "history_system_jobs",
    "v22.1.22": "history_system_jobs",
    "v23.1.30": "history_job_info",
    "v24.3.9": "history_job_info",
    "v25.1.6": "history_25_1",
    "v26.1.0": "history_25_1",
}


def look(fake: Fake, recording: Recording) -> Snapshot:
    with fake.gateway(recording) as gateway:
        return collect(targets([gateway.url()], {}), 20)


def history(fake: Fake, recording: Recording) -> Collected[JobRow]:
    section = look(fake, recording).job_history
    assert isinstance(section, Collected), section
    return section


@pytest.mark.parametrize("build", PATHS)
def test_who_when_and_of_which_schedule(fake: Fake, build: str) -> None:
    jobs = (
        PastJob(7, NOON, NOON + HOUR, schedule_id=99),
        PastJob(8, NOON + HOUR, NOON + 2 * HOUR, status="failed"),
        PastJob(9, NOON + 2 * HOUR, None, schedule_id=99, status="canceled"),
        PastJob(10, NOON, NOON + HOUR, job_type="RESTORE"),
    )
    section = history(fake, with_history(at_release(build), "few", jobs))
    assert section.statement == STATEMENTS[build]
    told = {
        (j.job_id, j.job_type, j.status, j.created, j.finished, j.schedule_id) for j in section.rows
    }
    assert told == {
        (j.job_id, j.job_type, j.status, j.created, j.finished, j.schedule_id) for j in jobs
    }
    assert {job.owner for job in section.rows} == {"root"}
    assert (section.truncated, section.complete_since) == (False, None)


@pytest.mark.parametrize("build", PATHS)
def test_newer_jobs_do_not_crowd_out_the_runs_of_a_schedule(fake: Fake, build: str) -> None:
    nightly = [
        PastJob(night, NOON + night * 24 * HOUR, NOON + (night * 24 + 6) * HOUR, schedule_id=99)
        for night in range(1, 31)
    ]
    since = nightly[-1].created + 12 * HOUR
    manual = [
        PastJob(1000 + n, since + dt.timedelta(minutes=n), since + dt.timedelta(minutes=n, seconds=5))
        for n in range(HISTORY_LIMIT + 50)
    ]
    section = history(fake, with_history(at_release(build), "crowd", [*nightly, *manual]))
    runs = sorted(j.job_id for j in section.rows if j.schedule_id == 99)
    assert runs == list(range(11, 31)), "the twenty newest"
    assert section.truncated
    assert section.complete_since == manual[50].created
    assert len({job.job_id for job in section.rows}) == len(section.rows)


@pytest.mark.parametrize("build", ["v20.2.19", "v22.1.22"])
def test_the_history_reaches_back_to_the_latest_of_its_limits(fake: Fake, build: str) -> None:
    """It is limited per status: where many failed since yesterday, it knows only today's failures."""
    minute = dt.timedelta(minutes=1)
    succeeded = [
        PastJob(n, NOON - 999 * HOUR + n * HOUR, NOON - 998 * HOUR + n * HOUR, job_type="CREATE STATS")
        for n in range(1, HISTORY_LIMIT + 9)
    ]
    failed = [
        PastJob(5000 + n, NOON + n * minute, NOON + n * minute, status="failed")
        for n in range(HISTORY_LIMIT + 3)
    ]
    section = history(fake, with_history(at_release(build), "limits", [*succeeded, *failed]))
    assert section.truncated
    assert section.complete_since == failed[3].created
    only = history(
        fake, with_history(at_release(build), "limits-ok", [*succeeded[:150], *failed[:150]])
    )
    assert (only.truncated, only.complete_since) == (False, None), "300 rows, and neither limit reached"


SECONDS = dt.timedelta(seconds=5)
HISTORIES: dict[int, list[tuple[dt.datetime, dt.timedelta, str]]] = {
    # Ten nights of six hours, hourly ones of seconds, a failure after hours, and a slow one long ago.
    91: [(NOON - (24 * n + 8) * HOUR, 6 * HOUR, "succeeded") for n in range(1, 11)],
    92: [(NOON - n * HOUR, SECONDS, "succeeded") for n in range(1, 30)],
    93: [(NOON - 60 * HOUR, HOUR, "succeeded"), (NOON - 30 * HOUR, 3 * HOUR, "failed")],
    94: [
        (NOON - 999 * HOUR, 39 * HOUR, "succeeded"),
        *((NOON - n * HOUR, SECONDS, "succeeded") for n in range(1, 30)),
    ],
}
BUSY = {"91": 9 * 60 + 1, "92": 2, "93": 4.5 * 60 + 1, "94": 2}
"""Half as long again as the longest of the twenty newest runs, and the minute of the scheduler."""


@pytest.mark.parametrize("build", ["v20.2.19", "v22.1.22", "v23.1.30", "v26.1.0"])
def test_the_same_history_gives_the_same_windows_on_every_release(fake: Fake, build: str) -> None:
    jobs = [
        PastJob(schedule * 1000 + n, begun, begun + length, schedule, status)
        for schedule, runs in HISTORIES.items()
        for n, (begun, length, status) in enumerate(sorted(runs))
    ]
    recording = with_history(at_release(build), "windows", jobs)
    schedules = [
        {
            "id": schedule, "label": "nightly", "schedule_status": "ACTIVE", "recurrence": "0 4 * * *",
            "next_run": "2026-11-23T04:00:00+00:00", "owner": "root",
            "command": {"backup_statement": "BACKUP INTO 'x' WITH detached"},
        }
        for schedule in HISTORIES
    ]  # fmt: skip
    table = recording.table("show_schedules").with_rows(schedules)
    answer = quiet_windows(look(fake, recording.but("on", show_schedules=table)), HOUR, 36 * HOUR)
    assert answer.unknown == ()
    told = {each.schedule_id: (each.end - each.start, each.assumed) for each in answer.busy}
    assert told == {name: (dt.timedelta(minutes=length), False) for name, length in BUSY.items()}
