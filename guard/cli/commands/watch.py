"""``guard watch``: the whole night, not a moment."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from guard.cli.catalog_tools import Format
from guard.cli.options import (
    CatalogDir,
    CertsDir,
    LogFormat,
    LogFormatOption,
    NoPolicy,
    PolicyFile,
    TargetBuild,
    Timeout,
    Url,
    Verbose,
    Window,
    duration,
    usage,
)
from guard.decision.result import Step

if TYPE_CHECKING:
    from guard.cli.watching import Seen, Teller
    from guard.snapshot.model import Snapshot
    from guard.watch.compare import Change, Known
    from guard.watch.look import Look

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_LEAST: Final = dt.timedelta(seconds=1)


@app.command()
def watch(
    url: Url = None,
    certs_dir: CertsDir = None,
    step: Annotated[Step, typer.Option(help="The step that is about to be taken.")] = Step.AUTO,
    target: TargetBuild = None,
    every: Annotated[
        dt.timedelta, typer.Option(parser=duration, metavar="TIME", help="From look to look.")
    ] = dt.timedelta(seconds=10),
    until: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="End when the step is allowed (allow), when the upgrade has landed (verify), after a "
            "time (2h) or at one (06:00, UTC); repeatable, the first counts. Without it: Ctrl-C.",
        ),
    ] = None,
    window: Window = None,
    timeout: Timeout = dt.timedelta(seconds=30),
    policy: PolicyFile = None,
    no_policy: NoPolicy = False,
    catalog_dir: CatalogDir = None,
    output: Annotated[
        Format, typer.Option("--format", help="text is a live table on a terminal.")
    ] = Format.TEXT,
    verbose: Verbose = False,
    log_format: LogFormatOption = LogFormat.CONSOLE,
) -> None:
    """Look again and again, and tell what changes.

    On a terminal a live table; else one line, or one JSON object, per change. It tells what a single
    look cannot: a backup that began after the ALLOW, a node that flaps, ranges that stop catching up, a
    cluster that finalizes by itself, an upgrade that stays half-way. A lost connection is a line, not
    an end.

    Exit codes: that of the last look (0 ALLOW, 10 BLOCK, 11 UNKNOWN), 2 wrong usage, 130 after Ctrl-C.
    """
    from guard.catalog import CatalogError, load
    from guard.cli.logging import logger
    from guard.cli.policy_file import policy_for_run
    from guard.cli.question import known_ids, read_target
    from guard.cli.source import take_snapshot
    from guard.cli.watching import Seen, keep_looking, read_until
    from guard.decision.policy.rules import PolicyError
    from guard.decision.result import Verdict
    from guard.decision.settle import OneCluster
    from guard.report.plain import plain
    from guard.watch.compare import Limits
    from guard.watch.look import draw_look

    wanted = read_target(target)
    if step is Step.START and wanted is None:
        usage("--step start needs --target vX.Y.Z: where is the upgrade going?")
    if every < _LEAST:
        usage("--every takes at least 1s: guard is to cost the cluster little")
    ends = read_until(until or (), dt.datetime.now(dt.UTC), duration)
    if policy is not None and no_policy:
        usage("--policy and --no-policy exclude each other")
    try:
        catalog = load(catalog_dir)
        rules, _ = policy_for_run(
            policy, ignore=no_policy, accept=(), reasons=(), known=lambda: known_ids(catalog)
        )
    except (CatalogError, PolicyError) as error:
        usage(plain(error))
    log = logger(verbose, log_format)
    last: list[Look] = []
    cluster = OneCluster()

    def further(seen: Snapshot) -> frozenset[str]:
        from guard.decision.further_sections import further_sections

        return further_sections(seen, step=step, target=wanted, node=None, catalog=catalog)

    def look() -> Seen:
        seen = take_snapshot(url, None, certs_dir, timeout, log, further, again=bool(last))
        from guard.decision.engine import evaluate

        now = dt.datetime.now(dt.UTC)
        asked = {"target": wanted, "window": window, "catalog": catalog, "policy": rules, "now": now}
        decision = evaluate(seen, step=step, **asked)  # type: ignore[arg-type]
        if (why := cluster.stray(decision)) is not None:
            return Seen(_unreachable(last[-1], why))
        drawn = draw_look(seen, decision)
        verified = (
            ends.verify
            and drawn.connected
            and evaluate(seen, step=Step.VERIFY, **asked).verdict is Verdict.ALLOW  # type: ignore[arg-type]
        )
        last[:] = [drawn]
        return Seen(drawn, verified)

    limits = Limits(rules.thresholds.mixed_for, rules.thresholds.unfinalized_for)
    with ExitStack() as stack:
        teller = _teller(stack, output, every)
        final = keep_looking(look, teller, every=every.total_seconds(), until=ends, limits=limits)
    raise typer.Exit(final.exit_code)


def _unreachable(look: Look, why: str) -> Look:
    import dataclasses

    from guard.decision.result import ExitCode, Verdict

    return dataclasses.replace(
        look,
        at=dt.datetime.now(dt.UTC),
        connected=False,
        why=why,
        verdict=Verdict.UNKNOWN,
        exit_code=int(ExitCode.UNKNOWN),
    )


def _teller(stack: ExitStack, output: Format, every: dt.timedelta) -> Teller:
    """A table on a terminal, else lines."""
    if output is Format.TEXT and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from functools import partial

        from guard.cli.process import at_interrupt
        from guard.report.live_table import LiveTable

        at_interrupt(partial(LiveTable.left, sys.stdout.fileno()))
        return stack.enter_context(LiveTable(sys.stdout, every))
    from guard.cli.terminal import tell as say
    from guard.cli.terminal import write_whole
    from guard.decision.result import ExitCode
    from guard.report.watch_lines import json_line, text_line

    line = json_line if output is Format.JSON else text_line

    def tell(known: Known, look: Look, changes: Sequence[Change]) -> None:
        del known
        try:
            for change in changes:
                write_whole(sys.stdout, line(change))
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(look.exit_code) from None  # nobody reads any more
        except (OSError, ValueError) as error:
            say(f"cannot write what was seen: {getattr(error, 'strerror', None) or error}")
            raise typer.Exit(ExitCode.USAGE) from None

    return tell
