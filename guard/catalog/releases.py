"""What the catalog knows of a build: published, withdrawn, supported, the newest of its series.

Sources: the documentation's list of releases (_data/releases.yml) and the release support policy
(regular series: maintenance, then assistance support; LTS builds have their own, later dates;
innovation series have maintenance support only).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from guard.catalog.answers import (
    NewestAnswer,
    ReleaseAnswer,
    ReleaseStatus,
    SupportAnswer,
    SupportPhase,
)
from guard.versions import Build

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from guard.catalog.records import Release, SeriesRecord
    from guard.versions import Series

__all__ = ["build_of", "find_release", "installable", "newest_release", "support_of"]


@lru_cache(maxsize=4096)
def build_of(text: str) -> Build:
    """Parse a build tag of the catalog; the same few tags are asked for again and again."""
    return Build.parse(text)


def installable(record: SeriesRecord) -> list[tuple[Build, Release]]:
    """List a series' production releases, newest first, without withdrawn and cloud-only ones."""
    good = [
        (build_of(release.build), release)
        for release in record.releases
        if release.kind == "production" and not release.withdrawn and not release.cloud_only
    ]
    return sorted(good, key=lambda pair: pair[0], reverse=True)


def find_release(catalog: Mapping[Series, SeriesRecord], build: Build) -> ReleaseAnswer:
    """Look a build up. Anything that is not in the list of releases has `release` None."""
    record = catalog.get(build.series)
    if record is None:
        return ReleaseAnswer(
            build,
            ReleaseStatus.OUTSIDE_CATALOG,
            None,
            f"the catalog does not hold series v{build.series}",
        )
    if build.is_custom:
        return ReleaseAnswer(
            build, ReleaseStatus.CUSTOM, None, f"{build} is not a build that Cockroach Labs published"
        )
    for release in record.releases:
        if build_of(release.build) == build:
            return ReleaseAnswer(build, *_status(release))
    newest = max((build_of(release.build) for release in record.releases), default=None)
    if newest is None or build > newest:
        return ReleaseAnswer(
            build,
            ReleaseStatus.NEWER_THAN_CATALOG,
            None,
            f"{build} is newer than the catalog, whose last v{build.series} build is "
            f"{newest or 'missing'}",
        )
    return ReleaseAnswer(
        build, ReleaseStatus.NOT_PUBLISHED, None, f"{build} is not in the list of releases"
    )


def _status(release: Release) -> tuple[ReleaseStatus, Release, str]:
    day = release.date.isoformat()
    if release.withdrawn:
        return ReleaseStatus.WITHDRAWN, release, f"{release.build} of {day} was withdrawn"
    if release.cloud_only:
        reason = f"{release.build} of {day} is only for select CockroachDB Cloud clusters"
        return ReleaseStatus.CLOUD_ONLY, release, reason
    if release.kind == "testing":
        return ReleaseStatus.TESTING, release, f"{release.build} of {day} is a testing release"
    return ReleaseStatus.PRODUCTION, release, f"{release.build} is a production release of {day}"


def newest_release(catalog: Mapping[Series, SeriesRecord], series: Series) -> NewestAnswer:
    """Give the newest production release of a series that anybody may install."""
    record = catalog.get(series)
    if record is None:
        return NewestAnswer(series, None, None, f"the catalog does not hold series v{series}")
    for build, release in installable(record):
        return NewestAnswer(
            series, build, release, f"{build} of {release.date} is the newest v{series} release"
        )
    return NewestAnswer(series, None, None, f"v{series} has no production release yet")


def support_of(catalog: Mapping[Series, SeriesRecord], build: Build, today: dt.date) -> SupportAnswer:
    """Say in which support phase a build is on a day.

    A phase lasts up to and including the day on which it ends. A build of an LTS line has the
    series' LTS dates, any other the series' plain dates.
    """
    record = catalog.get(build.series)
    if record is None:
        reason = f"the catalog does not hold series v{build.series}"
        return SupportAnswer(build, SupportPhase.UNKNOWN, False, None, reason)
    support = record.support
    long_term = support.lts_since_build is not None and build >= build_of(support.lts_since_build)
    maintenance = support.lts_maintenance_ends if long_term else support.maintenance_ends
    assistance = support.lts_assistance_ends if long_term else support.assistance_ends
    line = f"v{build.series} LTS" if long_term else f"v{build.series}"
    if maintenance is None:
        reason = f"no end of support is published for {line}"
        return SupportAnswer(build, SupportPhase.UNKNOWN, long_term, None, reason)
    for phase, end in ((SupportPhase.MAINTENANCE, maintenance), (SupportPhase.ASSISTANCE, assistance)):
        if end is not None and today <= end:
            reason = f"{line} has {phase} support until {end}"
            return SupportAnswer(build, phase, long_term, end, reason)
    end = assistance or maintenance
    return SupportAnswer(
        build, SupportPhase.ENDED, long_term, end, f"support for {line} ended on {end}"
    )
