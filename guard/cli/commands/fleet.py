"""``guard fleet``: which of many clusters can take the step today?"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guard.cli.options import CatalogDir, LogFormat, LogFormatOption, Verbose, usage
from guard.decision.result import FailOn, Step
from guard.report.fleet import Format

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.cli.fleet_file import Entry, Fleet
    from guard.decision.policy.rules import Policy
    from guard.decision.result import Decision
    from guard.fleet.result import ClusterLine, FleetReport
    from guard.fleet.run import Job

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_TIMEOUT = dt.timedelta(seconds=30)


@app.command()
def fleet(
    file: Annotated[
        Path, typer.Argument(metavar="FLEET.TOML", help="The file that names the clusters.")
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="How many clusters at a time. [default: 8]")
    ] = None,
    catalog_dir: CatalogDir = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
    pages: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write index.html and one HTML page for each cluster into DIR as well."
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="warn: exit with 12 if there are warnings.")
    ] = FailOn.BLOCK,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the first line alone.")] = False,
    verbose: Verbose = False,
    log_format: LogFormatOption = LogFormat.CONSOLE,
) -> None:
    """Which of these clusters can take the step today?

    Looks at all of them at once, some at a time, each with a time of its own, and prints one line a
    cluster, the worst first. A cluster that cannot be asked is a line that says why. The exit code is
    the worst: 10 BLOCK, 11 UNKNOWN, 12 warnings under --fail-on warn, 0 all may; 2 wrong usage.
    """
    from guard import __version__
    from guard.catalog import CatalogError, load
    from guard.cli.fleet_file import FleetFileError, read_fleet
    from guard.cli.logging import logger
    from guard.cli.process import emit
    from guard.fleet.result import fleet_report
    from guard.fleet.run import look_at_all
    from guard.report.fleet import renderer
    from guard.report.interface import Options
    from guard.report.plain import plain

    try:
        found = read_fleet(file)
    except FleetFileError as error:
        usage(plain(f"{file}: {error}"))
    try:
        catalog = load(catalog_dir)
    except CatalogError as error:
        usage(plain(error))
    log = logger(verbose, log_format)
    drawn = pages is not None
    jobs = [_job(found, each, catalog, fail_on, log, drawn=drawn) for each in found.clusters]
    lines = look_at_all(jobs, workers or found.workers, _progress(quiet))
    report = fleet_report(lines, __version__)
    options = Options(
        fail_on=fail_on, colour=_colour(), width=_width(), quiet=quiet, now=dt.datetime.now(dt.UTC)
    )
    if pages is not None:
        _write_pages(pages, report, options)
    emit(renderer(output)(report, options))
    raise typer.Exit(report.exit_code)


def _job(
    fleet: Fleet,
    entry: Entry,
    catalog: Catalog,
    fail_on: FailOn,
    log: Any,  # noqa: ANN401 - structlog's loggers
    *,
    drawn: bool,
) -> Job:
    from guard.cli.options import duration
    from guard.fleet.result import line_of, line_without
    from guard.fleet.run import Job

    step = entry.step or Step.AUTO
    timeout = duration(entry.timeout) if entry.timeout else _TIMEOUT

    def failed(why: str, seconds: float) -> ClusterLine:
        return line_without(entry.name, why, step, entry.target, seconds)

    def look() -> ClusterLine:
        began = time.monotonic()
        try:
            decision = _decide(fleet, entry, catalog, timeout, log, drawn=drawn)
        except (typer.BadParameter, ValueError) as error:
            return failed(f"cannot be asked: {error}", time.monotonic() - began)
        return line_of(entry.name, decision, time.monotonic() - began, fail_on)

    return Job(look, failed, timeout.total_seconds())


def _decide(
    fleet: Fleet,
    entry: Entry,
    catalog: Catalog,
    timeout: dt.timedelta,
    log: Any,  # noqa: ANN401
    *,
    drawn: bool,
) -> Decision:
    """What ``guard check`` would say of one cluster. Raises typer.BadParameter and ValueError."""
    from guard.cli.options import duration
    from guard.cli.policy_file import load_policy
    from guard.cli.question import known_ids, read_target
    from guard.cli.source import take_snapshot
    from guard.decision.engine import evaluate
    from guard.decision.further_sections import further_sections
    from guard.decision.policy.rules import Policy

    step, target = entry.step or Step.AUTO, read_target(entry.target)
    policy = Policy()
    if entry.policy is not None:
        policy = load_policy(Path(fleet.path(entry.policy)), known_ids(catalog))
    seen = take_snapshot(
        _urls(entry),
        fleet.path(entry.snapshot) if entry.snapshot else None,
        fleet.path(entry.certs_dir) if entry.certs_dir else None,
        timeout,
        log,
        lambda seen: further_sections(seen, step=step, target=target, node=entry.node, catalog=catalog),
        fleet.path(entry.debug_zip) if entry.debug_zip else None,
    )
    return evaluate(
        seen,
        step=step,
        target=target,
        node=entry.node,
        window=duration(entry.window) if entry.window else None,
        catalog=catalog,
        policy=policy,
        now=dt.datetime.now(dt.UTC),
        max_age=_oldest(entry, policy),
        timeline=drawn,
    )


def _oldest(entry: Entry, policy: Policy) -> dt.timedelta | None:
    """How old a file may be to permit anything; None where no age is asked, as in ``guard check``."""
    from guard.cli.options import NO_LIMIT, duration_or_none

    if entry.snapshot is None and entry.debug_zip is None:
        return None
    if entry.max_age is None:
        return policy.thresholds.max_age
    oldest = duration_or_none(entry.max_age)
    return None if oldest == NO_LIMIT else oldest


def _urls(entry: Entry) -> list[str] | None:
    if entry.url_env is not None:
        url = os.environ.get(entry.url_env, "")
        if not url:
            raise ValueError(f"the environment variable {entry.url_env} is not set")
        return [url]
    if entry.url is None:
        return None
    return [entry.url] if isinstance(entry.url, str) else list(entry.url)


def _progress(quiet: bool) -> Callable[[int, int], None]:
    """A line on a terminal that says how far it is; silence elsewhere."""
    if quiet or not sys.stderr.isatty():
        return lambda _done, _all: None

    from guard.cli.terminal import redraw

    return lambda done, of: redraw(f"{done} of {of} clusters" if done < of else "")


def _write_pages(directory: Path, report: FleetReport, options: Any) -> None:  # noqa: ANN401 - Options
    from guard.files import write
    from guard.report import Format as OneFormat
    from guard.report import renderer
    from guard.report.fleet.html import page_names, render_index

    page = renderer(OneFormat.HTML)
    names = page_names(report)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for line, name in zip(report.clusters, names, strict=True):
            if line.decision is not None:
                write(directory / name, page(line.decision, options).encode(), mode=0o644)
        index = render_index(report, options, names)
        write(directory / "index.html", index.encode(), mode=0o644)
    except OSError as error:
        usage(f"--pages: cannot write to {directory}: {error.strerror}")


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    try:
        return (
            max(os.get_terminal_size(sys.stdout.fileno()).columns, 60) if sys.stdout.isatty() else 160
        )
    except OSError:
        return 160
