"""Completed migrations, the replication reports, and how many copies zones ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from guard.connector.rows import PARSERS
from guard.debugzip.errors import Unreadable
from guard.debugzip.tables import Tables
from guard.snapshot.model import (
    CriticalLocalityRow,
    MigrationRow,
    ReplicationStatsRow,
    ZoneReplicasRow,
)

__all__ = ["critical_localities", "migrations", "replication_stats", "zone_replicas"]

_YAML: Final = "full_config_yaml"
_REPLICAS: Final = re.compile(r"num_replicas: ([0-9]+)", re.ASCII)
_VOTERS: Final = re.compile(r"num_voters: ([0-9]+)", re.ASCII)


def migrations(tables: Tables) -> Iterator[MigrationRow]:
    """Completed migrations. Raises `Unreadable`, `MalformedRow`, as all of this module."""
    wanted = ("major", "minor", "patch", "internal", "completed_at")
    for row in tables.rows("system.migrations", wanted):
        yield PARSERS["migrations"](row)


def _reports(tables: Tables) -> dict[str | None, str | None]:
    """When each report was made, by its id; empty where the archive does not tell."""
    try:
        return {
            row["id"]: row["generated"]
            for row in tables.rows("system.reports_meta", ("id", "generated"))
        }
    except Unreadable:
        return {}


def replication_stats(tables: Tables) -> Iterator[ReplicationStatsRow]:
    """The replication report, with the time it was made where that is known."""
    wanted = (
        "zone_id",
        "subzone_id",
        "report_id",
        "total_ranges",
        "unavailable_ranges",
        "under_replicated_ranges",
    )
    made = _reports(tables)
    for row in tables.rows("system.replication_stats", wanted):
        yield PARSERS["replication_stats"]({**row, "generated": made.get(row["report_id"])})


def critical_localities(tables: Tables) -> Iterator[CriticalLocalityRow]:
    """The report of localities whose loss would cost ranges their quorum."""
    wanted = ("zone_id", "subzone_id", "locality", "report_id", "at_risk_ranges")
    made = _reports(tables)
    for row in tables.rows("system.replication_critical_localities", wanted):
        yield PARSERS["critical_localities"]({**row, "generated": made.get(row["report_id"])})


def zone_replicas(tables: Tables) -> tuple[ZoneReplicasRow, ...]:
    """The replication factors in use, each once."""
    found: dict[tuple[str | None, str | None], None] = {}
    for row in tables.rows("crdb_internal.zones", (_YAML,), parsed=(_YAML,)):
        text = row[_YAML] or ""
        replicas, voters = _REPLICAS.search(text), _VOTERS.search(text)
        found[replicas[1] if replicas else None, voters[1] if voters else None] = None
    return tuple(
        PARSERS["zone_replicas"]({"num_replicas": replicas, "num_voters": voters})
        for replicas, voters in found
    )
