"""The snapshot of an archive: every section from its table, or the reason why not.

The way of the data: `open_archive` -> `find_layout` -> `Tables` -> rows -> `Snapshot`. Nothing is
decided here. The clock of the snapshot is the newest time in any row that was read: the archive does
not record the session's clock, and the times of its entries are those of another machine.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

from guard import __version__
from guard.connector.rows import MalformedRow
from guard.debugzip import events, health, jobs, nodes, schedules, settings, sight
from guard.debugzip.archive import open_archive
from guard.debugzip.errors import DebugZipError, Unreadable
from guard.debugzip.gateway import Gateway, build_of_gateway, find_gateway
from guard.debugzip.layout import find_layout
from guard.debugzip.tables import Tables
from guard.snapshot.model import (
    SCHEMA_VERSION,
    Collected,
    Connection,
    IdentityRow,
    PrivilegeRow,
    Reason,
    Snapshot,
    Unavailable,
    VariableRow,
)
from guard.versions import Build, Series, VersionError

__all__ = ["read_debug_zip"]

_NOT_PROVED: Final = Unavailable(
    reason=Reason.PRIVILEGE,
    message="nothing in the zip proves that the user who made it saw all jobs: an empty list of jobs "
    "may be a hidden one",
    remedy=("Make the zip again as root: cockroach debug zip debug.zip --certs-dir=…",),
)
_NOT_READ: Final = Unavailable(
    reason=Reason.NOT_ASKED, message="guard reads it from a cluster, not from a debug.zip"
)
_NO_SECTIONS: Final = frozenset(
    {"schema_version", "guard_version", "taken_at", "connection", "identity", "variables", "privileges"}
)
_SECTIONS: Final = tuple(n for n in Snapshot.__struct_fields__ if n not in _NO_SECTIONS)
_NEWEST_OLD_GATEWAY: Final = Series(21, 1)


def read_debug_zip(path: str | os.PathLike[str]) -> Snapshot:
    """Read a debug.zip.

    Args:
        path: a regular file.

    Returns:
        The cluster as the archive shows it; its sections say what the archive lacks.

    Raises:
        DebugZipError: it is no debug.zip that guard reads, or a hostile one.
    """
    with open_archive(path) as archive:
        return _Reader(Tables(archive, find_layout(archive.names()))).snapshot()


class _Reader:
    """Fills the sections one after the other and remembers the newest time it came across."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._times: list[dt.datetime] = []

    def snapshot(self) -> Snapshot:
        """The whole snapshot."""
        tables, times = self._tables, self._times
        gateway = find_gateway(tables)
        read: dict[str, Any] = {
            "gossip_liveness": _section(lambda: nodes.gossip_liveness(tables, gateway, times)),
            "gossip_nodes": _section(lambda: nodes.gossip_nodes(tables, gateway)),
            "node_status": _section(lambda: nodes.node_status(tables, times)),
        }
        described = (*_rows(read["gossip_nodes"]), *_rows(read["node_status"]))
        tag, facts = build_of_gateway(tables, gateway, described)
        series = _series(tag)
        old = series is not None and series <= _NEWEST_OLD_GATEWAY
        read |= {
            "kv_node_liveness": _section(lambda: nodes.kv_node_liveness(tables, old)),
            "store_status": _section(lambda: nodes.store_status(tables)),
            "settings": _section(lambda: settings.settings(tables)),
            "kv_version": _section(lambda: settings.kv_version(tables, gateway)),
            "set_settings": _section(lambda: settings.set_settings(tables)),
            "license": _section(lambda: settings.license_row(tables, gateway)),
            "schedules": _section(lambda: schedules.schedules(tables, series)),
            "features": _section(lambda: schedules.features(tables)),
            "migrations": _section(lambda: health.migrations(tables)),
            "replication_stats": _section(lambda: health.replication_stats(tables)),
            "critical_localities": _section(lambda: health.critical_localities(tables)),
            "zone_replicas": _section(lambda: health.zone_replicas(tables)),
            "events": self._events(),
            **self._jobs(),
        }
        return self._finished(read, gateway, tag, facts)

    def _jobs(self) -> dict[str, Any]:
        try:
            found = jobs.read_jobs(self._tables, self._times)
        except Unreadable as error:
            return dict.fromkeys(("active_jobs", "job_history"), error.why) | {"whole": False}
        except MalformedRow as error:
            why = Unavailable(reason=Reason.MALFORMED, message=str(error))
            return dict.fromkeys(("active_jobs", "job_history"), why) | {"whole": False}
        return {
            "active_jobs": (found.active, False, None),
            "job_history": (found.finished, found.truncated, found.complete_since),
            "whole": found.whole,
        }

    def _events(self) -> tuple[Any, ...] | Unavailable:
        try:
            found = events.read_events(self._tables)
        except Unreadable as error:
            return error.why
        except MalformedRow as error:
            return Unavailable(reason=Reason.MALFORMED, message=str(error))
        self._times.extend(event.time for event in found.rows[:1])
        return found.rows, found.truncated, found.complete_since

    def _finished(
        self, read: dict[str, Any], gateway: Gateway, tag: str | None, facts: dict[str, str]
    ) -> Snapshot:
        clock = self._clock()
        whole = read.pop("whole")
        proved = sight.proofs(
            gateway, tag, nodes_read=bool(_rows(read["node_status"])), jobs_whole=whole
        )
        sections = dict.fromkeys(_SECTIONS, _NOT_READ) | {
            name: _collected(value, clock, name) for name, value in read.items()
        }
        variables = [VariableRow(name=n, value=v) for n, v in _variables(gateway, facts).items() if v]
        user = IdentityRow(user=gateway.user or "the user who made the zip", cluster_time=clock)
        return Snapshot(
            schema_version=SCHEMA_VERSION,
            guard_version=__version__,
            taken_at=clock,
            connection=Connection(
                host="debug.zip"
                + ("" if gateway.node_id is None else f" made through n{gateway.node_id}"),
                port=0,
                server=facts.get("Build", "") or "CockroachDB",
                build=tag,
                tls="off",
                source="debug-zip",
            ),
            identity=Collected(rows=(user,), read_at=clock, statement="debug-zip"),
            variables=Collected(rows=tuple(variables), read_at=clock, statement="debug-zip"),
            privileges=_privileges(proved, clock),
            **sections,
        )

    def _clock(self) -> dt.datetime:
        """The newest time in any row; without rows that of the newest table's entry."""
        if self._times:
            return max(self._times)
        archive, top = self._tables.archive, self._tables.layout.top
        written = [
            moment
            for name in archive.names()
            if name.startswith(top) and (moment := archive.modified(name)) is not None
        ]
        if not written:
            raise DebugZipError("nothing in the zip tells when it was made")
        return max(written)


