"""``guard catalog``: how fresh it is, records of one's own, checking and compiling records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guard.cli.catalog_tools import Format, print_json, print_lines
from guard.cli.commands.catalog_import import import_command
from guard.cli.commands.catalog_status import status_command
from guard.cli.options import usage
from guard.decision.result import ExitCode

app = typer.Typer(
    help="How fresh the catalog is; records of one's own; lint and build.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("status")(status_command)
app.command("import")(import_command)


@app.command("lint")
def lint_command(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="By default the shipped records.")
    ] = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="DIR is a catalog of its own, as guard catalog build needs it."),
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """Look for mistakes in catalog records. Exit code 10 if there are any.

    Without --whole the records of DIR are taken to be used on top of guard's own, by --catalog DIR.
    """
    from guard.catalog.errors import CatalogError
    from guard.catalog.lint import lint

    try:
        problems = lint(directory, whole=whole)
    except CatalogError as error:
        usage(str(error))
    if output is Format.JSON:
        print_json([{"file": str(each.path), "problem": each.message} for each in problems])
    else:
        total = f"{len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'}"
        print_lines([*(str(problem) for problem in problems), total])
    raise typer.Exit(ExitCode.BLOCK if problems else ExitCode.ALLOW)


@app.command("build")
def build_command(
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="By default the shipped records.")
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="By default DIR/compiled.json."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 10 if FILE is out of date.")
    ] = False,
) -> None:
    """Compile the TOML records of a whole catalog into the one file that guard reads at run time.

    It needs an about.toml, and records in which guard catalog lint --whole finds no problem: exit
    code 10 otherwise.
    """
    from guard.catalog.compile import compile_directory
    from guard.catalog.errors import CatalogError
    from guard.catalog.files import read_bytes
    from guard.catalog.lint import SHIPPED, lint

    directory = directory or SHIPPED
    target = target or directory / "compiled.json"
    try:
        data = compile_directory(directory)
        problems = [] if check else lint(directory, whole=True)
        if check:
            current = read_bytes(target, limit=2 * len(data) + 1)
    except CatalogError as error:
        usage(str(error))
    if check:
        fresh = current == data
        print_lines([f"{target} is {'up to date' if fresh else 'out of date'}"])
        raise typer.Exit(ExitCode.ALLOW if fresh else ExitCode.BLOCK)
    if problems:
        print_lines([*(str(problem) for problem in problems), f"{target} is not written"])
        raise typer.Exit(ExitCode.BLOCK)
    try:
        target.write_bytes(data)
    except OSError as error:
        usage(f"{target}: {error.strerror}")
    print_lines([f"{target}: {len(data)} bytes"])
