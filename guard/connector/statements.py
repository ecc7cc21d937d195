"""Every SQL statement guard can ever send, and tests watch the wire. There is one other place, for
what only some hops need: `change_statements`, whose statements are in `ALL` here as well.

Each `Statement` names the section of the snapshot it fills and the gateway releases it is meant
for. Where several fill the same section they stand in order of preference: the cheapest correct
one first, the next ones for gateways or privileges that refuse it.

Rules that all statements keep:

* they only read; the SET statements change nothing but guard's own session;
* they name their columns, because tables grow and shrink between releases, and because some columns
  (env, args, payload, description) can hold secrets;
* jobs are filtered by status here and by type in Python, because a job whose payload cannot be
  decoded has no type and must not be missed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from guard.connector.change_statements import CHANGE_SECTIONS
from guard.connector.feature_statements import FEATURES
from guard.connector.statement import Statement
from guard.versions import Series

__all__ = [
    "ALL",
    "CHANGE_SECTIONS",
    "FEATURES",
    "SECTIONS",
    "SETTINGS",
    "STATEMENT_TIMEOUTS",
    "VARIABLES",
    "Statement",
    "Variable",
]


# The session. statement_timeout takes one of four fixed values, so that this list stays closed.
STATEMENT_TIMEOUTS: Final = (1000, 2500, 5000, 10000)
"""Values in milliseconds that guard sets statement_timeout to."""

SET_READ_ONLY: Final = Statement("set_read_only", "SET default_transaction_read_only = on")
SET_TIMEOUT: Final = {
    ms: Statement(f"set_timeout_{ms}", f"SET statement_timeout = {ms}") for ms in STATEMENT_TIMEOUTS
}
SET_UNSAFE_INTERNALS: Final = Statement(
    "set_unsafe_internals", "SET allow_unsafe_internals = on", since=Series(25, 4)
)


class Variable(msgspec.Struct, frozen=True):
    """A session variable that a role may have another default for, and that would change answers.

    Attributes:
        name: its name.
        wanted: the value guard needs.
        why: what another value does.
        since: the first series that has it.
        show: reads it.
        set: puts it right.
        reset: takes that back.
    """

    name: str
    wanted: str
    why: str
    since: Series
    show: Statement
    set: Statement
    reset: Statement

    def suits(self, gateway: Series) -> bool:
        """True if the gateway's release has it."""
        return gateway >= self.since


def _variable(name: str, wanted: str, why: str, since: Series) -> Variable:
    return Variable(
        name=name,
        wanted=wanted,
        why=why,
        since=since,
        show=Statement(f"show_{name}", f"SHOW {name}"),
        set=Statement(f"set_{name}", f"SET {name} = {wanted}"),
        reset=Statement(f"reset_{name}", f"SET {name} = DEFAULT"),
    )


VARIABLES: Final = (
    _variable(
        "default_transaction_use_follower_reads",
        "off",
        "every answer would be about five seconds old, and a backup that has just started not in it",
        Series(21, 1),
    ),
    _variable(
        "disallow_full_table_scans", "off", "short lists would be refused as scans", Series(21, 1)
    ),
    _variable("transaction_rows_read_err", "0", "long lists would be refused", Series(21, 2)),
    _variable("transaction_timeout", "0", "it would cut answers short", Series(23, 1)),
)
"""What is read on every connection, and set where a role has it otherwise."""

UNDO: Final = {
    SET_READ_ONLY: Statement("reset_read_only", "SET default_transaction_read_only = DEFAULT"),
    **dict.fromkeys(
        SET_TIMEOUT.values(), Statement("reset_timeout", "SET statement_timeout = DEFAULT")
    ),
    SET_UNSAFE_INTERNALS: Statement("reset_unsafe_internals", "SET allow_unsafe_internals = DEFAULT"),
    **{variable.set: variable.reset for variable in VARIABLES},
}
"""What takes a setting back before the session is given up: it may be somebody else's too."""

