"""The file of ``guard fleet``: which clusters there are, and what is asked of each.

What is wrong with the file itself ends the run before any cluster is asked. What is wrong with one
cluster (a variable that is not set, a policy that cannot be read) becomes that cluster's line.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import msgspec

from guard.decision.result import Step
from guard.files import NotRegular, TooLarge, read_regular
from guard.toml import parse

__all__ = ["Entry", "Fleet", "FleetFileError", "read_fleet"]

_MAX_BYTES: Final = 4 << 20
_MOST_CLUSTERS: Final = 10_000


class FleetFileError(ValueError):
    """The file cannot be used; the message says why, in one line."""


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Workers = Annotated[int, msgspec.Meta(ge=1, le=64)]


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand in a cluster's table, and at the top for all clusters that do not say it."""

    step: Step | None = None
    target: str | None = None
    policy: str | None = None
    certs_dir: str | None = None
    timeout: str | None = None
    window: str | None = None
    max_age: str | None = None


class Entry(_Asked, frozen=True):
    """A cluster: its name, the one way to see it, and what is asked.

    Attributes:
        url: connection URL, or several for one cluster.
        url_env: the environment variable that has it.
        snapshot: a file of ``guard collect`` instead.
        debug_zip: a file of ``cockroach debug zip`` instead.
        node: the node about to be restarted.
    """

    name: _Name
    url: str | tuple[str, ...] | None = None
    url_env: str | None = None
    snapshot: str | None = None
    debug_zip: str | None = None
    node: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _File(_Asked, frozen=True):
    cluster: tuple[Entry, ...] = ()
    workers: _Workers = 8


class Fleet(msgspec.Struct, frozen=True):
    """The clusters, every default filled in, and how many to look at at a time."""

    clusters: tuple[Entry, ...]
    workers: int
    directory: Path

    def path(self, name: str) -> str:
        """A file that the fleet's file names: relative ones lie beside it."""
        try:
            return str(self.directory / Path(name).expanduser())
        except RuntimeError:  # ~name, and there is no such user
            return str(self.directory / name)


def read_fleet(path: Path) -> Fleet:
    """Read the file.

    Raises:
        FleetFileError: it cannot be read, or something in it is wrong.
    """
    file = _decoded(path)
    if not file.cluster:
        raise FleetFileError("there is no [[cluster]] in it")
    if len(file.cluster) > _MOST_CLUSTERS:
        raise FleetFileError(f"more than {_MOST_CLUSTERS} clusters")
    twice = [name for name, count in Counter(each.name for each in file.cluster).items() if count > 1]
    if twice:
        raise FleetFileError(f"two clusters are called {twice[0][:100]!r}")
    clusters = tuple(_completed(each, file) for each in file.cluster)
    for each in clusters:
        _vet(each)
    return Fleet(clusters, file.workers, path.parent)


def _decoded(path: Path) -> _File:
    try:
        table = parse(read_regular(path, _MAX_BYTES).decode("utf-8-sig"))
    except (NotRegular, TooLarge, OSError) as error:
        raise FleetFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FleetFileError("not UTF-8 text") from None
    except (RecursionError, ValueError, OverflowError) as error:  # TOMLDecodeError is a ValueError
        raise FleetFileError(f"not TOML: {str(error)[:300]}") from None
    try:
        return msgspec.convert(table, _File)
    except msgspec.ValidationError as error:
        raise FleetFileError(_named(str(error), table)) from None


def _named(message: str, table: dict[str, object]) -> str:
    """The message, with the name of the cluster where it has only a number."""
    before, marker, rest = message.partition("$.cluster[")
    number = rest.partition("]")[0]
    clusters = table.get("cluster")
    if marker and number.isdigit() and isinstance(clusters, list) and int(number) < len(clusters):
        found = clusters[int(number)]
        if isinstance(found, dict) and isinstance(found.get("name"), str):
            return f"cluster {found['name'][:100]!r}: {message}"
    if "..." in rest and isinstance(clusters, list):
        return f"in a [[cluster]]: {message}"
    return message if before or marker else "cannot be understood"


def _completed(entry: Entry, file: _File) -> Entry:
    missing = {
        name: getattr(file, name) for name in _Asked.__struct_fields__ if getattr(entry, name) is None
    }
    return msgspec.structs.replace(entry, **missing)


def _vet(entry: Entry) -> None:
    from guard.cli.options import duration, duration_or_none
    from guard.cli.question import read_target

    ways = ("url", "url_env", "snapshot", "debug_zip")
    given = [name for name in ways if getattr(entry, name)]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise FleetFileError(
            f"cluster {entry.name[:100]!r} needs exactly one of {', '.join(ways)}; it has {found}"
        )
    try:
        read_target(entry.target)
        for text in (entry.timeout, entry.window):
            if text is not None and duration(text) <= dt.timedelta():
                raise FleetFileError(f"cluster {entry.name[:100]!r}: {text!r} is no time to wait")
        if entry.max_age is not None:
            duration_or_none(entry.max_age)
    except FleetFileError:
        raise
    except Exception as error:  # noqa: BLE001 - typer's usage errors have no common class to name
        raise FleetFileError(f"cluster {entry.name[:100]!r}: {error}") from None
    if entry.step is Step.START and entry.target is None:
        raise FleetFileError(f"cluster {entry.name[:100]!r}: step start needs a target")
