"""Debug.zips made of rows, in any layout: a quiet three-node cluster unless a test says otherwise."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# As long as a real one: thousands of characters.
_METRICS = json.dumps(
    {"ranges.unavailable": 0, "ranges.underreplicated": 0, "x": 3e30}
    | {f"a.metric.of.the.store.{n}": n for n in range(400)}
)

__all__ = ["NOW", "Cell", "Table", "at", "entries", "hlc", "pack", "quiet", "rendered"]

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
"""The archives are fresh: an old one permits nothing, which is a matter of its own."""

Cell = str | int | None
Table = tuple[Sequence[str], list[list[Cell]]]


def at(seconds: float = 0.0) -> str:
    """A time of the cluster as old releases print it: UTC without saying so."""
    return (NOW + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def hlc(seconds: float) -> str:
    """A time as liveness records print it: seconds and a logical counter."""
    return f"{(NOW + dt.timedelta(seconds=seconds)).timestamp():.9f},0"


def rendered(table: Table, how: str) -> bytes:
    """A table in one of the formats of ``debug zip --format``."""
    columns, rows = table
    texts = [["NULL" if cell is None else str(cell) for cell in row] for row in rows]
    if how in ("json", "ndjson"):
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in texts]
        return ("\n".join(lines) if how == "ndjson" else f"[{','.join(lines)}]").encode()
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if how == "txt" else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(texts)
    return out.getvalue().encode()


def quiet(
    version: str = "21.1",
    builds: Sequence[str] = ("v21.1.12",) * 3,
    *,
    jobs: Sequence[tuple[int, str, str]] = (),
    hidden_jobs: Sequence[tuple[int, str]] = (),
    settings: Mapping[str, str] | None = None,
) -> dict[str, Table]:
    """The tables of a quiet cluster, by the name of the entry below ``debug/``.

    Args:
        version: the cluster version.
        builds: the nodes' build tags, from n1 on.
        jobs: id, type and status of jobs that both tables of jobs have.
        hidden_jobs: id and status of jobs that only ``system.jobs`` has.
        settings: further settings.
    """
    nodes = range(1, len(builds) + 1)
    series = [".".join(build.lstrip("v").split(".")[:2]) for build in builds]
    liveness: Table = (
        ("node_id", "epoch", "expiration", "draining", "decommissioning", "membership", "updated_at"),
        [[n, 1, hlc(6), "false", "false", "active", at(-1)] for n in nodes],
    )
    gossip: Table = (
        ("node_id", "address", "sql_address", "locality", "server_version", "build_tag", "started_at",
         "is_live"),
        [
            [n, f"10.0.0.{n}:26257", f"10.0.0.{n}:26257", f"zone=z{n}", series[n - 1], builds[n - 1],
             at(-90_000), "true"]
            for n in nodes
        ],
    )  # fmt: skip
    values = {
        "version": version,
        "cluster.preserve_downgrade_option": version,
        "server.time_until_store_dead": "5m0s",
        "diagnostics.reporting.enabled": "true",
        "enterprise.license": "",
        **(settings or {}),
    }
    major, minor = (int(part) for part in version.split("-")[0].split("."))
    stored = f"\\x12\\b\\b\\x{major:02x}\\x10\\x{minor:02x}\\x18\\x00 \\x00"
    tables: dict[str, Table] = {
        "crdb_internal.cluster_sessions": (
            ("node_id", "user_name", "application_name", "active_queries"),
            [[1, "root", "$ cockroach zip", "SELECT * FROM crdb_internal.cluster_sessions"]],
        ),
        "crdb_internal.cluster_settings": (
            ("variable", "value", "type", "public", "description"),
            [[name, value, "s", "true", ""] for name, value in values.items()],
        ),
        "crdb_internal.jobs": (
            ("job_id", "job_type", "description", "user_name", "status", "running_status", "created",
             "finished", "fraction_completed", "high_water_timestamp", "coordinator_id"),
            [
                [number, kind, "BACKUP INTO 's3://b?AWS_SECRET_ACCESS_KEY=hunter2'", "root", status,
                 None, at(-600), None if status == "running" else at(-500), "0", None, 1]
                for number, kind, status in jobs
            ],
        ),
        "system.jobs": (
            ("id", "status", "created", "payload", "created_by_type", "created_by_id"),
            [
                [number, status, at(-600), "\\x12", None, None]
                for number, status in (*((n, s) for n, _, s in jobs), *hidden_jobs)
            ],
        ),
        "system.scheduled_jobs": (
            ("schedule_id", "schedule_name", "created", "owner", "next_run", "schedule_state",
             "schedule_expr", "executor_type", "execution_args"),
            [
                [1, "nightly", at(-9e5), "root", at(40_000) + "+00", None, "@daily",
                 "scheduled-backup-executor", "BACKUP INTO 's3://b?AWS_SECRET_ACCESS_KEY=hunter2'"],
                [2, "stats", at(-9e5), "node", at(10) + "+00", None, "@hourly",
                 "scheduled-sql-stats-compaction-executor", ""],
            ],
        ),
        "system.settings": (
            ("name", "value", "lastUpdated", "valueType"),
            [["version", stored, at(-9e5), "m"], ["cluster.secret", "hunter2", at(-9e5), "s"]],
        ),
        "crdb_internal.kv_node_liveness": (
            ("node_id", "epoch", "expiration", "draining", "membership"),
            [[n, 1, hlc(3), "false", "active"] for n in nodes],
        ),
        "crdb_internal.kv_node_status": (
            ("node_id", "address", "locality", "server_version", "tag", "started_at", "updated_at",
             "metrics", "args", "env"),
            [
                [n, f"10.0.0.{n}:26257", f"zone=z{n}", series[n - 1], builds[n - 1], at(-90_000), at(),
                 "{}", "[]", '["AWS_SECRET_ACCESS_KEY=hunter2"]']
                for n in nodes
            ],
        ),
        "crdb_internal.kv_store_status": (
            ("node_id", "store_id", "capacity", "available", "used", "range_count", "lease_count",
             "metrics"),
            [
                [n, n, 1000, 800, 200, 50, 20,
                 _METRICS]
                for n in nodes
            ],
        ),
        "crdb_internal.zones": (
            ("zone_id", "full_config_yaml"),
            [[0, "num_replicas: 3\nnum_voters: null\n"], [1, "num_replicas: 5\nnum_voters: null\n"]],
        ),
    }  # fmt: skip
    for n in nodes:
        tables[f"nodes/{n}/crdb_internal.gossip_liveness"] = liveness
        tables[f"nodes/{n}/crdb_internal.gossip_nodes"] = gossip
        tables[f"nodes/{n}/crdb_internal.node_build_info"] = (
            ("node_id", "field", "value"),
            [[n, "Version", builds[n - 1]], [n, "ClusterID", "5f0d7f3c-1111"]],
        )
        tables[f"nodes/{n}/crdb_internal.node_metrics"] = (
            ("store_id", "name", "value"),
            [[None, "seconds_until_enterprise_license_expiry", 0]],
        )
    return tables


def entries(tables: Mapping[str, Table], how: str = "txt", top: str = "debug/") -> dict[str, bytes]:
    """The archive's entries for these tables."""
    return {f"{top}{name}.{how}": rendered(table, how) for name, table in tables.items()}


def pack(path: Path, content: Mapping[str, bytes]) -> Path:
    """Write an archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 24, 12, 0, 0)), data)
    return path
