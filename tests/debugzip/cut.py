"""Cut a real debug.zip down to what guard reads, without anything that could be somebody's.

``python -m tests.debugzip.cut FILE.zip OUT.zip``: tables guard does not read go, columns with texts
of people (statements, descriptions, payloads, environments) are emptied, of the settings, metrics
and gossip only what guard asks for stays. Names, formats, columns and times stay as they were.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable

from guard.connector.statements import EVENT_TYPES, SETTINGS
from guard.debugzip.stored_version import _ROW_KEY, _messages

TABLES = {
    "crdb_internal.cluster_sessions",
    "crdb_internal.cluster_settings",
    "crdb_internal.gossip_liveness",
    "crdb_internal.gossip_nodes",
    "crdb_internal.jobs",
    "crdb_internal.kv_node_liveness",
    "crdb_internal.kv_node_status",
    "crdb_internal.kv_store_status",
    "crdb_internal.node_build_info",
    "crdb_internal.node_metrics",
    "crdb_internal.zones",
    "system.eventlog",
    "system.jobs",
    "system.migrations",
    "system.replication_critical_localities",
    "system.replication_stats",
    "system.reports_meta",
    "system.scheduled_jobs",
    "system.settings",
}
EMPTIED = {
    "activity", "args", "bytes_per_replica", "client_address", "default_value", "dependencies",
    "description", "descriptor_ids", "env", "error", "error_msg", "execution_args",
    "execution_errors", "execution_events", "full_config_sql", "hex_payload", "hex_progress",
    "hex_value", "last_active_query", "payload", "progress", "properties", "raw_config_protobuf",
    "raw_config_sql", "raw_config_yaml", "schedule_details", "schedule_state", "statement",
    "writes_per_replica",
}  # fmt: skip
METRICS = ("ranges.unavailable", "ranges.underreplicated")
_TOLD = re.compile(r'"(?:TargetNodeID|NodeID)":[0-9]+|"SettingName":"[a-z0-9_.]+"')

Row = dict[str, str]


def _metrics(row: Row) -> Row:
    """Of a store's metrics the two that guard reads; of a node's none."""
    if "store_id" not in row:
        return row | {"metrics": "{}"}
    kept = {name: number for name, number in json.loads(row["metrics"]).items() if name in METRICS}
    return row | {"metrics": json.dumps(kept)}


def _keep_name(names: tuple[str, ...], column: str) -> Callable[[Row], bool]:
    return lambda row: row[column] in names


KEPT: dict[str, Callable[[Row], bool]] = {
    "crdb_internal.cluster_sessions": lambda row: "cockroach zip" in row["application_name"],
    "crdb_internal.cluster_settings": _keep_name((*SETTINGS, "enterprise.license"), "variable"),
    "crdb_internal.node_metrics": lambda row: row["name"].startswith("seconds_until"),
    "system.eventlog": _keep_name(EVENT_TYPES, "eventType"),
    "system.settings": lambda row: row["name"] != "cluster.secret",
}


def _table(name: str, data: bytes) -> bytes:
    if not data:
        return data
    reader = csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter="\t")
    columns = list(reader.fieldnames or ())
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for read in reader:
        row = {column: "" if column in EMPTIED else value for column, value in read.items()}
        keep = KEPT.get(name)
        if keep is not None and not keep(row):
            continue
        if "metrics" in row:
            row = _metrics(row)
        if name == "system.eventlog":
            row["info"] = "{" + ",".join(_TOLD.findall(row["info"])) + "}"
        writer.writerow(row)
    return out.getvalue().encode()


def _message(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def _gossip(data: bytes) -> bytes:
    """Of the system configuration in gossip the stored cluster version alone."""
    infos = json.loads(data).get("infos", {})
    if "system-db" not in infos:
        return b'{"infos": {}}'
    raw = base64.b64decode(infos["system-db"]["value"]["raw_bytes"])
    rows = [each for each in _messages(raw[5:], 1) if next(_messages(each, 1)) == _ROW_KEY]
    kept = raw[:5] + b"".join(_message(1, each) for each in rows)
    return json.dumps(
        {"infos": {"system-db": {"value": {"raw_bytes": base64.b64encode(kept).decode()}}}}
    ).encode()


def _events(data: bytes) -> bytes:
    listed = [
        each | {"info": "{" + ",".join(_TOLD.findall(each["info"])) + "}"}
        for each in json.loads(data)["events"]
        if each["event_type"] in EVENT_TYPES
    ]
    return json.dumps({"events": listed}, indent=1).encode()


def cut(data: bytes, name: str) -> bytes | None:
    """What stays of an entry; None if nothing does."""
    file = name.rpartition("/")[2]
    table, _, ending = file.rpartition(".")
    if file == "gossip.json":
        return _gossip(data)
    if file == "events.json":
        return _events(data)
    if file == "problemranges.json":
        return json.dumps({"node_id": json.loads(data)["node_id"]}).encode()
    if ending == "txt" and table in TABLES:
        return _table(table, data)
    return data if file.endswith(".err.txt") else None


def main(source: str, target: str) -> None:
    """Write the cut archive."""
    csv.field_size_limit(1 << 26)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            kept = cut(old.read(entry), entry.filename)
            if kept is not None:
                copy = zipfile.ZipInfo(entry.filename, entry.date_time)
                copy.compress_type = zipfile.ZIP_DEFLATED
                new.writestr(copy, kept, compresslevel=9)


if __name__ == "__main__":
    main(*sys.argv[1:])
