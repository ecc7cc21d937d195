"""The page of ``guard explain A-...``: what an advisory says, of which builds, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from guard.catalog.records import Advisory

__all__ = ["advisory_facts", "advisory_page", "page_text"]

_EMPHASIS: Final = re.compile(r"(?<![\w*])\*([A-Za-z][A-Za-z -]*)\*(?![\w*])")
_CODE: Final = re.compile(r"``([^`]*)``|`([^`]*)`")


def page_text(text: str, name: str) -> str:
    """The text of a page for a terminal: without marks, and without the title that stands above it."""
    paragraphs = text.strip().split("\n\n")
    if paragraphs[0].startswith(f"{name}:") and len(paragraphs) > 1:
        del paragraphs[0]
    plain = _CODE.sub(lambda match: match[1] or match[2] or "", "\n\n".join(paragraphs))
    return _EMPHASIS.sub(r"\1", plain)


def advisory_page(found: Advisory) -> str:
    """The page, with a final newline."""
    return (
        f"{found.id}: {found.title}\n\n{found.summary.strip()}\n\n"
        f"{advisory_facts(found)}Docs:      {found.source}\n"
    )


def advisory_facts(found: Advisory) -> str:
    """Date, builds, remedy and commands, a line or more for each."""
    return "".join(f"{line}\n" for line in _facts(found))


def _facts(found: Advisory) -> Iterator[str]:
    from guard.catalog.words import conditions_text, edge_text, range_text

    yield f"{'Hazard from the release notes of' if found.is_hazard else 'Published:'} {found.date}"
    yield f"Category:  {found.category.value}"
    yield "Affected:" + ("" if found.affected else "  see the note")
    for each in found.affected:
        defect = f": {each.defect}" if each.defect else ""
        conditions = f", if {conditions_text(each.conditions)}" if each.conditions else ""
        yield f"  v{each.series}: {range_text(each)}{defect}{conditions}"
    yield f"Remedy:    {found.mitigation.text.strip()}"
    for command in found.mitigation.commands:
        if "\n" in command.strip():
            yield ""
            yield command.strip("\n")
        else:
            yield f"  > {command.strip()}"
    if any("\n" in command.strip() for command in found.mitigation.commands):
        yield ""
    for edge in found.edges:
        yield f"Bites:     {edge_text(edge)}"
    if target := _target(found):
        yield f"Target:    an affected one {target}"
    if found.conditions:
        yield f"Counts if: {conditions_text(found.conditions)}"
    if found.note:
        yield f"Note:      {found.note.strip()}"


def _target(found: Advisory) -> str:
    """What guard makes of an affected build that is moved to, wherever from; empty if nothing."""
    from guard.catalog.bites import destroys
    from guard.catalog.records import Trigger

    if found.trigger is Trigger.UPGRADE:
        return ""
    when = "at start, and before the first restart on it"
    if found.draft:
        return f"is unknown {when}, until a person completes the record"
    if destroys(found):
        return (
            f"blocks {when}, if a later patch of its series is free of it; warns if none is, if the "
            "nodes have it already, or if what it counts on does not hold"
        )
    return f"warns {when}, if a later patch is free of it or the nodes do not have it already"
