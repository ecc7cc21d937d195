"""The answer of ``guard windows`` as Markdown: for a ticket, or ``$GITHUB_STEP_SUMMARY``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.decision.phrases import span
from guard.decision.quiet_windows import Busy, WindowsAnswer
from guard.report.markdown_text import Markdown, code, details, inline, table
from guard.report.words import utc

__all__ = ["render"]

_SHOWN: Final = 50
_EMPTY: Final = Markdown("")


def render(answer: WindowsAnswer) -> str:
    """The quiet windows as a table, the backups that are expected folded away."""
    lines = [Markdown(f"## guard windows: {_verdict(answer)}"), _EMPTY, *_facts(answer)]
    if answer.windows:
        quiet = [
            (inline(utc(w.start)), inline(utc(w.end)), inline(_span(w.seconds)), inline(w.until))
            for w in answer.windows[:_SHOWN]
        ]
        lines += [*table(("from", "to", "free for", "until"), quiet), _EMPTY]
        lines += _more(len(answer.windows))
    for text in answer.unknown:
        lines += [Markdown(f"Unknown: {inline(text)}"), _EMPTY]
    lines += [Markdown(f"- {code(step)}") for step in answer.remedy]
    lines += [_EMPTY] if answer.remedy else []
    if answer.busy:
        rows = [(inline(utc(b.start)), inline(_end(b)), inline(b.why)) for b in answer.busy[:_SHOWN]]
        story = [*table(("from", "to", "backup"), rows), _EMPTY, *_more(len(answer.busy))]
        lines += details(Markdown("Backups that are expected"), story)
    for note in answer.notes:
        lines += [Markdown(f"Note: {inline(note)}"), _EMPTY]
    return "\n".join(lines).rstrip("\n") + "\n"


def _verdict(answer: WindowsAnswer) -> str:
    free = f"{_span(answer.duration_seconds)} without backups"
    if answer.windows:
        return f"there is a time of {free}"
    return f"UNKNOWN when there are {free}" if answer.unknown else f"no time of {free}"


def _facts(answer: WindowsAnswer) -> Iterator[Markdown]:
    rows = [("looked at", f"{utc(answer.cluster_time)} to {utc(answer.until)}")]
    if answer.now is not None:
        overlap = _span(answer.now.overlap_seconds)
        met = "no backup is known" if answer.now.quiet else f"backups are expected for {overlap}"
        rows.append(("starting now", met))
    if answer.snapshot_age_seconds:
        ago = _span(answer.snapshot_age_seconds)
        rows.append(("snapshot", f"taken {ago} ago; what has changed since is not known"))
    rows.append(("exit code", str(answer.exit_code)))
    yield from table(("asked", "answer"), [(inline(name), inline(value)) for name, value in rows])
    yield _EMPTY


def _more(number: int) -> list[Markdown]:
    return [Markdown(f"And {number - _SHOWN} more."), _EMPTY] if number > _SHOWN else []


def _end(busy: Busy) -> str:
    end = utc(busy.end) if busy.ends else "an unknown time"
    return end + (" (length assumed)" if busy.assumed else "")


def _span(seconds: int) -> str:
    return span(dt.timedelta(seconds=seconds))
