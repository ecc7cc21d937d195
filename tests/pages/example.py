"""Writes the pages in examples/report: ``python -m tests.pages.example``.

The cluster is made up: half-way from v23.1 to v23.2, hourly backups, one of which failed, one that
runs. With a Chromium on the machine the pictures are taken anew as well.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from guard.cluster.picture import Cluster
from guard.decision.draw_timeline import draw_timeline
from guard.decision.engine import evaluate
from guard.decision.quiet_windows import quiet_windows
from guard.report import Format, Options, renderer
from guard.report.html_windows import render as render_windows
from guard.snapshot import model
from guard.snapshot.model import Snapshot
from tests import building as b

__all__ = ["DIRECTORY", "PAGES", "cluster", "main"]

DIRECTORY: Final = Path(__file__).parents[2] / "examples" / "report"
NEW, OLD = "v23.2.9", "v23.1.28"


def cluster() -> Snapshot:
    """Three nodes, one of them new; a week of hourly backups and a nightly one."""

    def backup(job_id: int, hours: float, length: float, schedule: int, status: str) -> model.JobRow:
        created = b.NOW - dt.timedelta(hours=hours)
        return b.job(
            job_id,
            status=status,
            created=created,
            finished=created + b.minutes(length),
            schedule_id=schedule,
        )

    history = [
        backup(1_000 + hour, hour, 14 + hour % 5, 501, "failed" if hour == 5 else "succeeded")
        for hour in range(1, 23)
    ]
    history.append(backup(900, 6, 95, 502, "succeeded"))
    history.append(backup(901, 11.5, 20, 0, "canceled"))
    history[-1] = msgspec.structs.replace(history[-1], schedule_id=None)
    nodes = [
        b.node(1, NEW, started=b.NOW - b.minutes(55)),
        b.node(2, OLD, started=b.NOW - b.minutes(60 * 20)),
        b.node(3, OLD, started=b.NOW - b.minutes(60 * 20 - 4)),
    ]
    nightly = b.schedule(502, b.NOW + dt.timedelta(hours=18), "nightly full")
    return b.snapshot(
        nodes,
        version="23.1",
        settings={"cluster.preserve_downgrade_option": "23.1"},
        gateway=NEW,
        jobs=[b.job(1_000, created=b.NOW - b.minutes(4), schedule_id=501)],
        history=history,
        schedules=[
            b.schedule(501, b.NOW + b.minutes(25), "hourly incremental"),
            msgspec.structs.replace(nightly, recurrence="@daily"),
        ],
        license=b.collected(
            model.LicenseRow(present=True, kind="enterprise", seconds_left=40 * 86_400)
        ),
    )


def _check() -> str:
    made = evaluate(cluster(), step="next-node", target=NEW, node=2, timeline=True)
    made = msgspec.structs.replace(made, guard_version="example", catalog_date=None)
    return renderer(Format.HTML)(made, Options(now=made.taken_at))


def _markdown() -> str:
    made = evaluate(cluster(), step="next-node", target=NEW, node=2)
    made = msgspec.structs.replace(made, guard_version="example", catalog_date=None)
    return renderer(Format.MARKDOWN)(made, Options(now=made.taken_at))


def _windows() -> str:
    seen = cluster()
    answer = quiet_windows(seen, dt.timedelta(minutes=25), dt.timedelta(hours=12))
    return render_windows(answer, draw_timeline(Cluster.of(seen), answer=answer), "example")


def _plan() -> str:
    """Made by the command itself: the page is what its JSON says."""
    from typer.testing import CliRunner

    from guard.cli.commands.plan import app

    arguments = ["--from", "v22.1.9", "--to", "v23.2", "--format", "html"]
    return CliRunner().invoke(app, arguments).stdout


PAGES: Final = {
    "check.html": _check,
    "windows.html": _windows,
    "plan.html": _plan,
    "check.md": _markdown,
}


def main() -> None:
    """Write the pages, and their pictures where there is a browser."""
    from tests.pages.browser import Missing, browser

    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (DIRECTORY / name).write_text(make(), "utf-8")
    try:
        with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as opened:
            for theme in ("light", "dark"):
                opened.open(_check(), width=1000, height=800, dark=theme == "dark")
                opened.picture(DIRECTORY / f"check-{theme}.png")
    except Missing as reason:
        print(f"no pictures: {reason}")  # noqa: T201


if __name__ == "__main__":
    main()
