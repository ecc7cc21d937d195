"""Fill a PostgreSQL database from a recording, so that guard's statements run on it unchanged.

Tables are tables with the recorded columns, types and rows. A query that was refused becomes a view
that raises the recorded SQLSTATE and message when it is executed, as CockroachDB does; a relation
that did not exist does not exist. What only CockroachDB's grammar has (SHOW in brackets, session
variables that PostgreSQL lacks) is kept in the schema ``compat``, where the proxy finds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import sql

from guard.connector import statements
from tests.cluster.recording import NAMES, Error, Recording, Table, load

__all__ = ["EVENTLOG", "REWRITTEN", "fill", "gate"]

_RELATIONS: Final = {
    "cluster_settings": "crdb_internal.cluster_settings",
    "database_role_settings": "system.database_role_settings",
    "gossip_liveness": "crdb_internal.gossip_liveness",
    "gossip_nodes": "crdb_internal.gossip_nodes",
    "invalid_objects": "crdb_internal.invalid_objects",
    "jobs": "crdb_internal.jobs",
    "kv_node_liveness": "crdb_internal.kv_node_liveness",
    "kv_node_status": "crdb_internal.kv_node_status",
    "kv_store_status": "crdb_internal.kv_store_status",
    "node_build_info": "crdb_internal.node_build_info",
    "node_metrics_selected": "crdb_internal.node_metrics",
    "replication_critical_localities": "system.replication_critical_localities",
    "replication_stats": "system.replication_stats",
    "system_eventlog": "system.eventlog",
    "system_job_info": "system.job_info",
    "system_jobs": "system.jobs",
    "system_migrations": "system.migrations",
    "system_scheduled_jobs": "system.scheduled_jobs",
    "system_tenants": "system.tenants",
    "show_cluster_setting_version": "compat.show_version",
    "show_is_superuser": "compat.show_is_superuser",
    "show_jobs": "compat.show_jobs",
    "show_schedules": "compat.show_schedules",
    "show_all_cluster_settings": "compat.show_all_cluster_settings",
    "show_virtual_cluster_name": "compat.show_virtual_cluster_name",
    "show_system_grants": "compat.show_system_grants",
    "allow_unsafe_internals": "compat.allow_unsafe_internals",
    "descriptors": "system.descriptor",
    "names": "system.namespace",
    "show_users": "compat.show_users",
    "reports_meta": "system.reports_meta",
    "zones": "crdb_internal.zones",
}

_BRACKETS: Final = {
    "[SHOW JOBS]": "compat.show_jobs",
    "[SHOW SCHEDULES FOR BACKUP]": "compat.show_backup_schedules",
    "[SHOW SCHEDULES]": "compat.show_schedules",
    "[SHOW ALL CLUSTER SETTINGS]": "compat.show_all_cluster_settings",
    "[SHOW SYSTEM GRANTS]": "compat.show_system_grants",
    " AS OF SYSTEM TIME '-10s'": "",
    "[SHOW USERS]": "compat.show_users",
    "system.jobs@jobs_status_created_idx": "system.jobs",
    "LOOKUP JOIN": "JOIN",
    '"".crdb_internal.': "crdb_internal.",
}


def _rewritten() -> Iterator[tuple[str, str]]:
    yield statements.SHOW_NODE_ID.sql, "SELECT node_id FROM compat.show_node_id"
    yield statements.SHOW_SUPERUSER.sql, "SELECT is_superuser FROM compat.show_is_superuser"
    yield (
        statements.SHOW_VIRTUAL_CLUSTER.sql,
        "SELECT virtual_cluster_name FROM compat.show_virtual_cluster_name",
    )
    yield statements.SHOW_VERSION.sql, "SELECT version FROM compat.show_version"
    yield statements.SET_UNSAFE_INTERNALS.sql, "SET compat.allow_unsafe_internals = on"
    undo = statements.UNDO[statements.SET_UNSAFE_INTERNALS]
    yield undo.sql, "SET compat.allow_unsafe_internals = DEFAULT"
    yield statements.SHOW_SESSION_ID.sql, "SELECT pg_backend_pid()::text AS session_id"
    for variable in statements.VARIABLES:
        name = f"compat.{variable.name}"  # what ALTER ROLE … SET gives a default of
        yield (
            variable.show.sql,
            f"SELECT coalesce(nullif(current_setting('{name}', true), ''), '{variable.wanted}')"
            f" AS {variable.name}",
        )
        yield variable.set.sql, f"SET {name} = '{variable.wanted}'"
        yield variable.reset.sql, f"SET {name} = DEFAULT"
    for text in statements.ALL:
        rewritten = text
        for brackets, view in _BRACKETS.items():
            rewritten = rewritten.replace(brackets, view)
        if rewritten != text:
            yield text, rewritten


REWRITTEN: Final = dict(_rewritten())
"""What the proxy sends to PostgreSQL instead: by the exact text of the whole statement."""

_FUNCTIONS: Final = """
CREATE SCHEMA crdb_internal;
CREATE SCHEMA system;
CREATE SCHEMA compat;
CREATE TABLE compat.decoded (kind text, encoded bytea, plain jsonb);
CREATE FUNCTION crdb_internal.pb_to_json(message text, encoded bytea) RETURNS jsonb LANGUAGE plpgsql
AS $$
DECLARE result jsonb;
BEGIN
  IF pb_to_json.encoded IS NULL THEN RETURN NULL; END IF;
  SELECT d.plain INTO result FROM compat.decoded d
    WHERE d.kind = message AND d.encoded = pb_to_json.encoded LIMIT 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'error decoding payload: unexpected EOF';
  END IF;
  RETURN result;
