"""What `guard changes` says: plain data, and the exit code it means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from guard.decision.result import ExitCode, FailOn

__all__ = ["CHANGES_SCHEMA_VERSION", "ChangesReport", "Concern", "JudgedChange", "JudgedSeries"]

CHANGES_SCHEMA_VERSION = "1"


class Concern(StrEnum):
    """Does a change concern the cluster? LISTED: no cluster was looked at."""

    CONCERNS = "concerns"
    ASK = "ask"
    COULD_NOT_LOOK = "could-not-look"
    NOT_CONCERNED = "not-concerned"
    LISTED = "listed"


class _Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the result types."""


class JudgedChange(_Struct, frozen=True):
    """One change and whether it concerns the cluster.

    Attributes:
        id: the record's id.
        kind: the sort of change: "removed-setting", "syntax" and so on.
        effect: "refuses", "breaks" or "changes": what it costs whom it concerns.
        evidence: what was found, or what was read and not found, or why nobody could look.
        question: what a person must look at, if a person must.
        judged_by: the check of ``guard check`` that judges the same, if one does.
        remedy: what lets guard look, where it could not.
    """

    id: str
    kind: str
    effect: str
    concern: Concern
    sentence: str
    evidence: str = ""
    question: str = ""
    before: str = ""
    after: str = ""
    docs: str = ""
    judged_by: str = ""
    remedy: tuple[str, ...] = ()


class JudgedSeries(_Struct, frozen=True):
    """All changes of one series on the way. `known` is False where the catalog has none for it."""

    series: str
    changes: tuple[JudgedChange, ...]
    known: bool = True
    docs: str = ""

    def of(self, concern: Concern) -> tuple[JudgedChange, ...]:
        """The changes of the series that were judged so."""
        return tuple(change for change in self.changes if change.concern is concern)


class ChangesReport(_Struct, frozen=True):
    """The answer: every change on the way from one series to another.

    Attributes:
        source, target: series, such as ``v24.1``.
        taken_at: when the cluster was looked at, None if none was.
        gateway: host and port that were asked, None if none was.
    """

    source: str
    target: str
    series: tuple[JudgedSeries, ...]
    guard_version: str
    catalog_date: dt.date
    taken_at: dt.datetime | None = None
    gateway: str | None = None

    def __iter__(self) -> Iterator[JudgedChange]:
        return (change for each in self.series for change in each.changes)

    def of(self, concern: Concern) -> tuple[JudgedChange, ...]:
        """The changes that were judged so, in the order of the way."""
        return tuple(change for change in self if change.concern is concern)

    def exit_code(self, fail_on: FailOn = FailOn.BLOCK) -> ExitCode:
        """10 if something would break, 11 if guard could not look, 12 for what only changes."""
        concerning = self.of(Concern.CONCERNS)
        if any(change.effect != "changes" for change in concerning):
            return ExitCode.BLOCK
        if self.of(Concern.COULD_NOT_LOOK) or not all(each.known for each in self.series):
            return ExitCode.UNKNOWN
        if concerning and fail_on is FailOn.WARN:
            return ExitCode.WARNINGS
        return ExitCode.ALLOW
