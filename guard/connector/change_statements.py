"""The statements that find out what an upgrade changes for a cluster; part of the closed list.

They are asked only where the hop needs them. All of them keep these rules:

* **no text leaves the server.** Descriptions, commands, statements, function bodies, flags and
  environments can hold secrets, so the predicates over them run on the server, and the answer is one
  row: how many things were read, how many have the feature, and the ids (or names of roles) of those;
* **bounded cost.** Each reads a fixed number of rows at most, newest or lowest ids first, and says how
  many it has read: where that reaches the limit, "none found" is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from guard.connector.statement import Statement
from guard.versions import Series

__all__ = ["CHANGE_SECTIONS", "READ_VALUES"]


def _one_row(features: Mapping[str, str], source: str, item: str | None = "id") -> str:
    """One row: the things read, and for each feature how many have it and which these are."""
    columns = ["count(*) AS read"]
    for feature, predicate in features.items():
        columns.append(f'count(*) FILTER (WHERE {predicate}) AS "has {feature}"')
        if item is not None:
            columns.append(
                f"array_to_string(array_agg({item}) FILTER (WHERE {predicate}), ',')"
                f' AS "items {feature}"'
            )
    return f"SELECT {', '.join(columns)} FROM {source}"


# --- cluster settings that somebody has set -------------------------------------------------------

READ_VALUES: Final = (
    "bulkio.backup.deprecated_full_backup_with_subdir.enabled",
    "changefeed.new_pubsub_sink_enabled",
    "kv.rangefeed.enabled",
    "server.auth_log.sql_connections.enabled",
    "server.auth_log.sql_sessions.enabled",
    "server.identity_map.configuration.enabled",
    "sql.auth.skip_underlying_view_privilege_checks.enabled",
    "sql.defaults.allow_unsafe_internals",
    "sql.defaults.interleaved_tables.enabled",
    "sql.override.allow_unsafe_internals.enabled",
    "sql.show_ranges_deprecated_behavior.enabled",
    "sql.trace.log_statement_execute",
    "sql.txn.read_committed_isolation.enabled",
)
"""The only settings of which guard reads the value: switches, which hold no secret."""

SETTINGS_READ: Final = 1000
_VALUES: Final = ", ".join(f"'{name}'" for name in READ_VALUES)

SYSTEM_SETTINGS: Final = Statement(
    "system_settings",
    f"SELECT name, CASE WHEN name IN ({_VALUES}) THEN value END AS value"
    f" FROM system.settings ORDER BY name LIMIT {SETTINGS_READ}",
    limit=SETTINGS_READ,
)
# `version` is always there for those who see every setting, and missing for those who do not.
SHOW_SET_SETTINGS: Final = Statement(
    "show_set_settings",
    f"SELECT variable AS name, CASE WHEN variable IN ({_VALUES}) THEN value END AS value"
    " FROM [SHOW ALL CLUSTER SETTINGS] WHERE origin <> 'default' OR variable = 'version'"
    f" LIMIT {SETTINGS_READ}",
    since=Series(23, 2),
    limit=SETTINGS_READ,
)

# --- jobs -----------------------------------------------------------------------------------------

CHANGEFEEDS_READ: Final = 1000
RECENT_JOBS_READ: Final = 500

_PAYLOAD: Final = "crdb_internal.pb_to_json('cockroach.sql.jobs.jobspb.Payload', payload)"
_BETWEEN_TERMINAL: Final = (
    "(status < 'canceled' OR (status > 'canceled' AND status < 'failed')"
    " OR (status > 'failed' AND status < 'revert-failed')"
    " OR (status > 'revert-failed' AND status < 'succeeded') OR status > 'succeeded')"
)
_TERMINAL: Final = "('succeeded', 'failed', 'canceled', 'revert-failed')"
_UNFINISHED: Final = (
    "('pending', 'running', 'paused', 'pause-requested', 'cancel-requested', 'reverting',"
    " 'retry-running', 'retry-reverting')"
)

CHANGEFEED_FEATURES: Final = {
    "any": "d IS NOT NULL",
    "cdc-prev": "d ILIKE '%cdc_prev(%'",
    "expression": "d ILIKE '% AS SELECT %'",
    "kafka": "d ILIKE '%kafka://%'",
    "kafka-capitals": "d ILIKE '%kafka://%' AND d ~ '\"[^\"]*[A-Z][^\"]*\"'",
    "external-capitals": "d ILIKE '%external://%' AND d ~ '\"[^\"]*[A-Z][^\"]*\"'",
    "external": "d ILIKE '%external://%'",
    "pubsub": "d ILIKE '%pubsub://%'",
    "database": "d ILIKE 'CREATE CHANGEFEED FOR DATABASE %'",
}
"""Of unfinished changefeeds, by what their description `d` says."""

CHANGEFEEDS_SYSTEM_JOBS: Final = Statement(
    "changefeeds_system_jobs",
    _one_row(
        CHANGEFEED_FEATURES,
        "(SELECT id, CASE WHEN p ? 'changefeed' THEN COALESCE(p->>'description', '') END AS d"
        f" FROM (SELECT id, {_PAYLOAD} AS p FROM system.jobs@jobs_status_created_idx"
        f" WHERE {_BETWEEN_TERMINAL} LIMIT {CHANGEFEEDS_READ}) AS unfinished) AS feeds",
    ),
    since=Series(20, 2),
    before=Series(23, 1),
    admin=True,
    all_jobs=True,
    limit=CHANGEFEEDS_READ,
)


def _changefeeds(condition: str) -> str:
    return _one_row(
        CHANGEFEED_FEATURES,
        "(SELECT job_id AS id, COALESCE(description, '') AS d FROM crdb_internal.jobs"
        f" WHERE job_type = 'CHANGEFEED' AND {condition} LIMIT {CHANGEFEEDS_READ}) AS feeds",
    )


CHANGEFEEDS_20_1: Final = Statement(
    "changefeeds_20_1",
    _changefeeds(f"status NOT IN {_TERMINAL}"),
    before=Series(20, 2),
    all_jobs=True,
    limit=CHANGEFEEDS_READ,
)
# 23.1 to 24.x have a virtual index on the status that serves lists of values and nothing else.
CHANGEFEEDS_BY_STATUS: Final = Statement(
    "changefeeds_by_status",
    _changefeeds(f"status IN {_UNFINISHED}"),
    since=Series(23, 1),
    before=Series(25, 1),
    all_jobs=True,
    limit=CHANGEFEEDS_READ,
)
CHANGEFEEDS_25_1: Final = Statement(
    "changefeeds_25_1",
    _changefeeds(f"status NOT IN {_TERMINAL} "),
    since=Series(25, 1),
    all_jobs=True,
    limit=CHANGEFEEDS_READ,
)

RECENT_JOB_FEATURES: Final = {
    "backup-to": "d ILIKE 'BACKUP %' AND d ILIKE '% TO %' AND d NOT ILIKE '% INTO %'",
    "incremental-location": "d ILIKE '%incremental_location%'",
    "import-table": "d ILIKE 'IMPORT TABLE %'",
    "import-dump": "d ILIKE 'IMPORT PGDUMP %' OR d ILIKE 'IMPORT MYSQLDUMP %'"
    " OR d ILIKE 'IMPORT TABLE % FROM PGDUMP %' OR d ILIKE 'IMPORT TABLE % FROM MYSQLDUMP %'",
    "import-csv": "d ILIKE 'IMPORT % CSV %'",
    "backup-deprecated-interleaves": "d ILIKE '%include_deprecated_interleaves%'",
}
"""Of the newest BACKUP, IMPORT and other jobs, by what their description `d` says."""

RECENT_SYSTEM_JOBS: Final = Statement(
    "recent_system_jobs",
    _one_row(
        RECENT_JOB_FEATURES,
        f"(SELECT id, p->>'description' AS d FROM (SELECT id, {_PAYLOAD} AS p FROM"
        " system.jobs@jobs_status_created_idx WHERE status = 'succeeded'"
        f" ORDER BY created DESC LIMIT {RECENT_JOBS_READ}) AS newest) AS recent",
    ),
    since=Series(20, 2),
    before=Series(23, 1),
    admin=True,
    all_jobs=True,
    limit=RECENT_JOBS_READ,
)
RECENT_JOBS: Final = Statement(
    "recent_jobs",
    _one_row(
        RECENT_JOB_FEATURES,
        "(SELECT job_id AS id, description AS d FROM crdb_internal.jobs WHERE job_type IN"
        f" ('BACKUP', 'IMPORT') ORDER BY created DESC LIMIT {RECENT_JOBS_READ}) AS recent",
    ),
    since=Series(23, 1),
    all_jobs=True,
    limit=RECENT_JOBS_READ,
)

# --- schedules ------------------------------------------------------------------------------------

SCHEDULES_READ: Final = 1000

SCHEDULE_FEATURES: Final = {
    "backup-to": "c ILIKE '%BACKUP %' AND c ILIKE '% TO %' AND c NOT ILIKE '% INTO %'",
    "incremental-location": "c ILIKE '%incremental_location%'",
    "changefeed": "c ILIKE '%CREATE CHANGEFEED%'",
    "row-level-ttl": "label LIKE 'row-level-ttl%'",
}
"""Of schedules, by their label and by what their command `c` says."""

SCHEDULES: Final = Statement(
    "schedule_features",
    _one_row(
        SCHEDULE_FEATURES,
        "(SELECT id, label, command::STRING AS c FROM [SHOW SCHEDULES]"
        f" LIMIT {SCHEDULES_READ}) AS schedules",
    ),
    since=Series(20, 2),
    limit=SCHEDULES_READ,
)

# --- descriptors ----------------------------------------------------------------------------------

DESCRIPTORS_READ: Final = 5000

# By their values, not by their keys: 20.2 prints empty fields as well.
_VIEW: Final = "COALESCE(p->'table'->>'viewQuery', '') <> ''"
_BODY: Final = "COALESCE(p->'function'->>'functionBody', '') <> ''"

DESCRIPTOR_FEATURES: Final = {
    "view": _VIEW,
    "view-crdb-internal": f"{_VIEW} AND e LIKE '%crdb_internal.%'",
    "view-system": f"{_VIEW} AND e LIKE '%system.public.%'",
    "materialized-view": f"{_VIEW} AND p->'table'->>'isMaterializedView' = 'true'",
    "function-tg-argv": f"{_BODY} AND e ILIKE '%tg_argv%'",
    "function-internals": f"{_BODY} AND (e LIKE '%crdb_internal.%' OR e LIKE '%system.public.%')",
    "string-cast": f"e ~ '[^:]::(INTERVAL|TIMESTAMP|DATE|TIME)' AND NOT ({_VIEW} OR {_BODY})",
}
"""Of tables, views and functions of users. `e` is the descriptor as it is stored, in which its texts
can be found; `p` is the same decoded."""

# System tables are left out by their database, 1, since newer releases give them any id; they are
# counted as read all the same, so that the limit shows.
# Decoding costs ten times what looking through the bytes does, so only views and functions are.
DESCRIPTORS: Final = Statement(
    "descriptor_features",
    _one_row(
        DESCRIPTOR_FEATURES,
        "(SELECT id, e, CASE WHEN COALESCE((d->'table'->>'parentId')::INT8, 0) <> 1 THEN d END AS p"
        " FROM (SELECT id, e, CASE WHEN e ILIKE '%SELECT%' OR e ILIKE '%tg_argv%' THEN"
        " crdb_internal.pb_to_json('cockroach.sql.sqlbase.Descriptor', descriptor) END AS d"
        " FROM (SELECT id, descriptor, encode(descriptor, 'escape') AS e FROM system.descriptor"
        f" WHERE id >= 50 ORDER BY id LIMIT {DESCRIPTORS_READ}) AS stored) AS decoded) AS descriptors",
    ),
    since=Series(20, 2),
    limit=DESCRIPTORS_READ,
)
OBJECTS: Final = Statement(
    "object_count",
    'SELECT count(*) AS read, CASE WHEN count(*) > 20000 THEN count(*) ELSE 0 END AS "has over-20000"'
    " FROM (SELECT 1 FROM system.namespace LIMIT 20001) AS names",
    since=Series(20, 2),
)

# --- nodes ----------------------------------------------------------------------------------------

NODE_FEATURES: Final = {
    "socket-flag": "a LIKE '%\"--socket=%' OR a LIKE '%\"--socket\"%'",
    "no-join": "a LIKE '%\"start\"%' AND a NOT LIKE '%\"--join%' AND a NOT LIKE '%\"-j%'",
    "rocksdb": "a ~ 'storage-engine(=|\", *\")rocksdb' OR e LIKE '%COCKROACH_STORAGE_ENGINE=rocksdb%'",
    "bcrypt-variable": "e LIKE '%COCKROACH_MAX_BCRYPT_CONCURRENCY%'",
    "certs-dir-variable": 'a ~ \'certs-dir(=|", *")[^"]*[$]\'',
    "provisioned-rate-disk-name": "a LIKE '%provisioned-rate=disk-name%'",
    "fips": "tag LIKE '%fips%'",
    "single-port": "a NOT LIKE '%\"--sql-addr%'",
}
"""Of nodes, by their flags `a`, their environment `e` and their build."""

NODES: Final = Statement(
    "node_features",
    _one_row(
        NODE_FEATURES,
        "(SELECT node_id AS id, args::STRING AS a, env::STRING AS e, tag"
        " FROM crdb_internal.kv_node_status) AS nodes",
    ),
)

# --- roles ----------------------------------------------------------------------------------------

ROLES_READ: Final = 1000

ROLE_FEATURES: Final = {
    "inherited-createrole": "option = 'CREATEROLE'"
    " AND username IN (SELECT role FROM system.role_members)",
    "controlchangefeed": "option = 'CONTROLCHANGEFEED'",
}
"""Of role options, by role."""

ROLES: Final = Statement(
    "role_features",
    _one_row(
        ROLE_FEATURES,
        f"(SELECT username, option FROM system.role_options LIMIT {ROLES_READ}) AS options",
        "username",
    ),
    limit=ROLES_READ,
)

ROLE_DEFAULTS_READ: Final = 1000

ROLE_DEFAULT_FEATURES: Final = {
    "read-committed": "s ILIKE 'default_transaction_isolation=read committed%'",
    "any-isolation": "s ILIKE 'default_transaction_isolation=%'",
    "autocommit-before-ddl-for-all": "s ILIKE 'autocommit_before_ddl=%' AND role = ''",
    "safe-updates": "s ILIKE 'sql_safe_updates=on' OR s ILIKE 'sql_safe_updates=true'",
    "batch-transaction-for-all": "s ILIKE 'enable_implicit_transaction_for_batch_statements=%'"
    " AND role = ''",
    "copy-atomic-for-all": "s ILIKE 'copy_from_atomic_enabled=%' AND role = ''",
    "varchar-typing-for-all": "s ILIKE 'legacy_varchar_typing=%' AND role = ''",
    "variadic-builtins-for-all": "s ILIKE 'use_pre_25_2_variadic_builtins=%' AND role = ''",
    "unsafe-internals-for-all": "s ILIKE 'allow_unsafe_internals=on' AND role = ''"
    " OR s ILIKE 'allow_unsafe_internals=true' AND role = ''",
    "search-path": "s ILIKE 'search_path=%'",
    "home-region-follower-reads": "s ILIKE 'enforce_home_region_follower_reads_enabled=%'",
    "partitioning-soft-limited-scans": "s ILIKE 'distsql_prevent_partitioning_soft_limited_scans=%'",
    "hash-sharded-indexes": "s ILIKE 'experimental_enable_hash_sharded_indexes=%'",
    "ordinal-references": "s ILIKE 'allow_ordinal_column_references=%'",
    "inspect-command": "s ILIKE 'enable_inspect_command=%'",
    "super-regions": "s ILIKE 'enable_super_regions=%'",
    "tg-argv": "s ILIKE 'allow_create_trigger_function_with_argv_references=%'",
}
"""Of session defaults of roles and databases; `for-all` is ALTER ROLE ALL, whose role is empty."""

ROLE_DEFAULTS: Final = Statement(
    "role_default_features",
    _one_row(
        ROLE_DEFAULT_FEATURES,
        "(SELECT role_name AS role, unnest(settings) AS s FROM system.database_role_settings"
        f" LIMIT {ROLE_DEFAULTS_READ}) AS defaults",
        "role",
    ),
    since=Series(21, 2),
    limit=ROLE_DEFAULTS_READ,
)

# --- statements of applications -------------------------------------------------------------------

STATEMENTS_READ: Final = 2000

_SYSTEM_TABLE: Final = "lower(q) ~ '(from|join|into|update)[ ]+\"?system\"?[.]'"

STATEMENT_FEATURES: Final = {
    "crdb-internal": "q ILIKE '%crdb_internal.%'",
    "system-tables": _SYSTEM_TABLE,
    "backup-to": "q ILIKE 'BACKUP %' AND q ILIKE '% TO %' AND q NOT ILIKE '% INTO %'",
    "session-user": "q ILIKE '%session_user%' AND q NOT ILIKE '%session_user()%'",
    "show-ranges": "q ILIKE '%SHOW RANGES %' OR q ILIKE '%crdb_internal.ranges%'",
    "show-range-for-row": "q ILIKE '%SHOW RANGE %FOR ROW%'",
    "gossip-network": "q ILIKE '%gossip_network%'",
    "ordinal-references": "q ILIKE '%SELECT @%'",
    "copy-from": "q ILIKE 'COPY %FROM STDIN%'",
    "read-committed": "q ILIKE '%ISOLATION LEVEL READ COMMITTED%'",
    "experimental-changefeed": "q ILIKE 'EXPERIMENTAL CHANGEFEED%'",
    "experimental-scrub": "q ILIKE 'EXPERIMENTAL SCRUB%'",
    "drop-index": "q ILIKE 'DROP INDEX%'",
    "zero-length-bit": "q ILIKE '%::BIT(0)%' OR q ILIKE '%::VARBIT(0)%'",
    "alter-changefeed-add": "q ILIKE 'ALTER CHANGEFEED % ADD %'",
    "inject-hint": "q ILIKE '%inject_hint%' OR q ILIKE '%crdb_rewrite_inline_hints%'",
}
"""Of statement fingerprints of applications, in which constants are left out already."""

# Names that begin with $ are the server's own and those of cockroach sql.
STATEMENTS: Final = Statement(
    "statement_features",
    _one_row(
        STATEMENT_FEATURES,
        "(SELECT metadata->>'query' AS q FROM system.statement_statistics"
        " WHERE app_name NOT LIKE '$%' AND app_name <> 'guard'"
        f" LIMIT {STATEMENTS_READ}) AS fingerprints",
        None,
    ),
    since=Series(21, 2),
    limit=STATEMENTS_READ,
)

CHANGE_SECTIONS: Final[dict[str, tuple[Statement, ...]]] = {
    "set_settings": (SYSTEM_SETTINGS, SHOW_SET_SETTINGS),
    "changefeed_features": (
        CHANGEFEEDS_SYSTEM_JOBS,
        CHANGEFEEDS_20_1,
        CHANGEFEEDS_BY_STATUS,
        CHANGEFEEDS_25_1,
    ),
    "recent_job_features": (RECENT_SYSTEM_JOBS, RECENT_JOBS),
    "schedule_features": (SCHEDULES,),
    "descriptor_features": (DESCRIPTORS,),
    "node_features": (NODES,),
    "role_features": (ROLES,),
    "role_default_features": (ROLE_DEFAULTS,),
    "statement_features": (STATEMENTS,),
    "object_count": (OBJECTS,),
}
"""The sections that only some hops need, and the statements that can fill them, best first."""
