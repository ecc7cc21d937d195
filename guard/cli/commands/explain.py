"""``guard explain ID``: what a check or an advisory means."""

from __future__ import annotations

import difflib
from typing import Annotated

import typer

from guard.cli.options import usage

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a check or an advisory.")],
) -> None:
    """Explain a check or an advisory: what it means in each step, what it reads, what it needs."""
    from guard.catalog import load
    from guard.cli.process import emit
    from guard.decision.checks import ALL, by_id
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
    advisories = load().advisories
    found = next((record for key, record in advisories.items() if key.lower() == name.lower()), None)
    if found is None:
        near = difflib.get_close_matches(name, [c.id for c in ALL] + list(OWN) + list(advisories), n=3)
        usage(f"no check or advisory {name!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    ranges = "".join(
        f"\n  v{r.series}: {r.introduced} "
        + (f"until {r.fixed}, which has the fix" if r.fixed else f"to {r.last_affected}, never fixed")
        for r in found.affected
    )
    mitigation = found.mitigation.text + "".join(f"\n  > {c}" for c in found.mitigation.commands)
    emit(
        f"{found.id}: {found.title}\n\n{found.summary.strip()}\n\nPublished: {found.date}\n"
        f"Category:  {found.category.value}\nAffected:{ranges or ' see the note'}\n"
        f"Remedy:    {mitigation.strip()}\n"
        + (f"Note:      {found.note.strip()}\n" if found.note else "")
        + f"Docs:      {found.source}\n"
    )
