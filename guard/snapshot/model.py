"""What guard saw of a cluster, as plain data.

A `Snapshot` is made of sections. Every section is either `Collected`, rows and the time they were
read, or `Unavailable`, the reason why nobody could look and what to grant or set. "Could not look"
is a type of its own and never an empty list.

Rows keep the server's own words: times are UTC, texts are untrusted, an absent value is None. They
hold no passwords, no license, no storage URI and no job description, because the statements that
fill them do not ask for those.
"""

# Annotations are evaluated here: msgspec would else compile each of them anew at every start.

import datetime as dt
import ipaddress
from enum import StrEnum
from typing import Annotated, Final, Generic, Literal, TypeVar

import msgspec

__all__ = [
    "PASSING",
    "SCHEMA_VERSION",
    "Collected",
    "Connection",
    "Count",
    "CountRow",
    "CriticalLocalityRow",
    "EventRow",
    "FeatureRow",
    "FeaturesRow",
    "GossipNodeRow",
    "HostAttempt",
    "IdentityRow",
    "InvalidObjectRow",
    "JobRow",
    "KvVersionRow",
    "LicenseRow",
    "LivenessRow",
    "MigrationRow",
    "NodeStatusRow",
    "PrivilegeRow",
    "Reason",
    "ReplicationStatsRow",
    "ScheduleRow",
    "Section",
    "SetSettingRow",
    "SettingRow",
    "Snapshot",
    "StoreStatusRow",
    "Time",
    "Unavailable",
    "VariableRow",
    "VirtualClusterRow",
    "ZoneReplicasRow",
]

SCHEMA_VERSION: Final = "1"


Time = Annotated[dt.datetime, msgspec.Meta(tz=True)]
"""A moment with its offset: without one it could not be compared with the others."""


Count = Annotated[int, msgspec.Meta(ge=0)]
"""A size or a number of things: a negative one would hide those of other nodes in a sum."""


class Reason(StrEnum):
    """Why a section could not be collected."""

    PRIVILEGE = "privilege"
    UNSAFE_INTERNALS = "unsafe-internals"
    VIRTUAL_CLUSTER = "virtual-cluster"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    NOT_IN_THIS_VERSION = "not-in-this-version"
    MALFORMED = "malformed"
    ERROR = "error"
    NOT_ASKED = "not-asked"


PASSING: Final = (Reason.CONNECTION, Reason.TIMEOUT)
"""Reasons for not seeing that another look may not meet: a gateway that restarts, a slow range."""


class _Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything in a snapshot: immutable, no unknown keys."""


RowT = TypeVar("RowT")


class Collected(_Struct, Generic[RowT], frozen=True, tag_field="state", tag="collected"):
    """Rows as one statement returned them.

    Attributes:
        rows: the rows; may be empty, which is good news only if the user was allowed to see all.
        read_at: guard's clock when the answer had arrived, UTC.
        statement: name of the statement in `guard.connector.statements`.
        truncated: True if the statement's LIMIT was reached, so that older rows were not looked at.
        complete_since: from then on no row is missing, as far as the statement's limits go. None if
            they cut nothing off, or if it is not known (with `truncated`, and in older snapshots).
    """

    rows: tuple[RowT, ...]
    read_at: Time
    statement: str
    truncated: bool = False
    complete_since: Time | None = None


class Unavailable(_Struct, frozen=True, tag_field="state", tag="unavailable"):
    """A section nobody could look at, with the server's reason and the way to cure it."""

    reason: Reason
    message: str
    sqlstate: str | None = None
    remedy: tuple[str, ...] = ()


Section = Collected[RowT] | Unavailable

_NOT_ASKED: Final = Unavailable(
    reason=Reason.NOT_ASKED,
    message="this snapshot does not hold it",
    remedy=("Look again with this guard: guard collect -o FILE",),
)


class HostAttempt(_Struct, frozen=True):
    """One connection attempt: where, and how it failed (None: it answered)."""

    host: str
    port: int
    error: str | None = None


class Connection(_Struct, frozen=True, tag_field="state", tag="connected"):
    """How guard reached the cluster.

    `build` is the gateway's build tag as announced at connect, None when it announced none.
    `tls`: "verify-full" and the like as libpq's sslmode says, "off" without encryption.
    `address`: the IP address behind the host's name; None for a Unix socket and in older files.
    `source`: "debug-zip" if nobody connected and the file of ``cockroach debug zip`` was read instead.
    """

    host: str
    port: int
    server: str
    build: str | None
    tls: str
    attempts: tuple[HostAttempt, ...] = ()
    address: str | None = None
    source: Literal["sql", "debug-zip"] = "sql"

    @property
    def where(self) -> str:
        """What was looked through, for reports."""
        return self.host if self.source == "debug-zip" else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """True if the connection did not leave this machine: a Unix socket or loopback.

        The address counts, if there is one: a name says nothing about where it leads.
        """
        return stays_here(self.host, self.address)


