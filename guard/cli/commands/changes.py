"""``guard changes``: what an upgrade changes for this cluster."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from guard.cli.options import (
    CatalogDir,
    CertsDir,
    DebugZip,
    LogFormat,
    LogFormatOption,
    SnapshotFile,
    Timeout,
    Url,
    Verbose,
    usage,
)
from guard.cli.terminal import tell
from guard.decision.result import ExitCode, FailOn
from guard.report.changes import Format

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.changes.result import ChangesReport
    from guard.cluster.picture import Cluster
    from guard.connector.collect import Further
    from guard.snapshot.model import Snapshot
    from guard.versions import Series

__all__ = ["app", "further_for"]

app = typer.Typer(add_completion=False)


@app.command()
def changes(
    to: Annotated[str, typer.Option(metavar="vB", help="Where the upgrade goes: vX.Y, or vX.Y.Z.")],
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="vA", help="List the changes from there, without a cluster."),
    ] = None,
    url: Url = None,
    snapshot: SnapshotFile = None,
    debug_zip: DebugZip = None,
    certs_dir: CertsDir = None,
    timeout: Timeout = dt.timedelta(seconds=30),
    catalog: CatalogDir = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
    fail_on: Annotated[
        FailOn, typer.Option(help="warn: exit with 12 for what only changes.")
    ] = FailOn.BLOCK,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the first line alone.")] = False,
    verbose: Verbose = False,
    log_format: LogFormatOption = LogFormat.CONSOLE,
) -> None:
    """What will this upgrade change for this cluster?

    Every published change on the way is judged: it concerns the cluster (with what was found), it does
    not, or a person must look (with the question). Exit codes: 0 nothing that would break was found,
    10 something would break the upgrade or the application, 11 guard could not look, 12 under
    --fail-on warn for what only changes, 2 wrong usage.
    """
    from guard.cli.catalog_tools import open_catalog, read_series
    from guard.cli.logging import logger
    from guard.cli.terminal import emit
    from guard.report.changes import renderer
    from guard.report.interface import Options

    if start is not None and (url or snapshot is not None or debug_zip is not None):
        usage("--from lists without a cluster: it excludes --url, --snapshot and --debug-zip")
    target = read_series(to)
    known = open_catalog(catalog)
    if start is not None:
        report = _report(known, read_series(start), target, None)
    else:
        from guard.cli.source import take_snapshot

        further = further_for(known, target)
        log = logger(verbose, log_format)
        seen = take_snapshot(url, snapshot, certs_dir, timeout, log, further, debug_zip)
        report = _judged(known, target, seen)
    options = Options(fail_on=fail_on, quiet=quiet)
    emit(renderer(output)(report, options), commands=output.value == "github")
    raise typer.Exit(report.exit_code(fail_on) if start is None else ExitCode.ALLOW)


def further_for(catalog: Catalog, target: Series) -> Further:
    """Which sections the changes up to a series read, whatever step the cluster is at."""

    def further(snapshot: Snapshot) -> frozenset[str]:
        from guard.changes.judge import sections_needed
        from guard.cluster.missing import NotCollected
        from guard.cluster.picture import Cluster

        try:
            source = Cluster.of(snapshot).version.series
        except NotCollected:
            return frozenset()
        return sections_needed(catalog, source, target)

    return further


def _judged(catalog: Catalog, target: Series, seen: Snapshot) -> ChangesReport:
    from guard.cluster.missing import NotCollected
    from guard.cluster.picture import Cluster
    from guard.snapshot.model import Unavailable

    if isinstance(seen.connection, Unavailable):
        tell(f"no connection: {seen.connection.message}")
        raise typer.Exit(ExitCode.UNKNOWN)
    cluster = Cluster.of(seen)
    try:
        source = cluster.version.series
    except NotCollected as error:
        tell(f"cannot tell where the cluster stands: {error}")
        raise typer.Exit(ExitCode.UNKNOWN) from error
    return _report(catalog, source, target, cluster)


def _report(catalog: Catalog, source: Series, target: Series, cluster: Cluster | None) -> ChangesReport:
    from guard.changes.judge import judge

    if target < source:
        usage(f"v{target} is older than v{source}: CockroachDB has no downgrade")
    return judge(catalog, source, target, cluster)
