"""Recurrences as CockroachDB reads them. What a real server says: tests/live/test_recurrences.py."""

from __future__ import annotations

import datetime as dt
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.cluster.recurrence import CannotFollow, Cron, recurrence

NOW = dt.datetime(2026, 10, 30, 12, tzinfo=dt.UTC)  # a Friday


def runs(expression: str, count: int = 5, after: dt.datetime = NOW) -> list[str]:
    return [f"{run:%a %m-%d %H:%M}" for run in islice(recurrence(expression).after(after), count)]


def test_two_restricted_days_are_either_of_them_also_with_a_step() -> None:
    assert runs("0 2 1 * MON", 3) == ["Sun 11-01 02:00", "Mon 11-02 02:00", "Mon 11-09 02:00"]
    assert runs("0 2 */2 * MON", 4) == [
        "Sat 10-31 02:00", "Sun 11-01 02:00", "Mon 11-02 02:00", "Tue 11-03 02:00",
    ]  # fmt: skip
    assert runs("0 2 15 * */3", 3) == ["Sat 10-31 02:00", "Sun 11-01 02:00", "Wed 11-04 02:00"]


@pytest.mark.parametrize("day", ["*", "?", "*/1", "*,15", "3,?"])
def test_a_star_anywhere_in_the_list_restricts_nothing(day: str) -> None:
    assert runs(f"0 2 {day} * MON", 2) == ["Mon 11-02 02:00", "Mon 11-09 02:00"]


def test_before_22_1_a_step_of_one_restricted() -> None:
    either = recurrence("0 2 */1 * MON", before_22_1=True)
    assert isinstance(either, Cron)
    assert either.either_day
    assert next(either.after(NOW)) == dt.datetime(2026, 10, 31, 2, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("5/20 8-9 * * *", ["08:05", "08:25", "08:45", "09:05"]),
        ("0-10/5 23 * * *", ["23:00", "23:05", "23:10", "23:00"]),
        ("0 0 1,15 JAN-mar sun-tue", ["00:00"] * 4),
        ("  30   4 *  *  1-5 ", ["04:30"] * 4),
        ("0,,30 1 * * *", ["01:00", "01:30", "01:00", "01:30"]),
        ("00 04 * * Monday", ["04:00"] * 4),
    ],
)
def test_lists_ranges_steps_and_names(expression: str, expected: list[str]) -> None:
    assert [run[-5:] for run in runs(expression, 4)] == expected


def test_sunday_is_0_and_7() -> None:
    assert runs("0 0 * * 7") == runs("0 0 * * 0") == runs("0 0 * * sun")


@pytest.mark.parametrize("prefix", ["CRON_TZ=", "TZ="])
def test_a_zone_in_front(prefix: str) -> None:
    assert runs(f"{prefix}Asia/Tokyo 0 9 * * *", 2) == ["Sat 10-31 00:00", "Sun 11-01 00:00"]
    assert runs(f"{prefix}Asia/Tokyo @daily", 1) == ["Fri 10-30 15:00"]
    assert runs(f"{prefix}UTC 0 9 * * *", 1) == ["Sat 10-31 09:00"]


def test_an_hour_that_comes_twice_has_two_runs() -> None:
    # New York puts the clock back on 2026-11-01 at 02:00.
    assert runs("CRON_TZ=America/New_York 30 1 * * *", 4) == [
        "Sat 10-31 05:30", "Sun 11-01 05:30", "Sun 11-01 06:30", "Mon 11-02 06:30",
    ]  # fmt: skip
    every = runs(
        "CRON_TZ=America/New_York 0 * * * *", 4, dt.datetime(2026, 11, 1, 4, 30, tzinfo=dt.UTC)
    )
    assert [run[-5:] for run in every] == ["05:00", "06:00", "07:00", "08:00"]


def test_an_hour_that_is_left_out_has_none() -> None:
    spring = dt.datetime(2027, 3, 13, 12, tzinfo=dt.UTC)
    assert runs("CRON_TZ=America/New_York 30 2 * * *", 2, spring) == [
        "Mon 03-15 06:30", "Tue 03-16 06:30",
    ]  # fmt: skip
    assert runs("CRON_TZ=America/New_York 30 3 * * *", 1, spring) == ["Sun 03-14 07:30"]


@pytest.mark.parametrize(
    ("zone", "after"),
    [("America/Santiago", "2026-09-01"), ("Australia/Lord_Howe", "2026-10-01")],
)
def test_odd_changes_of_the_clock_are_not_followed(zone: str, after: str) -> None:
    moment = dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC)
    with pytest.raises(CannotFollow, match="clocks of"):
        list(islice(recurrence(f"TZ={zone} 0 5 * * *").after(moment), 40))


@pytest.mark.parametrize(
    "expression",
    [
        "", "@sometimes", "@every", "@every soon", "@every -1h", "@every 1d", "* * * *",
        "* * * * * *", "61 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
        "5-1 * * * *", "*/0 * * * *", "1/2/3 * * * *", "1-2-3 * * * *", "a * * * *", "- * * * *",
        ", * * * *", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#3", "0 0 * * FRI-MON",
        "TZ=Nowhere/At_all 0 0 * * *", "TZ=../../etc/passwd 0 0 * * *", "TZ=Local 0 0 * * *",
        "TZ=Asia/Tokyo", "\u0661 * * * *",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_so(expression: str) -> None:
    with pytest.raises(CannotFollow):
        recurrence(expression)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("1.5h", 5400), ("90m", 5400), ("1500ms", 1), ("1ns", 1), ("1h0m0.9s", 3600)],
)
def test_intervals(text: str, seconds: int) -> None:
    first = next(recurrence(f"@every {text}").after(NOW))
    assert first - NOW == dt.timedelta(seconds=seconds)


def test_no_run_within_five_years() -> None:
    with pytest.raises(CannotFollow, match="no run within"):
        next(recurrence("0 0 31 2 *").after(NOW))
    assert runs("0 0 29 2 *", 1) == ["Tue 02-29 00:00"]


_PART = st.one_of(
    st.just("*"),
    st.just("?"),
    st.integers(1, 6).map(str),
    st.tuples(st.integers(1, 3), st.integers(3, 6)).map(lambda p: f"{p[0]}-{p[1]}"),
    st.integers(1, 5).map(lambda n: f"*/{n}"),
)
_LISTS = st.lists(_PART, min_size=1, max_size=3).map(",".join)


@given(
    st.tuples(*[_LISTS] * 5),
    st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1)),  # noqa: DTZ001
    st.sampled_from(
        ["", "TZ=UTC ", "CRON_TZ=America/New_York ", "TZ=Europe/Berlin ", "TZ=Asia/Kolkata "]
    ),
)
def test_runs_are_in_order_and_on_the_minute(
    fields: tuple[str, ...], moment: dt.datetime, prefix: str
) -> None:
    after = moment.replace(tzinfo=dt.UTC)
    last = after
    for run in islice(recurrence(prefix + " ".join(fields)).after(after), 5):
        assert run > last
        assert run.tzinfo is dt.UTC
        assert (run.second, run.microsecond) == (0, 0)
        last = run