def stays_here(host: str, address: str | None) -> bool:
    """True if a connection to a host, or to an address behind its name, does not leave this machine."""
    if address is None and (host.startswith(("/", "@")) or host == "localhost"):
        return True
    try:
        return ipaddress.ip_address(address or host).is_loopback
    except ValueError:
        return False


class IdentityRow(_Struct, frozen=True):
    """Who guard is on the cluster, and the cluster's own clock."""

    user: str
    cluster_time: Time


class VariableRow(_Struct, frozen=True):
    """A session variable or a cluster-wide constant, by name."""

    name: str
    value: str


class PrivilegeRow(_Struct, frozen=True):
    """A proof of sight: ``admin``, a role option (``CONTROLJOB``) or a system privilege.

    `kind` is "admin", "role-option", "system", "function" (what a function of the server said), or
    "whole-table" if the server handed out that table, which it never filters.
    """

    kind: Literal["admin", "role-option", "system", "function", "whole-table"]
    name: str
    granted: bool


class LivenessRow(_Struct, frozen=True):
    """A node's liveness record. `expiration` is None if the server printed something unreadable.

    `membership` is None where the server has no such column (20.1); `decommissioning` is None where
    the table does not carry it (kv_node_liveness).
    """

    node_id: int
    epoch: int | None
    expiration: Time | None
    draining: bool | None
    decommissioning: bool | None
    membership: str | None


class GossipNodeRow(_Struct, frozen=True):
    """A node descriptor as gossip knows it at the gateway; may be hours old."""

    node_id: int
    address: str | None
    sql_address: str | None
    locality: str | None
    server_version: str | None
    build_tag: str | None
    started_at: Time | None
    is_live: bool | None


class NodeStatusRow(_Struct, frozen=True):
    """A node's status record in KV, rewritten by the node every 10 s; stays when the node dies."""

    node_id: int
    address: str | None
    locality: str | None
    server_version: str | None
    build_tag: str | None
    started_at: Time | None
    updated_at: Time | None


class StoreStatusRow(_Struct, frozen=True):
    """A store's status record in KV. Sizes in bytes, range counts as numbers, None if not given."""

    node_id: int
    store_id: int
    capacity: Count | None
    available: Count | None
    used: Count | None
    range_count: Count | None
    lease_count: Count | None
    unavailable_ranges: Count | None
    underreplicated_ranges: Count | None


class SettingRow(_Struct, frozen=True):
    """A cluster setting that guard reads."""

    name: str
    value: str | None


class KvVersionRow(_Struct, frozen=True):
    """The cluster version as KV has it (``SHOW CLUSTER SETTING version``)."""

    version: str


class JobRow(_Struct, frozen=True):
    """A job. `job_type` is None when the server could not tell; `schedule_id` when not scheduled.

    `has_high_water`: it has a high-water mark (a changefeed past its initial scan); None if unknown.
    """

    job_id: int
    job_type: str | None
    status: str
    owner: str | None
    created: Time | None
    finished: Time | None
    running_status: str | None
    fraction_completed: float | None
    schedule_id: int | None
    coordinator_id: int | None
    has_high_water: bool | None = None


class ScheduleRow(_Struct, frozen=True):
    """A BACKUP schedule. Paused when `next_run` is None.

    `waits_for_full`: it is paused until its first full backup has succeeded, and then starts by
    itself. None in older snapshots.
    """

    schedule_id: int
    label: str | None
    status: str | None
    next_run: Time | None
    recurrence: str | None
    owner: str | None
    waits_for_full: bool | None = None


class MigrationRow(_Struct, frozen=True):
    """A completed upgrade migration (system.migrations, 21.1 and later)."""

    major: int
    minor: int
    patch: int
    internal: int
    completed_at: Time | None


class ReplicationStatsRow(_Struct, frozen=True):
    """One line of the replication reports, rewritten about once a minute, at `generated`."""

    zone_id: int
    subzone_id: int
    total_ranges: Count
    unavailable_ranges: Count
    under_replicated_ranges: Count
    generated: Time | None = None


class CriticalLocalityRow(_Struct, frozen=True):
    """Ranges that would lose quorum with the locality, from the replication reports."""

    zone_id: int
    subzone_id: int
    locality: str
    at_risk_ranges: Count
    generated: Time | None = None


class ZoneReplicasRow(_Struct, frozen=True):
    """A replication factor that some zone asks for. `num_voters` is None where all replicas vote."""

    num_replicas: Count
    num_voters: Count | None


class LicenseRow(_Struct, frozen=True):
    """What guard may know of the license: never the key itself.

    `present`: a license is set. `seconds_left`: until expiry, None if the server has no such
    metric; zero or negative when expired or when there is none.
    """

    present: bool
    kind: str | None
    seconds_left: int | None


