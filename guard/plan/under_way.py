"""An upgrade that has begun and is not final: the first thing on every road from there.

Sources: "Finalize a major-version upgrade manually", "Roll back an upgrade" (possible until the
upgrade is finalized, and not while it is being finalized), the upgrade overview (no further major
upgrade before the last one is final).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guard.catalog.answers import Answer
from guard.plan.hop import Hop, describe_hop
from guard.plan.release import choose_release
from guard.versions import Build, Series

if TYPE_CHECKING:
    from guard.catalog.catalog import Catalog

__all__ = ["UnderWay", "finish", "refuse", "roll_back"]


class UnderWay(msgspec.Struct, frozen=True):
    """Where a cluster stands between two series.

    Attributes:
        source: series of the cluster version, which still holds.
        target: series it is on the way to.
        nodes: name and build of every node that counts.
        finalizing: the cluster version has begun to move: there is no way back any more.
        held: a setting keeps the cluster from finalizing on its own.
        release: SQL that lets it finalize, in this order.
    """

    source: Series
    target: Series
    nodes: tuple[tuple[str, Build], ...]
    finalizing: bool
    held: bool
    release: tuple[str, ...]

    @property
    def newest(self) -> Build | None:
        """The newest build of the target that a node runs; None if the version moved without any."""
        return max((b for _, b in self.nodes if b.series == self.target), default=None)

    @property
    def old(self) -> Build | None:
        """The newest build of the source that a node runs; None if every node was restarted."""
        return max((b for _, b in self.nodes if b.series == self.source), default=None)

    @property
    def ahead(self) -> tuple[str, ...]:
        """Nodes that run a newer series than the source."""
        return tuple(name for name, b in self.nodes if b.series > self.source)

    @property
    def between(self) -> tuple[str, ...]:
        """Nodes on a series between the two: somebody began another upgrade as well."""
        return tuple(name for name, b in self.nodes if self.source < b.series < self.target)

    @property
    def name(self) -> str:
        """Where it stands, in words."""
        builds = " and ".join(str(build) for build in sorted({build for _, build in self.nodes}))
        state = "moving on from" if self.finalizing else "at"
        return f"{builds} {state} cluster version {self.source}"


def refuse(begun: UnderWay, target: Build | Series) -> tuple[Answer, str] | None:
    """Why there is no way to a target from there, or None."""
    series = target if isinstance(target, Series) else target.series
    if series < begun.source or (series == begun.source and begun.finalizing):
        older = f"v{series} is older than v{begun.source}, the cluster version"
        moving = f"the finalization of v{begun.target} has begun, and ends the way back"
        why = moving if series == begun.source else older
        return Answer.NO, f"{why}: CockroachDB has no downgrade"
    if begun.source < series < begun.target:
        return Answer.NO, f"an upgrade to v{begun.target} is under way: finish it or roll it back first"
    newest = begun.newest if series == begun.target else None
    if isinstance(target, Build) and newest is not None and target.release < newest.release:
        return Answer.NO, f"{target} is older than {newest}, which a node runs"
    return None


def refuse_to_go_on(catalog: Catalog, begun: UnderWay) -> tuple[Answer, str] | None:
    """Why what has begun can only be taken back, as guard check says too.

    It is no supported hop, a node runs a testing release of the source, or a series that is skipped.
    """
    allowed = catalog.upgrade_allowed(begun.source, begun.target)
    if allowed.supported is Answer.NO:
        ahead = ", ".join(begun.ahead)
        return Answer.NO, (
            f"the upgrade to v{begun.target} that is under way cannot be finished: {allowed.reason}: "
            f"put {ahead} back on v{begun.source} first: guard check --step rollback"
        )
    testing = [(name, b) for name, b in begun.nodes if b.series == begun.source and b.is_prerelease]
    if testing:
        name, build = testing[0]
        best = catalog.newest_release(begun.source).build or f"v{begun.source}.Z"
        return Answer.NO, (
            f"{name} runs {build}, a testing release, which does not go straight to v{begun.target}: "
            f"put every node on {best} first: guard check --step rollback --target {best}"
        )
    between = begun.between
    if not between:
        return None
    names, verb = ", ".join(between), "runs" if len(between) == 1 else "run"
    return Answer.NO, (
        f"{names} {verb} neither v{begun.source} nor v{begun.target}, to which the upgrade is under "
        f"way: put {names} back on v{begun.source} first: guard check --step rollback"
    )


def roll_back(begun: UnderWay, target: Build | Series) -> str:
    """How to get back to the series that the cluster comes from."""
    build = target if isinstance(target, Build) else begun.old
    to = str(build) if build is not None else f"the v{begun.source} release it came from"
    ahead = begun.ahead
    where = "every node" if len(ahead) == len(begun.nodes) else ", ".join(ahead)
    option = str(build) if build is not None else f"v{begun.source}.Z"
    return (
        f"the upgrade to v{begun.target} is not final, so this is its way back: put {where} back on "
        f"{to}, each after guard check --step rollback --target {option}"
    )


def finish(catalog: Catalog, begun: UnderWay, target: Build | Series) -> Hop:
    """The hop that finishes what has begun, with the build that runs or a newer one asked for."""
    build = begun.newest
    chosen: tuple[str, ...] = ("a node runs it already",)
    if isinstance(target, Build) and target.series == begun.target and target != build:
        picked = choose_release(catalog, begun.source, begun.target, asked=target)
        build, chosen = picked if picked is not None else (target, ())
    if build is None:
        picked = choose_release(catalog, begun.source, begun.target)
        if picked is None:
            raise ValueError(f"v{begun.target} has no release")
        build, chosen = picked
    hop = describe_hop(
        catalog,
        begun.source,
        begun.target,
        begun.old or begun.newest,
        build,
        chosen,
        first=True,
        under_way=True,
    )
    left = tuple(name for name, each in begun.nodes if each != build)
    return msgspec.structs.replace(
        hop,
        state="finalizing" if begun.finalizing else "rolling" if left else "not-final",
        nodes_left=() if begun.finalizing else left,
        keep_way_back=() if begun.held or begun.finalizing or not left else hop.keep_way_back,
        finalize=() if begun.finalizing else begun.release,
    )
