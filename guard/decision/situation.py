"""What a check is given: the cluster, the step, the hop, and nothing that can change."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guard.cluster.members import Node
from guard.cluster.picture import Cluster
from guard.decision.result import Step
from guard.versions import Build, Series

if TYPE_CHECKING:
    from guard.catalog.catalog import Catalog
    from guard.decision.policy.rules import Thresholds

__all__ = ["Situation"]


@dataclass(frozen=True, slots=True)
class Situation:
    """One question: may `step` go ahead on `cluster`?

    Attributes:
        step: never AUTO.
        target: the build being moved to; None where there is none or it could not be inferred.
        node_id: the node about to be restarted, if the caller named it.
        window: how far ahead a scheduled backup counts as due.
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

    def as_finalize(self) -> Situation:
        """The same question for the finalization that this restart sets off."""
        return replace(self, step=Step.FINALIZE, finalizing=True)

    @property
    def is_patch(self) -> bool:
        """True if the target belongs to the series that is active. Raises `NotCollected`."""
        return self.target is not None and self.target.series == self.cluster.active_series

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
        builds = [n.build for n in self.cluster.members if n.build is not None]
        if self.target is not None:
            builds.append(self.target)
        return any(b.series == target for b in builds)

    @property
    def old_nodes(self) -> tuple[Node, ...]:
        """Members that still have to be restarted on the target. Raises `NotCollected`."""
        if self.target is None:
            return ()
        if self.is_patch:
            return tuple(n for n in self.cluster.members if n.build is None or n.build < self.target)
        return tuple(
            n for n in self.cluster.members if n.build is None or n.build.series < self.target.series
        )
