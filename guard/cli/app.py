"""The tree of commands. A command's module is imported only when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

__all__ = ["COMMANDS", "asked", "build"]

COMMANDS: Final[dict[str, str]] = {
    "check": "May the next upgrade step go ahead? The main job.",
    "watch": "Watch the cluster through the upgrade: what changes, and what one look cannot show.",
    "changes": "What will an upgrade change for this cluster?",
    "windows": "When is the cluster free of backups?",
    "fleet": "Which of many clusters can take the step?",
    "collect": "Write what check would look at to a file.",
    "checks": "List all checks.",
    "explain": "Explain a check, an advisory or a change.",
    "advisories": "List the advisories guard knows.",
    "plan": "Plan an upgrade over several releases.",
    "restore": "May a backup be restored into a cluster?",
    "policy": "Start or check a policy file.",
    "grants": "Print the statements for a user that guard can log in as.",
    "schema": "Print the JSON Schema of the report or the snapshot.",
    "catalog": "Check or build a catalog of advisories and releases.",
}
"""Commands and their one-line help, in the order ``guard --help`` shows them."""


class _LazyGroup(TyperGroup):
    """Knows its commands by name and imports the one that is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        if cmd_name not in COMMANDS:
            return None
        if ctx.invoked_subcommand is None and _only_listing(cmd_name):
            return _placeholder(cmd_name)
        module = import_module(f"guard.cli.commands.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.short_help = COMMANDS[cmd_name]
        _without_markup(command)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - click's signature
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)


def _without_markup(command: Any) -> None:  # noqa: ANN401 - a click command
    """Help as it was written: markup would eat ``[tool.guard]`` and ``[default: 30m]``."""
    command.rich_markup_mode = None
    for each in getattr(command, "commands", {}).values():
        _without_markup(each)


def asked(arguments: Sequence[str]) -> list[str]:
    """The arguments, with ``help`` and ``help COMMAND`` read as people mean them."""
    if list(arguments[:1]) == ["help"]:
        return [*arguments[1:2], "--help"]
    return list(arguments)


def _only_listing(name: str) -> bool:
    """True while help lists the commands, which needs their names and nothing else."""
    return name not in sys.argv and "_GUARD_COMPLETE" not in __import__("os").environ


def _placeholder(name: str) -> Any:  # noqa: ANN401 - a click command
    app = typer.Typer(add_completion=False)
    app.command(name=name, help=COMMANDS[name])(lambda: None)
    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        from guard import __version__
        from guard.cli.terminal import emit

        emit(f"guard {__version__}\n")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "-V", "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Pre-flight guard for CockroachDB upgrades: may the next step go ahead?"""


def build() -> Any:  # noqa: ANN401 - a click group
    """The command line as a callable."""
    app = typer.Typer(
        name="guard",
        cls=_LazyGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # a traceback with local variables would show passwords
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return typer.main.get_command(app)
