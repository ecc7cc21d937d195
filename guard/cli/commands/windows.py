"""``guard windows``: when is the cluster free of backups long enough?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from guard.cli.catalog_tools import PageFormat
from guard.cli.options import (
    CertsDir,
    DebugZip,
    LogFormat,
    LogFormatOption,
    MaxAge,
    SnapshotFile,
    Timeout,
    Url,
    Verbose,
    duration,
    usage,
)

if TYPE_CHECKING:
    from guard.decision.quiet_windows import StartNow, WindowsAnswer

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_SHOWN: Final = 20


@app.command()
def windows(
    length: Annotated[
        dt.timedelta,
        typer.Option(
            "--duration", parser=duration, metavar="TIME", help="How long it must be free of backups."
        ),
    ],
    url: Url = None,
    snapshot: SnapshotFile = None,
    debug_zip: DebugZip = None,
    certs_dir: CertsDir = None,
    max_age: MaxAge = None,
    within: Annotated[
        dt.timedelta,
        typer.Option(
            parser=duration, metavar="TIME", show_default="24h", help="How far ahead to look."
        ),
    ] = dt.timedelta(hours=24),
    timeout: Timeout = dt.timedelta(seconds=30),
    output: Annotated[PageFormat, typer.Option("--format", help="How to print.")] = PageFormat.TEXT,
    verbose: Verbose = False,
    log_format: LogFormatOption = LogFormat.CONSOLE,
) -> None:
    """When is the cluster free of backups long enough for an upgrade?

    Lists the quiet times, soonest first, by the backup schedules and by how long their past runs took.
    Exit codes: 0 there is one, 10 there is none, 11 guard could not see enough.
    """
    from guard.cli.logging import logger
    from guard.cli.process import emit
    from guard.cli.source import age_of, take_snapshot
    from guard.decision.policy.rules import Thresholds
    from guard.decision.quiet_windows import LONGEST_HORIZON, quiet_windows
    from guard.report.plain import escape_json

    if length <= dt.timedelta():
        usage("--duration must be positive")
    if not length <= within <= LONGEST_HORIZON:
        usage("--within must be at least --duration and at most 31d")
    log = logger(verbose, log_format)
    seen = take_snapshot(url, snapshot, certs_dir, timeout, log, debug_zip=debug_zip)
    age = age_of(seen) if snapshot is not None or debug_zip is not None else dt.timedelta()
    answer = quiet_windows(
        seen, length, within, age=age, max_age=Thresholds().max_age if max_age is None else max_age
    )
    if output is PageFormat.HTML:
        from guard import __version__
        from guard.cluster.picture import Cluster
        from guard.decision.draw_timeline import draw_timeline
        from guard.report.html_windows import render

        emit(render(answer, draw_timeline(Cluster.of(seen), answer=answer), __version__))
    elif output is PageFormat.MARKDOWN:
        from guard.report import markdown_windows

        emit(markdown_windows.render(answer))
    elif output is PageFormat.JSON:
        import msgspec

        encoded = msgspec.json.format(msgspec.json.encode(answer), indent=2)
        emit(escape_json(encoded.decode()) + "\n")
    else:
        emit("\n".join(_lines(answer)) + "\n")
    raise typer.Exit(answer.exit_code)


def _lines(answer: WindowsAnswer) -> Iterator[str]:
    from guard.decision.phrases import span
    from guard.report.plain import plain

    length = span(dt.timedelta(seconds=answer.duration_seconds))
    scope = f"{length} without backups, {_utc(answer.cluster_time)} to {_utc(answer.until)}"
    if answer.windows:
        more = len(answer.windows) - _SHOWN
        yield f"Quiet windows ({scope}):"
        for each in answer.windows[:_SHOWN]:
            free = span(dt.timedelta(seconds=each.seconds))
            yield f"  {_utc(each.start)} to {_utc(each.end)}  {free}, until {plain(each.until)}"
        if more > 0:
            yield f"  and {more} more"
    elif answer.unknown:
        yield f"UNKNOWN: guard could not find out when there are {scope}"
    else:
        yield f"There is no quiet window ({scope})"
    if answer.snapshot_age_seconds:
        ago = span(dt.timedelta(seconds=answer.snapshot_age_seconds))
        yield f"Snapshot: taken {ago} ago; what has changed since is not known"
    if answer.now is not None:
        yield from _now(answer.now, length)
    for text in answer.unknown:
        yield f"Unknown: {plain(text)}"
    for step in answer.remedy:
        yield f"  > {plain(step)}"
    for note in answer.notes:
        yield f"Note: {plain(note)}"


def _now(now: StartNow, length: str) -> Iterator[str]:
    from guard.decision.phrases import span
    from guard.report.plain import plain

    if now.quiet:
        yield f"Starting now: {length} without a known backup"
        return
    overlap = span(dt.timedelta(seconds=now.overlap_seconds))
    yield f"Starting now: backups are expected for {overlap} of {length}"
    for each in now.overlaps[:5]:
        end = _utc(each.end) if each.ends else "an unknown time"
        assumed = ", length assumed" if each.assumed else ""
        yield f"  {plain(each.why)}: {_utc(each.start)} to {end}{assumed}"
    if len(now.overlaps) > 5:
        yield f"  and {len(now.overlaps) - 5} more"


def _utc(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")
