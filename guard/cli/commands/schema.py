"""``guard schema``: the JSON Schemas of what guard writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)


class Which(StrEnum):
    """What there are schemas of."""

    REPORT = "report"
    SNAPSHOT = "snapshot"
    CHANGES = "changes"
    WATCH = "watch"
    FLEET = "fleet"
    WINDOWS = "windows"
    PLAN = "plan"
    RESTORE = "restore"


@app.command()
def schema(which: Annotated[Which, typer.Argument(help="The schema to print.")]) -> None:
    """Print the JSON Schema of the report, of the snapshot or of what another command prints."""
    import json

    from guard.cli.process import emit

    if which is Which.REPORT:
        from guard.report.json import schema as found
    elif which is Which.CHANGES:
        from guard.report.changes.json import schema as found
    elif which is Which.WATCH:
        from guard.report.watch_lines import schema as found
    elif which is Which.FLEET:
        from guard.report.fleet.json import schema as found
    elif which is Which.WINDOWS:
        from guard.cli.answers import windows_schema as found
    elif which is Which.PLAN:
        from guard.cli.answers import plan_schema as found
    elif which is Which.RESTORE:
        from guard.cli.answers import restore_schema as found
    else:
        from guard.snapshot.file import schema as found
    emit(json.dumps(found(), indent=2) + "\n")
