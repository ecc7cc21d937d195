"""``guard checks``: all checks, one line each."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def checks() -> None:
    """List all checks with the steps they have a say in."""
    from guard.cli.process import emit
    from guard.decision.checks import ALL

    width = max(len(check.id) for check in ALL)
    lines = [
        f"{check.id:<{width}}  {check.title}  [{', '.join(step.value for step in check.steps)}]"
        for check in ALL
    ]
    emit("\n".join(lines) + "\n")
