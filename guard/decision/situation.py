"""What a check is given: the cluster, the step, the hop, and nothing that can change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from guard.cluster.hop import Hop, hop_of, restart_finalizes
from guard.cluster.members import Node
from guard.cluster.picture import Cluster
from guard.cluster.replication import never_enough
from guard.decision.phrases import counted, listed
from guard.decision.result import Step
from guard.versions import Build, Series

if TYPE_CHECKING:
    from guard.catalog.catalog import Catalog
    from guard.decision.policy.rules import Thresholds

__all__ = ["Situation"]

_OLD_CLI: Final = Series(21, 2)
_NEW_CLI: Final = Series(22, 1)
_INTERNALS_SHUT: Final = Series(26, 1)


class Situation(msgspec.Struct, frozen=True, dict=True):
    """One question: may `step` go ahead on `cluster`?

    Attributes:
        step: never AUTO.
        target: the build being moved to; None where there is none or it could not be inferred.
        node_id: the node about to be restarted, if the caller named it.
        window: how far ahead a scheduled backup counts as due.
    """

    cluster: Cluster
    step: Step
    target: Build | None
    node_id: int | None
    window: dt.timedelta
    thresholds: Thresholds
    catalog: Catalog

    @cached_property  # every advisory asks for it, of every node
    def hop(self) -> Hop | None:
        """The hop to the target, None without a target. Raises `NotCollected`."""
        return None if self.target is None else hop_of(self.cluster, self.target)

    @cached_property  # the remedy of several advisories
    def better_release(self) -> Build | None:
        """The release of the target's series that the catalog would choose, if it is a newer one.

        Raises `NotCollected`.
        """
        from guard.plan.release import choose_release  # only a remedy needs it

        target = self.target
        if target is None or target.series not in self.catalog.series:
            return None
        source = self.cluster.active_series
        chosen = choose_release(self.catalog, source, target.series, floor=target)
        return chosen[0] if chosen is not None and chosen[0] > target else None

    @property
    def is_patch(self) -> bool:
        """True if the target belongs to the series that is active. Raises `NotCollected`."""
        return self.target is not None and self.target.series == self.cluster.active_series

    @property
    def opens(self) -> bool:
        """True if this is the first restart of the upgrade, whatever it is called.

        What is judged of the target at `start` must not be missed by beginning with next-node.
        Raises `NotCollected`.
        """
        if self.step is Step.NEXT_NODE and self.hop is not None:
            return not self.hop.begun
        return self.step is Step.START

    @property
    def brings_in(self) -> bool:
        """True if this restart is the first on the target: another patch of the new series than the
        one that the upgrade was begun with has not been judged at `start`. Raises `NotCollected`.
        """
        if self.step is not Step.NEXT_NODE:
            return self.opens
        return self.target is not None and all(n.build != self.target for n in self.cluster.members)

    @property
    def finalizes(self) -> bool:
        """True if what is asked for is a restart that lets the cluster finalize by itself.

        That is the last old node of a major upgrade, at `start` the only node of a cluster.
        Raises `NotCollected`.
        """
        if self.step is Step.START and len(self.cluster.members) != 1:
            return False
        return self.step in (Step.START, Step.NEXT_NODE) and restart_finalizes(
            self.cluster, self.target, self.node_id
        )

    def as_finalize(self) -> Situation:
        """The question of finalizing, put to the cluster as it will be after this restart."""
        after = self.cluster
        if self.target is not None:
            after = after.after_restart(self.node_id, self.target)
        return msgspec.structs.replace(self, step=Step.FINALIZE, cluster=after, node_id=None)

    def internals(self, statement: str) -> str:
        """A statement over internal tables, after the one without which v26.1 and later refuse it."""
        builds = (n.build for n in self.cluster.known_members)
        shut = any(build is not None and build.series >= _INTERNALS_SHUT for build in builds)
        return f"SET allow_unsafe_internals = on; {statement}" if shut else statement

    def decommission(self, nodes: Iterable[Node], when: str = "If gone for good") -> str:
        """The remedy for nodes that are gone for good, all of them in one command, after `when`.

        Where the nodes that stay could not hold the copies that zones ask for, a decommission never
        ends, and would block as half-way itself: a new node comes first. While v21.2 and v22.1 are
        mixed the command must be that of the old binary: the new one drains the node that it talks
        to (cockroach#85455).
        """
        going = tuple(nodes)
        ids = " ".join(str(node.node_id) for node in going)
        builds = {n.build.series for n in self.cluster.known_members if n.build is not None}
        old = f", with the v{_OLD_CLI} binary" if {_OLD_CLI, _NEW_CLI} <= builds else ""
        staying = sum(n.membership == "active" and n not in going for n in self.cluster.known_members)
        first = (
            f", after a new node has joined ({counted(staying, 'node')} cannot hold the copies that "
            "zones ask for)"
            if never_enough(self.cluster, staying)
            else ""
        )
        return f"{when}{first}{old}: cockroach node decommission {ids}"

    def finish_decommissioning(self, nodes: Iterable[Node]) -> str:
        """The remedy for nodes that are half-way through decommissioning, in one command."""
        going = tuple(nodes)
        return self.decommission(
            going, f"Finish the decommissioning of {listed(node.name for node in going)}"
        )
