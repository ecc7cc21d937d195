"""The command line. Thin: parse, call, render, exit. The verdict is never computed here."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``guard`` console script; never returns."""
    from guard.cli.process import run

    run()
