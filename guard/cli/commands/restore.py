"""``guard restore``: may a backup of one version be restored into another?"""

from __future__ import annotations

import datetime as dt
import os
from typing import Annotated

import typer

from guard.cli.catalog_tools import (
    Format,
    exit_for,
    open_catalog,
    print_json,
    print_lines,
    read_series,
    read_version,
    wrap,
)
from guard.cli.options import CatalogDir, CertsDir, DebugZip, SnapshotFile, Timeout, Url, usage
from guard.cli.source import names_a_cluster
from guard.versions import Build

app = typer.Typer(add_completion=False)


@app.command()
def restore(
    backup: Annotated[
        str,
        typer.Option(
            metavar="vX.Y[.Z]",
            help="Cluster version when the backup was taken, or the build that took it.",
        ),
    ],
    into: Annotated[
        str | None,
        typer.Option(
            metavar="vX.Y[.Z]",
            help="Version to restore into: of the cluster, or the oldest build that its nodes run.",
        ),
    ] = None,
    full_cluster: Annotated[
        bool, typer.Option("--full-cluster", help="The whole cluster is to be restored.")
    ] = False,
    incremental_location: Annotated[
        bool | None,
        typer.Option(
            "--incremental-location/--no-incremental-location",
            help="The backup was made with the option incremental_location, or was not.",
        ),
    ] = None,
    url: Url = None,
    snapshot: SnapshotFile = None,
    debug_zip: DebugZip = None,
    certs_dir: CertsDir = None,
    timeout: Timeout = dt.timedelta(seconds=30),
    catalog: CatalogDir = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """Say whether a backup may be restored. Exit code 0 yes, 10 no, 11 cannot tell.

    The version of a backup is the cluster version when it was taken: a cluster whose upgrade is not
    finalized still writes backups of the old version. Some restores need a patch of the version that
    they go into, and some builds made backups, or restore them, with data missing: name the builds, or
    let guard read the receiving one from the cluster.
    """
    live = bool(url) or snapshot is not None or debug_zip is not None
    live = live or (into is None and names_a_cluster(os.environ))
    if live == (into is not None):
        usage("give either --into or one of --url, --snapshot and --debug-zip")
    known = open_catalog(catalog)
    mixed: bool | None = False
    build: Build | None = None
    builds: tuple[Build, ...] = ()
    if into is None:
        from guard.cli.position import read_position

        position = read_position(url, snapshot, certs_dir, timeout, debug_zip)
        series, mixed = position.series, position.under_way is not None or position.mixed
        build, builds = position.build, position.builds
    else:
        version = read_version(into)
        series, build = (version.series, version) if isinstance(version, Build) else (version, None)
    taken = read_version(backup)
    answer = known.restore_allowed(
        read_series(backup),
        series,
        full_cluster=full_cluster,
        into_mixed=mixed,
        into_builds=builds or (() if build is None else (build,)),
        made_with=_options(incremental_location),
        made_on=(taken,) if isinstance(taken, Build) else (),
    )
    if output is Format.JSON:
        print_json(
            {
                "backup": f"v{answer.backup}",
                "into": f"v{answer.into}",
                "full_cluster": answer.full_cluster,
                "allowed": {"yes": True, "no": False}.get(answer.allowed.value),
                "answer": answer.allowed.value,
                "basis": answer.basis.value,
                "reason": answer.reason,
                "into_build": None if build is None else str(build),
                "exceptions": list(answer.exceptions),
                "advisories": list(answer.advisories),
                "docs": answer.docs,
                "catalog_date": known.date.isoformat(),
                "exit_code": int(exit_for(answer.allowed)),
            }
        )
    else:
        what = "a full-cluster backup" if full_cluster else "a backup"
        words = {"yes": "may be restored into", "no": "must not be restored into"}
        verb = words.get(answer.allowed.value, "cannot be judged for")
        print_lines(
            (
                f"{answer.allowed.upper()}: {what} of v{answer.backup} {verb} {build or f'v{series}'}",
                wrap("why", answer.reason),
                *(wrap("but", text) for text in answer.exceptions),
                *(wrap("mind", text) for text in answer.advisories),
                wrap("basis", f"{answer.basis}, releases known until {known.releases_until}"),
                wrap("docs", answer.docs),
            )
        )
    raise typer.Exit(exit_for(answer.allowed))


def _options(incremental_location: bool | None) -> frozenset[str] | None:
    """The options the backup was made with, None if nobody said."""
    if incremental_location is None:
        return None
    return frozenset({"incremental_location"} if incremental_location else ())
