"""Which step is the cluster at? Inferred from builds, cluster version and target, with the reason."""

from __future__ import annotations

import msgspec

from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.result import Step
from guard.versions import Build

__all__ = ["Inference", "infer_step", "infer_target", "named_target"]


class Inference(msgspec.Struct, frozen=True):
    """A step and why. AUTO means that it could not be told."""

    step: Step
    reason: str


def _list(builds: set[Build]) -> str:
    return ", ".join(str(build) for build in sorted(builds))


def named_target(cluster: Cluster, target: Build) -> Build:
    """The build that the caller means: the one named, or its custom twin that the nodes report.

    A node that reports ``v22.2.19-dirty`` or ``v22.2.19-64-g…`` runs the release that people call
    v22.2.19. Only where no node reports the very build that was named.
    """
    seen = {n.build for n in cluster.known_members if n.build is not None}
    if target in seen:
        return target
    return max((build for build in seen if build.goes_by(target)), default=target)


def infer_target(cluster: Cluster, step: Step) -> Build | None:
    """The build the cluster is moving to, when the caller named none.

    The newest build of the members; for a rollback the newest build of the active series that a
    member still runs. For the next node only where an upgrade is visibly under way: builds differ,
    or a series is ahead of the cluster version. None if the members are not known or none fits.
    """
    try:
        members, active = cluster.members, cluster.version.series
    except NotCollected:
        return None
    builds = {n.build for n in members if n.build is not None}
    if step is Step.START or not builds:
        return None
    newest = max(builds)
    if step is Step.ROLLBACK:
        return max((b for b in builds if b.series == active and b < newest), default=None)
    if step is Step.NEXT_NODE and len(builds) == 1 and newest.series == active:
        return None
    return newest


def infer_step(cluster: Cluster, target: Build | None, node_id: int | None = None) -> Inference:
    """Infer the step that comes next.

    Args:
        cluster: the cluster.
        target: the build the caller wants to reach, None if not said.
        node_id: the node the caller is about to restart, None if not said.
    """
    found = _infer(cluster, target)
    if node_id is None or found.step not in (Step.FINALIZE, Step.VERIFY):
        return found
    try:
        if cluster.version.migrating:
            return found
    except NotCollected:
        return found
    # Permission to verify must not pass for permission to restart that node.
    seen = found.reason.split(";")[0]
    if target is not None:
        return Inference(
            Step.NEXT_NODE, f"n{node_id} is about to be restarted on {target}, although {seen}"
        )
    return Inference(
        Step.AUTO,
        f"cannot tell: n{node_id} is about to be restarted, but {seen}, so nothing says on which "
        "build; add --target vX.Y.Z",
    )


def _infer(cluster: Cluster, target: Build | None) -> Inference:
    try:
        members, version = cluster.members, cluster.version
    except NotCollected as missing:
        return Inference(Step.AUTO, f"cannot tell: {missing.why.message}")
    known = {n.build for n in members if n.build is not None}
    if len(known) == 0 or any(n.build is None for n in members):
        unknown = ", ".join(n.name for n in members if n.build is None)
        return Inference(Step.AUTO, f"cannot tell: the build of {unknown} is unknown")
    newest = max(known)
    active = version.series
    if version.migrating:
        return Inference(Step.VERIFY, f"the cluster version is migrating ({version.active})")
    ahead = newest.series > active
    if target is not None:
        towards = _towards(target, known, newest, ahead)
        if towards is not None:
            return towards
    if {b.series for b in known} == {newest.series}:
        if ahead:
            return Inference(
                Step.FINALIZE,
                f"every node runs v{newest.series} and the cluster version is still {version.active}",
            )
        if len(known) == 1:
            return Inference(
                Step.VERIFY,
                f"every node runs {newest} and the cluster version is final"
                + ("" if target else "; give --target to ask about starting an upgrade"),
            )
    return Inference(Step.NEXT_NODE, f"nodes run {_list(known)}")


def _towards(target: Build, known: set[Build], newest: Build, ahead: bool) -> Inference | None:
    """What a named target tells; None if it is what every node runs."""
    if target < newest and target in known:
        return Inference(
            Step.ROLLBACK, f"the target {target} is older than {newest}, which a node runs"
        )
    if target < newest:
        return Inference(
            Step.AUTO,
            f"cannot tell: the target {target} is older than {newest}, which a node runs, and no node "
            f"runs {target}; a rollback to it is --step rollback, and a slip of the pen is more likely",
        )
    if target > newest and ahead and target.series == newest.series:
        return Inference(
            Step.NEXT_NODE, f"nodes run {_list(known)}, none of them {target}, and nothing is final"
        )
    if target > newest:
        return Inference(Step.START, f"no node runs the target {target} yet, but {_list(known)}")
    if len(known) > 1:
        return Inference(Step.NEXT_NODE, f"nodes run {_list(known)} and the target is {target}")
    return None