class FeatureRow(_Struct, frozen=True):
    """Whether the cluster has what an advisory asks about, by the advisory's name for it.

    `used` is None where nobody could tell, and `why` says why. `count` is how many there are, None
    if they were not counted.
    """

    name: str
    used: bool | None
    count: Count | None = None
    why: str = ""


class EventRow(_Struct, frozen=True):
    """An event of the cluster's log (system.eventlog): what happened to a node or a setting, and when.

    Attributes:
        time: when it happened, by the clock of the node that reported it.
        event_type: ``node_join``, ``node_restart``, ``node_decommissioning``, ``node_decommissioned``
            or ``set_cluster_setting`` (RESET is one, too).
        node_id: the node it happened to; None for a setting.
        reporting_node_id: the node that wrote it down.
        setting: the name of the setting, never its value; None if the text does not tell it.
    """

    time: Time
    event_type: str
    node_id: int | None
    reporting_node_id: int | None
    setting: str | None = None


class SetSettingRow(_Struct, frozen=True):
    """A cluster setting that somebody has set. `value` only for switches that guard asks about."""

    name: str
    value: str | None = None


class FeaturesRow(_Struct, frozen=True):
    """What a statement found among the things it has read: the only row of its section.

    `read`: how many things were read. `found`: how many of them have each feature that was looked
    for; a feature that is not named was not looked for. `items`: ids of those, or names of roles, as
    many as a report shows. No text of theirs is here: the predicates ran on the server.
    """

    read: Count
    found: dict[str, Count]
    items: dict[str, tuple[str, ...]] = {}


class InvalidObjectRow(_Struct, frozen=True):
    """An object whose descriptor the server finds invalid; its own words about it are not read."""

    object_id: int
    name: str | None


class VirtualClusterRow(_Struct, frozen=True):
    """A virtual cluster of the storage cluster; number 1 is the system virtual cluster itself."""

    virtual_cluster_id: int
    active: bool | None


class CountRow(_Struct, frozen=True):
    """How many there are of what a section is about."""

    count: Count


class Snapshot(_Struct, frozen=True):
    """One look at a cluster through one gateway.

    Attributes:
        schema_version: version of this format, "1".
        guard_version: the guard that took it.
        taken_at: guard's clock at the end of the look, UTC.
        connection: how the cluster was reached, or why it was not.
    """

    schema_version: str
    guard_version: str
    taken_at: Time
    connection: Connection | Unavailable
    identity: Section[IdentityRow] = _NOT_ASKED
    variables: Section[VariableRow] = _NOT_ASKED
    privileges: Section[PrivilegeRow] = _NOT_ASKED
    gossip_liveness: Section[LivenessRow] = _NOT_ASKED
    kv_node_liveness: Section[LivenessRow] = _NOT_ASKED
    gossip_nodes: Section[GossipNodeRow] = _NOT_ASKED
    node_status: Section[NodeStatusRow] = _NOT_ASKED
    store_status: Section[StoreStatusRow] = _NOT_ASKED
    settings: Section[SettingRow] = _NOT_ASKED
    kv_version: Section[KvVersionRow] = _NOT_ASKED
    active_jobs: Section[JobRow] = _NOT_ASKED
    job_history: Section[JobRow] = _NOT_ASKED
    schedules: Section[ScheduleRow] = _NOT_ASKED
    migrations: Section[MigrationRow] = _NOT_ASKED
    replication_stats: Section[ReplicationStatsRow] = _NOT_ASKED
    critical_localities: Section[CriticalLocalityRow] = _NOT_ASKED
    zone_replicas: Section[ZoneReplicasRow] = _NOT_ASKED
    license: Section[LicenseRow] = _NOT_ASKED
    features: Section[FeatureRow] = _NOT_ASKED
    events: Section[EventRow] = _NOT_ASKED
    # What only some hops need: asked for by `guard changes` and by the check `changes`.
    set_settings: Section[SetSettingRow] = _NOT_ASKED
    changefeed_features: Section[FeaturesRow] = _NOT_ASKED
    recent_job_features: Section[FeaturesRow] = _NOT_ASKED
    schedule_features: Section[FeaturesRow] = _NOT_ASKED
    descriptor_features: Section[FeaturesRow] = _NOT_ASKED
    node_features: Section[FeaturesRow] = _NOT_ASKED
    role_features: Section[FeaturesRow] = _NOT_ASKED
    role_default_features: Section[FeaturesRow] = _NOT_ASKED
    statement_features: Section[FeaturesRow] = _NOT_ASKED
    object_count: Section[FeaturesRow] = _NOT_ASKED
    invalid_objects: Section[InvalidObjectRow] = _NOT_ASKED
    virtual_clusters: Section[VirtualClusterRow] = _NOT_ASKED
    interleaved_tables: Section[CountRow] = _NOT_ASKED