# Session variables, asked by SHOW because SHOW passes the gate of 26.1 and later.
SHOW_SESSION_ID: Final = Statement("show_session_id", "SHOW session_id")
SHOW_READ_ONLY: Final = Statement("show_read_only", "SHOW default_transaction_read_only")
SHOW_TIMEOUT: Final = Statement("show_timeout", "SHOW statement_timeout")
SHOW_SUPERUSER: Final = Statement("show_superuser", "SHOW is_superuser")
SHOW_NODE_ID: Final = Statement("show_node_id", "SHOW node_id")
SHOW_VIRTUAL_CLUSTER: Final = Statement(
    "show_virtual_cluster", "SHOW virtual_cluster_name", since=Series(23, 2)
)
IDENTITY: Final = Statement("identity", "SELECT current_user, clock_timestamp()")
CLUSTER_ID: Final = Statement("cluster_id", "SELECT crdb_internal.cluster_id()")

# What this user may see. One statement each: an option that the server does not know is an error.
IS_ADMIN: Final = Statement("is_admin", "SELECT crdb_internal.is_admin()", before=Series(26, 1))
HAS_CONTROLJOB: Final = Statement(
    "has_controljob",
    "SELECT crdb_internal.has_role_option('CONTROLJOB')",
    since=Series(20, 2),
    before=Series(26, 1),
)
# Those two functions are gone on the newest releases (has_role_option from about 24.1). SHOW USERS
# tells both, to whoever may read system.users; an option is not inherited.
ROLE_OPTIONS: Final = Statement(
    "role_options",
    "SELECT options::TEXT AS options FROM [SHOW USERS] WHERE username = current_user",
    since=Series(24, 1),
)
# The very filter that crdb_internal.jobs has from v25.3. Nobody is `node`, so a yes is no accident.
CAN_VIEW_JOBS: Final = Statement(
    "can_view_jobs",
    "SELECT crdb_internal.can_view_job('node') AND crdb_internal.can_view_job('root')",
    since=Series(25, 3),
)
SYSTEM_GRANTS: Final = Statement(
    "system_grants",
    "SELECT DISTINCT privilege_type FROM [SHOW SYSTEM GRANTS] WHERE grantee = current_user"
    " OR grantee IN (SELECT role_name FROM information_schema.applicable_roles)",
    since=Series(22, 2),
)

# Nodes.
GOSSIP_LIVENESS: Final = Statement(
    "gossip_liveness",
    "SELECT node_id, epoch, expiration, draining, decommissioning, membership"
    " FROM crdb_internal.gossip_liveness",
    since=Series(20, 2),
)
GOSSIP_LIVENESS_20_1: Final = Statement(
    "gossip_liveness_20_1",
    "SELECT node_id, epoch, expiration, draining, decommissioning FROM crdb_internal.gossip_liveness",
    before=Series(20, 2),
)
KV_NODE_LIVENESS: Final = Statement(
    "kv_node_liveness",
    "SELECT node_id, epoch, expiration, draining, membership FROM crdb_internal.kv_node_liveness",
    since=Series(21, 1),
)
GOSSIP_NODES: Final = Statement(
    "gossip_nodes",
    "SELECT node_id, address, sql_address, locality, server_version, build_tag, started_at,"
    " is_live FROM crdb_internal.gossip_nodes",
)
KV_NODE_STATUS: Final = Statement(
    "kv_node_status",
    "SELECT node_id, address, locality, server_version, tag, started_at, updated_at"
    " FROM crdb_internal.kv_node_status",
)
# The metrics are numbers in JSON and print as 1E+1 for ten, hence the two casts.
KV_STORE_STATUS: Final = Statement(
    "kv_store_status",
    "SELECT node_id, store_id, capacity, available, used, range_count, lease_count,"
    " (metrics->>'ranges.unavailable')::DECIMAL::INT8 AS unavailable_ranges,"
    " (metrics->>'ranges.underreplicated')::DECIMAL::INT8 AS underreplicated_ranges"
    " FROM crdb_internal.kv_store_status",
)

