"""``guard plan``: the way from one version to another."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guard.cli.catalog_tools import (
    PageFormat,
    exit_for,
    open_catalog,
    print_json,
    print_lines,
    read_version,
    wrap,
)
from guard.cli.options import CatalogDir, CertsDir, DebugZip, SnapshotFile, Timeout, Url, usage
from guard.cli.source import names_a_cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guard.catalog import Catalog
    from guard.plan.hop import Hop, OnTheWay
    from guard.plan.road import Plan
    from guard.plan.under_way import UnderWay
    from guard.versions import Build, Series

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    to: Annotated[str, typer.Option(metavar="vB", help="Where to go: vX.Y.Z, or vX.Y.")],
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="vA", help="What the cluster runs: vX.Y.Z, or vX.Y."),
    ] = None,
    url: Url = None,
    snapshot: SnapshotFile = None,
    debug_zip: DebugZip = None,
    certs_dir: CertsDir = None,
    timeout: Timeout = dt.timedelta(seconds=30),
    catalog: CatalogDir = None,
    output: Annotated[PageFormat, typer.Option("--format", help="How to print.")] = PageFormat.TEXT,
) -> None:
    """Plan an upgrade over as few supported hops as possible.

    With --url, --snapshot or --debug-zip it starts from the cluster version and the builds together:
    an upgrade that is under way is finished first.

    Exit code 0 with a plan to where was asked, 10 if there is none (a downgrade, a withdrawn target,
    another patch release than the one asked for), 11 if it cannot be told.
    """
    live = bool(url) or snapshot is not None or debug_zip is not None
    live = live or (start is None and names_a_cluster(os.environ))
    if live == (start is not None):
        usage("give either --from or one of --url, --snapshot and --debug-zip")
    target = read_version(to)
    known = open_catalog(catalog)
    source: Build | Series
    begun: UnderWay | None = None
    builds: tuple[Build, ...] = ()
    if start is None:
        from guard.cli.position import read_position

        position = read_position(url, snapshot, certs_dir, timeout, debug_zip)
        source, begun, builds = position.build, position.begun, position.builds
    else:
        source = read_version(start)
    from guard.plan.road import make_plan

    made = make_plan(known, source, target, begun=begun, builds=builds)
    if output is PageFormat.HTML:
        from guard import __version__
        from guard.cli.process import emit
        from guard.report.html_plan import render

        emit(render(_as_json(known, made), __version__))
    elif output is PageFormat.MARKDOWN:
        from guard.cli.process import emit as emit_page
        from guard.report import markdown_plan

        emit_page(markdown_plan.render(_as_json(known, made)))
    elif output is PageFormat.JSON:
        print_json(_as_json(known, made))
    else:
        print_lines(_lines(known, made))
    raise typer.Exit(exit_for(made.supported))


# --- JSON ---------------------------------------------------------------------------------------


def _names(series: Iterable[Series]) -> list[str]:
    return [f"v{each}" for each in series]


def _as_json(known: Catalog, made: Plan) -> dict[str, Any]:
    return {
        "from": made.source,
        "standing": made.standing,
        "to": made.target,
        "supported": made.supported.value == "yes",
        "answer": made.supported.value,
        "exit_code": int(exit_for(made.supported)),
        "reason": made.reason,
        "instead": str(made.instead) if made.instead is not None else None,
        "hops": [_hop_json(hop) for hop in made.hops],
        "catalog_date": known.date.isoformat(),
        "releases_until": known.releases_until.isoformat(),
        "advisories_until": known.advisories_until.isoformat(),
    }


def _hop_json(hop: Hop) -> dict[str, Any]:
    return {
        "from": f"v{hop.source}",
        "to": f"v{hop.target}",
        "release": str(hop.build),
        "skips": _names(hop.skips),
        "reasons": list(hop.reasons),
        "before": [
            {
                "release": str(each.build),
                "reason": each.reason,
                "advisories": [_advisory_json(met) for met in each.advisories],
            }
            for each in hop.before
        ],
        "advisories": [_advisory_json(each) for each in hop.advisories],
        "keep_way_back": list(hop.keep_way_back),
        "finalize": list(hop.finalize),
        "restorable": _names(hop.restorable),
        "no_longer_restorable": _names(hop.lost),
        "archive": list(hop.archive),
        "state": hop.state,
        "nodes_left": list(hop.nodes_left),
    }


def _advisory_json(met: OnTheWay) -> dict[str, Any]:
    import msgspec

    from guard.catalog.words import conditions_text

    return {
        "id": met.advisory.id,
        "title": met.advisory.title,
        "category": met.advisory.category.value,
        "effect": met.edge.effect if met.edge is not None else "warn",
        "steps": list(met.edge.steps) if met.edge is not None else [],
        "affected_before": met.lasting,
        "reason": met.reason,
        "conditions": conditions_text(met.conditions),
        "mitigation": msgspec.to_builtins(met.advisory.mitigation),
        "docs": met.advisory.source,
    }


# --- text ---------------------------------------------------------------------------------------


def _lines(known: Catalog, made: Plan) -> Iterator[str]:
    if made.instead is not None:
        yield f"NOT {made.target}, BUT {made.instead}: from {made.source}: {made.reason}"
    else:
        here = made.standing or made.source
        yield f"{made.supported.upper()}: from {here} to {made.target}: {made.reason}"
    for number, hop in enumerate(made.hops, start=1):
        yield ""
        yield f"{number}. v{hop.source} to v{hop.target}: {_what_to_do(hop)}"
        yield from _hop_lines(hop)
    yield ""
    if any(hop.finalize or hop.state == "finalizing" for hop in made.hops):
        yield (
            "Each hop ends with its finalization: no way back after it, and no next hop before "
            "SHOW CLUSTER SETTING version prints the new version."
        )
    yield f"Catalog: {known.extent}."


def _what_to_do(hop: Hop) -> str:
    from guard.decision.phrases import listed

    match hop.state:
        case "rolling":
            return f"under way: restart {listed(hop.nodes_left)} on {hop.build}, then finalize"
        case "not-final":
            return f"under way: every node runs {hop.build}, finalize it"
        case "finalizing":
            return f"being finalized: wait until SHOW CLUSTER SETTING version prints {hop.target}"
        case _:
            return f"install {hop.build}"


def _hop_lines(hop: Hop) -> Iterator[str]:
    for reason in hop.reasons:
        yield wrap("why", reason)
    yield from _preparation_lines(hop)
    for command in hop.keep_way_back:
        yield _command("before", f"{command} -- keeps the way back open")
    for met in hop.advisories:
        yield from _advisory_lines(met)
    lasting = [met.advisory.id for met in hop.advisories if met.lasting and met.edge is None]
    if lasting:
        yield wrap("still", f"{hop.build} is affected, as before, by {', '.join(lasting)}")
    for command in hop.finalize:
        yield _command("finalize", command)
    if hop.finalize:
        yield wrap("backups", f"restorable afterwards: {', '.join(_names(hop.restorable))}")
    for text in hop.archive:
        yield wrap("archive", text)


def _preparation_lines(hop: Hop) -> Iterator[str]:
    for preparation in hop.before:
        yield wrap("first", f"patch v{hop.source} to {preparation.build}: {preparation.reason}")
        for met in preparation.advisories:
            if met.edge is not None:
                yield from _advisory_lines(met)


def _command(label: str, command: str) -> str:
    """One line, never broken, so that it can be pasted."""
    return f"   {label:<10}{command}"


def _advisory_lines(met: OnTheWay) -> Iterator[str]:
    from guard.catalog.words import conditions_text

    advisory = met.advisory
    if met.edge is None:
        if not met.lasting:
            yield wrap("affected", f"{advisory.id}: {advisory.title}; {met.reason}")
            yield wrap("", advisory.source)
        return
    yield wrap("advisory", f"{advisory.id}: {advisory.title}; {met.reason}")
    conditions = conditions_text(met.conditions)
    if conditions:
        yield wrap("", f"counts if {conditions}")
    yield wrap("", advisory.mitigation.text)
    for command in advisory.mitigation.commands:
        yield _command("", command)
    yield wrap("", advisory.source)
