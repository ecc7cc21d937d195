"""``guard policy``: start a policy file, and find the mistakes in one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Final

import typer

from guard.cli.options import usage
from guard.cli.terminal import tell
from guard.decision.result import ExitCode

__all__ = ["TEMPLATE", "app"]

app = typer.Typer(help="Start or check a policy file.", no_args_is_help=True, add_completion=False)

TEMPLATE: Final = """\
# Policy of `guard check`, which finds this file as guard.toml in its working directory, as
# [tool.guard] in pyproject.toml, or by --policy FILE. Everything is optional; what stands behind
# a # is an example. Validate it with: guard policy check

# Series and builds that an upgrade may go to. Without it every target is allowed.
# targets = ["v24.1", "v24.3.5"]

# A release newer than guard's catalog, once somebody has read its release notes and advisories. It
# settles that guard does not know the release, and nothing else.
# vouched = [{ build = "v26.3.4", by = "alex@example.com", on = 2026-11-20, expires = 2027-01-31 }]

[thresholds]
# How far ahead a scheduled backup counts as due (--window overrides it).
window = "30m"
# How long a restarted node must be back before the next one goes.
settle = "60s"
# The share of every store that must be free.
capacity-free = "15%"
# How old the newest good backup may be.
backup-age = "24h"
# How long the cluster may be of two series, and an upgrade begun but not finalized, before guard warns.
mixed-for = "4h"
unfinalized-for = "3d"
# How old a snapshot file may be to permit anything (--max-age overrides it).
max-age = "1h"

[severity]
# What a finding counts as: "warn" or "block", in every step or by step (start, next-node, finalize,
# rollback, verify). `guard checks` lists the ids; ids of advisories can be used as well, and
# "advisories" stands for all of them but A-72839. What guard could not establish stays unknown, and
# visibility can never be lowered.
# running-backups = "block"
# scheduled-backups = { start = "block", next-node = "block" }

# A waiver lets one finding pass. The report shows it in every format, and after its last day it no
# longer counts. Without a scope it holds for every cluster, step, node and job. With a step it does
# not hold for what the restart of the last old node finalizes: that is the step finalize. With a node
# it covers what is said of that node alone, or of none while that node is the one being restarted.
# [[waivers]]
# id = "A-72839"
# reason = "CHG-1234: backups are taken on the standby during this upgrade"
# owner = "alex@example.com"
# expires = 2026-12-31
# scope = { cluster = "00000000-0000-4000-8000-000000000001", step = "next-node", node = 3 }
"""


@app.command("init")
def init_command(
    file: Annotated[Path, typer.Argument(metavar="[FILE]")] = Path("guard.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a commented policy file that changes nothing yet."""
    from guard.files import write

    data = TEMPLATE.encode()
    try:
        if force:
            write(file, data, mode=0o644)
        else:
            with file.open("xb") as new:  # never over a file that appears meanwhile either
                new.write(data)
    except FileExistsError:
        usage(f"{file} exists; --force replaces it")
    except OSError as error:
        usage(f"{file}: cannot be written: {error.strerror}")
    tell(f"wrote {file}")


@app.command("check")
def check_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="By default the one that guard check would find."),
    ] = None,
) -> None:
    """Find mistakes in a policy file.

    Exit code 2 if guard check would refuse it, 10 if something in it does not count: a waiver that
    has expired, or an id that this guard does not know.
    """
    from guard.catalog import load
    from guard.cli.policy_file import discover, load_policy
    from guard.cli.terminal import emit
    from guard.decision.checks import ALL
    from guard.decision.policy.apply import Ids, problems
    from guard.decision.policy.rules import PolicyError
    from guard.report.plain import plain

    try:
        path = file if file is not None else discover(Path())
        if path is None:
            usage("there is no guard.toml here and no pyproject.toml with [tool.guard]")
        ids = Ids.of(ALL, load())
        policy = load_policy(path, ids.known)
    except PolicyError as error:
        usage(plain(error))
    today = dt.datetime.now(dt.UTC).date()
    found = [plain(problem) for problem in problems(policy, ids, today)]
    count = f"{len(policy.waivers)} waiver{'' if len(policy.waivers) == 1 else 's'}"
    summary = f"{plain(path)}: {'in order' if not found else 'not all of it counts'}, {count}"
    emit("\n".join([*found, summary]) + "\n")
    raise typer.Exit(ExitCode.BLOCK if found else ExitCode.ALLOW)
