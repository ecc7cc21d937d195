"""Build snapshots for tests: a healthy cluster by default, and every part of it can be changed.

``snapshot(nodes=[node(1, "v21.1.11"), node(2, "v21.2.0")], jobs=[job()])`` is a mixed cluster with a
backup running, seen by root.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from guard.connector import change_statements
from guard.snapshot import model
from guard.snapshot.model import Collected, Reason, Snapshot, Unavailable
from guard.versions import Build, VersionError

__all__ = [
    "FEATURES",
    "NOW",
    "collected",
    "features",
    "job",
    "node",
    "put",
    "schedule",
    "set_settings",
    "snapshot",
    "unavailable",
]

NOW = dt.datetime(2026, 11, 22, 2, 0, 0, tzinfo=dt.UTC)
"""The cluster's clock in every built snapshot."""


def minutes(number: float) -> dt.timedelta:
    return dt.timedelta(minutes=number)


TEN_HOURS_AGO = NOW - minutes(600)
FOUR_MINUTES_AGO = NOW - minutes(4)
IN_TEN_MINUTES = NOW + minutes(10)


def collected(*rows: Any, statement: str = "built", truncated: bool = False) -> Collected[Any]:
    """A collected section."""
    return Collected(rows=rows, read_at=NOW, statement=statement, truncated=truncated)


def unavailable(
    reason: Reason = Reason.PRIVILEGE,
    message: str = "not for this user",
    sqlstate: str | None = "42501",
) -> Unavailable:
    """A section nobody could read."""
    return Unavailable(reason=reason, message=message, sqlstate=sqlstate, remedy=("GRANT it;",))


@dataclass(frozen=True)
class Node:
    """A node and the rows that each table holds of it (None: the table does not know it)."""

    liveness: model.LivenessRow | None
    gossip: model.GossipNodeRow | None
    status: model.NodeStatusRow | None
    store: model.StoreStatusRow | None


def node(
    node_id: int,
    build: str = "v21.1.11",
    *,
    state: str = "live",
    membership: str | None = "active",
    server_version: str | None = None,
    started: dt.datetime | None = TEN_HOURS_AGO,
    tables: Sequence[str] = ("liveness", "gossip", "status", "store"),
    **store: Any,
) -> Node:
    """A node. `state`: live, draining, suspect (down for 1 min) or dead (down for 1 h)."""
    expired = {"live": -0.1, "draining": -0.1, "suspect": 1.0, "dead": 60.0}[state]
    down = state in ("suspect", "dead")
    version = server_version
    if version is None:
        try:
            version = str(Build.parse(build).series)
        except VersionError:
            version = ""
    liveness = model.LivenessRow(
        node_id=node_id,
        epoch=1,
        expiration=NOW - minutes(expired),
        draining=state == "draining",
        decommissioning=membership in ("decommissioning", "decommissioned"),
        membership=membership,
    )
    gossip = model.GossipNodeRow(
        node_id=node_id,
        address=f"10.0.0.{node_id}:26257",
        sql_address=f"10.0.0.{node_id}:26257",
        locality="region=local",
        server_version=version,
        build_tag=build,
        started_at=started,
        is_live=not down,
    )
    status = model.NodeStatusRow(
        node_id=node_id,
        address=f"10.0.0.{node_id}:26257",
        locality="region=local",
        server_version=version,
        build_tag=build,
        started_at=started,
        updated_at=NOW - (minutes(expired) if down else dt.timedelta(seconds=5)),
    )
    store_row = model.StoreStatusRow(
        **{
            "node_id": node_id,
            "store_id": node_id,
            "capacity": 1_000_000,
            "available": 800_000,
            "used": 100_000,
            "range_count": 60,
            "lease_count": 20,
            "unavailable_ranges": 0,
            "underreplicated_ranges": 0,
        }
        | store
    )
    return Node(
        liveness if "liveness" in tables else None,
        gossip if "gossip" in tables else None,
        status if "status" in tables else None,
        store_row if "store" in tables else None,
    )


def job(
    job_id: int = 1001,
    job_type: str | None = "BACKUP",
    status: str = "running",
    *,
    created: dt.datetime | None = FOUR_MINUTES_AGO,
    finished: dt.datetime | None = None,
    owner: str | None = "root",
    schedule_id: int | None = None,
) -> model.JobRow:
    """A job."""
    return model.JobRow(
        job_id=job_id,
        job_type=job_type,
        status=status,
        owner=owner,
        created=created,
        finished=finished,
        running_status=None,
        fraction_completed=None,
        schedule_id=schedule_id,
        coordinator_id=None,
    )


def schedule(
    schedule_id: int = 501,
    next_run: dt.datetime | None = IN_TEN_MINUTES,
    label: str = "nightly",
    recurrence: str = "@hourly",
) -> model.ScheduleRow:
    """A BACKUP schedule; paused with ``next_run=None``."""
    return model.ScheduleRow(
        schedule_id=schedule_id,
        label=label,
        status="PAUSED" if next_run is None else "ACTIVE",
        next_run=next_run,
        recurrence=recurrence,
        owner="root",
    )


