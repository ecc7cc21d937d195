"""``guard catalog import``: public lists and saved pages become records of one's own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from guard.cli.catalog_tools import print_lines
from guard.cli.options import usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.importing.found import Found
    from guard.catalog.records import About

__all__ = ["import_command"]

_LIMIT: Final = 8 << 20


def import_command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|URL|DIR...",
            help="The JSON of endoflife-date/release-data, a saved page of release notes or of an "
            "advisory, or a directory of such files.",
        ),
    ],
    overlay: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OVERLAY", help="Directory for --catalog; made if missing."
        ),
    ],
) -> None:
    """Turn public lists and pages into records for --catalog.

    Releases come in whole. An advisory comes in as a draft: it blocks nothing, it is UNKNOWN for the
    builds it may concern, and guard catalog lint says what a person still has to add. Nothing is
    fetched unless an address is given.
    """
    from guard.catalog import CatalogError, load
    from guard.catalog.importing.overlay import make_overlay
    from guard.catalog.importing.toml import to_toml
    from guard.files import write

    try:
        found = [each for source in sources for each in _read(source)]
        holds_records = overlay.is_dir() and any(overlay.rglob("*.toml"))
        catalog = load(overlay) if holds_records else load()
        about = _about(overlay) if holds_records else None
        made = make_overlay(catalog, found, about, dt.datetime.now(dt.UTC).date())
    except CatalogError as error:
        usage(str(error))
    try:
        for name, record in made.files.items():
            path = overlay / name
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = overlay / path.name  # a record of one's own without its folder
            write(beside if beside.is_file() else path, to_toml(record).encode(), mode=0o644)
    except OSError as error:
        usage(f"{error.filename or overlay}: {error.strerror}")
    count = len(made.files)
    print_lines([*made.said, f"{count} file{'' if count == 1 else 's'} written to {overlay}"])


def _about(overlay: Path) -> About | None:
    from guard.catalog.loader import read_directory
    from guard.catalog.records import About

    return next((record for record in read_directory(overlay) if isinstance(record, About)), None)


def _read(source: str) -> Iterator[Found]:
    from guard.catalog.errors import CatalogError
    from guard.catalog.files import read_bytes
    from guard.catalog.importing.source import read_source
    from guard.cli.download import DownloadError, fetch, is_address
    from guard.cli.terminal import tell

    if is_address(source):
        try:
            yield read_source(fetch(source, _LIMIT), source)
        except DownloadError as error:
            raise CatalogError(str(error)) from None
        return
    path = Path(source)
    if not path.is_dir():
        yield read_source(read_bytes(path, _LIMIT), source)
        return
    found = 0
    for each in sorted(path.iterdir()):
        if each.name.startswith(".") or not each.is_file():
            continue
        try:
            yield read_source(read_bytes(each, _LIMIT), str(each))
            found += 1
        except CatalogError as error:
            tell(f"left out: {error}")
    if not found:
        raise CatalogError(f"{path}: nothing in this directory can be imported")
