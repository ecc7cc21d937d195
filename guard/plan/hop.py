"""One hop of a plan: what comes before it, what counts during it, what it costs afterwards.

Sources: "Disable auto-finalization" (`cluster.auto_upgrade.enabled` since v23.2,
`cluster.preserve_downgrade_option` before), "Finalize a major-version upgrade manually", "Restoring
Backups Across Versions" (what stays restorable, when to archive a binary), the upgrade pages of
v19.1 to v24.1 (start from a production release), "Ensure you have a valid license key" (major
upgrades to v24.3 and later).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from guard.catalog import releases, restore
from guard.catalog.answers import Answer, ReleaseStatus
from guard.catalog.bites import Bite, in_target, on_edges
from guard.catalog.edges import edges_of, prepares
from guard.catalog.records import Advisory, Condition, Edge
from guard.cluster.finalization import keep_way_back, release_kept
from guard.plan.release import choose_release
from guard.versions import Build, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.catalog import Catalog

__all__ = ["Hop", "OnTheWay", "Preparation", "describe_hop"]

_LICENSE_SINCE: Final = Series(24, 3)


class OnTheWay(msgspec.Struct, frozen=True):
    """An advisory that counts during a hop, and why.

    `edge` is None if it merely affects the release installed; `lasting` is True if it affects what
    the cluster runs before as well, so that the hop changes nothing about it. `conditions` must hold
    for it to bite.
    """

    advisory: Advisory
    edge: Edge | None
    lasting: bool
    affected: Answer
    reason: str
    conditions: tuple[Condition, ...] = ()


class Preparation(msgspec.Struct, frozen=True):
    """A patch upgrade within the old series that must come before the hop.

    `advisories` count on it, as those of a hop do; empty if it is not known what the cluster runs.
    """

    build: Build
    reason: str
    advisories: tuple[OnTheWay, ...] = ()


class Hop(msgspec.Struct, frozen=True):
    """One upgrade: from one series to another, or a patch upgrade within a series.

    Attributes:
        source: series the cluster is on, final.
        target: series it is on afterwards, final.
        build: the release to install, the best one unless a good one was asked for.
        skips: series left out.
        reasons: why this hop and this release.
        before: patch upgrades within `source` that come first.
        advisories: advisories that count on this hop although `build` was chosen well.
        keep_way_back: SQL that keeps the cluster from finalizing on its own.
        finalize: SQL that ends the hop; nothing for a patch upgrade.
        restorable: series whose backups can be restored after the hop.
        lost: series whose backups could be restored before and cannot afterwards.
        archive: what to archive before the hop, in words.
        state: "to-come", or how far a hop that has begun is: "rolling", "not-final" (every node is
            there, the cluster version is not), "finalizing".
        nodes_left: of a hop that has begun, the nodes that do not run `build` yet.
    """

    source: Series
    target: Series
    build: Build
    skips: tuple[Series, ...]
    reasons: tuple[str, ...]
    before: tuple[Preparation, ...]
    advisories: tuple[OnTheWay, ...]
    keep_way_back: tuple[str, ...]
    finalize: tuple[str, ...]
    restorable: tuple[Series, ...]
    lost: tuple[Series, ...]
    archive: tuple[str, ...]
    state: str = "to-come"
    nodes_left: tuple[str, ...] = ()


def describe_hop(
    catalog: Catalog,
    source: Series,
    target: Series,
    here: Build | None,
    build: Build,
    chosen: tuple[str, ...],
    *,
    first: bool,
    under_way: bool = False,
) -> Hop:
    """Describe the upgrade from `source` (running `here`, None if unknown) to `build`.

    Args:
        catalog: the catalog.
        source: series the cluster is on.
        target: series of `build`.
        here: what it runs, None if only the series is known.
        build: the release to install.
        chosen: why that release.
        first: this is the plan's first hop, so that `here` is the cluster's own build.
        under_way: nodes of `target` run already, so that nothing can come before the hop any more.
    """
    answer = catalog.upgrade_allowed(source, target)
    major = source != target
    before = _preparation(catalog, source, target, here) if major and not under_way else None
    ready = before.build if before is not None else here
    status = catalog.release(build)
    reasons = [answer.reason, *chosen]
    if status.status is ReleaseStatus.TESTING:
        reasons.append(f"{status.reason}, not meant for production")
    if status.status is ReleaseStatus.PRODUCTION_BY_TAG:
        reasons.append(status.reason)
    missing = catalog.advisories_missing(build)
    if missing and status.known:
        reasons.append(missing)
    if first and here is not None and catalog.advisories_missing(here):
        reasons.append(f"not every advisory on {here} is known: {catalog.advisories_missing(here)}")
    if major and target >= _LICENSE_SINCE:
        reasons.append(f"an upgrade to v{target} needs a valid license key in the cluster")
    was = restore.restorable_backups(catalog.series, source)
    now = restore.restorable_backups(catalog.series, target)
    lost = tuple(series for series in was if series not in now)
    return Hop(
        source=source,
        target=target,
        build=build,
        skips=answer.skips,
        reasons=tuple(reasons),
        before=() if before is None else (before,),
        advisories=tuple(_on_the_way(catalog, source, ready, build)),
        keep_way_back=(keep_way_back(source),) if major else (),
        finalize=(release_kept(source, target),) if major else (),
        restorable=now,
        lost=lost,
        archive=tuple(
            f"a cockroach v{series} binary beside v{series} backups that must stay usable: after "
            f"this hop they can no longer be restored here"
            for series in lost
        ),
    )


def _preparation(
    catalog: Catalog, source: Series, target: Series, here: Build | None
) -> Preparation | None:
    """Say whether the old series must be patched first, and why.

    It must when the running build is a testing release, when an advisory that blocks this very edge
    affects it and is repaired in the same series, or when the edge's mitigation is a setting that
    only a later build of the series has. So must it when it is the running build that a hazard of
    this edge needs.
    """
    record = catalog.series.get(source)
    good = [] if record is None else releases.installable(record)
    better = [build for build, _ in good if here is None or build > here]
    if not better:
        return None
    chosen = choose_release(catalog, source, source, floor=here)
    best = chosen[0] if chosen is not None and chosen[0] in better else better[0]
    reasons: list[str] = []
    if here is not None and here.is_prerelease:
        reasons.append("a major upgrade starts from a production release")
    for advisory in catalog.advisories.values():
        if not any(prepares(advisory, edge) for edge in edges_of(advisory, source, target)):
            continue
        needed = [
            Build.parse(tag)
            for setting in advisory.mitigation.settings
            for tag in setting.since
            if Build.parse(tag).series == source
        ]
        if needed and (here is None or here < min(needed)):
            reasons.append(f"{advisory.id}: its workaround needs {min(needed)} or later")
        elif here is not None and _repaired(catalog, advisory, here, best):
            reasons.append(f"{advisory.id} affects {here} and is repaired in {best}")
    if not reasons:
        return None
    met = () if here is None else tuple(_on_the_way(catalog, source, here, best))
    return Preparation(best, "; ".join(reasons), met)


def _repaired(catalog: Catalog, advisory: Advisory, old: Build, new: Build) -> bool:
    before, after = catalog.affects(advisory, old), catalog.affects(advisory, new)
    return before.affected is Answer.YES and after.affected is Answer.NO


def _on_the_way(
    catalog: Catalog, source: Series, here: Build | None, build: Build
) -> Iterator[OnTheWay]:
    """Yield the advisories that count on a hop: on its edge, or in the release it leads to.

    They are those of which ``guard check`` has something to say in one of the hop's steps.
    """
    for advisory in catalog.advisories.values():
        met = list(_met(catalog, advisory, source, here, build))
        if met:
            steps = dict.fromkeys(step for step, _ in met)
            bite = met[0][1]
            edge = f"bites on the way from v{source} to v{build.series}, at: {', '.join(steps)}"
            reason = f"{edge}; {bite.reason}"
            yield OnTheWay(advisory, bite.edge, bite.lasting, bite.affected, reason, bite.conditions)
            continue
        defect = in_target(catalog.series, advisory, build, (here,))
        if defect is not None:
            yield OnTheWay(
                advisory, None, defect.lasting, defect.affected, defect.reason, defect.conditions
            )


def _met(
    catalog: Catalog, advisory: Advisory, source: Series, here: Build | None, build: Build
) -> Iterator[tuple[str, Bite]]:
    """Yield the steps of the way forward on which an edge of the advisory bites."""
    for step in ("start", "next-node", "finalize", "verify"):
        running = (build,) if step in ("finalize", "verify") else (here,)
        for bite in on_edges(catalog.series, advisory, source, build, step, running):
            if bite.affected is not Answer.NO:
                yield step, bite
