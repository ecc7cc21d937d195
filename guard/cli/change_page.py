"""The page of ``guard explain C-...``: one change, how guard judges it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from guard.catalog.change_words import probe_text

if TYPE_CHECKING:
    from guard.catalog.change_records import Change

__all__ = ["change_page"]


def change_page(change: Change) -> str:
    """The page, with a final newline."""
    return "\n".join(_lines(change)) + "\n"


def _lines(change: Change) -> Iterator[str]:
    yield f"{change.id}: {change.sentence}"
    yield ""
    yield f"Kind:     {change.kind.value}"
    yield f"Effect:   {change.effect.value}"
    for label, probes in (
        ("Settled", change.settled_if),
        ("Concerns", change.concerned_if),
        ("Ask", change.ask_if),
    ):
        if probes:
            yield f"{label + ':':<10}if {'; or if '.join(map(probe_text, probes))}"
    if change.question:
        yield f"Question: {change.question}"
    if change.judged_by:
        yield f"Check:    {change.judged_by} judges the same in guard check"
    if change.before:
        yield f"Before:   {change.before}"
    if change.after:
        yield f"After:    {change.after}"
    if change.issue:
        yield f"Issue:    https://github.com/cockroachdb/cockroach/issues/{change.issue}"
    yield f"Docs:     {change.source}"
