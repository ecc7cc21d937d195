"""When a schedule runs: its recurrence as CockroachDB reads it, and as no cron library does.

The server hands the text to a Go library: robfig/cron v3 ``ParseStandard`` since v22.1 (#74881),
gorhill/cronexpr before. What differs from other crons, and is kept here:

* day of month and day of week are taken together as *or* when both are restricted, and ``*/2`` is a
  restriction; ``*`` and ``?`` anywhere in a list are not. ``*/1`` is none either since v22.1.
* ``N/step`` is ``N-last/step``; a range may not wrap around.
* ``CRON_TZ=Zone`` or ``TZ=Zone`` in front gives the zone of the wall clock; without it, it is UTC. A
  time that daylight saving leaves out has no run, one that it repeats has two.
* ``@every`` counts from the moment at which the scheduler handled the last run.

The server checked the text when the schedule was made, so reading it here is lenient: names in full
and 7 for Sunday are what cronexpr took. Its ``L``, ``W``, ``#`` and fields for seconds and years
are not followed, and said to be unreadable.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

__all__ = ["CannotFollow", "Cron", "Every", "recurrence"]


class CannotFollow(ValueError):
    """The runs after this point cannot be told. The message says why, to follow a colon."""


_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ZONE: Final = r"(?:CRON_TZ|TZ)=(\S*)\s+(.*)"
_NUMBER: Final = r"\d{1,4}"
_YEARS_AHEAD: Final = 5  # the library looks no further
_NO_NAMES: Final[Mapping[str, int]] = {}


def _names(words: tuple[str, ...], first: int) -> dict[str, int]:
    numbered = list(enumerate(words, first))
    return {word[:3]: n for n, word in numbered} | {word: n for n, word in numbered}


class _Field(msgspec.Struct, frozen=True):
    first: int
    last: int
    names: Mapping[str, int]

    def value(self, text: str) -> int:
        if text.lower() in self.names:
            return self.names[text.lower()]
        if re.fullmatch(_NUMBER, text, re.ASCII) is None:
            raise ValueError(text)
        return int(text)

    def part(self, text: str, step_of_one_restricts: bool) -> tuple[set[int], bool]:
        """The values of one part of a list, and whether it restricts at all."""
        span, slash, step_text = text.partition("/")
        step = self.value(step_text) if slash else 1
        low, dash, high = span.partition("-")
        if low in ("*", "?"):
            restricts = bool(slash) and (step > 1 or step_of_one_restricts)
            first, last = self.first, self.last
        else:
            restricts = True
            first = self.value(low)
            last = self.value(high) if dash else self.last if slash else first
        if step < 1 or not self.first <= first <= last <= self.last:
            raise ValueError(text)
        return set(range(first, last + 1, step)), restricts

    def read(self, text: str, step_of_one_restricts: bool) -> tuple[frozenset[int], bool]:
        values: set[int] = set()
        restricted = True
        parts = [part for part in text.split(",") if part]
        if not parts:
            raise ValueError(text)
        for part in parts:
            more, restricts = self.part(part, step_of_one_restricts)
            values |= more
            restricted = restricted and restricts
        return frozenset(values), restricted


_FIELDS: Final = (
    _Field(0, 59, _NO_NAMES),
    _Field(0, 23, _NO_NAMES),
    _Field(1, 31, _NO_NAMES),
    _Field(1, 12, _names(_MONTHS, 1)),
    _Field(0, 7, _names(_DAYS, 0)),
)


class Every(msgspec.Struct, frozen=True):
    """A run so long after the last one was handled."""

    interval: dt.timedelta

    def after(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """The runs after a time, at their earliest: each is late by what those before it were."""
        while True:
            moment += self.interval
            yield moment


class Cron(msgspec.Struct, frozen=True):
    """Runs at minutes of a wall clock.

    Attributes:
        zone: of the wall clock.
        either_day: both days are restricted: one of them is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: dt.tzinfo

    def after(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """The runs after a time, in UTC.

        Raises:
            CannotFollow: there is none within five years, or the clock changes in an odd way.
        """
        day = moment.astimezone(self.zone).date()
        last = _years_later(day)
        times = [(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]
        while day <= last:
            for run in self._on(day, times):
                if run > moment:
                    moment = run
                    last = _years_later(run.date())
                    yield run
            day += dt.timedelta(days=1)
        raise CannotFollow(f"it has no run within {_YEARS_AHEAD} years")

    def _matches(self, day: dt.date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_day or by_weekday if self.either_day else by_day and by_weekday

    def _on(self, day: dt.date, times: list[tuple[int, int]]) -> list[dt.datetime]:
        """The runs of a day of the wall clock, in order."""
        changes = self._clock_changes(day)
        if not self._matches(day):
            return []
        runs = []
        for hour, minute in times:
            wall = dt.datetime.combine(day, dt.time(hour, minute))
            runs += self._instants(wall) if changes else [wall.replace(tzinfo=self.zone)]
        return sorted(run.astimezone(dt.UTC) for run in runs)

    def _instants(self, wall: dt.datetime) -> list[dt.datetime]:
        """None for a time that is left out, two for one that is repeated."""
        instants = {wall.replace(tzinfo=self.zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
        return [i for i in instants if i.astimezone(self.zone).replace(tzinfo=None) == wall]

    def _clock_changes(self, day: dt.date) -> bool:
        """Whether the clock is put forward or back on that day.

        Raises:
            CannotFollow: at midnight, or by less than an hour: the library then loses its way.
        """
        if self.zone is dt.UTC:
            return False
        begin = dt.datetime.combine(day, dt.time())
        end = begin + dt.timedelta(days=1)
        before, after = (each.replace(tzinfo=self.zone).utcoffset() for each in (begin, end))
        if before == after:
            return False
        change = (after or dt.timedelta()) - (before or dt.timedelta())
        midnights = [self._instants(each) for each in (begin, end)]
        if change % dt.timedelta(hours=1) or any(len(each) != 1 for each in midnights):
            raise CannotFollow(f"the clocks of {self.zone} change at midnight or by less than an hour")
        return True


def _years_later(day: dt.date) -> dt.date:
    return day.replace(year=min(day.year + _YEARS_AHEAD, dt.MAXYEAR), day=min(day.day, 28))


def recurrence(expression: str, *, before_22_1: bool = False) -> Cron | Every:
    """Read a schedule's recurrence as SHOW SCHEDULES prints it.

    Args:
        expression: the text.
        before_22_1: True if the cluster reads it by the older library.

    Raises:
        CannotFollow: it cannot be read, or names a time zone that this machine does not know.
    """
    unreadable = CannotFollow(f"its recurrence {expression[:50]!r} cannot be read")
    zone: dt.tzinfo = dt.UTC
    prefix = re.fullmatch(_ZONE, expression)
    if prefix is not None:
        zone, expression = _zone(prefix[1]), prefix[2]
    text = expression.strip()
    if text.lower().startswith("@every "):
        interval = _go_duration(text[len("@every ") :].strip())
        if interval is None:
            raise unreadable
        return Every(interval)
    fields = _MACROS.get(text.lower(), text).split()
    if len(fields) != len(_FIELDS):
        raise unreadable
    try:
        read = [field.read(each, before_22_1) for field, each in zip(_FIELDS, fields, strict=True)]
    except ValueError:
        raise unreadable from None
    minutes, hours, days, months, weekdays = (values for values, _ in read)
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(each % 7 for each in weekdays),
        either_day=read[2][1] and read[4][1],
        zone=zone,
    )


def _zone(name: str) -> dt.tzinfo:
    if name in ("", "UTC"):
        return dt.UTC
    if name == "Local":
        raise CannotFollow("its time zone is the one of the server's machine")
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise CannotFollow(f"this machine does not know its time zone {name[:50]!r}") from None


_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_DURATION: Final = r"(?:\d{1,12}(?:\.\d{0,9})?(?:ns|us|µs|μs|ms|s|m|h))+"
_PART: Final = r"(\d{1,12}(?:\.\d{0,9})?)(ns|us|µs|μs|ms|s|m|h)"


def _go_duration(text: str) -> dt.timedelta | None:
    """A duration as Go prints it, at least a second and in whole seconds; None if unreadable."""
    if re.fullmatch(_DURATION, text, re.ASCII) is None:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text, re.ASCII))
    try:
        return dt.timedelta(seconds=max(1, int(seconds)))
    except OverflowError:
        return None
