"""The way from one version to another as a chain of supported upgrades.

Sources: the upgrade overview (supported hops, no downgrade), the releases overview (no way from an
alpha build to a production release; stated for v22.2 and later).
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from guard.catalog.answers import Answer, ReleaseStatus
from guard.plan.hop import Hop, describe_hop
from guard.plan.release import choose_release
from guard.versions import Build, Phase, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guard.catalog.catalog import Catalog

__all__ = ["Plan", "make_plan"]

_NO_WAY_FROM_ALPHA_SINCE: Final = Series(22, 2)


class Plan(msgspec.Struct, frozen=True):
    """The chain of hops. `hops` is empty unless `supported` is YES."""

    source: str
    target: str
    supported: Answer
    hops: tuple[Hop, ...]
    reason: str


def make_plan(
    catalog: Catalog,
    source: Build | Series,
    target: Build | Series,
    *,
    via: Series | None = None,
) -> Plan:
    """Plan the way from `source` to `target`.

    Args:
        catalog: the catalog.
        source: what the cluster runs; a series if the patch is not known.
        target: where it is to go; a series means its newest good release.
        via: the series an upgrade is under way to; the chain must go there first.
    """
    names = (_name(source), _name(target))

    def ended(supported: Answer, reason: str) -> Plan:
        return Plan(names[0], names[1], supported, (), reason)

    start, end = _series(source), _series(target)
    refusal = _refuse_source(source) or _refuse_target(catalog, target)
    if end < start or (isinstance(source, Build) and isinstance(target, Build) and target < source):
        return ended(Answer.NO, f"{names[1]} is older than {names[0]}: CockroachDB has no downgrade")
    if refusal is not None:
        return ended(*refusal)
    chain, missing = _chain(catalog, start, end, via)
    if missing is not None:
        return ended(*missing)
    if source == target and isinstance(source, Build):
        return ended(Answer.YES, f"{names[0]} is where the cluster is already")
    hops: list[Hop] = []
    here: Build | None = source if isinstance(source, Build) else None
    for one, two in pairwise(chain if len(chain) > 1 else (start, start)):
        asked = target if isinstance(target, Build) and two == end else None
        floor = here if one == two else None
        chosen = choose_release(catalog, one, two, asked=asked, floor=floor)
        if chosen is None:
            return ended(*_no_release(catalog, two, floor))
        if one == two and chosen[0] == here:
            return ended(Answer.YES, f"{here} is the best v{two} release already")
        hops.append(
            describe_hop(catalog, one, two, here, *chosen, first=not hops, under_way=two == via)
        )
        here = chosen[0]
    return Plan(names[0], names[1], Answer.YES, tuple(hops), _summary(hops))


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


def _summary(hops: Sequence[Hop]) -> str:
    if len(hops) == 1 and hops[0].source == hops[0].target:
        return f"a patch upgrade within v{hops[0].source}"
    names = " to ".join(f"v{series}" for series in (hops[0].source, *(hop.target for hop in hops)))
    return f"{len(hops)} supported {'hop' if len(hops) == 1 else 'hops'}: {names}"


def _refuse_source(source: Build | Series) -> tuple[Answer, str] | None:
    """Refuse the way out of an alpha build: releases overview, v22.2 and later."""
    if not isinstance(source, Build) or source.phase is not Phase.ALPHA:
        return None
    if source.series < _NO_WAY_FROM_ALPHA_SINCE:
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


def _chain(
    catalog: Catalog, start: Series, end: Series, via: Series | None
) -> tuple[tuple[Series, ...], tuple[Answer, str] | None]:
    """Find the shortest chain of supported hops, or the answer and reason for there being none."""
    if via is not None and via != start:
        if end < via:
            reason = f"an upgrade to v{via} is under way: finish it or roll it back first"
            return (), (Answer.NO, reason)
        first, missing = _shortest(catalog, start, via)
        rest, missing_later = _shortest(catalog, via, end)
        return (*first, *rest[1:]), missing or missing_later
    return _shortest(catalog, start, end)


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
    return (), (Answer.NO, f"no chain of supported upgrades leads from v{start} to v{end}")
