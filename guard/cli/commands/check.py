"""``guard check``: the main job."""

# No `from __future__ import annotations`: Typer would have each of them evaluated twice at every start.

import datetime as dt
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import typer

from guard.cli.options import (
    NO_LIMIT,
    CatalogDir,
    CertsDir,
    DebugZip,
    LogFormat,
    LogFormatOption,
    MaxAge,
    NoPolicy,
    PolicyFile,
    SnapshotFile,
    TargetBuild,
    Timeout,
    Url,
    Verbose,
    Window,
    duration,
    node_id,
    usage,
)
from guard.decision.result import FailOn, Step
from guard.report import Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.decision.policy.rules import Policy
    from guard.snapshot.model import Snapshot

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_LONGEST_WAIT: Final = dt.timedelta(days=31)


@app.command()
def check(
    url: Url = None,
    snapshot: SnapshotFile = None,
    debug_zip: DebugZip = None,
    certs_dir: CertsDir = None,
    step: Annotated[Step, typer.Option(help="The step that is about to be taken.")] = Step.AUTO,
    target: TargetBuild = None,
    node: Annotated[
        int | None, typer.Option(parser=node_id, metavar="ID", help="The node about to be restarted.")
    ] = None,
    window: Window = None,
    max_age: MaxAge = None,
    timeout: Timeout = dt.timedelta(seconds=30),
    wait: Annotated[
        dt.timedelta | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="Look again, for up to this long, while only what passes by itself stands in the way: "
            "a backup that runs, a node that restarts.",
        ),
    ] = None,
    settle: Annotated[
        dt.timedelta | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="Give an ALLOW only after two looks this far apart agree.",
        ),
    ] = None,
    expect_fingerprint: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN|FILE",
            help="Block unless the state still has the fingerprint of that report; its JSON as a file "
            "says what has moved.",
        ),
    ] = None,
    policy: PolicyFile = None,
    no_policy: NoPolicy = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Waive this finding for this run; needs --reason; repeatable."),
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Why the --accept before it is right.")
    ] = None,
    catalog_dir: CatalogDir = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
    reports: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write the report to this file too, its format by the suffix: .txt, .json, .xml "
            "(JUnit), .md or .html; repeatable.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="warn: exit with 12 if there are warnings.")
    ] = FailOn.BLOCK,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict alone.")] = False,
    verbose: Verbose = False,
    log_format: LogFormatOption = LogFormat.CONSOLE,
) -> None:
    """May the next upgrade step go ahead?

    A node that restarts is tried again for a minute at most, within --timeout; what then still refuses
    is UNKNOWN. To wait longer, use --wait.

    Exit codes: 0 ALLOW, 10 BLOCK, 11 UNKNOWN (guard could not establish what it needs), 12 ALLOW with
    warnings under --fail-on warn, 2 wrong usage.
    """
    import msgspec

    from guard.catalog import CatalogError, load
    from guard.cli.logging import logger
    from guard.cli.output import report_formats, write_reports
    from guard.cli.policy_file import policy_for_run
    from guard.cli.process import emit
    from guard.cli.question import known_ids, read_target
    from guard.cli.source import take_snapshot
    from guard.cli.waiting import Patience, Progress, watch
    from guard.decision.policy.rules import PolicyError
    from guard.decision.result import Decision
    from guard.report import Options, renderer
    from guard.report.plain import plain

    wanted = read_target(target)
    if step is Step.START and wanted is None:
        usage("--step start needs --target vX.Y.Z: where is the upgrade going?")
    if (snapshot is not None or debug_zip is not None) and (wait or settle):
        given = "--snapshot" if snapshot is not None else "--debug-zip"
        usage(f"--wait and --settle need a cluster to look at again, and {given} is one look")
    if (settle or dt.timedelta()) > dt.timedelta(hours=1) or (wait or dt.timedelta()) > _LONGEST_WAIT:
        usage("--settle takes at most 1h and --wait at most 31d")
    approved = _approved(expect_fingerprint)
    written = report_formats(reports or (), (snapshot, debug_zip, policy, expect_fingerprint))
    if policy is not None and no_policy:
        usage("--policy and --no-policy exclude each other")
    try:
        catalog = load(catalog_dir)
    except CatalogError as error:
        usage(plain(error))
    try:
        rules, origin = policy_for_run(
            policy,
            ignore=no_policy,
            accept=accept or (),
            reasons=reason or (),
            known=lambda: known_ids(catalog),
        )
    except PolicyError as error:
        usage(plain(error))
    log = logger(verbose, log_format)
    oldest = _oldest(snapshot, debug_zip, max_age, rules)
    if oldest == NO_LIMIT:
        origin = (*origin, "--max-age none: the age of the snapshot was not asked")

    def further(seen: "Snapshot") -> frozenset[str]:
        from guard.decision.further_sections import further_sections

        return further_sections(seen, step=step, target=wanted, node=node, catalog=catalog)

    looks = itertools.count()

    def look(seconds: float) -> Decision:
        patience = dt.timedelta(seconds=seconds)
        seen = take_snapshot(
            url, snapshot, certs_dir, patience, log, further, debug_zip, lambda: _import_for(output),
            again=next(looks) > 0,
        )  # fmt: skip
        from guard.decision.engine import evaluate

        found = evaluate(
            seen,
            step=step,
            target=wanted,
            node=node,
            window=window,
            catalog=catalog,
            policy=rules,
            now=dt.datetime.now(dt.UTC),
            expect_fingerprint=approved[0],
            expect_parts=approved[1],
            max_age=oldest if oldest != NO_LIMIT else None,
            timeline=Format.HTML in (output, *written.values()),
        )
        return msgspec.structs.replace(found, notices=(*origin, *found.notices))

    patience = Patience(
        wait=wait.total_seconds() if wait else 0.0,
        settle=settle.total_seconds() if settle else 0.0,
        timeout=timeout.total_seconds(),
    )
    terminal = sys.stderr.isatty()
    progress = Progress(sys.stderr, terminal=terminal, width=_width(sys.stderr))
    decision = watch(look, patience, fail_on=fail_on, tell=None if quiet else progress)
    options = Options(
        fail_on=fail_on,
        colour=_colour(),
        width=_width(sys.stdout),
        quiet=quiet,
        now=dt.datetime.now(dt.UTC),
    )
    emit(renderer(output)(decision, options), commands=output is Format.GITHUB)
    write_reports(written, decision, options)
    raise typer.Exit(decision.exit_code(fail_on))


def _import_for(output: Format) -> None:
    """Import what will judge and print: half of guard, in the time that the cluster takes to answer."""
    from guard.decision import engine
    from guard.report import renderer

    del engine
    renderer(output)


def _oldest(
    snapshot: str | None, debug_zip: str | None, max_age: dt.timedelta | None, rules: "Policy"
) -> dt.timedelta | None:
    """How old what was seen may be; None where no age is asked."""
    if snapshot is None and debug_zip is None:
        if max_age is not None:
            usage("--max-age is about --snapshot and --debug-zip: a cluster is looked at now")
        return None
    return max_age if max_age is not None else rules.thresholds.max_age


def _approved(given: str | None) -> "tuple[str | None, Mapping[str, Any] | None]":
    """The fingerprint that was approved and, from a report, what it was made of."""
    if given is None:
        return None, None
    from guard.cli.approved import approved_report
    from guard.decision.fingerprint import is_fingerprint

    return (given, None) if is_fingerprint(given) else approved_report(given)


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width(stream: TextIO) -> int:
    if not stream.isatty():
        return 100
    try:
        return min(os.get_terminal_size(stream.fileno()).columns or 100, 120)
    except OSError:
        return 100
