"""Turn the server's text rows into the rows of a snapshot. Nothing is guessed here.

A value that should be there and cannot be read raises `MalformedRow`, which makes the whole section
unavailable: a schedule whose next run is unreadable must not look like a paused one.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from guard.snapshot import model

__all__ = ["PARSERS", "MalformedRow", "features", "role_options", "timestamp"]

Row = dict[str, str | None]


class MalformedRow(ValueError):
    """The server sent a value that is not what the column is documented to hold."""


_LONGEST: Final = 40  # characters of a value that is told of


def _not(what: str, value: str | None) -> MalformedRow:
    """Begins with the value, of which each character may be written as ten."""
    return MalformedRow(f"not {what}: {(value or '')[:_LONGEST]!r}"[: 4 * _LONGEST])


_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def _required(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        raise MalformedRow(f"{name} is missing")
    return value


def _int(value: str | None) -> int | None:
    if value is None:
        return None
    if _INTEGER.fullmatch(value):
        number = int(value)
    else:
        try:  # DECIMAL and JSON numbers: 1E+1, 10.0
            exact = Decimal(value)
            number = int(exact) if exact.is_finite() and exact.adjusted() < 19 else 2**63
        except ArithmeticError:
            raise _not("a number", value) from None
    if not -(2**63) <= number < 2**63:
        raise _not("a number", value)
    return number


def _must_int(row: Row, name: str) -> int:
    value = _int(_required(row, name))
    assert value is not None  # noqa: S101 - _required never returns None
    return value


def _count(row: Row, name: str) -> int | None:
    """A size or a number of things. Negative ones would be added up with the others to nothing."""
    number = _int(row.get(name))
    if number is not None and number < 0:
        raise MalformedRow(f"{name} is negative: {number}")
    return number


def _must_count(row: Row, name: str) -> int:
    _required(row, name)
    number = _count(row, name)
    assert number is not None  # noqa: S101 - it is there
    return number


def _float(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _not("a number", value)
    return number


_TRUE: Final = frozenset({"t", "true", "on"})
_FALSE: Final = frozenset({"f", "false", "off"})


def _bool(value: str | None) -> bool | None:
    if value is None:
        return None
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise _not("a boolean", value)


def timestamp(value: str | None) -> dt.datetime | None:
    """Read a TIMESTAMP (UTC without zone, up to 23.1) or TIMESTAMPTZ.

    Raises:
        MalformedRow: it is neither.
    """
    if value is None:
        return None
    try:
        parsed = dt.datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            return parsed.replace(tzinfo=dt.UTC)
        return parsed.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise _not("a time", value) from None


def role_options(text: str) -> frozenset[str]:
    """The options of a role: an array (``{CONTROLJOB,CREATEDB}``) or, before v24.3, a list."""
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    try:
        return frozenset(option for row in csv.reader([inner], skipinitialspace=True) for option in row)
    except csv.Error:
        return frozenset()


def _expiration(value: str | None) -> dt.datetime | None:
    """Read '1795312605.794133715,0', wall seconds and a logical counter, as liveness prints it."""
    try:
        return dt.datetime.fromtimestamp(float((value or "").split(",")[0]), dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _micros(value: str | None) -> dt.datetime | None:
    micros = _int(value)
    if not micros:
        return None
    try:
        return dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise _not("a time", value) from None


# Keys of the payload's details in pkg/jobs/jobspb/jobs.proto, as pb_to_json prints them.
_TYPE_BY_KEY: Final = {
    "backup": "BACKUP",
    "restore": "RESTORE",
    "schemaChange": "SCHEMA CHANGE",
    "import": "IMPORT",
    "changefeed": "CHANGEFEED",
    "createStats": "CREATE STATS",
    "schemaChangeGC": "SCHEMA CHANGE GC",
    "typeSchemaChange": "TYPEDESC SCHEMA CHANGE",
    "streamIngestion": "STREAM INGESTION",
    "newSchemaChange": "NEW SCHEMA CHANGE",
    "migration": "MIGRATION",
    "autoSpanConfigReconciliation": "AUTO SPAN CONFIG RECONCILIATION",
    "autoSQLStatsCompaction": "AUTO SQL STATS COMPACTION",
    "autoSqlStatsCompaction": "AUTO SQL STATS COMPACTION",
    "streamReplication": "STREAM REPLICATION",
    "rowLevelTtl": "ROW LEVEL TTL",
    "rowLevelTTL": "ROW LEVEL TTL",
    "schemaTelemetry": "AUTO SCHEMA TELEMETRY",
}


def _schedule_of(row: Row) -> int | None:
    """The schedule that made a job: what made the others (a node, a session) has other numbers."""
    if row.get("created_by_type") != "crdb_schedule":
        return None
    return _int(row.get("created_by_id"))


def _job(row: Row) -> model.JobRow:
    if "payload_keys" in row:
        keys = (row["payload_keys"] or "").split(",")
        types = [_TYPE_BY_KEY[key] for key in keys if key in _TYPE_BY_KEY]
        return model.JobRow(
            job_id=_must_int(row, "id"),
            job_type=types[0] if len(types) == 1 else None,
            status=_required(row, "status"),
            owner=row.get("owner"),
            created=timestamp(row.get("created")),
            finished=_micros(row.get("finished_micros")),
            running_status=row.get("running_status"),
            fraction_completed=_float(row.get("fraction_completed")),
            schedule_id=_schedule_of(row),
            coordinator_id=None,
            has_high_water=_bool(row.get("has_high_water")),
        )
    return model.JobRow(
        job_id=_must_int(row, "job_id"),
        job_type=row.get("job_type"),
        status=_required(row, "status"),
        owner=row.get("user_name"),
        created=timestamp(row.get("created")),
        finished=(
            _micros(row["finished_micros"])
            if "finished_micros" in row
            else timestamp(row.get("finished"))
        ),
        running_status=row.get("running_status"),
        fraction_completed=_float(row.get("fraction_completed")),
        schedule_id=_schedule_of(row),
        coordinator_id=_int(row.get("coordinator_id")),
        has_high_water=_bool(row.get("has_high_water")),
    )


def _liveness(row: Row) -> model.LivenessRow:
    return model.LivenessRow(
        node_id=_must_int(row, "node_id"),
        epoch=_int(row.get("epoch")),
        expiration=_expiration(row.get("expiration")),
        draining=_bool(row.get("draining")),
        decommissioning=_bool(row.get("decommissioning")),
        membership=row.get("membership"),
    )


def _gossip_node(row: Row) -> model.GossipNodeRow:
    return model.GossipNodeRow(
        node_id=_must_int(row, "node_id"),
        address=row.get("address"),
        sql_address=row.get("sql_address"),
        locality=row.get("locality"),
        server_version=row.get("server_version"),
        build_tag=row.get("build_tag"),
        started_at=timestamp(row.get("started_at")),
        is_live=_bool(row.get("is_live")),
    )


def _node_status(row: Row) -> model.NodeStatusRow:
    return model.NodeStatusRow(
        node_id=_must_int(row, "node_id"),
        address=row.get("address"),
        locality=row.get("locality"),
        server_version=row.get("server_version"),
        build_tag=row.get("tag"),
        started_at=timestamp(row.get("started_at")),
        updated_at=timestamp(row.get("updated_at")),
    )


def _store_status(row: Row) -> model.StoreStatusRow:
    return model.StoreStatusRow(
        node_id=_must_int(row, "node_id"),
        store_id=_must_int(row, "store_id"),
        capacity=_count(row, "capacity"),
        available=_count(row, "available"),
        used=_count(row, "used"),
        range_count=_count(row, "range_count"),
        lease_count=_count(row, "lease_count"),
        unavailable_ranges=_count(row, "unavailable_ranges"),
        underreplicated_ranges=_count(row, "underreplicated_ranges"),
    )


def _setting(row: Row) -> model.SettingRow:
    return model.SettingRow(name=_required(row, "variable"), value=row.get("value"))


def _kv_version(row: Row) -> model.KvVersionRow:
    return model.KvVersionRow(version=_required(row, "version"))


def _schedule(row: Row) -> model.ScheduleRow:
    return model.ScheduleRow(
        schedule_id=_must_int(row, "id"),
        label=row.get("label"),
        status=row.get("schedule_status"),
        next_run=timestamp(row.get("next_run")),
        recurrence=row.get("recurrence"),
        owner=row.get("owner"),
        waits_for_full=_bool(row.get("waits_for_full")) or False,
    )


def _migration(row: Row) -> model.MigrationRow:
    return model.MigrationRow(
        major=_must_int(row, "major"),
        minor=_must_int(row, "minor"),
        patch=_must_int(row, "patch"),
        internal=_must_int(row, "internal"),
        completed_at=timestamp(row.get("completed_at")),
    )


def _replication_stats(row: Row) -> model.ReplicationStatsRow:
    return model.ReplicationStatsRow(
        zone_id=_must_int(row, "zone_id"),
        subzone_id=_must_int(row, "subzone_id"),
        total_ranges=_must_count(row, "total_ranges"),
        unavailable_ranges=_must_count(row, "unavailable_ranges"),
        under_replicated_ranges=_must_count(row, "under_replicated_ranges"),
        generated=timestamp(row.get("generated")),
    )


def _critical_locality(row: Row) -> model.CriticalLocalityRow:
    return model.CriticalLocalityRow(
        zone_id=_must_int(row, "zone_id"),
        subzone_id=_must_int(row, "subzone_id"),
        locality=_required(row, "locality"),
        at_risk_ranges=_must_count(row, "at_risk_ranges"),
        generated=timestamp(row.get("generated")),
    )


def _zone_replicas(row: Row) -> model.ZoneReplicasRow:
    return model.ZoneReplicasRow(
        num_replicas=_must_count(row, "num_replicas"), num_voters=_count(row, "num_voters")
    )


def _license(row: Row) -> model.LicenseRow:
    present = _bool(row.get("present"))
    if present is None:
        raise MalformedRow("enterprise.license is not visible")
    return model.LicenseRow(
        present=present, kind=row.get("kind"), seconds_left=_int(row.get("seconds_left"))
    )


def features(row: Row) -> tuple[model.FeatureRow, ...]:
    """Read the one row of a statement of `guard.connector.statements.FEATURES`.

    Raises:
        MalformedRow: a count is missing or none, or it is not said whether all was looked at.
    """
    more = _bool(_required(row, "more"))
    counts = {name: _must_count(row, name) for name in row if name != "more"}
    if not counts:
        raise MalformedRow("nothing was counted")
    return tuple(
        model.FeatureRow(
            name=name,
            used=True if count else None if more else False,
            count=None if more and not count else count,
            why="there is more than guard looks at" if more and not count else "",
        )
        for name, count in counts.items()
    )


def _event(row: Row) -> model.EventRow:
    moment = timestamp(_required(row, "timestamp"))
    assert moment is not None  # noqa: S101 - _required never returns None
    told, target, reporting = (
        _int(row.get(name)) for name in ("target_node_id", "target_id", "reporting_id")
    )
    kind = _required(row, "event_type")
    # The target is in the event's text since 21.1, in a column before, and a node that joins or
    # restarts reports itself. The column is 0 in the releases that no longer fill it.
    node = (told or target or reporting) if kind.startswith("node_") else None
    return model.EventRow(
        time=moment,
        event_type=kind,
        node_id=node,
        reporting_node_id=reporting,
        setting=row.get("setting"),
    )


def _set_setting(row: Row) -> model.SetSettingRow:
    return model.SetSettingRow(name=_required(row, "name"), value=row.get("value"))


_HAS: Final = "has "
_ITEMS: Final = "items "
_ITEMS_KEPT: Final = 50


def _features(row: Row) -> model.FeaturesRow:
    """One row of counts: a column for each feature, and one for the ids of what has it."""
    found = {
        name.removeprefix(_HAS): _count(row, name)
        for name in row
        if name.startswith(_HAS) and row[name] is not None
    }
    return model.FeaturesRow(
        read=_must_count(row, "read"),
        found={name: number for name, number in found.items() if number is not None},
        items={
            name: tuple(items.split(",")[:_ITEMS_KEPT])
            for name in found
            if (items := row.get(_ITEMS + name))
        },
    )


def _invalid_object(row: Row) -> model.InvalidObjectRow:
    return model.InvalidObjectRow(object_id=_must_int(row, "id"), name=row.get("name"))


def _virtual_cluster(row: Row) -> model.VirtualClusterRow:
    return model.VirtualClusterRow(
        virtual_cluster_id=_must_int(row, "id"), active=_bool(row.get("active"))
    )


def _counted(row: Row) -> model.CountRow:
    return model.CountRow(count=_must_count(row, "count"))


PARSERS: Final[dict[str, Callable[[Row], Any]]] = {
    "gossip_liveness": _liveness,
    "kv_node_liveness": _liveness,
    "gossip_nodes": _gossip_node,
    "node_status": _node_status,
    "store_status": _store_status,
    "settings": _setting,
    "kv_version": _kv_version,
    "active_jobs": _job,
    "job_history": _job,
    "schedules": _schedule,
    "migrations": _migration,
    "replication_stats": _replication_stats,
    "critical_localities": _critical_locality,
    "zone_replicas": _zone_replicas,
    "license": _license,
    "events": _event,
    "set_settings": _set_setting,
    "changefeed_features": _features,
    "recent_job_features": _features,
    "schedule_features": _features,
    "descriptor_features": _features,
    "node_features": _features,
    "role_features": _features,
    "role_default_features": _features,
    "statement_features": _features,
    "object_count": _features,
    "invalid_objects": _invalid_object,
    "virtual_clusters": _virtual_cluster,
    "interleaved_tables": _counted,
}
"""How to read a row of each section."""
