"""What an upgrade changes, as Markdown to paste into a change ticket, with boxes to tick."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.changes.result import ChangesReport, Concern, JudgedChange, JudgedSeries
from guard.report.changes.words import counts, defaults, headline, is_default, not_concerned
from guard.report.interface import Options
from guard.report.markdown_text import Markdown, code, details, inline, link, table
from guard.report.words import utc

__all__ = ["render"]

_EMPTY: Final = Markdown("")


def render(report: ChangesReport, options: Options) -> str:
    """The report as Markdown."""
    lines = [Markdown(f"## {inline(headline(report, options))}"), _EMPTY]
    if not options.quiet:
        lines += _body(report)
    return "\n".join(lines).rstrip("\n") + "\n"


def _body(report: ChangesReport) -> Iterator[Markdown]:
    if report.taken_at is not None:
        through = f", through {inline(report.gateway)}" if report.gateway else ""
        yield Markdown(f"Seen {utc(report.taken_at)}{through}: {counts(report)}.")
        yield _EMPTY
    concerning = [c for c in report.of(Concern.CONCERNS) if not is_default(c)]
    if concerning:
        yield Markdown("### Concerns this cluster")
        yield _EMPTY
        header = ("id", "effect", "what changes", "found here")
        yield from table(header, [_row(change) for change in concerning])
        yield _EMPTY
        for change in concerning:
            yield from _steps(change)
        yield _EMPTY
    yield from _boxes("Could not be looked at", report.of(Concern.COULD_NOT_LOOK))
    yield from _boxes("A person must look", report.of(Concern.ASK))
    yield from _boxes("Changes", report.of(Concern.LISTED))
    for series in report.series:
        yield from _rest(series)
    yield Markdown(f"guard {inline(report.guard_version)}, catalog of {report.catalog_date}")


def _row(change: JudgedChange) -> tuple[Markdown, ...]:
    return (
        inline(change.id),
        inline(change.effect),
        inline(change.sentence),
        inline(change.evidence),
    )


def _steps(change: JudgedChange) -> Iterator[Markdown]:
    for step in (change.before, change.after):
        if step:
            yield Markdown(f"- [ ] {inline(change.id)}: {inline(step)} {link(change.docs)}")


def _boxes(heading: str, changes: tuple[JudgedChange, ...]) -> Iterator[Markdown]:
    if not changes:
        return
    yield Markdown(f"### {heading}")
    yield _EMPTY
    for change in changes:
        text = change.question if change.concern is Concern.ASK else change.sentence
        if change.concern is Concern.COULD_NOT_LOOK:
            text += f" ({change.evidence})"
        yield Markdown(f"- [ ] {inline(change.id)}: {inline(text)}")
        for step in change.remedy:
            yield Markdown(f"  - {code(step)}")
    yield _EMPTY


def _rest(series: JudgedSeries) -> Iterator[Markdown]:
    if not series.known:
        yield Markdown(f"{inline(series.series)}: the catalog does not know what it changes.")
        yield _EMPTY
    changed = defaults(series.changes)
    if changed:
        summary = Markdown(
            f"{inline(series.series)}: {len(changed)} defaults that nobody has set change"
        )
        yield from details(summary, [Markdown(f"- {inline(text)}") for text in changed])
    rest = not_concerned(series)
    if rest:
        ids = [change.id for change in series.of(Concern.NOT_CONCERNED)]
        summary = Markdown(f"{inline(series.series)}: {inline(rest)}")
        yield from details(summary, [Markdown(f"- {inline(each)}") for each in ids])
