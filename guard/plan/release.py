"""The release to install on a hop.

The best one is the newest of its series that is not withdrawn, not only for CockroachDB Cloud, and
not hit by an advisory that would block the hop: one on the hop's edge, or one of data loss or
corruption that a later release of the series repairs. Hazards on the hop's edge are avoided as
well where a patch repairs them, whether they block or warn. A release that the list of releases does
not have comes last: a public tag cannot say that it was withdrawn. Source of the facts: the list of
releases and the advisories; the choice is guard's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.catalog import releases
from guard.catalog.answers import Answer, ReleaseStatus
from guard.catalog.bites import destroys, repaired_in
from guard.catalog.edges import avoids, edges_of, forbids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.catalog import Catalog
    from guard.versions import Build, Series

__all__ = ["choose_release"]


def choose_release(
    catalog: Catalog,
    source: Series,
    target: Series,
    *,
    asked: Build | None = None,
    floor: Build | None = None,
) -> tuple[Build, tuple[str, ...]] | None:
    """Choose the release to install: the one asked for if nothing speaks against it, else the best.

    Args:
        catalog: the catalog.
        source: series the cluster comes from.
        target: series of the release, which the catalog holds.
        asked: the release that the operator named.
        floor: no release older than this one.

    Returns:
        The release and the reasons, or None if there is none to install.
    """
    against: tuple[str, ...] = ()
    if asked is not None:
        reasons = tuple(_objections(catalog, source, asked))
        if not reasons:
            return asked, (f"{asked} was asked for{_newer(catalog, asked)}",)
        against = tuple(f"not {asked}, which was asked for: {reason}" for reason in reasons)
    record = catalog.series[target]
    listed = [build for build, _ in releases.installable(record)]
    by_tag = [build for build, _ in releases.installable(record, listed=False)]
    candidates = [*listed, *by_tag]
    lowest = asked or floor
    if lowest is not None:  # a build older than the one asked for or running is no help
        candidates = [build for build in candidates if build >= lowest]
    for build in candidates:
        if not tuple(_objections(catalog, source, build)):
            text = f"{build} is the newest v{target} release that no blocking advisory affects"
            return build, (*against, text, *_only_by_tag(by_tag, build))
    if not candidates:
        return (asked, against) if asked is not None else None
    newest = candidates[0]
    rest = tuple(f"{newest}: {reason}" for reason in _objections(catalog, source, newest))
    text = f"{newest} is the newest v{target} release, and no v{target} release is free of these"
    return newest, (*against, text, *rest)


def _only_by_tag(by_tag: list[Build], chosen: Build) -> Iterator[str]:
    """Name the newest build that was passed over because the list of releases does not have it."""
    if by_tag and by_tag[0] > chosen and chosen not in by_tag:
        yield (
            f"{by_tag[0]} is newer, but only its public tag or image shows it: whether it was "
            "withdrawn or is cloud-only is not known"
        )


def _newer(catalog: Catalog, asked: Build) -> str:
    newest = catalog.newest_release(asked.series).build
    return f"; {newest} is newer" if newest is not None and newest > asked else ""


def _objections(catalog: Catalog, source: Series, build: Build) -> Iterator[str]:
    """Yield what speaks against installing a build on the way from `source`."""
    answer = catalog.release(build)
    if answer.status is ReleaseStatus.CLOUD_ONLY:
        yield answer.reason
    for advisory in catalog.advisories.values():
        edges = tuple(edges_of(advisory, source, build.series))
        bars = any(forbids(edge) for edge in edges)
        if not bars and not destroys(advisory) and not any(avoids(advisory, edge) for edge in edges):
            continue
        if catalog.affects(advisory, build).affected is not Answer.YES:
            continue
        if bars:
            yield f"{advisory.id} ({advisory.title})"
        else:
            fixed = repaired_in(catalog.series, advisory, build)
            if fixed is not None:
                yield f"{advisory.id} ({advisory.title}), repaired in {fixed}"
