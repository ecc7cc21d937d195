"""What an upgrade changes, for people: what concerns the cluster first, series by series."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from guard.changes.result import ChangesReport, Concern, JudgedChange, JudgedSeries
from guard.report.changes.words import counts, defaults, headline, is_default, not_concerned
from guard.report.interface import Options
from guard.report.plain import plain
from guard.report.words import utc

__all__ = ["render"]

_LABELS: Final = (
    (Concern.CONCERNS, "concerns you"),
    (Concern.COULD_NOT_LOOK, "could not look"),
    (Concern.ASK, "please look"),
    (Concern.LISTED, "change"),
)
_COLUMN: Final = 16


def render(report: ChangesReport, options: Options) -> str:
    """The report as text."""
    lines = [headline(report, options)]
    if options.quiet:
        return lines[0] + "\n"
    if report.taken_at is not None:
        through = f", through {plain(report.gateway)}" if report.gateway else ""
        lines += _wrapped("seen", f"{utc(report.taken_at)}{through}: {counts(report)}", options)
    asked: dict[str, str] = {}
    for series in report.series:
        lines += ["", *_series(series, options, asked)]
    lines += ["", f"guard explain ID tells more of each. Catalog of {report.catalog_date}."]
    return "\n".join(lines) + "\n"


def _series(series: JudgedSeries, options: Options, asked: dict[str, str]) -> Iterator[str]:
    """The lines of a series. `asked`: the questions so far, by the change that asked each first."""
    if not series.known:
        yield f"{series.series}: the catalog does not know what it changes"
        return
    if not series.changes:
        yield f"{series.series}: no backward-incompatible changes are published"
        return
    yield f"{series.series}: {len(series.changes)} changes"
    for concern, label in _LABELS:
        for change in series.of(concern):
            if not is_default(change):
                yield from _change(change, label, options, asked)
    changed = defaults(series.changes)
    if changed:
        text = f"that nobody has set here: {'; '.join(changed)}"
        yield from _wrapped("new defaults", text, options)
    rest = not_concerned(series)
    if rest:
        yield from _wrapped("no concern", rest, options)


def _change(change: JudgedChange, label: str, options: Options, asked: dict[str, str]) -> Iterator[str]:
    if change.concern is Concern.ASK:
        first = asked.setdefault(change.question, change.id)
        question = change.question if first == change.id else f"the same question as {first}"
        yield from _wrapped(label, f"{change.id}: {question}", options)
        return
    effect = "" if change.effect == "changes" else f" [{change.effect}]"
    yield from _wrapped(label, f"{change.id}{effect}: {change.sentence}", options)
    if change.concern is Concern.LISTED:
        if change.question:
            yield from _wrapped("", change.question, options)
        return
    yield from _wrapped("", f"{plain(change.evidence)}", options)
    if change.concern is Concern.CONCERNS:
        for step in (change.before, change.after):
            if step:
                yield from _wrapped("", f"> {step}", options)
    for step in change.remedy:
        yield f"{' ' * _COLUMN}  > {plain(step)}"


def _wrapped(label: str, text: str, options: Options) -> list[str]:
    first = f"  {label:<{_COLUMN}}"
    return textwrap.wrap(
        " ".join(text.split()),
        width=max(options.width, 60),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
