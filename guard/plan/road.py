"""The way from one version to another as a chain of supported upgrades.

Sources: the upgrade overview (supported hops, no downgrade), the releases overview (no way from an
alpha build to a production release; stated for v22.2 and later).
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from guard.catalog.answers import Answer, ReleaseStatus
from guard.catalog.hops import no_way_out
from guard.plan.hop import Hop, describe_hop
from guard.plan.release import choose_release
from guard.plan.under_way import UnderWay, finish, refuse, refuse_to_go_on, roll_back
from guard.versions import Build, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guard.catalog.catalog import Catalog

__all__ = ["Plan", "make_plan"]


class Plan(msgspec.Struct, frozen=True):
    """The chain of hops.

    Attributes:
        supported: NO also where the hops lead elsewhere than was asked.
        hops: empty unless there is a way.
        instead: the build they lead to, where it is not the one that was asked for.
        standing: where the cluster is, in words, where that is between two series.
    """

    source: str
    target: str
    supported: Answer
    hops: tuple[Hop, ...]
    reason: str
    instead: Build | None = None
    standing: str | None = None


def make_plan(
    catalog: Catalog,
    source: Build | Series,
    target: Build | Series,
    *,
    begun: UnderWay | None = None,
    builds: Sequence[Build] = (),
) -> Plan:
    """Plan the way from `source` to `target`.

    Args:
        catalog: the catalog.
        source: what the cluster runs; a series if the patch is not known.
        target: where it is to go; a series means its newest good release.
        begun: the upgrade that is under way; it comes first, and `source` does not count then.
        builds: all builds that nodes run, where they are known.
    """

    def made(
        supported: Answer, reason: str, hops: tuple[Hop, ...] = (), instead: Build | None = None
    ) -> Plan:
        standing = None if begun is None else begun.name
        return Plan(_name(source), _name(target), supported, hops, reason, instead, standing)

    told = (
        _without_hops(catalog, source, target, builds)
        if begun is None
        else _from_between(catalog, source, target, begun)
    )
    if told is not None:
        return made(*told)
    first = () if begun is None else (finish(catalog, begun, target),)
    more, told = _hops(catalog, first[0].build if first else source, target, begun=bool(first))
    if told is not None:
        return made(*told)
    hops = first + more
    reached = hops[-1].build
    if isinstance(target, Build) and reached != target:
        reason = f"these hops lead to {reached} and not to {target}: {hops[-1].reasons[1]}"
        return made(Answer.NO, reason, hops, reached)
    return made(Answer.YES, f"{_summary(hops)}{_one_build_first(hops[0], builds)}", hops)


_Told = tuple[Answer, str]


def _within_a_patch_upgrade(target: Build | Series, builds: Sequence[Build]) -> _Told | None:
    """The answer where nodes run several builds of the target's series and it is none to go on to."""
    if isinstance(target, Series) or len(set(builds)) < 2 or target.series != max(builds).series:
        return None
    oldest, newest = min(builds), max(builds)
    if oldest.release < target.release:
        if newest.release <= target.release:
            return None
        return Answer.NO, f"{target} is older than {newest}, which a node runs"
    if newest.release == target.release:
        return Answer.YES, (
            f"a node runs it already: bring the others to it, each after guard check --step next-node "
            f"--target {target}"
        )
    if oldest.release == target.release:
        return Answer.YES, (
            f"the patch upgrade to {newest} did not reach every node, so this is its way back: put the "
            f"newer ones back on {target}, each after guard check --step rollback --target {target}"
        )
    return None


def _without_hops(
    catalog: Catalog, source: Build | Series, target: Build | Series, builds: Sequence[Build]
) -> _Told | None:
    """The answer where no hop is needed or possible; None if there may be some."""
    older = _series(target) < _series(source)
    if isinstance(source, Build) and isinstance(target, Build):
        older = older or target.release < source.release
    if older:
        return (
            Answer.NO,
            f"{_name(target)} is older than {_name(source)}: CockroachDB has no downgrade",
        )
    told = (
        _refuse_source(source)
        or _refuse_target(catalog, target)
        or _within_a_patch_upgrade(target, builds)
    )
    if told is not None:
        return told
    missing = _shortest(catalog, _series(source), _series(target))[1]
    there = isinstance(source, Build) and isinstance(target, Build) and source.goes_by(target)
    if missing is None and there:
        return Answer.YES, f"{_name(source)} is where the cluster is already"
    return missing


def _from_between(
    catalog: Catalog, source: Build | Series, target: Build | Series, begun: UnderWay
) -> _Told | None:
    """The same for a cluster with an upgrade under way."""
    refusal = refuse(begun, target) or _refuse_source(source) or _refuse_target(catalog, target)
    if refusal is not None:
        return refusal
    if _series(target) == begun.source:
        return Answer.YES, roll_back(begun, target)
    return (
        _shortest(catalog, begun.source, begun.target)[1]
        or refuse_to_go_on(catalog, begun)
        or _shortest(catalog, begun.target, _series(target))[1]
    )


