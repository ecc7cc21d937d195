"""The words that the formats of ``guard changes`` share. Unescaped, as in `guard.report.words`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from guard.changes.result import ChangesReport, Concern, JudgedChange, JudgedSeries
from guard.decision.result import ExitCode
from guard.report.interface import Options

__all__ = ["NAMES", "counts", "defaults", "headline", "is_default", "not_concerned"]

NAMES: Final = {
    Concern.CONCERNS: "concerns you",
    Concern.ASK: "a person must look",
    Concern.COULD_NOT_LOOK: "could not look",
    Concern.NOT_CONCERNED: "does not concern you",
    Concern.LISTED: "listed",
}

_MEANING: Final = {
    ExitCode.ALLOW: "nothing that would break was found",
    ExitCode.BLOCK: "something would break",
    ExitCode.UNKNOWN: "guard could not look at everything",
    ExitCode.WARNINGS: "something changes, and --fail-on warn is set",
}


def headline(report: ChangesReport, options: Options) -> str:
    """From where to where, what that means, and the exit code."""
    way = f"{report.source} to {report.target}"
    if report.taken_at is None:
        return f"Changes from {way}: {sum(1 for _ in report)} listed, no cluster was looked at"
    code = report.exit_code(options.fail_on)
    return f"Changes from {way}: {_MEANING[code]} (exit code {int(code)})"


def counts(report: ChangesReport) -> str:
    """How many changes were judged how."""
    texts = []
    for concern, one, many in (
        (Concern.CONCERNS, "concerns this cluster", "concern this cluster"),
        (Concern.COULD_NOT_LOOK, "could not be looked at", "could not be looked at"),
        (Concern.ASK, "needs a person", "need a person"),
        (Concern.NOT_CONCERNED, "does not concern it", "do not concern it"),
    ):
        number = len(report.of(concern))
        texts.append(f"{number} {one if number == 1 else many}")
    return ", ".join(texts)


def is_default(change: JudgedChange) -> bool:
    """True for a default that nobody has set: these are told together, one line for a series."""
    return change.kind == "changed-default" and change.concern is Concern.CONCERNS


def defaults(changes: Iterable[JudgedChange]) -> list[str]:
    """The sentences of defaults that change, without what they have in common."""
    prefix = "The default of cluster setting "
    return [
        change.sentence.removeprefix(prefix).rstrip(".").replace(" changes from ", ": ", 1)
        for change in changes
        if is_default(change)
    ]


def not_concerned(series: JudgedSeries) -> str:
    """One line for all changes of a series that do not concern the cluster; empty if there is none."""
    changes = series.of(Concern.NOT_CONCERNED)
    if not changes:
        return ""
    settings = sum(1 for change in changes if change.kind.endswith(("setting", "default")))
    parts = []
    if settings:
        parts.append(f"{settings} of settings")
    if len(changes) > settings:
        parts.append(f"{len(changes) - settings} others")
    verb = "does" if len(changes) == 1 else "do"
    return f"{len(changes)} {verb} not concern this cluster ({', '.join(parts)})"
