"""``guard explain ID``: what a check, an advisory or a change means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from guard.cli.options import usage

if TYPE_CHECKING:
    from guard.catalog import Catalog

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id of a check, an advisory or a change.")],
) -> None:
    """Explain a check, an advisory or a change: what it means, what it reads, what it needs."""
    from guard.catalog import load
    from guard.cli.advisory_page import advisory_facts, advisory_page, page_text
    from guard.cli.change_page import change_page
    from guard.cli.process import emit
    from guard.decision.checks import by_id
    from guard.decision.own_findings import OWN

    check = by_id(name)
    if check is not None:
        record = load().advisories.get(check.id)
        steps = ", ".join(step.value for step in check.steps)
        emit(
            f"{check.id}: {check.title}\n\n{page_text(check.explain, check.id)}\n\n"
            + (advisory_facts(record) if record is not None else "")
            + f"Steps:     {steps}\nReads:     {', '.join(check.reads)}\n"
            f"Waiver:    {'possible' if check.waivable else 'never'}\nDocs:      {check.docs}\n"
        )
        return
    if name.lower() in OWN:
        emit(f"{name.lower()}: {page_text(OWN[name.lower()], name.lower())}\n")
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
    emit(advisory_page(found))


def _unknown(name: str, catalog: Catalog) -> NoReturn:
    from guard.decision.checks import ALL
    from guard.decision.own_findings import OWN
    from guard.decision.policy.rules import nearest

    changes = [record.id for each in catalog.changes.values() for record in each.changes]
    known = [c.id for c in ALL] + list(OWN) + list(catalog.advisories) + changes
    usage(f"no check, advisory or change {name!r}{nearest(name, known)}")