# Settings. Of those that name accounts only whether they are set leaves the server.
ADVISORY_SETTINGS: Final = (
    "bulkio.restore.use_simple_import_spans",
    "changefeed.new_kafka_sink.enabled",
    "kv.gc.clear_range_min_keys",
    "server.oidc_authentication.client_id",
    "server.redact_sensitive_settings.enabled",
    "server.user_login.password_hashes.default_cost.scram_sha_256",
    "sql.defaults.vectorize",
    "sql.query_cache.enabled",
    "sql.trace.txn.enable_threshold",
)
"""Settings that decide whether an advisory of the catalog applies."""

SETTINGS: Final = (
    "version",
    "cluster.preserve_downgrade_option",
    "cluster.auto_upgrade.enabled",
    "bulkio.backup.experimental_21_2_mode.enabled",
    "diagnostics.reporting.enabled",
    "server.time_until_store_dead",
    # Conditions of advisories in the catalog.
    *ADVISORY_SETTINGS,
)
_VALUE: Final = (
    "CASE WHEN variable = 'server.oidc_authentication.client_id' AND value <> ''"
    " THEN '<set>' ELSE value END AS value"
)
_SETTING_LIST: Final = ", ".join(f"'{name}'" for name in SETTINGS)
CLUSTER_SETTINGS: Final = Statement(
    "cluster_settings",
    f"SELECT variable, value FROM crdb_internal.cluster_settings WHERE variable IN ({_SETTING_LIST})",
)
SHOW_CLUSTER_SETTINGS: Final = Statement(
    "show_cluster_settings",
    f"SELECT variable, value FROM [SHOW ALL CLUSTER SETTINGS] WHERE variable IN ({_SETTING_LIST})",
)
SHOW_VERSION: Final = Statement("show_version", "SHOW CLUSTER SETTING version")

# Jobs. Up to 22.2 crdb_internal.jobs decodes every payload in the table whatever the filter, so
# admins read system.jobs by its status index and decode the few rows that are left. Only the names
# of the payload's keys leave the server: they tell the type, the values can hold storage URIs.
_TERMINAL: Final = "('succeeded', 'failed', 'canceled', 'revert-failed')"
_PAYLOAD: Final = "crdb_internal.pb_to_json('cockroach.sql.jobs.jobspb.Payload', payload)"
_PROGRESS: Final = "crdb_internal.pb_to_json('cockroach.sql.jobs.jobspb.Progress', progress)"
# One CASE per key, not jsonb_object_keys: that is a join per row and doubles the cost.
PAYLOAD_KEYS: Final = (
    "backup",
    "restore",
    "schemaChange",
    "import",
    "changefeed",
    "createStats",
    "schemaChangeGC",
    "typeSchemaChange",
    "streamIngestion",
    "newSchemaChange",
    "migration",
    "autoSpanConfigReconciliation",
    "autoSQLStatsCompaction",
    "autoSqlStatsCompaction",
    "streamReplication",
    "rowLevelTtl",
    "rowLevelTTL",
    "schemaTelemetry",
)
"""Keys of a job's payload that tell its type, up to 22.2."""

