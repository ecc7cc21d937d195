"""``guard catalog status``: until when guard knows what, and what records of one's own add."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guard.cli.catalog_tools import Format, open_catalog, print_json, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog import Catalog
    from guard.catalog.records import SeriesRecord

__all__ = ["status_command"]


def status_command(
    catalog: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Records of one's own, as for guard check.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """Say until when releases and advisories are known, and the newest build of every series."""
    from guard.catalog import load

    known = open_catalog(catalog)
    shipped = load()
    added = _added(shipped, known) if catalog is not None else {}
    if output is Format.JSON:
        print_json(
            {
                "releases_until": known.releases_until.isoformat(),
                "advisories_until": known.advisories_until.isoformat(),
                "series": [_series(record) for record in known.series.values()],
                "overlay": added,
            }
        )
    else:
        print_lines(_lines(known, added))


def _newest(record: SeriesRecord, *, listed: bool) -> str | None:
    from guard.catalog.releases import installable

    found = installable(record, listed=listed)
    return str(found[0][0]) if found else None


def _series(record: SeriesRecord) -> dict[str, Any]:
    return {
        "series": f"v{record.series}",
        "kind": record.kind,
        "newest": _newest(record, listed=True),
        "newest_by_tag": _newest(record, listed=False),
    }


def _added(shipped: Catalog, known: Catalog) -> dict[str, list[str]]:
    before = {each.build for record in shipped.series.values() for each in record.releases}
    builds = [each.build for record in known.series.values() for each in record.releases]
    advisories = [
        each for name, each in known.advisories.items() if shipped.advisories.get(name) != each
    ]
    return {
        "releases": [build for build in builds if build not in before],
        "advisories": [each.id for each in advisories if not each.draft],
        "drafts": [each.id for each in advisories if each.draft],
    }


def _lines(known: Catalog, added: dict[str, list[str]]) -> Iterator[str]:
    hazards = sum(1 for each in known.advisories.values() if each.is_hazard)
    yield f"Releases known until   {known.releases_until}"
    yield f"Advisories known until {known.advisories_until}"
    yield f"{len(known.advisories) - hazards} advisories, {hazards} hazards from the release notes"
    yield ""
    for _, record in sorted(known.series.items(), reverse=True):
        listed, by_tag = _newest(record, listed=True), _newest(record, listed=False)
        tag = f"; {by_tag} by its tag or image only" if by_tag and by_tag != listed else ""
        yield f"v{record.series:<6} {record.kind:<11} {listed or 'no listed release'}{tag}"
    for what, names in added.items():
        yield ""
        yield f"The overlay adds {what}: {', '.join(names) or 'none'}"
