"""``guard collect``: the snapshot that check takes, as a file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guard.cli.options import CertsDir, DebugZip, LogFormat, LogFormatOption, Timeout, Url, Verbose
from guard.cli.terminal import tell

if TYPE_CHECKING:
    from guard.connector.collect import Further

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def collect(
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="Where to write; - is stdout.")
    ],
    url: Url = None,
    debug_zip: DebugZip = None,
    changes_to: Annotated[
        str | None,
        typer.Option(
            "--changes-to",
            metavar="vX.Y",
            help="Read as well what guard changes --to vX.Y, and check --step start, look at.",
        ),
    ] = None,
    certs_dir: CertsDir = None,
    timeout: Timeout = dt.timedelta(seconds=30),
    verbose: Verbose = False,
    log_format: LogFormatOption = LogFormat.CONSOLE,
) -> None:
    """Write what check would look at to a file, mode 0600.

    The file holds no secrets, and a check on it gives the same verdict as the live check did. Exit
    code 11 if the cluster could not be reached (the file then says why).
    """
    from guard.cli.logging import logger
    from guard.cli.output import refuse_impossible
    from guard.cli.process import uninterrupted
    from guard.cli.source import take_snapshot
    from guard.cli.terminal import emit
    from guard.decision.result import ExitCode
    from guard.files import write
    from guard.snapshot.file import encode
    from guard.snapshot.model import Unavailable

    if output != "-":
        refuse_impossible(Path(output), [debug_zip])
    log = logger(verbose, log_format)
    snapshot = take_snapshot(url, None, certs_dir, timeout, log, _further(changes_to), debug_zip)
    data = encode(snapshot)
    if output == "-":
        emit(data.decode())
    else:
        try:
            with uninterrupted():
                write(Path(output), data)
        except OSError as error:
            tell(f"cannot write {output}: {error.strerror}")
            raise typer.Exit(ExitCode.USAGE) from None
    if isinstance(snapshot.connection, Unavailable):
        tell(f"no connection: {snapshot.connection.message}")
        raise typer.Exit(ExitCode.UNKNOWN)


def _further(changes_to: str | None) -> Further | None:
    if changes_to is None:
        return None
    from guard.catalog import load
    from guard.cli.catalog_tools import read_series
    from guard.cli.commands.changes import further_for

    return further_for(load(), read_series(changes_to))