_KEYS: Final = ", ".join(f"CASE WHEN p ? '{key}' THEN '{key}' END" for key in PAYLOAD_KEYS)
_DECODED: Final = (
    "SELECT id, status, created, created_by_type, created_by_id,"
    f" concat_ws(',', {_KEYS}) AS payload_keys,"
    " COALESCE(p->>'usernameProto', p->>'username') AS owner, p->>'finishedMicros' AS finished_micros,"
    " g->>'fractionCompleted' AS fraction_completed, g->>'runningStatus' AS running_status,"
    " CASE WHEN g IS NOT NULL THEN COALESCE(g->'highWater'->>'wallTime', '0') <> '0' END"
    " AS has_high_water"
    f" FROM (SELECT id, status, created, created_by_type, created_by_id, {_PAYLOAD} AS p,"
)
# NOT IN over the index reads all of it; the ranges between the terminal statuses, and the index
# named, read the few rows that are left, whatever their status is called.
_BETWEEN_TERMINAL: Final = (
    "(status < 'canceled' OR (status > 'canceled' AND status < 'failed')"
    " OR (status > 'failed' AND status < 'revert-failed')"
    " OR (status > 'revert-failed' AND status < 'succeeded') OR status > 'succeeded')"
)
ACTIVE_SYSTEM_JOBS: Final = Statement(
    "active_system_jobs",
    f"{_DECODED} {_PROGRESS} AS g FROM system.jobs@jobs_status_created_idx WHERE {_BETWEEN_TERMINAL})",
    since=Series(20, 2),
    before=Series(23, 1),
    admin=True,
    all_jobs=True,
)
_JOB_COLUMNS: Final = (
    "job_id, job_type, status, user_name, created, finished, running_status,"
    " fraction_completed, coordinator_id"
)
ACTIVE_JOBS: Final = Statement(
    "active_jobs",
    f"SELECT {_JOB_COLUMNS} FROM crdb_internal.jobs WHERE status NOT IN {_TERMINAL}",
    before=Series(23, 1),
    all_jobs=True,
)
# 23.1 to 24.x have a virtual index that serves lists of values and nothing else.
ACTIVE_JOBS_BY_STATUS: Final = Statement(
    "active_jobs_by_status",
    f"SELECT {_JOB_COLUMNS}, COALESCE(high_water_timestamp, 0) <> 0 AS has_high_water"
    " FROM crdb_internal.jobs"
    " WHERE status IN ('pending', 'running', 'paused', 'pause-requested', 'cancel-requested',"
    " 'reverting', 'retry-running', 'retry-reverting')",
    since=Series(23, 1),
    before=Series(25, 1),
    all_jobs=True,
)
ACTIVE_JOBS_25_1: Final = Statement(
    "active_jobs_25_1",
    f"SELECT {_JOB_COLUMNS} FROM crdb_internal.jobs WHERE status NOT IN {_TERMINAL}",
    since=Series(25, 1),
    all_jobs=True,
)
ACTIVE_SHOW_JOBS: Final = Statement(
    "active_show_jobs",
    f"SELECT {_JOB_COLUMNS} FROM [SHOW JOBS] WHERE status NOT IN {_TERMINAL}",
    since=Series(23, 1),
    all_jobs=True,
)

# The history: the newest finished jobs only, and of each schedule the newest ones, however many other
# jobs have ended since. Index scans find them (on status and created, on created_by_type and
# created_by_id); the rows themselves, which are wide up to 24.x, are read by key and decoded last.
# The hint keeps the planner from reading the whole table where it has no statistics.
HISTORY_LIMIT: Final = 200
_OF_A_SCHEDULE: Final = 20
_OF_ALL_SCHEDULES: Final = 400


def _newest(status: str) -> str:
    return (
        f"(SELECT id FROM system.jobs WHERE status = '{status}'"
        f" ORDER BY created DESC LIMIT {HISTORY_LIMIT})"
    )


# Ids of jobs grow with time.
_NEWEST_SCHEDULED: Final = (
    "(SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY created_by_id ORDER BY id DESC) AS nth"
    f" FROM system.jobs WHERE created_by_type = 'crdb_schedule' AND status IN {_TERMINAL}) AS scheduled"
    f" WHERE nth <= {_OF_A_SCHEDULE} ORDER BY id DESC LIMIT {_OF_ALL_SCHEDULES})"
)
HISTORY_SYSTEM_JOBS: Final = Statement(
    "history_system_jobs",
    f"{_DECODED} NULL::JSONB AS g FROM (SELECT j.id, j.status, j.created, j.created_by_type,"
    " j.created_by_id, j.payload FROM ("
    + " UNION ".join(
        (
            *(_newest(status) for status in ("succeeded", "failed", "canceled", "revert-failed")),
            _NEWEST_SCHEDULED,
        )
    )
    + ") AS newest INNER LOOKUP JOIN system.jobs AS j ON j.id = newest.id) AS jobs) AS decoded"
    " ORDER BY created DESC, id DESC",
    since=Series(20, 2),
    before=Series(23, 1),
    admin=True,
    all_jobs=True,
    limit=HISTORY_LIMIT,
    limit_per_status=True,
)


