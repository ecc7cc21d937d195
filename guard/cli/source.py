"""Where a snapshot comes from: a live cluster or a file. Both take the same way afterwards."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guard.cli.options import usage
from guard.snapshot import Snapshot

if TYPE_CHECKING:
    from guard.connector.collect import Further

__all__ = ["age_of", "take_snapshot"]


def take_snapshot(
    urls: Sequence[str] | None,
    snapshot: str | None,
    certs_dir: str | None = None,
    timeout: dt.timedelta = dt.timedelta(seconds=30),
    log: Any = None,  # noqa: ANN401 - structlog's loggers
    further: Further | None = None,
) -> Snapshot:
    """Read a snapshot file, or look at the cluster.

    `further` says which sections to read beside the usual ones; a file holds what it holds.

    Raises:
        typer.BadParameter: an unusable file or URL (exit code 2).
    """
    if snapshot is not None:
        from guard.snapshot import SnapshotError, load_snapshot

        if urls:
            usage("--url and --snapshot exclude each other")
        try:
            return load_snapshot(snapshot)
        except SnapshotError as error:
            usage(str(error))
    from guard.connector.collect import collect
    from guard.connector.errors import UrlError
    from guard.connector.hosts import targets

    if timeout.total_seconds() <= 0:
        usage("--timeout must be positive")
    try:
        hosts = targets(list(urls or ()), os.environ, certs_dir)
    except UrlError as error:
        usage(str(error))
    return collect(hosts, timeout.total_seconds(), further=further, log=log)


def age_of(snapshot: Snapshot) -> dt.timedelta:
    """How long ago it was taken, by this machine's clock; nothing for one from the future."""
    return max(dt.datetime.now(dt.UTC) - snapshot.taken_at, dt.timedelta())
