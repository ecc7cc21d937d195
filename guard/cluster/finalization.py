"""What holds finalization back, what releases it, and what it waits for.

CockroachDB finalizes an upgrade by itself, seconds after the last member runs the new series, unless
``cluster.preserve_downgrade_option`` *equals* the cluster version (a value left over from an earlier
upgrade preserves nothing), or, from v23.2 on, ``cluster.auto_upgrade.enabled`` is false. A value of
the option, stale or not, makes ``SET CLUSTER SETTING version`` fail until it is reset.

Source: pkg/server/auto_upgrade.go; "Finalize a major-version upgrade manually" of the documentation;
`cannot upgrade to …: cluster.preserve_downgrade_option is set to …` seen on real servers.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec

from guard.cluster.liveness import dead_after
from guard.cluster.members import Node
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.snapshot.model import Reason, Unavailable
from guard.versions import Series

__all__ = [
    "AUTO",
    "PRESERVE",
    "Finalization",
    "Lingering",
    "finalize_by_hand",
    "keep_way_back",
    "release_kept",
]

PRESERVE: Final = "cluster.preserve_downgrade_option"
AUTO: Final = "cluster.auto_upgrade.enabled"
_AUTO_SINCE: Final = Series(23, 2)


def keep_way_back(source: Series) -> str:
    """The statement that keeps a cluster of this active series from finalizing by itself."""
    if source >= _AUTO_SINCE:
        return f"SET CLUSTER SETTING {AUTO} = false;"
    return f"SET CLUSTER SETTING {PRESERVE} = '{source}';"


def release_kept(source: Series, target: Series) -> str:
    """The statement that finalizes a cluster whose way back `keep_way_back` kept open."""
    if source >= _AUTO_SINCE:
        return finalize_by_hand(target)
    return f"RESET CLUSTER SETTING {PRESERVE};"


def finalize_by_hand(target: Series) -> str:
    """The statement that finalizes whatever the automatic way waits for."""
    return f"SET CLUSTER SETTING version = '{target}';"


class Lingering(msgspec.Struct, frozen=True):
    """A node that is no member, but for which automatic finalization waits.

    Attributes:
        until: when CockroachDB stops waiting for it, None for a status record without liveness
            record, for which it waits for ever.
    """

    node: Node
    until: dt.datetime | None


class Finalization(msgspec.Struct, frozen=True):
    """Whether the cluster would finalize by itself, and what lets it.

    Attributes:
        preserve: value of the downgrade option, empty if not set.
        auto: value of ``cluster.auto_upgrade.enabled``, None where the release has none.
        active: the cluster version as text.
        series: the active series.
    """

    preserve: str
    auto: str | None
    active: str
    series: Series
    lingering: tuple[Lingering, ...]

    @classmethod
    def of(cls, cluster: Cluster) -> Finalization:
        """Read it from the picture.

        Raises:
            NotCollected: the settings or the cluster version could not be read.
        """
        preserve = cluster.setting(PRESERVE)
        if preserve is None:  # every release has it
            raise NotCollected(
                "settings",
                Unavailable(reason=Reason.PRIVILEGE, message=f"the setting {PRESERVE} is hidden"),
            )
        version = cluster.version
        return cls(
            preserve=preserve,
            auto=cluster.setting(AUTO),
            active=version.active.text,
            series=version.series,
            lingering=_lingering(cluster),
        )

    @property
    def preserved(self) -> bool:
        """True if the downgrade option holds finalization back."""
        return self.preserve == self.active

    @property
    def stale(self) -> str:
        """A downgrade option that protects nothing: set, and not to the cluster version; else empty."""
        return self.preserve if self.preserve and not self.preserved else ""

    @property
    def switched_off(self) -> bool:
        """True if automatic finalization is switched off altogether."""
        return self.auto == "false"

    @property
    def by_itself(self) -> bool:
        """True if nothing keeps the cluster from finalizing once every member is new."""
        return not (self.preserved or self.switched_off)

    @property
    def keep(self) -> str:
        """The statement that keeps the way back open on this cluster."""
        if self.auto is None or self.series < _AUTO_SINCE:
            return f"SET CLUSTER SETTING {PRESERVE} = '{self.active}';"
        return keep_way_back(self.series)

    def release(self, target: Series | None) -> tuple[str, ...]:
        """The statements that finalize to `target`, in order; none if the cluster does it by itself.

        Where automatic finalization was switched off on purpose it stays off, and the version is
        set by hand; so it is where the automatic way would wait for ever.
        """
        if self.switched_off or (self.preserve and self.waits_for_ever):
            return self.by_hand(target)
        return (f"RESET CLUSTER SETTING {PRESERVE};",) if self.preserve else ()

    def by_hand(self, target: Series | None) -> tuple[str, ...]:
        """The statements that finalize whatever holds it or is waited for, in order.

        The option must be empty before the version is set.
        """
        return (
            *((f"RESET CLUSTER SETTING {PRESERVE};",) if self.preserve else ()),
            finalize_by_hand(target)
            if target is not None
            else "SET CLUSTER SETTING version = crdb_internal.node_executable_version();",
        )

    @property
    def waits_for_ever(self) -> bool:
        """True if the automatic way waits for a status record that nothing takes away."""
        return any(each.until is None for each in self.lingering)


def _lingering(cluster: Cluster) -> tuple[Lingering, ...]:
    """Status records that the server waits for although their nodes are no members.

    A node decommissioned under an older release and stopped leaves its record in kv_node_status, and
    until server.time_until_store_dead has passed CockroachDB takes it for a node of the old series.
    """
    patience = dead_after(cluster.snapshot)
    try:
        active = cluster.version.series
    except NotCollected:
        return ()
    found = [Lingering(node, None) for node in cluster.ghosts]
    for node in cluster.nodes:
        if node.membership != "decommissioned" or node.status_at is None or node.seen_until is None:
            continue
        until = node.seen_until + patience
        old = node.build is None or node.build.series <= active
        if old and until > cluster.now:
            found.append(Lingering(node, until))
    return tuple(found)