END $$;
CREATE FUNCTION crdb_internal.pb_to_json(message text, encoded bytea, emit_defaults boolean)
RETURNS jsonb LANGUAGE sql RETURN crdb_internal.pb_to_json(message, encoded);
CREATE FUNCTION compat.regexp_extract(input text, regex text) RETURNS text LANGUAGE sql
RETURN substring(input, regex);
"""

_ZONES: Final = Table(
    (("zone_id", "int8"), ("full_config_yaml", "text")),
    ((0, "range_min_bytes: 134217728\nnum_replicas: 3\n"), (16, "num_replicas: 5\n")),
)
"""Not recorded: what a cluster has that nobody configured."""


EVENTLOG: Final = (
    ("timestamp", "timestamp"),
    ("eventType", "text"),
    ("targetID", "int8"),
    ("reportingID", "int8"),
    ("info", "text"),
    ("uniqueID", "text"),
)
"""The columns of system.eventlog, which no recording holds; 20.1 to 26.1 have them all."""

_EMPTY: Final = (
    ("descriptors", "descriptor", (("id", "int8"), ("descriptor", "bytea"))),
    ("names", "namespace", (("id", "int8"), ("name", "text"))),
)
"""System tables that no recording holds; they are taken to be empty."""


def _as_settings(queries: Mapping[str, Table | Error], relation: str) -> Error | None:
    """The refusal that system.settings met, in the words for another system table: one privilege."""
    refused = queries.get("system_settings")
    if not isinstance(refused, Error):
        return None
    return Error(refused.sqlstate, refused.message.replace("relation settings", f"relation {relation}"))


def fill(connection: psycopg.Connection[Any], recording: Recording) -> None:
    """Create everything in an empty database."""
    execute = connection.execute
    execute(_FUNCTIONS)
    queries = dict(recording.queries)
    queries.setdefault("show_all_cluster_settings", queries["cluster_settings"])
    for query, relation, columns in _EMPTY:
        queries.setdefault(query, _as_settings(queries, relation) or Table(columns, ()))
    queries.setdefault(
        "show_system_grants", Table((("grantee", "text"), ("privilege_type", "text")), ())
    )
    queries.setdefault("zones", _ZONES)
    info = recording.table("node_build_info").dicts()
    names = [row["value"] for row in info if row["field"] == "VirtualClusterName"]
    if names:  # 23.2 and later
        queries.setdefault(
            "show_virtual_cluster_name", Table((("virtual_cluster_name", "text"),), ((names[0],),))
        )
    # Not recorded either: the reports are taken to be as young as the state itself.
    reports = tuple((number, recording.clock + "+00") for number in (1, 2, 3))
    queries.setdefault("reports_meta", Table((("id", "int8"), ("generated", "timestamptz")), reports))
    for query, relation in _RELATIONS.items():
        answer = queries.get(query)
        if isinstance(answer, Table):
            _table(connection, relation, answer)
        elif isinstance(answer, Error) and answer.sqlstate != "42P01":
            _refusal(connection, relation, _columns(query, recording), answer)
    schedules = queries["show_schedules"]
    if isinstance(schedules, Error):
        _refusal(
            connection, "compat.show_backup_schedules", _columns("show_schedules", recording), schedules
        )
    else:
        execute(
            "CREATE VIEW compat.show_backup_schedules AS"
            " SELECT * FROM compat.show_schedules WHERE command ? 'backup_statement'"
        )
    _decoded(connection, queries)
    _functions(connection, recording)
    execute("GRANT USAGE ON SCHEMA crdb_internal, system, compat TO PUBLIC")
    for schema in ("crdb_internal", "system", "compat"):
        execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO PUBLIC")
    # clock_timestamp() is the recorded time: it is found here before pg_catalog's own.
    name = connection.info.dbname
    execute(
        sql.SQL("ALTER DATABASE {} SET search_path = compat, pg_catalog").format(sql.Identifier(name))
    )


def _columns(query: str, recording: Recording) -> tuple[tuple[str, str], ...]:
    """The columns of a query that was refused: as somebody else got them in the same cluster."""
    if query == "system_eventlog":
        return EVENTLOG
    for name, _, columns in _EMPTY:
        if name == query:
            return columns
    cluster = recording.name.partition("/")[0]
    same = [name for name in NAMES if name.startswith(f"{cluster}/")]
    for wanted in (query, {"show_all_cluster_settings": "cluster_settings"}.get(query, query)):
        for name in (*same, "v21.1.11-to-v21.2.0/12-finalized", "v25.4-to-v26.1/12-finalized-as-root"):
            answer = load(name).queries.get(wanted)
            if isinstance(answer, Table):
                return answer.columns
    raise AssertionError(f"no recording knows the columns of {query}")


def _identifier(relation: str) -> sql.Identifier:
    return sql.Identifier(*relation.split("."))


def _definition(columns: tuple[tuple[str, str], ...]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns
    )


def _table(connection: psycopg.Connection[Any], relation: str, table: Table) -> None:
    name = _identifier(relation)
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, _definition(table.columns)))
    if table.rows:
        connection.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM jsonb_populate_recordset(NULL::{}, %s)").format(
                name, name
            ),
            [json.dumps(table.dicts())],
        )


def _refusal(
    connection: psycopg.Connection[Any],
    relation: str,
    columns: tuple[tuple[str, str], ...],
    error: Error,
) -> None:
    function = sql.Identifier("compat", "refuse_" + relation.replace(".", "_"))
    connection.execute(
        sql.SQL("CREATE FUNCTION {}() RETURNS TABLE ({}) LANGUAGE plpgsql VOLATILE AS {}").format(
            function, _definition(columns), sql.Literal(_raise(error))
        )
    )
    connection.execute(
        sql.SQL("CREATE VIEW {} AS SELECT * FROM {}()").format(_identifier(relation), function)
    )


def _raise(error: Error) -> str:
    state, message = (sql.Literal(text).as_string(None) for text in (error.sqlstate, error.message))
    return f"BEGIN RAISE EXCEPTION USING ERRCODE = {state}, MESSAGE = {message}; END"


def _decoded(connection: psycopg.Connection[Any], queries: dict[str, Any]) -> None:
    encoded, decoded = queries["system_jobs"], queries["system_jobs_decoded"]
    if isinstance(decoded, Error) and "system_settings" in queries:
        return  # the user may not read what could be decoded, or 25.4 has no payload there
    if isinstance(encoded, Error) or isinstance(decoded, Error):
        connection.execute("DROP FUNCTION crdb_internal.pb_to_json(text, bytea) CASCADE")
        return
    if "decoded" in queries:  # made up, not recorded
        _insert_decoded(connection, queries["decoded"].rows)
        return
    by_id = {row["id"]: row for row in decoded.dicts()}
    values = [
        (f"cockroach.sql.jobs.jobspb.{kind.capitalize()}", row[kind], by_id[row["id"]][f"{kind}_json"])
        for row in encoded.dicts()
        for kind in ("payload", "progress")
        if row["id"] in by_id
    ]
    _insert_decoded(connection, values)


def _insert_decoded(
    connection: psycopg.Connection[Any], values: Iterable[tuple[str, str, dict[str, Any]]]
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO compat.decoded VALUES (%s, %s::text::bytea, %s)",
            [(kind, value, json.dumps(plain)) for kind, value, plain in values],
        )
    connection.execute("CREATE INDEX ON compat.decoded (encoded)")


def _functions(connection: psycopg.Connection[Any], recording: Recording) -> None:
    info = {row["field"]: row["value"] for row in recording.table("node_build_info").dicts()}
    node_id = recording.table("node_build_info").dicts()[0]["node_id"]
    _function(connection, "compat.clock_timestamp()", "timestamptz", recording.clock + "+00", "STABLE")
    connection.execute(
        sql.SQL("CREATE VIEW compat.show_node_id AS SELECT {}::text AS node_id").format(
            sql.Literal(str(node_id))
        )
    )
    closed = gate(recording)
    _function(connection, "crdb_internal.cluster_id()", "text", closed or info["ClusterID"])
    is_admin = recording.queries["is_admin"]
    if isinstance(is_admin, Table):
        admin = is_admin.rows[0][0]
        _function(connection, "crdb_internal.is_admin()", "boolean", admin)
        option = admin or recording.user == "ctl"
        _function(connection, "crdb_internal.has_role_option(option text)", "boolean", option)
    else:  # 25.4 and later have neither, and the filter of crdb_internal.jobs as a function
        _function(
            connection, "crdb_internal.can_view_job(owner text)", "boolean", closed or _sees(recording)
        )


def gate(recording: Recording) -> Error | None:
    """What the gate of 26.1 answers in this recording, None where it is open or not there."""
    refused = recording.queries["gossip_nodes"]
    if isinstance(refused, Error) and "crdb_internal and system is restricted" in refused.message:
        return refused
    return None


def _sees(recording: Recording) -> bool:
    """True if the user was shown jobs of `node`, which only those see who see all."""
    return any(row["user_name"] == "node" for row in recording.table("jobs").dicts())


def _function(
    connection: psycopg.Connection[Any],
    signature: str,
    kind: str,
    answer: str | bool | Error,
    volatility: str = "VOLATILE",
) -> None:
    """A function that gives this answer, or is refused with it when it is executed."""
    words = f"CREATE FUNCTION {signature} RETURNS {kind} {volatility} "
    if isinstance(answer, Error):
        statement = sql.SQL(words + "LANGUAGE plpgsql AS {}").format(sql.Literal(_raise(answer)))
    else:
        statement = sql.SQL(words + f"LANGUAGE sql RETURN {{}}::{kind}").format(sql.Literal(answer))
    connection.execute(statement)
