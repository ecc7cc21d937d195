"""Which builds an advisory affects.

An advisory lists ranges per series, `introduced` inclusive, `fixed` exclusive, in the order of
CockroachDB's own versions. Three answers: inside a range YES, outside NO, and UNKNOWN where a
build's code cannot be placed: a custom build whose next published release is affected, or a build
newer than the catalog in a series that never got a repair as far as the catalog knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.catalog.answers import AffectedAnswer, Answer
from guard.catalog.releases import build_of
from guard.catalog.words import range_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.catalog.records import Advisory, AffectedRange, SeriesRecord
    from guard.versions import Build, Series

__all__ = ["affects"]


def affects(catalog: Mapping[Series, SeriesRecord], advisory: Advisory, build: Build) -> AffectedAnswer:
    """Say whether an advisory affects a build, and which range says so.

    A draft affects nothing for certain; without ranges it may concern every build.
    """
    answer = _affects(catalog, advisory, build)
    if not advisory.draft or (answer.affected is Answer.NO and advisory.affected):
        return answer
    reason = f"{answer.reason}, as a draft says that nobody has completed"
    if not advisory.affected:
        reason = "a draft that nobody has completed does not say which builds it affects"
    return AffectedAnswer(advisory, build, Answer.UNKNOWN, answer.range, reason)


def _affects(
    catalog: Mapping[Series, SeriesRecord], advisory: Advisory, build: Build
) -> AffectedAnswer:
    series = str(build.series)
    ranges = [affected for affected in advisory.affected if affected.series == series]
    for affected in ranges:
        if _inside(affected, build):
            reason = f"{build} lies in {range_text(affected)}"
            if build.is_custom:
                reason += "; a custom build may carry the repair all the same"
            return AffectedAnswer(advisory, build, Answer.YES, affected, reason)
    for affected in ranges:
        doubt = _doubt(catalog.get(build.series), affected, build)
        if doubt:
            return AffectedAnswer(advisory, build, Answer.UNKNOWN, affected, doubt)
    if ranges:
        reason = f"{build} lies outside " + " and ".join(range_text(affected) for affected in ranges)
    else:
        reason = f"no v{series} build is affected"
    return AffectedAnswer(advisory, build, Answer.NO, None, reason)


def _inside(affected: AffectedRange, build: Build) -> bool:
    if build < build_of(affected.introduced):
        return False
    if affected.fixed is not None:
        return build < build_of(affected.fixed)
    return affected.last_affected is None or build <= build_of(affected.last_affected)


def _doubt(record: SeriesRecord | None, affected: AffectedRange, build: Build) -> str:
    releases = () if record is None else record.releases
    if build.is_custom:
        builds = (build_of(release.build) for release in releases)
        following = min((other for other in builds if other > build), default=None)
        if following is not None and _inside(affected, following):
            return f"{build} is a custom build, and {following} after it is affected"
    if affected.last_affected is None:
        return ""
    last = build_of(affected.last_affected)
    if build <= last:
        return ""
    listed = (build_of(release.build) for release in releases if release.listed)
    if all(other <= last for other in listed):  # nobody looked at what came later
        return f"{build} is newer than {last}, the last affected build that the catalog knows"
    return ""