def _section(read: Callable[[], Iterable[Any]]) -> tuple[Any, ...] | Unavailable:
    """The rows, whether they were cut off and since when they are complete; or why there are none."""
    try:
        return tuple(read()), False, None
    except Unreadable as error:
        return error.why
    except MalformedRow as error:
        return Unavailable(reason=Reason.MALFORMED, message=str(error))


def _rows(section: tuple[Any, ...] | Unavailable) -> tuple[Any, ...]:
    return () if isinstance(section, Unavailable) else section[0]


def _collected(
    section: tuple[Any, ...] | Unavailable, clock: dt.datetime, name: str
) -> Collected[Any] | Unavailable:
    if isinstance(section, Unavailable):
        return section
    rows, truncated, since = section
    return Collected(
        rows=rows,
        read_at=clock,
        statement=f"debug-zip:{name}",
        truncated=truncated,
        complete_since=since,
    )


def _privileges(
    proved: tuple[PrivilegeRow, ...], clock: dt.datetime
) -> Collected[PrivilegeRow] | Unavailable:
    if not proved:
        return _NOT_PROVED
    return Collected(rows=proved, read_at=clock, statement="debug-zip")


def _variables(gateway: Gateway, facts: dict[str, str]) -> dict[str, str]:
    return {
        "node_id": "" if gateway.node_id is None else str(gateway.node_id),
        "cluster_id": facts.get("ClusterID", ""),
        "virtual_cluster_name": facts.get("VirtualClusterName", ""),
    }


def _series(tag: str | None) -> Series | None:
    try:
        return Build.parse(tag or "").series
    except VersionError:
        return None