def _hops(
    catalog: Catalog, source: Build | Series, target: Build | Series, *, begun: bool
) -> tuple[tuple[Hop, ...], _Told | None]:
    """The hops along the shortest chain, or why one of them cannot be made.

    With `begun` they follow another one: there need not be any.
    """
    start, end = _series(source), _series(target)
    chain, _ = _shortest(catalog, start, end)
    hops: list[Hop] = []
    here: Build | None = source if isinstance(source, Build) else None
    if begun and start == end and isinstance(target, Build):
        return (), None  # finishing leads there
    for one, two in pairwise(chain if len(chain) > 1 else (start, start)):
        asked = target if isinstance(target, Build) and two == end else None
        floor = here if one == two else None
        chosen = choose_release(catalog, one, two, asked=asked, floor=floor)
        patch = one == two
        if patch and begun and (chosen is None or chosen[0] == here):
            return (), None
        if chosen is None:
            return (), _no_release(catalog, two, floor)
        if patch and chosen[0] == here:
            return (), (Answer.YES, f"{here} is the best v{two} release already")
        first = not hops and not begun
        hops.append(describe_hop(catalog, one, two, here, *chosen, first=first))
        here = chosen[0]
    return tuple(hops), None


def _no_release(catalog: Catalog, series: Series, floor: Build | None) -> tuple[Answer, str]:
    """Say that a series has no release to go to, or that the catalog may not know it yet.

    Only a series that others have followed will get no first production release any more.
    """
    if floor is not None and catalog.is_newer(floor):
        return Answer.UNKNOWN, catalog.release(floor).reason
    than = "" if floor is None else f" newer than {floor}"
    reason = f"v{series} has no production release{than} to go to"
    if any(later > series and catalog.newest_release(later).build for later in catalog.series):
        return Answer.NO, reason
    return Answer.UNKNOWN, f"{reason} as far as guard knows: {catalog.extent}"


def _name(value: Build | Series) -> str:
    return f"v{value}" if isinstance(value, Series) else str(value)


def _series(value: Build | Series) -> Series:
    return value if isinstance(value, Series) else value.series


def _one_build_first(hop: Hop, builds: Sequence[Build]) -> str:
    """What comes before a major upgrade of nodes that a patch upgrade left on several builds."""
    if hop.state != "to-come" or hop.source == hop.target or hop.before or len(set(builds)) < 2:
        return ""
    newest = max(builds)
    return (
        f"; before it bring every node to {newest}, which ends the patch upgrade that is under way: "
        f"guard check --step next-node --target {newest}"
    )


def _summary(hops: Sequence[Hop]) -> str:
    if len(hops) == 1 and hops[0].source == hops[0].target:
        return f"a patch upgrade within v{hops[0].source}"
    if hops[0].state != "to-come":
        begun = f"first finish the upgrade to v{hops[0].target}, which is under way"
        return begun if len(hops) == 1 else f"{begun}; then {_summary(hops[1:])}"
    names = " to ".join(f"v{series}" for series in (hops[0].source, *(hop.target for hop in hops)))
    return f"{len(hops)} supported {'hop' if len(hops) == 1 else 'hops'}: {names}"


def _refuse_source(source: Build | Series) -> tuple[Answer, str] | None:
    """Refuse the way out of an alpha build: releases overview, v22.2 and later."""
    if not isinstance(source, Build) or not no_way_out(source):
        return None
    return (
        Answer.NO,
        f"{source} is an alpha build: a cluster that ran one cannot be upgraded to a production "
        "release",
    )


def _refuse_target(catalog: Catalog, target: Build | Series) -> tuple[Answer, str] | None:
    """Refuse a target that was withdrawn or is not known to have been published."""
    if isinstance(target, Series):
        return None
    answer = catalog.release(target)
    if answer.status is ReleaseStatus.WITHDRAWN:
        newest = catalog.newest_release(target.series)
        instead = f"; choose {newest.build}" if newest.build is not None else ""
        return Answer.NO, answer.reason + instead
    if answer.status is ReleaseStatus.OUTSIDE_CATALOG or answer.known:
        return None  # the hops say so, or nothing is wrong
    return Answer.UNKNOWN, answer.reason


def _shortest(
    catalog: Catalog, start: Series, end: Series
) -> tuple[tuple[Series, ...], tuple[Answer, str] | None]:
    if start == end:
        answer = catalog.upgrade_allowed(start, end)
        missing = None if answer.supported is Answer.YES else (answer.supported, answer.reason)
        return (start,), missing
    came_from: dict[Series, Series] = {start: start}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in sorted(catalog.series, reverse=True):
            new = here < there <= end and there not in came_from
            if new and catalog.upgrade_allowed(here, there).supported is Answer.YES:
                came_from[there] = here
                queue.append(there)
    if end in came_from:
        chain = [end]
        while chain[-1] != start:
            chain.append(came_from[chain[-1]])
        return tuple(reversed(chain)), None
    for series in (start, end):
        if series not in catalog.series:
            reason = (
                f"the catalog does not hold series v{series}: it knows v{min(catalog.series)} to "
                f"v{max(catalog.series)}, {catalog.extent}"
            )
            return (), (Answer.UNKNOWN, reason)
    return (), _no_chain(catalog, start, end)


def _no_chain(catalog: Catalog, start: Series, end: Series) -> tuple[Answer, str]:
    """Say that no chain leads there, or that a series on the way has a record nobody completed."""
    for series in sorted(catalog.series):
        if start < series <= end and catalog.series[series].kind == "unknown":
            reason = f"what leads to v{series} is not said: its record needs a kind and upgrade_from"
            return Answer.UNKNOWN, reason
    return Answer.NO, f"no chain of supported upgrades leads from v{start} to v{end}"
