"""``guard advisories``: the advisories guard knows, which ones touch a build or a hop, export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guard.cli.catalog_tools import (
    Format,
    open_catalog,
    print_json,
    print_lines,
    read_build,
    wrap,
)
from guard.cli.options import CatalogDir, usage
from guard.cli.terminal import tell
from guard.decision.result import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog import Catalog
    from guard.catalog.records import Advisory
    from guard.versions import Build

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def advisories(
    context: typer.Context,
    affecting: Annotated[
        str | None, typer.Option(metavar="vX.Y.Z", help="Only those that affect this build.")
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="vA vB", help="Only what going from one build to the other changes."),
    ] = None,
    catalog: CatalogDir = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """List the published advisories, and the hazards that only the release notes tell of.

    Exit code 11 if guard cannot know every advisory on a build named: one that the catalog does not
    hold, or that came out after the newest advisory the catalog could hold.
    """
    if context.invoked_subcommand is not None:
        context.obj = catalog
        return
    if affecting is not None and between is not None:
        usage("--affecting and --between exclude each other")
    known = open_catalog(catalog)
    named: list[Build] = []
    on_the_way: list[str] = []
    if affecting is not None:
        build = read_build(affecting)
        named = [build]
        answers = known.advisories_affecting(build).affected
        rows = [
            (each.advisory, {"applies": each.affected.value, "reason": each.reason}) for each in answers
        ]
        heading = _affecting(known, build, len(rows))
        on_the_way = _on_the_way(known, build, {advisory.id for advisory, _ in rows})
    elif between is not None:
        named = [read_build(text) for text in between]
        rows = _between(known, *named)
        heading = f"{len(rows)} advisories and hazards change or count from {named[0]} to {named[1]}"
    else:
        rows = [(advisory, {}) for advisory in known.advisories.values()]
        hazards = sum(1 for advisory, _ in rows if advisory.is_hazard)
        heading = f"{len(rows) - hazards} advisories, {hazards} hazards from the release notes"
    if output is Format.JSON:
        print_json([_as_json(advisory, more) for advisory, more in rows])
    else:
        print_lines(_lines(f"{heading}; advisories known until {known.advisories_until}", rows))
        if on_the_way:
            print_lines(["", *on_the_way])
    unknown = [reason for reason in map(known.advisories_missing, named) if reason]
    for reason in unknown:
        tell(f"the list may be incomplete: {reason}")
    raise typer.Exit(ExitCode.UNKNOWN if unknown else ExitCode.ALLOW)


def _affecting(known: Catalog, build: Build, count: int) -> str:
    if known.advisories_missing(build):
        return f"UNKNOWN: which advisories affect {build} is not known; {count} of those known may"
    return f"{count} of {len(known.advisories)} advisories and hazards affect {build}"


def _on_the_way(known: Catalog, build: Build, affecting: set[str]) -> list[str]:
    """Point to the advisories that count on an upgrade to a build's series, and not in the build."""
    met: dict[str, list[str]] = {}
    for advisory in known.advisories.values():
        for edge in advisory.edges:
            if edge.target == str(build.series) and advisory.id not in affecting:
                met.setdefault(f"v{edge.source}", []).append(advisory.id)
    lines = [
        f"On the way from {source} to v{build.series} there counts: {', '.join(dict.fromkeys(ids))}"
        for source, ids in met.items()
    ]
    if lines:
        lines.append(f"guard plan --from vX.Y.Z --to {build} says which of them, and in which step")
    return lines


def _between(known: Catalog, old: Build, new: Build) -> list[tuple[Advisory, dict[str, Any]]]:
    from guard.plan.difference import difference

    return [
        (each.advisory, {"change": each.change.value, "reason": each.reason})
        for each in difference(known, old, new)
    ]


def _as_json(advisory: Advisory, more: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    return {
        "id": advisory.id,
        "kind": "hazard" if advisory.is_hazard else "advisory",
        "draft": advisory.draft,
        "title": advisory.title,
        "category": advisory.category.value,
        "date": advisory.date.isoformat(),
        "trigger": advisory.trigger.value,
        "affected": [
            {
                "series": affected.series,
                "introduced": affected.introduced,
                "fixed": affected.fixed,
                "last_affected": affected.last_affected,
                "defect": affected.defect,
                "conditions": msgspec.to_builtins(affected.conditions),
            }
            for affected in advisory.affected
        ],
        "summary": " ".join(advisory.summary.split()),
        "edges": msgspec.to_builtins(advisory.edges),
        "conditions": msgspec.to_builtins(advisory.conditions),
        "mitigation": msgspec.to_builtins(advisory.mitigation),
        "docs": advisory.source,
        **more,
    }


def _lines(heading: str, rows: list[tuple[Advisory, dict[str, Any]]]) -> Iterator[str]:
    from guard.catalog.words import ranges_text

    yield heading
    for advisory, more in rows:
        state = more.get("change") or more.get("applies")
        marks = [state] if state and state != "yes" else []
        marks += ["draft"] if advisory.draft else []
        mark = f" [{', '.join(marks)}]" if marks else ""
        yield f"\n{advisory.id}{mark}  {advisory.title}"
        yield wrap("what", f"{advisory.category}, {advisory.date}")
        yield wrap("affected", ranges_text(advisory))
        if "reason" in more:
            yield wrap("why", more["reason"])
        yield wrap("docs", advisory.source)


class ExportFormat(StrEnum):
    """The formats that advisories can be exported in."""

    OSV = "osv"


@app.command("export")
def export(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    output: Annotated[  # one format so far; naming it keeps scripts right when there are more
        ExportFormat, typer.Option("--format", help="How to write.")
    ] = ExportFormat.OSV,
    catalog: CatalogDir = None,
) -> None:
    """Write one file per advisory, in the Open Source Vulnerability format."""
    import json

    from guard.catalog.osv import osv_records

    known = open_catalog(catalog or context.obj)
    count = 0
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, record in osv_records(known):
            text = json.dumps(record, indent=2, ensure_ascii=False)
            (directory / name).write_text(f"{text}\n", encoding="utf-8")
            count += 1
    except OSError as error:
        usage(f"{error.filename or directory}: {error.strerror}")
    print_lines([f"{count} records written to {directory}"])
