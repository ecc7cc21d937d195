"""What a user needs to fill each section of a snapshot, release by release.

Source: pkg/sql/crdb_internal.go and show_cluster_setting.go of the releases, release notes of
v20.2, v22.1.0-alpha.2 (#76012), v22.2, v23.1.0-alpha.5 (#96382) and v23.1.12 (#111131).
"""

from __future__ import annotations

from typing import Final

from guard.versions import Build, Series

__all__ = ["grant_for", "grants", "quoted"]

_NODES: Final = frozenset(
    {
        "gossip_liveness",
        "kv_node_liveness",
        "gossip_nodes",
        "node_status",
        "store_status",
        "license",
        "node_features",
    }
)
_SETTINGS: Final = frozenset({"settings", "kv_version"})
_JOBS: Final = frozenset({"active_jobs", "job_history", "changefeed_features", "recent_job_features"})
_SYSTEM_TABLES: Final = frozenset(
    {
        "schedules",
        "migrations",
        "replication_stats",
        "critical_localities",
        "features",
        "events",
        "set_settings",
        "schedule_features",
        "descriptor_features",
        "role_features",
        "role_default_features",
        "statement_features",
        "object_count",
        "virtual_clusters",
    }
)


def quoted(user: str) -> str:
    """The user as an SQL identifier."""
    return '"' + user.replace('"', '""') + '"'


def grant_for(section: str, gateway: Build | None, user: str) -> str:
    """The narrowest statement that lets a user fill a section on that release.

    Args:
        section: name of a section of the snapshot.
        gateway: the gateway's build; None (unknown) asks for the admin role, which always works.
        user: the SQL user.
    """
    name = quoted(user)
    admin = f"GRANT admin TO {name};"
    if gateway is None:
        return admin
    cluster_metadata = gateway >= Build(23, 1, 12)
    if section in _NODES and cluster_metadata:
        return f"GRANT SYSTEM VIEWCLUSTERMETADATA TO {name};"
    if section in _SETTINGS:
        if gateway.series >= Series(22, 2):
            return f"GRANT SYSTEM VIEWCLUSTERSETTING TO {name};"
        if gateway.series == Series(22, 1) and not gateway.is_prerelease:
            return f"ALTER ROLE {name} VIEWCLUSTERSETTING;"
    if section in _JOBS and gateway.series >= Series(23, 1):
        return f"GRANT SYSTEM VIEWJOB TO {name};"
    if section in _SYSTEM_TABLES and gateway >= Build(23, 1, 11):
        return f"GRANT SYSTEM VIEWSYSTEMTABLE TO {name};"
    return admin


def grants(gateway: Build | None, user: str) -> tuple[str, ...]:
    """Every statement needed for full sight on that release, without repetition."""
    wanted = sorted(_NODES) + sorted(_SETTINGS) + sorted(_JOBS) + sorted(_SYSTEM_TABLES)
    needed = dict.fromkeys(grant_for(section, gateway, user) for section in wanted)
    admin = f"GRANT admin TO {quoted(user)};"
    return (admin,) if admin in needed else tuple(needed)