FEATURES: dict[str, tuple[str, ...]] = {
    "changefeed_features": tuple(change_statements.CHANGEFEED_FEATURES),
    "recent_job_features": tuple(change_statements.RECENT_JOB_FEATURES),
    "schedule_features": tuple(change_statements.SCHEDULE_FEATURES),
    "descriptor_features": tuple(change_statements.DESCRIPTOR_FEATURES),
    "node_features": tuple(change_statements.NODE_FEATURES),
    "role_features": tuple(change_statements.ROLE_FEATURES),
    "role_default_features": tuple(change_statements.ROLE_DEFAULT_FEATURES),
    "statement_features": tuple(change_statements.STATEMENT_FEATURES),
    "object_count": ("over-20000",),
}
"""What each section that only some hops need looks for."""


def features(
    section: str, found: Mapping[str, tuple[str, ...]] | None = None, *, truncated: bool = False
) -> Collected[Any]:
    """Such a section: nothing found but what is named, with its ids (``{"cdc-prev": ("17",)}``)."""
    named = dict(found or {})
    assert set(named) <= set(FEATURES[section]), named
    row = model.FeaturesRow(
        read=max([10, *map(len, named.values())]),
        found={name: len(named.get(name, ())) for name in FEATURES[section]},
        items=named,
    )
    return collected(row, truncated=truncated)


def set_settings(**values: str | None) -> Collected[Any]:
    """The settings that somebody has set; ``__`` stands for a dot."""
    named = {"version": None} | {name.replace("__", "."): value for name, value in values.items()}
    return collected(*(model.SetSettingRow(name=name, value=value) for name, value in named.items()))


def three(build: str = "v21.1.11") -> list[Node]:
    """Three healthy nodes of one build."""
    return [node(1, build), node(2, build), node(3, build)]


def snapshot(
    nodes: Sequence[Node] | None = None,
    *,
    version: str = "21.1",
    kv_version: str | None = None,
    settings: Mapping[str, str] | None = None,
    jobs: Sequence[model.JobRow] = (),
    history: Sequence[model.JobRow] = (),
    history_truncated: bool = False,
    schedules: Sequence[model.ScheduleRow] = (),
    gateway: str = "v21.1.11",
    host: str = "127.0.0.1",
    tls: str = "off",
    admin: bool = True,
    user: str = "root",
    privileges: Sequence[model.PrivilegeRow] = (),
    **sections: Any,
) -> Snapshot:
    """A snapshot of a healthy cluster, changed as asked; `put` gives it whole sections."""
    members = list(nodes) if nodes is not None else three()
    all_settings = {
        "version": version,
        "cluster.preserve_downgrade_option": "",
        "diagnostics.reporting.enabled": "true",
    } | dict(settings or {})
    liveness = [n.liveness for n in members if n.liveness]
    built: dict[str, Any] = {
        "identity": collected(model.IdentityRow(user=user, cluster_time=NOW)),
        "variables": collected(
            model.VariableRow(name="node_id", value="1"),
            model.VariableRow(name="cluster_id", value="00000000-0000-4000-8000-000000000001"),
        ),
        "privileges": collected(
            model.PrivilegeRow(kind="admin", name="admin", granted=admin), *privileges
        ),
        "gossip_liveness": collected(*liveness),
        "kv_node_liveness": collected(*liveness),
        "gossip_nodes": collected(*(n.gossip for n in members if n.gossip)),
        "node_status": collected(*(n.status for n in members if n.status)),
        "store_status": collected(*(n.store for n in members if n.store)),
        "settings": collected(*(model.SettingRow(name=k, value=v) for k, v in all_settings.items())),
        "kv_version": collected(model.KvVersionRow(version=kv_version or version)),
        "active_jobs": collected(*jobs),
        "job_history": collected(*history, truncated=history_truncated),
        "schedules": collected(*schedules),
        "migrations": collected(),
        "replication_stats": collected(),
        "critical_localities": collected(),
        "zone_replicas": collected(
            model.ZoneReplicasRow(num_replicas=3, num_voters=None),
            model.ZoneReplicasRow(num_replicas=5, num_voters=None),
        ),
        "license": collected(model.LicenseRow(present=False, kind=None, seconds_left=0)),
        "features": collected(),
        "events": collected(),
        "invalid_objects": collected(),
        "virtual_clusters": collected(),
        "interleaved_tables": collected(model.CountRow(count=0)),
        "set_settings": set_settings(),
    } | {section: features(section) for section in FEATURES}
    return Snapshot(
        schema_version="1",
        guard_version="test",
        taken_at=NOW,
        connection=model.Connection(
            host=host,
            port=26257,
            server=f"CockroachDB CCL {gateway} (x86_64-pc-linux-gnu)",
            build=gateway,
            tls=tls,
        ),
        **(built | sections),
    )


def put(seen: Snapshot, **sections: Any) -> Snapshot:
    """The same snapshot with whole sections replaced."""
    return msgspec.structs.replace(seen, **sections)
