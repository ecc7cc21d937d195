"""The cluster as one picture, without a step or a question.

Properties raise `NotCollected` where sight is missing, so that a rule that needs what nobody could
look at becomes unknown and never good news.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any, Final

import msgspec

from guard.cluster.contradiction import contradiction
from guard.cluster.job_sight import jobs_problem
from guard.cluster.liveness import Liveness
from guard.cluster.members import Node, draw_nodes, gateway_build, nodes_missing
from guard.cluster.missing import NotCollected
from guard.cluster.version_state import VERSION_HIDDEN, VersionState, version_state
from guard.snapshot.model import Collected, JobRow, Reason, ScheduleRow, Snapshot, Unavailable
from guard.versions import Build, Series

__all__ = ["Cluster"]

_ASK_A_NEWER_NODE = Unavailable(
    reason=Reason.NOT_IN_THIS_VERSION,
    message="this gateway is too old to know backup schedules, and a newer node may run one",
    remedy=("Ask through a node on v20.2: --url",),
)


_NO_MEMBERS: Final = frozenset({"decommissioned", "ghost"})
_LONG_SETTLED: Final = dt.timedelta(hours=1)
_RECORD_LASTS: Final = dt.timedelta(seconds=9)


class Cluster(msgspec.Struct, frozen=True, dict=True):
    """Everything rules ask of a snapshot.

    Attributes:
        now: the cluster's clock when the snapshot was taken; all ages are computed from it.
        nodes: every node that some table knows, decommissioned ones included.
        restarted: in a picture of what will be, the node whose restart made it, as it was before.
    """

    snapshot: Snapshot
    now: dt.datetime
    nodes: tuple[Node, ...]
    _nodes_missing: NotCollected | None
    _version: VersionState | NotCollected
    restarted: Node | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Cluster:
        """Draw the picture. Never raises: what is missing raises when a check asks for it."""
        now = snapshot.taken_at
        if isinstance(snapshot.identity, Collected) and snapshot.identity.rows:
            now = snapshot.identity.rows[0].cluster_time
        return cls(
            snapshot=snapshot,
            now=now,
            nodes=draw_nodes(snapshot, now),
            _nodes_missing=nodes_missing(snapshot),
            _version=version_state(snapshot),
        )

    def rows(self, section: str) -> tuple[Any, ...]:
        """The rows of a section.

        Raises:
            NotCollected: it could not be collected.
        """
        collected = getattr(self.snapshot, section)
        if isinstance(collected, Unavailable):
            raise NotCollected(section, collected)
        rows: tuple[Any, ...] = collected.rows
        torn = contradiction(section, collected)
        if torn is not None:
            raise torn
        return rows

    @property
    def members(self) -> tuple[Node, ...]:
        """All nodes that count: everything but decommissioned.

        Raises:
            NotCollected: the node tables could not be read, or were empty.
        """
        if self._nodes_missing is not None:
            raise self._nodes_missing
        return self.known_members

    @cached_property
    def known_members(self) -> tuple[Node, ...]:
        """The member nodes that were seen, whether or not all could be; for display."""
        return tuple(n for n in self.nodes if n.membership not in _NO_MEMBERS)

    @property
    def ghosts(self) -> tuple[Node, ...]:
        """Status records without a liveness record: left behind by nodes that are gone."""
        return tuple(n for n in self.nodes if n.membership == "ghost")

    def after_restart(self, node_id: int | None, target: Build) -> Cluster:
        """The same picture once a node has been restarted on `target` and has settled.

        Without `node_id` it is the only member that does not run the target's side yet; where there
        is none, or several, nothing is replaced.
        """
        node = self._about_to_restart(node_id, target)
        if node is None:
            return self
        settled = msgspec.structs.replace(
            node,
            build=target,
            build_tag=str(target),
            doubt="",
            server_version=str(target.series),
            liveness=Liveness.LIVE,
            started_at=self.now - _LONG_SETTLED,
            status_at=self.now,
            seen_until=self.now + _RECORD_LASTS,
            fresh=True,
            ahead=dt.timedelta(),
        )
        nodes = tuple(settled if n is node else n for n in self.nodes)
        return msgspec.structs.replace(self, nodes=nodes, restarted=node)

    def _about_to_restart(self, node_id: int | None, target: Build) -> Node | None:
        known = self.known_members
        if node_id is not None:
            return next((n for n in known if n.node_id == node_id), None)
        old = [n for n in known if n.build is None or n.build.series < target.series]
        return old[0] if len(old) == 1 else None

    @property
    def version(self) -> VersionState:
        """The cluster version.

        Raises:
            NotCollected: it could not be read.
        """
        if isinstance(self._version, NotCollected):
            raise self._version
        return self._version

    def setting(self, name: str) -> str | None:
        """A cluster setting's value, None if this release does not have it.

        Raises:
            NotCollected: the settings, or this user's full sight of them, are missing.
        """
        rows = self.rows("settings")
        if not any(row.name == "version" for row in rows):
            raise NotCollected("settings", VERSION_HIDDEN)
        return next((row.value for row in rows if row.name == name), None)

    @property
    def mixed(self) -> bool | None:
        """True if the members seen do not all run the same build; None if the nodes were not seen."""
        if self._nodes_missing is not None:
            return None
        return len({n.build or n.build_tag for n in self.known_members}) > 1

    @property
    def gateway(self) -> Build | None:
        """The gateway's build, None if unknown."""
        return gateway_build(self.snapshot)

    @property
    def active_series(self) -> Series:
        """The active series. Raises `NotCollected`."""
        return self.version.series

    @property
    def active_jobs(self) -> tuple[JobRow, ...]:
        """All jobs in a non-terminal status, provably all of them. Raises `NotCollected`."""
        self._prove_job_sight()
        return self.rows("active_jobs")

    @property
    def job_history(self) -> tuple[JobRow, ...]:
        """Finished jobs, newest first, as far back as was looked. Raises `NotCollected`."""
        self._prove_job_sight()
        return self.rows("job_history")

    @property
    def schedules(self) -> tuple[ScheduleRow, ...]:
        """All BACKUP schedules. Raises `NotCollected`."""
        section = self.snapshot.schedules
        if isinstance(section, Unavailable) and section.reason is Reason.NOT_IN_THIS_VERSION:
            if all(n.build is not None and n.build.series < Series(20, 2) for n in self.members):
                return ()  # schedules came with 20.2; before it there are none
            raise NotCollected("schedules", _ASK_A_NEWER_NODE)
        return self.rows("schedules")

    def _prove_job_sight(self) -> None:
        problem = jobs_problem(self.snapshot)
        if problem is not None:
            raise NotCollected("active_jobs", problem)
