"""What a check is given: the cluster, the step, the hop, and nothing that can change."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from guard.decision.cluster import Cluster, Node, NotCollected
from guard.decision.result import Step
from guard.snapshot.model import JobRow, Reason, ScheduleRow, Snapshot, Unavailable
from guard.versions import Build, Series

if TYPE_CHECKING:
    from guard.catalog.catalog import Catalog
    from guard.decision.policy import Thresholds

__all__ = ["Situation"]


_ASK_A_NEWER_NODE = Unavailable(
    reason=Reason.NOT_IN_THIS_VERSION,
    message="this gateway is too old to know backup schedules, and a newer node may run one",
    remedy=("Ask through a node on v20.2: --url",),
)


@dataclass(frozen=True, slots=True)
class Situation:
    """One question: may `step` go ahead on `cluster`?

    Attributes:
        step: never AUTO.
        target: the build being moved to; None where there is none or it could not be inferred.
        node_id: the node about to be restarted, if the caller named it.
        window: how far ahead a scheduled backup counts as due.
        now: the cluster's clock; all ages are computed from it.
        finalizing: True while judging what finalizing would do although the step is another one,
            because this restart will make the cluster finalize by itself.
    """

    cluster: Cluster
    step: Step
    target: Build | None
    node_id: int | None
    window: dt.timedelta
    thresholds: Thresholds
    catalog: Catalog
    finalizing: bool = False

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot behind the cluster."""
        return self.cluster.snapshot

    @property
    def now(self) -> dt.datetime:
        """The cluster's clock when the snapshot was taken."""
        return self.cluster.cluster_time

    def as_finalize(self) -> Situation:
        """The same question for the finalization that this restart sets off."""
        return replace(self, step=Step.FINALIZE, finalizing=True)

    def rows(self, section: str) -> tuple[Any, ...]:
        """Rows of a section. Raises `NotCollected`."""
        return self.cluster.rows(section)

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
        from guard.decision.sight import jobs_problem

        problem = jobs_problem(self.cluster)
        if problem is not None:
            raise NotCollected("active_jobs", problem)

    @property
    def members(self) -> tuple[Node, ...]:
        """All member nodes. Raises `NotCollected`."""
        return self.cluster.members

    @property
    def active_series(self) -> Series:
        """The active series. Raises `NotCollected`."""
        return self.cluster.version.series

    @property
    def is_patch(self) -> bool:
        """True if the target belongs to the series that is active. Raises `NotCollected`."""
        return self.target is not None and self.target.series == self.active_series

    def is_hop(self, source: Series, target: Series) -> bool:
        """True while the cluster moves, or is about to move, from one series to another.

        That is: the cluster version is not yet final on `target`, it comes from `source`, and the
        target or a member node is on `target`. Raises `NotCollected`.
        """
        version = self.cluster.version
        if version.active.is_final and not version.migrating:
            if version.series != source:
                return False
        elif version.series not in (source, target):
            return False
        builds = [n.build for n in self.members if n.build is not None]
        if self.target is not None:
            builds.append(self.target)
        return any(b.series == target for b in builds)

    @property
    def old_nodes(self) -> tuple[Node, ...]:
        """Members that still have to be restarted on the target. Raises `NotCollected`."""
        if self.target is None:
            return ()
        if self.is_patch:
            return tuple(n for n in self.members if n.build is None or n.build < self.target)
        return tuple(n for n in self.members if n.build is None or n.build.series < self.target.series)