def _newest_by_type(columns: str) -> str:
    """Finished jobs of the types that guard asks about: the newest, and the newest of each schedule."""
    return (
        f"(SELECT {columns} FROM (SELECT {columns}, row_number() OVER (ORDER BY created DESC) AS nth,"
        " row_number() OVER (PARTITION BY created_by_type, created_by_id ORDER BY created DESC)"
        f" AS of_schedule FROM (SELECT {columns} FROM system.jobs"
        f" WHERE job_type IN ('BACKUP', 'RESTORE', 'MIGRATION') AND status IN {_TERMINAL}) AS finished"
        f") AS ranked WHERE nth <= {HISTORY_LIMIT}"
        f" OR (created_by_type = 'crdb_schedule' AND of_schedule <= {_OF_A_SCHEDULE})"
        f" ORDER BY created DESC LIMIT {HISTORY_LIMIT + _OF_ALL_SCHEDULES}) AS newest"
    )


# 25.1 and later keep who and when in the row itself.
HISTORY_25_1: Final = Statement(
    "history_25_1",
    "SELECT id AS job_id, job_type, status, owner AS user_name, created, finished, created_by_type,"
    " created_by_id FROM "
    + _newest_by_type("id, job_type, status, owner, created, finished, created_by_type, created_by_id"),
    since=Series(25, 1),
    all_jobs=True,
    limit=HISTORY_LIMIT,
)
# From 23.1 on payloads are in a table of their own, one row for each job under this key.
_INFO: Final = "crdb_internal.pb_to_json('cockroach.sql.jobs.jobspb.Payload', value)"
HISTORY_JOB_INFO: Final = Statement(
    "history_job_info",
    "SELECT job_id, job_type, status, COALESCE(p->>'usernameProto', p->>'username') AS user_name,"
    " created, p->>'finishedMicros' AS finished_micros, created_by_type, created_by_id"
    f" FROM (SELECT newest.id AS job_id, job_type, status, created, created_by_type, created_by_id,"
    f" {_INFO} AS p FROM "
    + _newest_by_type("id, job_type, status, created, created_by_type, created_by_id")
    + " LEFT LOOKUP JOIN system.job_info AS info"
    " ON info.job_id = newest.id AND info.info_key = 'legacy_payload') AS decoded"
    " ORDER BY created DESC, job_id DESC",
    since=Series(23, 1),
    all_jobs=True,
    limit=HISTORY_LIMIT,
)
# Where a payload cannot be decoded the two above and crdb_internal.jobs fail as a whole.
HISTORY_BY_TYPE: Final = Statement(
    "history_by_type",
    "SELECT id AS job_id, job_type, status, created, created_by_type, created_by_id FROM "
    + _newest_by_type("id, job_type, status, created, created_by_type, created_by_id"),
    since=Series(23, 1),
    all_jobs=True,
    limit=HISTORY_LIMIT,
)
HISTORY_JOBS_BY_TYPE: Final = Statement(
    "history_jobs_by_type",
    f"SELECT {_JOB_COLUMNS} FROM crdb_internal.jobs"
    f" WHERE job_type IN ('BACKUP', 'RESTORE', 'MIGRATION') AND status IN {_TERMINAL}"
    f" ORDER BY created DESC LIMIT {HISTORY_LIMIT}",
    since=Series(23, 1),
    all_jobs=True,
    limit=HISTORY_LIMIT,
)
# 20.1 has no cheap way; SHOW JOBS there keeps to the last 12 hours.
HISTORY_SHOW_JOBS: Final = Statement(
    "history_show_jobs",
    f"SELECT {_JOB_COLUMNS} FROM [SHOW JOBS] WHERE status IN {_TERMINAL}",
    all_jobs=True,
    limit=0,
)

# Schedules: an error without the privilege, never a silently filtered list. Their state can quote
# errors with storage URIs, so of it only the one sentence leaves the server that guard knows.
BACKUP_SCHEDULES: Final = Statement(
    "backup_schedules",
    "SELECT id, label, schedule_status, next_run, recurrence, owner,"
    " state = 'Waiting for initial backup to complete' AS waits_for_full"
    " FROM [SHOW SCHEDULES FOR BACKUP]",
    since=Series(20, 2),
)

