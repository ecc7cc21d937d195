"""The cluster's settings, its version as KV has it, and its license as far as guard may know it."""

from __future__ import annotations

from typing import Final

import msgspec

from guard.connector.change_statements import READ_VALUES
from guard.connector.rows import PARSERS, MalformedRow
from guard.connector.statements import SETTINGS
from guard.debugzip import stored_version
from guard.debugzip.errors import Unreadable, as_unavailable
from guard.debugzip.gateway import Gateway
from guard.debugzip.tables import Tables
from guard.snapshot.model import KvVersionRow, LicenseRow, SetSettingRow, SettingRow
from guard.versions import ClusterVersion, VersionError

__all__ = ["kv_version", "license_row", "set_settings", "settings"]

_TABLE: Final = "crdb_internal.cluster_settings"
_REDACTED: Final = "<redacted>"
_PRESERVE: Final = "cluster.preserve_downgrade_option"
_ACCOUNT: Final = "server.oidc_authentication.client_id"
_EXPIRY: Final = ("seconds_until_enterprise_license_expiry", "seconds_until_license_expiry")
_GOSSIP_BYTES: Final = 256 * 1024 * 1024


def settings(tables: Tables) -> tuple[SettingRow, ...]:
    """The settings that guard asks for, as the gateway had them in memory.

    ``--redact`` hides texts that differ from their defaults. The option that preserves the way back
    is still known then: the server lets it be set to the active version only, and lets the version
    not move while it is set.

    Raises:
        Unreadable: the table cannot be read.
    """
    found = {
        row["variable"]: row["value"]
        for row in tables.rows(_TABLE, ("variable", "value"))
        if row["variable"] in SETTINGS
    }
    if found.get(_ACCOUNT):
        found[_ACCOUNT] = "<set>"  # which account it is does not matter
    if found.get(_PRESERVE) == _REDACTED and _is_final(found.get("version")):
        found[_PRESERVE] = found["version"]
    return tuple(SettingRow(name=name, value=value) for name, value in found.items() if name)


def set_settings(tables: Tables) -> tuple[SetSettingRow, ...]:
    """The settings that somebody has set, by name; the values of a few switches and no others.

    Raises:
        Unreadable: the table cannot be read.
    """
    return tuple(
        SetSettingRow(name=name, value=row["value"] if name in READ_VALUES else None)
        for row in tables.rows("system.settings", ("name", "value"))
        if (name := row["name"])
    )


def _is_final(version: str | None) -> bool:
    try:
        return ClusterVersion.parse(version or "").is_final
    except VersionError:
        return False


class _RawValue(msgspec.Struct):
    raw_bytes: str = ""


class _Info(msgspec.Struct):
    value: _RawValue = msgspec.field(default_factory=_RawValue)


class _Infos(msgspec.Struct):
    system: _Info | None = msgspec.field(name="system-db", default=None)


class _Gossip(msgspec.Struct):
    infos: _Infos = msgspec.field(default_factory=_Infos)


def kv_version(tables: Tables, gateway: Gateway) -> tuple[KvVersionRow, ...]:
    """The cluster version as KV has stored it: one row.

    Raises:
        Unreadable: neither the table nor gossip has it.
    """
    try:
        stored = [
            row["value"] or ""
            for row in tables.rows("system.settings", ("name", "value"))
            if row["name"] == "version"
        ]
        version = stored_version.from_setting(stored[0]) if len(stored) == 1 else None
        if version is None:
            raise as_unavailable("system.settings", "it holds no version that can be read")
        return (KvVersionRow(version=version),)
    except Unreadable as missing:
        version = _in_gossip(tables, gateway)
        if version is None:
            raise missing from None
        return (KvVersionRow(version=version),)


def _in_gossip(tables: Tables, gateway: Gateway) -> str | None:
    for node in gateway.first(tables.layout.nodes):
        name = tables.layout.file("gossip.json", node)
        if name not in tables.archive:
            continue
        try:
            gossip = msgspec.json.decode(tables.archive.read(name, _GOSSIP_BYTES), type=_Gossip)
        except (Unreadable, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        if gossip.infos.system is not None:
            return stored_version.from_gossip(gossip.infos.system.value.raw_bytes)
    return None


def license_row(tables: Tables, gateway: Gateway) -> tuple[LicenseRow, ...]:
    """Whether there is a license and how long it is good for: one row, never the key itself.

    Raises:
        Unreadable: the settings cannot be read.
        MalformedRow: the setting is not among them, or the time is no number.
    """
    present = None
    for row in tables.rows(_TABLE, ("variable", "value")):
        if row["variable"] == "enterprise.license":
            present = "t" if row["value"] else "f"
    if present is None:
        raise MalformedRow("enterprise.license is not among the settings")
    left = _seconds_left(tables, gateway)
    return (PARSERS["license"]({"present": present, "seconds_left": left}),)


def _seconds_left(tables: Tables, gateway: Gateway) -> str | None:
    for node in gateway.first(tables.layout.nodes):
        try:
            for row in tables.rows("crdb_internal.node_metrics", ("name", "value"), node=node):
                if row["name"] in _EXPIRY:
                    return row["value"]
        except Unreadable:
            continue
        return None
    return None
