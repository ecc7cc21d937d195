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


def installable(record: SeriesRecord, *, listed: bool = True) -> list[tuple[Build, Release]]:
    """List a series' production releases, newest first, without withdrawn and cloud-only ones.

    `listed` says which: those of the list of releases, or those that only a tag or an image shows,
    of which nobody knows whether they were withdrawn.
    """
    good = [
        (build_of(release.build), release)
        for release in record.releases
        if release.kind == "production"
        and release.listed is listed
        and not release.withdrawn
        and not release.cloud_only
    ]
    return sorted(good, key=lambda pair: pair[0], reverse=True)


def find_release(
    catalog: Mapping[Series, SeriesRecord], build: Build, until: dt.date | None = None
) -> ReleaseAnswer:
    """Look a build up. Anything that is not among the releases has `release` None.

    `until` is the day up to which the releases are complete: a build above those of that day that
    is missing may have been published all the same.
    """
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
    complete = max(_complete(record, until), default=None)
    if complete is None or build > complete:
        newest = max((build_of(release.build) for release in record.releases), default=None)
        known = f"until {until}, up to {complete}" if until is not None else f"up to {complete}"
        return ReleaseAnswer(
            build,
            ReleaseStatus.NEWER_THAN_CATALOG,
            None,
            f"{build} is newer than the catalog: v{build.series} releases are complete {known}, and "
            f"the newest one known is {newest or 'missing'}",
        )
    return ReleaseAnswer(
        build, ReleaseStatus.NOT_PUBLISHED, None, f"{build} is not in the list of releases"
    )


def _complete(record: SeriesRecord, until: dt.date | None) -> list[Build]:
    """The builds of a series below which none is missing."""
    return [
        build_of(release.build)
        for release in record.releases
        if until is None or (release.date is not None and release.date <= until)
    ]


def _status(release: Release) -> tuple[ReleaseStatus, Release, str]:
    if not release.listed:
        day = f" of {release.date}" if release.date is not None else ""
        reason = (
            f"{release.build} is known by its public {release.known_by}{day} only: whether it was "
            "withdrawn, or is for CockroachDB Cloud only, is not known"
        )
        testing = release.kind == "testing"
        status = ReleaseStatus.TESTING if testing else ReleaseStatus.PRODUCTION_BY_TAG
        return status, release, reason
    day = str(release.date)
    if release.withdrawn:
        return ReleaseStatus.WITHDRAWN, release, f"{release.build} of {day} was withdrawn"
    if release.cloud_only:
        reason = f"{release.build} of {day} is only for select CockroachDB Cloud clusters"
        return ReleaseStatus.CLOUD_ONLY, release, reason
    if release.kind == "testing":
        return ReleaseStatus.TESTING, release, f"{release.build} of {day} is a testing release"
    return ReleaseStatus.PRODUCTION, release, f"{release.build} is a production release of {day}"


def newest_release(catalog: Mapping[Series, SeriesRecord], series: Series) -> NewestAnswer:
    """Give the newest production release of a series that anybody may install.

    One that only its tag shows counts where the list of releases has none at all.
    """
    record = catalog.get(series)
    if record is None:
        return NewestAnswer(series, None, None, f"the catalog does not hold series v{series}")
    for build, release in installable(record):
        return NewestAnswer(
            series, build, release, f"{build} of {release.date} is the newest v{series} release"
        )
    for build, release in installable(record, listed=False):
        reason = f"{build} is the newest v{series} release, known by its public {release.known_by} only"
        return NewestAnswer(series, build, release, reason)
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