# Health.
MIGRATIONS: Final = Statement(
    "migrations",
    "SELECT major, minor, patch, internal, completed_at FROM system.migrations"
    " ORDER BY completed_at DESC LIMIT 200",
    since=Series(21, 1),
)
# Events: when nodes joined, restarted and left, and when a cluster setting was changed. They outlive
# processes and jobs, so they tell when a cluster was of mixed versions. Of the text of an event, which
# can hold values, only a node's number and a setting's name leave the server. The log has no index but
# its time, so the newest rows of every kind are read and no more.
EVENT_TYPES: Final = (
    "node_join",
    "node_restart",
    "node_decommissioning",
    "node_decommissioned",
    "set_cluster_setting",
)
_EVENTS_LOOKED_AT: Final = 10_000
EVENTS_LIMIT: Final = 500
_EVENT_LIST: Final = ", ".join(f"'{name}'" for name in EVENT_TYPES)
EVENTS: Final = Statement(
    "events",
    'SELECT "timestamp", "eventType" AS event_type, "targetID" AS target_id,'
    ' "reportingID" AS reporting_id, oldest,'
    " regexp_extract(info, '\"TargetNodeID\":([0-9]+)') AS target_node_id,"
    " CASE WHEN \"eventType\" = 'set_cluster_setting'"
    ' THEN regexp_extract(info, \'"SettingName":"([a-z0-9_.]+)"\') END AS setting'
    ' FROM (SELECT "timestamp", "eventType", "targetID", "reportingID", info,'
    ' min("timestamp") OVER () AS oldest FROM (SELECT "timestamp", "eventType",'
    ' "targetID", "reportingID", info FROM system.eventlog'
    f' ORDER BY "timestamp" DESC LIMIT {_EVENTS_LOOKED_AT}) AS newest) AS log'
    f' WHERE "eventType" IN ({_EVENT_LIST}) ORDER BY "timestamp" DESC LIMIT {EVENTS_LIMIT}',
    limit=EVENTS_LIMIT,
    oldest="oldest",
)
# A report that nobody has rewritten for minutes is history, so its time comes with it.
_GENERATED: Final = "(SELECT generated FROM system.reports_meta WHERE id = report_id) AS generated"
REPLICATION_STATS: Final = Statement(
    "replication_stats",
    "SELECT zone_id, subzone_id, total_ranges, unavailable_ranges, under_replicated_ranges,"
    f" {_GENERATED} FROM system.replication_stats",
)
CRITICAL_LOCALITIES: Final = Statement(
    "critical_localities",
    f"SELECT zone_id, subzone_id, locality, at_risk_ranges, {_GENERATED}"
    " FROM system.replication_critical_localities",
)
# The replication factors in use, not the zones themselves. Zones of tables that the user may not see
# are left out without an error; the default zone and the system ranges are always there.
ZONE_REPLICAS: Final = Statement(
    "zone_replicas",
    "SELECT DISTINCT regexp_extract(full_config_yaml, 'num_replicas: ([0-9]+)') AS num_replicas,"
    " regexp_extract(full_config_yaml, 'num_voters: ([0-9]+)') AS num_voters"
    " FROM crdb_internal.zones",
)
LICENSE: Final = Statement(
    "license",
    "SELECT (SELECT value <> '' FROM crdb_internal.cluster_settings"
    " WHERE variable = 'enterprise.license') AS present,"
    " (SELECT max(value)::INT8 FROM crdb_internal.node_metrics WHERE name IN"
    " ('seconds_until_enterprise_license_expiry', 'seconds_until_license_expiry'))"
    " AS seconds_left",
)
# What the server refuses to finalize for. It looks at every descriptor then, as this does; the words
# about an object can quote it, and stay there.
INVALID_OBJECTS: Final = Statement(
    "invalid_objects",
    "SELECT id, concat_ws('.', database_name, schema_name, obj_name) AS name"
    ' FROM "".crdb_internal.invalid_objects LIMIT 100',
    since=Series(21, 1),
    limit=100,
)
VIRTUAL_CLUSTERS: Final = Statement(
    "virtual_clusters",
    "SELECT id, active FROM system.tenants ORDER BY id LIMIT 1000",
    since=Series(20, 2),
    limit=1000,
)
# v21.2 has no interleaved tables any more. Tables that the user may not see are left out.
INTERLEAVED_TABLES: Final = Statement(
    "interleaved_tables",
    'SELECT count(*) AS count FROM "".crdb_internal.create_statements'
    " WHERE create_statement LIKE '% INTERLEAVE IN PARENT %'",
    since=Series(20, 2),
    before=Series(21, 2),
    admin=True,
)

