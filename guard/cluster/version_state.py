"""The cluster version: what the gateway has in memory and what KV has stored."""

from __future__ import annotations

from typing import Final

import msgspec

from guard.cluster.missing import NotCollected
from guard.snapshot.model import Reason, Snapshot, Unavailable
from guard.versions import ClusterVersion, Series, VersionError

__all__ = ["VERSION_HIDDEN", "VersionState", "version_state"]

VERSION_HIDDEN: Final = Unavailable(
    reason=Reason.PRIVILEGE,
    message="the setting 'version' is hidden from this user",
)
"""MODIFYCLUSTERSETTING alone sees sql.defaults.* only, without an error."""


class VersionState(msgspec.Struct, frozen=True):
    """The cluster version: what the gateway has in memory and what KV has.

    Attributes:
        active: the version that counts.
        migrating: True while an upgrade of the cluster version is under way.
        detail: why it is thought to be migrating although `active` looks final; else empty.
    """

    active: ClusterVersion
    migrating: bool
    detail: str = ""

    @property
    def series(self) -> Series:
        """The series that is active."""
        return self.active.series


def version_state(snapshot: Snapshot) -> VersionState | NotCollected:
    """The version that counts, or why it could not be read."""
    if isinstance(snapshot.settings, Unavailable):
        return NotCollected("settings", snapshot.settings)
    memory = next((row.value for row in snapshot.settings.rows if row.name == "version"), None)
    if memory is None:
        return NotCollected("settings", VERSION_HIDDEN)
    try:
        active = ClusterVersion.parse(memory)
    except VersionError as error:
        return NotCollected("settings", Unavailable(reason=Reason.MALFORMED, message=str(error)))
    if not active.is_final:
        return VersionState(active, migrating=True)
    if isinstance(snapshot.kv_version, Unavailable):
        return NotCollected("kv_version", snapshot.kv_version)
    if len(snapshot.kv_version.rows) != 1:
        return NotCollected(
            "kv_version", Unavailable(reason=Reason.MALFORMED, message="not exactly one version")
        )
    stored = snapshot.kv_version.rows[0].version
    if stored == memory:
        return VersionState(active, migrating=False)
    try:
        persisted = ClusterVersion.parse(stored)
    except VersionError as error:
        return NotCollected("kv_version", Unavailable(reason=Reason.MALFORMED, message=str(error)))
    return VersionState(
        persisted,
        migrating=True,
        detail=f"the gateway has {memory} in memory while the cluster has stored {stored}",
    )
