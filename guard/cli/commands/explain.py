"""``guard explain ID``: what a check, an advisory or a change means."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from guard.cli.options import usage

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.catalog.records import Advisory

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a check, an advisory or a change.")],
) -> None:
    """Explain a check, an advisory or a change: what it means, what it reads, what it needs."""
    from guard.catalog import load
    from guard.cli.change_page import change_page
    from guard.cli.process import emit
    from guard.decision.checks import by_id
    from guard.decision.own_findings import OWN

    check = by_id(name)
    if check is not None:
        steps = ", ".join(step.value for step in check.steps)
        emit(
            f"{check.id}: {check.title}\n\n{check.explain.strip()}\n\n"
            f"Steps:  {steps}\nReads:  {', '.join(check.reads)}\n"
            f"Waiver: {'possible' if check.waivable else 'never'}\nDocs:   {check.docs}\n"
        )
        return
    if name.lower() in OWN:
        emit(f"{name.lower()}: {OWN[name.lower()]}\n")
        return
    catalog = load()
    change = catalog.changes.find(name) if name[:2].lower() == "c-" else None
    if change is not None:
        emit(change_page(change))
        return
    advisories = catalog.advisories
    found = next((record for key, record in advisories.items() if key.lower() == name.lower()), None)
    if found is None:
        _unknown(name, catalog)
    emit(_advisory_page(found))


def _unknown(name: str, catalog: Catalog) -> NoReturn:
    from guard.decision.checks import ALL
    from guard.decision.own_findings import OWN

    changes = [record.id for each in catalog.changes.values() for record in each.changes]
    known = [c.id for c in ALL] + list(OWN) + list(catalog.advisories) + changes
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    usage(f"no check, advisory or change {name!r}{hint}")


def _advisory_page(found: Advisory) -> str:
    from guard.catalog.words import conditions_text

    ranges = "".join(
        f"\n  v{r.series}: {r.introduced} "
        + (f"until {r.fixed}, which has the fix" if r.fixed else f"to {r.last_affected}, never fixed")
        for r in found.affected
    )
    mitigation = found.mitigation.text + "".join(f"\n  > {c}" for c in found.mitigation.commands)
    return (
        f"{found.id}: {found.title}\n\n{found.summary.strip()}\n\n"
        f"{'Hazard from the release notes of' if found.is_hazard else 'Published:'} {found.date}\n"
        f"Category:  {found.category.value}\nAffected:{ranges or ' see the note'}\n"
        f"Remedy:    {mitigation.strip()}\n"
        + "".join(
            f"Steps:     v{edge.source} to v{edge.target}: {', '.join(edge.steps)} ({edge.effect})\n"
            for edge in (found.edges if found.is_hazard else ())
        )
        + (f"Counts if: {conditions_text(found.conditions)}\n" if found.conditions else "")
        + (f"Note:      {found.note.strip()}\n" if found.note else "")
        + f"Docs:      {found.source}\n"
    )