SECTIONS: Final[dict[str, tuple[Statement, ...]]] = {
    # Answered from the gateway's memory, even without quorum: first, so that they always answer.
    "gossip_liveness": (GOSSIP_LIVENESS, GOSSIP_LIVENESS_20_1),
    "gossip_nodes": (GOSSIP_NODES,),
    "settings": (CLUSTER_SETTINGS, SHOW_CLUSTER_SETTINGS),
    # Read from KV: these wait, up to statement_timeout each, when a system range is unavailable.
    "kv_node_liveness": (KV_NODE_LIVENESS,),
    "node_status": (KV_NODE_STATUS,),
    "kv_version": (SHOW_VERSION,),
    "active_jobs": (
        ACTIVE_SYSTEM_JOBS,
        ACTIVE_JOBS,
        ACTIVE_JOBS_BY_STATUS,
        ACTIVE_JOBS_25_1,
        ACTIVE_SHOW_JOBS,
    ),
    "schedules": (BACKUP_SCHEDULES,),
    "store_status": (KV_STORE_STATUS,),
    "job_history": (
        HISTORY_SYSTEM_JOBS,
        HISTORY_25_1,
        HISTORY_JOB_INFO,
        HISTORY_JOBS_BY_TYPE,
        HISTORY_BY_TYPE,
        HISTORY_SHOW_JOBS,
    ),
    "migrations": (MIGRATIONS,),
    "replication_stats": (REPLICATION_STATS,),
    "critical_localities": (CRITICAL_LOCALITIES,),
    "zone_replicas": (ZONE_REPLICAS,),
    "license": (LICENSE,),
    "events": (EVENTS,),
    "invalid_objects": (INVALID_OBJECTS,),
    "virtual_clusters": (VIRTUAL_CLUSTERS,),
    "interleaved_tables": (INTERLEAVED_TABLES,),
}
"""For each section of the snapshot, the statements that can fill it, best first.

The section ``features`` is filled from all of `FEATURES` that suit."""

PREPARATION: Final = (
    SHOW_SESSION_ID,
    SHOW_READ_ONLY,
    SHOW_TIMEOUT,
    IDENTITY,
    SHOW_SUPERUSER,
    SHOW_NODE_ID,
)
"""Asked on every connection before anything is set, in this order."""

PRIVILEGES: Final = (
    IS_ADMIN,
    HAS_CONTROLJOB,
    ROLE_OPTIONS,
    CAN_VIEW_JOBS,
    SYSTEM_GRANTS,
    CLUSTER_ID,
    SHOW_VIRTUAL_CLUSTER,
)
"""Who this user is and what the gateway says of itself, as far as its release can say it."""

ALL: Final[frozenset[str]] = frozenset(
    statement.sql
    for statement in (
        SET_READ_ONLY,
        *SET_TIMEOUT.values(),
        SET_UNSAFE_INTERNALS,
        *UNDO.values(),
        *(statement for v in VARIABLES for statement in (v.show, v.set, v.reset)),
        *PREPARATION,
        *PRIVILEGES,
        *(statement for candidates in SECTIONS.values() for statement in candidates),
        *(statement for candidates in CHANGE_SECTIONS.values() for statement in candidates),
        *FEATURES,
    )
)
"""The closed list: guard sends no text that is not in it."""
