"""guard windows: quiet times between backups, and never one that is not known to be quiet."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.decision.quiet_windows import LONGEST_HORIZON, WindowsAnswer, quiet_windows
from guard.snapshot.model import JobRow, Reason, ScheduleRow, Snapshot
from tests import building as b

HOUR = b.minutes(60)
DAY = 24 * HOUR
SHORT = b.minutes(45)


def run_of(schedule_id: int | None, length: dt.timedelta, number: int = 1, **changes: Any) -> JobRow:
    """A backup that a schedule made, some days ago."""
    begin = b.NOW - number * DAY
    made = b.job(
        9000 + number,
        status="succeeded",
        created=begin,
        finished=begin + length,
        schedule_id=schedule_id,
    )
    return msgspec.structs.replace(made, **changes)


def planned(
    first: dt.datetime, recurrence: str | None = "0 2 * * *", schedule_id: int = 1
) -> ScheduleRow:
    return msgspec.structs.replace(b.schedule(schedule_id, first), recurrence=recurrence)


def ask(seen: Snapshot, length: dt.timedelta = SHORT, within: dt.timedelta = DAY) -> WindowsAnswer:
    return quiet_windows(seen, length, within)


def spans(answer: WindowsAnswer) -> list[tuple[float, float]]:
    """The windows as minutes from now."""
    return [((w.start - b.NOW) / b.minutes(1), (w.end - b.NOW) / b.minutes(1)) for w in answer.windows]


def test_without_backups_everything_is_quiet() -> None:
    answer = ask(b.snapshot())
    assert (answer.exit_code, spans(answer)) == (0, [(0, 1440)])
    assert answer.now is not None
    assert answer.now.quiet


def test_the_time_between_two_runs_by_how_long_past_runs_took() -> None:
    seen = b.snapshot(
        schedules=[planned(b.NOW + HOUR, "0 */4 * * *")],
        history=[run_of(1, b.minutes(20), 1), run_of(1, b.minutes(10), 2)],
    )
    answer = ask(seen, within=8 * HOUR)
    # Runs at 03:00, 04:00 and 08:00; each may take 20 minutes, half as long again, and one.
    assert spans(answer) == [(0, 60), (151, 360), (391, 480)]
    assert answer.exit_code == 0
    assert answer.windows[0].until.startswith("backup schedule 1")


def test_windows_shorter_than_the_duration_are_left_out() -> None:
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR, "@hourly")], history=[run_of(1, b.minutes(20))])
    assert ask(seen, b.minutes(29)).exit_code == 0
    assert spans(ask(seen, b.minutes(29)))[:2] == [(0, 60), (91, 120)]
    none = ask(seen, b.minutes(61))
    assert (none.exit_code, none.windows) == (10, ())


@pytest.mark.parametrize(
    ("macro", "cron"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@every 1h30m", None),
        ("@DAILY", "0 0 * * *"),
    ],
)
def test_recurrences_with_names(macro: str, cron: str | None) -> None:
    def busy(recurrence: str) -> list[float]:
        seen = b.snapshot(
            schedules=[planned(b.NOW + HOUR, recurrence)], history=[run_of(1, b.minutes(1))]
        )
        answer = ask(seen, within=LONGEST_HORIZON)
        assert answer.unknown == ()
        return [(each.start - b.NOW) / HOUR for each in answer.busy]

    if cron is not None:
        assert busy(macro) == busy(cron)
    else:
        assert busy(macro)[:3] == [1, 2.5, 4]


def test_cron_expressions_are_in_utc_whatever_zone_the_times_come_in() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    seen = b.snapshot(schedules=[planned((b.NOW + HOUR).astimezone(zone), "0 6 * * *")])
    assert [each.start.astimezone(dt.UTC).hour for each in ask(seen).busy] == [3, 6]


def test_a_run_that_is_overdue_is_about_to_start() -> None:
    seen = b.snapshot(
        schedules=[planned(b.NOW - b.minutes(3), "@daily")], history=[run_of(1, b.minutes(10))]
    )
    answer = ask(seen, within=4 * HOUR)
    assert spans(answer) == [(16, 240)]
    assert answer.now is not None
    assert not answer.now.quiet


def test_a_paused_schedule_does_not_count_and_is_named() -> None:
    answer = ask(
        b.snapshot(schedules=[b.schedule(1, None, label="weekly"), b.schedule(2, b.NOW + DAY)])
    )
    assert spans(answer) == [(0, 1440)]
    assert answer.notes == ("backup schedule 1 (weekly) is paused: guard takes it to stay so",)


def waiting(schedule_id: int, recurrence: str = "@hourly", label: str = "pair") -> ScheduleRow:
    made = b.schedule(schedule_id, None, label=label)
    return msgspec.structs.replace(made, recurrence=recurrence, waits_for_full=True)


def test_a_schedule_that_waits_for_its_first_full_backup_starts_by_itself() -> None:
    full = msgspec.structs.replace(b.schedule(1, b.NOW + 3 * HOUR, label="pair"), recurrence="@weekly")
    history = [run_of(7, b.minutes(10))]
    answer = ask(b.snapshot(schedules=[full, waiting(2)], history=history), within=6 * HOUR)
    assert [each.schedule_id for each in answer.busy] == ["1", "2", "2", "2"]
    assert [(each.start - b.NOW) / HOUR for each in answer.busy] == [3, 3, 4, 5]
    assert any("starts by itself" in note and "schedule 2 (pair)" in note for note in answer.notes)


@pytest.mark.parametrize("jobs", [[], [b.job(5, created=b.NOW)]], ids=["nothing", "a backup"])
def test_what_it_waits_for_may_end_at_any_moment(jobs: list[JobRow]) -> None:
    seen = b.snapshot(schedules=[waiting(2)], jobs=jobs, history=[run_of(7, b.minutes(10))])
    busy = [each for each in ask(seen, within=3 * HOUR).busy if each.schedule_id == "2"]
    assert busy[0].start == b.NOW


@pytest.mark.parametrize("schedules", [[], [b.schedule(1, None)]], ids=["none", "paused"])
def test_a_cluster_without_active_schedule_is_told_of_backups_from_outside(
    schedules: list[ScheduleRow],
) -> None:
    assert any("started from outside" in note for note in ask(b.snapshot(schedules=schedules)).notes)


def test_what_is_over_since_an_old_snapshot_is_no_window() -> None:
    seen = b.snapshot(
        schedules=[planned(b.NOW + HOUR, "0 */4 * * *")], history=[run_of(1, b.minutes(20))]
    )
    fresh, old = ask(seen, within=8 * HOUR), quiet_windows(seen, SHORT, 8 * HOUR, age=3 * HOUR)
    assert spans(fresh)[0] == (0, 60)
    assert (old.cluster_time, old.until) == (b.NOW + 3 * HOUR, b.NOW + 11 * HOUR)
    assert spans(old) == [(180, 360), (391, 600), (631, 660)][:2]
    assert old.snapshot_age_seconds == 3 * 3600


def test_the_time_looked_at_never_ends_before_it_begins() -> None:
    """Nothing is known from the next run on, and that was hours before now."""
    unreadable = run_of(1, SHORT, created=None)
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR)], history=[unreadable])
    answer = quiet_windows(seen, SHORT, DAY, age=5 * HOUR)
    assert answer.exit_code == 11
    assert answer.until == answer.cluster_time
    assert answer.windows == ()


def test_every_counts_from_the_run_before_which_may_be_late() -> None:
    seen = b.snapshot(
        schedules=[planned(b.NOW + HOUR, "@every 1h")], history=[run_of(1, b.minutes(10))]
    )
    ends = [(each.end - each.start) / b.minutes(1) for each in ask(seen, within=4 * HOUR).busy]
    assert ends == [16, 17, 18]


def test_a_schedule_without_past_runs_is_given_an_assumed_length_and_a_note() -> None:
    answer = ask(b.snapshot(schedules=[planned(b.NOW + HOUR)]), within=6 * HOUR)
    assert answer.busy[0].assumed
    assert spans(answer) == [(0, 60), (60 + 1 + 90, 360)]
    assert "assumed" in answer.notes[0]
    assert "no past run of backup schedule 1" in answer.notes[0]


def test_a_schedule_without_past_runs_is_as_slow_as_the_slowest_backup_known() -> None:
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR)], history=[run_of(7, 3 * HOUR)])
    [busy] = ask(seen, within=23 * HOUR).busy
    assert busy.end - busy.start == 4.5 * HOUR + b.minutes(1)


@pytest.mark.parametrize("status", ["failed", "canceled", "revert-failed"])
def test_runs_that_ended_badly_were_busy_too(status: str) -> None:
    job = run_of(1, 3 * HOUR, status=status)
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR)], history=[job, run_of(1, b.minutes(10), 2)])
    assert ask(seen).busy[0].end == b.NOW + HOUR + b.minutes(1) + 4.5 * HOUR


def test_ten_nightly_backups_of_six_hours_leave_the_morning_busy() -> None:
    """The night at 04:00 lasts till 10:00, and may last till 13:01."""
    seen = b.snapshot(
        schedules=[planned(b.NOW + 2 * HOUR, "0 4 * * *")],
        history=[run_of(1, 6 * HOUR, n) for n in range(1, 11)],
    )
    assert spans(ask(seen)) == [(0, 120), (120 + 1 + 540, 1440)]


def test_hourly_backups_of_seconds_leave_windows() -> None:
    seen = b.snapshot(
        schedules=[planned(b.NOW + HOUR, "@hourly")],
        history=[run_of(1, dt.timedelta(seconds=5), n) for n in range(1, 11)],
    )
    assert spans(ask(seen, within=3 * HOUR)) == [(0, 60), (62, 120), (122, 180)]


@pytest.mark.parametrize("order", ["newest first", "oldest first", "shuffled"])
def test_the_twenty_newest_runs_count_in_whatever_order_they_came(order: str) -> None:
    history = [run_of(1, 9 * HOUR if n > 20 else b.minutes(10 + n % 3), n) for n in range(1, 31)]
    if order == "oldest first":
        history.reverse()
    elif order == "shuffled":
        history = sorted(history, key=lambda job: job.job_id * 7919 % 31)
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR)], history=history)
    [busy] = ask(seen, within=23 * HOUR).busy
    assert busy.end - busy.start == b.minutes(18) + b.minutes(1)
    assert busy.as_job_id in {str(9000 + n) for n in (2, 5, 8, 11, 14, 17, 20)}


@pytest.mark.parametrize(
    "job",
    [
        run_of(1, 9 * HOUR, created=None),
        run_of(1, 9 * HOUR, finished=None),
        run_of(1, -9 * HOUR),
    ],
)
def test_runs_that_cannot_be_read_are_a_note_beside_those_that_can(job: JobRow) -> None:
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR)], history=[job, run_of(1, b.minutes(10), 2)])
    answer = ask(seen)
    assert answer.busy[0].end == b.NOW + HOUR + b.minutes(16)
    assert any("1 past run of backup schedule 1" in note for note in answer.notes)


@pytest.mark.parametrize("schedule_id", [1, 7, None], ids=str)
def test_no_readable_run_is_not_the_same_as_no_run(schedule_id: int | None) -> None:
    """Snapshots of v23.1 and later by older guards hold neither ends nor schedules."""
    unreadable = [run_of(schedule_id, HOUR, n, finished=None) for n in range(1, 5)]
    seen = b.snapshot(schedules=[planned(b.NOW + 2 * HOUR)], history=unreadable)
    answer = ask(seen, HOUR)
    assert (answer.exit_code, spans(answer)) == (0, [(0, 120)]), "up to the next run it is known"
    assert "could not be read" in answer.unknown[0]
    assert ask(seen, 3 * HOUR).exit_code == 11
    running = b.snapshot(jobs=[b.job(5, schedule_id=schedule_id)], history=unreadable)
    assert ask(running, b.minutes(1)).exit_code == 11


def test_other_jobs_say_nothing_of_backups() -> None:
    job = run_of(None, 9 * HOUR, job_type="RESTORE")
    seen = b.snapshot(schedules=[planned(b.NOW + HOUR)], history=[job, run_of(1, b.minutes(10), 2)])
    assert ask(seen).busy[0].end == b.NOW + HOUR + b.minutes(16)


def test_a_running_backup_is_waited_for() -> None:
    running = b.job(5, created=b.NOW - b.minutes(10), schedule_id=1)
    seen = b.snapshot(jobs=[running], history=[run_of(1, b.minutes(20))])
    answer = ask(seen)
    assert spans(answer) == [(20, 1440)]
    assert answer.now is not None
    assert (answer.now.quiet, answer.now.overlap_seconds) == (False, 20 * 60)
    assert answer.now.overlaps[0].job_id == "5"


def test_a_running_backup_that_overran_takes_half_as_long_again() -> None:
    running = b.job(5, created=b.NOW - b.minutes(100), schedule_id=1)
    seen = b.snapshot(jobs=[running], history=[run_of(1, b.minutes(20))])
    assert spans(ask(seen)) == [(50, 1440)]


@pytest.mark.parametrize("status", ["paused", "pause-requested"])
def test_a_paused_backup_leaves_no_window(status: str) -> None:
    answer = ask(b.snapshot(jobs=[b.job(status=status)]))
    assert (answer.exit_code, answer.windows) == (10, ())
    assert answer.busy[0].ends is False


def test_a_job_of_unknown_type_may_be_a_backup() -> None:
    assert ask(b.snapshot(jobs=[b.job(job_type=None, status="paused")])).exit_code == 10


def test_the_overlap_of_starting_now_counts_shared_time_once() -> None:
    seen = b.snapshot(
        schedules=[
            planned(b.NOW + b.minutes(30), schedule_id=1),
            planned(b.NOW + b.minutes(35), schedule_id=2),
        ],
        history=[run_of(1, b.minutes(10)), run_of(2, b.minutes(10))],
    )
    answer = ask(seen, HOUR)
    assert answer.now is not None
    assert answer.now.overlap_seconds == 21 * 60
    assert [each.schedule_id for each in answer.now.overlaps] == ["1", "2"]


@pytest.mark.parametrize(
    "recurrence",
    [
        None,
        "",
        "@sometimes",
        "@every",
        "@every soon",
        "@every " + "9" * 400 + "s",
        "@every 99999999999h",
        "* * *",
        "61 * * * *",
        "0 0 31 2 *",
        "CRON_TZ=Asia/Nowhere 0 0 * * *",
        "TZ=Local 0 0 * * *",
        "0 0 L * *",
        "0 0 * * 5#3",
        "0 0 * * * 2027",
        "0 0 0 0 0 0 0",
    ],
)
def test_a_schedule_that_cannot_be_foreseen_hides_everything_after_its_next_run(
    recurrence: str | None,
) -> None:
    seen = b.snapshot(schedules=[planned(b.NOW + 2 * HOUR, recurrence)])
    known = ask(seen, HOUR)
    assert (known.exit_code, spans(known)) == (0, [(0, 120)])
    assert "cannot be foreseen after 2026-11-22 04:00:00Z" in known.unknown[0]
    unknown = ask(seen, 3 * HOUR)
    assert (unknown.exit_code, unknown.windows) == (11, ())


def test_a_start_now_is_not_called_quiet_beyond_what_is_known() -> None:
    answer = ask(b.snapshot(schedules=[planned(b.NOW + HOUR, "?")]), HOUR * 3)
    assert answer.now is not None
    assert not answer.now.quiet


@pytest.mark.parametrize("section", ["schedules", "active_jobs", "job_history", "privileges"])
@pytest.mark.parametrize("reason", [Reason.PRIVILEGE, Reason.TIMEOUT, Reason.MALFORMED])
def test_what_could_not_be_seen_makes_it_unknown(section: str, reason: Reason) -> None:
    seen = msgspec.structs.replace(b.snapshot(), **{section: b.unavailable(reason)})
    answer = ask(seen)
    assert (answer.exit_code, answer.windows, answer.now) == (11, (), None)
    assert answer.unknown


def test_jobs_that_may_be_hidden_make_it_unknown() -> None:
    answer = ask(b.snapshot(admin=False, user="guard"))
    assert (answer.exit_code, answer.windows) == (11, ())
    assert answer.remedy


def test_without_a_connection_nothing_is_known() -> None:
    answer = ask(msgspec.structs.replace(b.snapshot(), connection=b.unavailable()))
    assert (answer.exit_code, answer.windows) == (11, ())


def test_times_beyond_the_calendar_are_unknown() -> None:
    end = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    seen = b.snapshot()
    late = b.collected(msgspec.structs.replace(seen.identity.rows[0], cluster_time=end))  # type: ignore[union-attr]
    assert ask(msgspec.structs.replace(seen, identity=late)).exit_code == 11
    forever = run_of(1, HOUR, created=dt.datetime(1, 1, 1, tzinfo=dt.UTC), finished=end)
    assert ask(b.snapshot(schedules=[b.schedule(1)], history=[forever])).exit_code == 11


def test_backups_from_outside_are_a_note() -> None:
    answer = ask(b.snapshot(history=[run_of(None, b.minutes(5))]))
    assert (answer.exit_code, len(answer.notes)) == (0, 1)
    assert "cannot be foreseen" in answer.notes[0]


def test_a_cluster_before_v20_2_has_no_schedules() -> None:
    nodes = [b.node(1, "v20.1.17"), b.node(2, "v20.1.17")]
    seen = msgspec.structs.replace(
        b.snapshot(nodes, version="20.1", gateway="v20.1.17"),
        schedules=b.unavailable(Reason.NOT_IN_THIS_VERSION),
        kv_node_liveness=b.unavailable(Reason.NOT_IN_THIS_VERSION),
    )
    assert ask(seen).exit_code == 0


@given(
    st.lists(
        st.tuples(
            st.integers(-30, 1500),
            st.sampled_from(["@hourly", "*/7 * * * *", "15 3 * * *", "@weekly", "?", None]),
            st.integers(1, 90),
        ),
        max_size=5,
    ),
    st.integers(1, 300),
)
def test_no_window_ever_holds_a_backup(plans: list[tuple[int, str | None, int]], length: int) -> None:
    schedules = [
        planned(b.NOW + b.minutes(first), recurrence, number)
        for number, (first, recurrence, _) in enumerate(plans, 1)
    ]
    history = [run_of(number, b.minutes(took)) for number, (_, _, took) in enumerate(plans, 1)]
    answer = ask(b.snapshot(schedules=schedules, history=history), b.minutes(length))
    for window in answer.windows:
        assert window.end - window.start >= b.minutes(length)
        assert b.NOW <= window.start < window.end <= answer.until <= b.NOW + DAY
        assert not any(each.start < window.end and each.end > window.start for each in answer.busy)
        for schedule in schedules:
            assert schedule.next_run is not None
            begins = max(schedule.next_run, b.NOW)
            assert not window.start < begins < window.end
    assert [w.start for w in answer.windows] == sorted(w.start for w in answer.windows)
    assert answer.exit_code in (0, 10, 11)
    assert (answer.exit_code == 0) is bool(answer.windows)
