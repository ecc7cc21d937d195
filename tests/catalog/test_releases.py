"""The list of releases: statuses, newest, support phases, the catalog's age."""

from __future__ import annotations

import datetime as dt

import pytest

from guard.catalog import load
from guard.catalog.answers import ReleaseStatus, SupportPhase
from guard.versions import Build

CATALOG = load()
WITHDRAWN = [
    "v20.1.4",
    "v20.1.5",
    "v21.1.8",
    "v22.1.17",
    "v22.1.19",
    "v22.2.4",
    "v22.2.8",
    "v23.1.0",
    "v24.2.1",
]
CLOUD_ONLY = ["v24.3.29", "v25.2.15", "v25.4.6", "v26.1.1"]


def with_status(status: ReleaseStatus) -> list[str]:
    return [
        release.build
        for record in CATALOG.series.values()
        for release in record.releases
        if CATALOG.release(release.build).status is status
    ]


def test_withdrawn_and_cloud_only_releases() -> None:
    assert sorted(with_status(ReleaseStatus.WITHDRAWN)) == sorted(WITHDRAWN)
    assert sorted(with_status(ReleaseStatus.CLOUD_ONLY)) == sorted(CLOUD_ONLY)


def test_how_many_releases_there_are() -> None:
    # 606 entries in the list of releases, of which 116 are of series before v19.1, 4 carry names
    # of series v2.2 and 1 stands there twice; v19.2's other 21 builds come from an older commit.
    listed = [
        release for record in CATALOG.series.values() for release in record.releases if release.listed
    ]
    assert len(listed) == 606 - 116 - 5 + 21


@pytest.mark.parametrize(
    ("build", "status"),
    [
        ("v21.2.0", ReleaseStatus.PRODUCTION),
        ("v21.2.0-fips", ReleaseStatus.PRODUCTION),
        ("v21.2.0-rc.1", ReleaseStatus.TESTING),
        ("v21.2.0-5-gabc123", ReleaseStatus.CUSTOM),
        ("v21.2.0-dirty", ReleaseStatus.CUSTOM),
        ("v21.2.18", ReleaseStatus.NEWER_THAN_CATALOG),
        ("v26.2.3", ReleaseStatus.PRODUCTION_BY_TAG),
        ("v26.2.9", ReleaseStatus.NEWER_THAN_CATALOG),
        ("v21.1.20", ReleaseStatus.PRODUCTION_BY_TAG),
        ("v24.1.0-beta.9", ReleaseStatus.NOT_PUBLISHED),
        ("v26.4.0", ReleaseStatus.OUTSIDE_CATALOG),
        ("v2.1.3", ReleaseStatus.OUTSIDE_CATALOG),
    ],
)
def test_status_of_a_build(build: str, status: ReleaseStatus) -> None:
    answer = CATALOG.release(build)
    assert answer.status is status
    assert answer.known == (answer.is_production or status is ReleaseStatus.TESTING)
    assert answer.reason


@pytest.mark.parametrize(
    ("build", "newer"),
    [("v26.2.9", True), ("v26.4.0", True), ("v26.2.1", False), ("v2.1.3", False)],
)
def test_what_may_have_come_after_the_catalog(build: str, newer: bool) -> None:
    assert CATALOG.is_newer(build) is newer


@pytest.mark.parametrize(
    ("series", "newest"),
    [
        ("21.1", "v21.1.21"),
        ("21.2", "v21.2.17"),
        ("22.2", "v22.2.19"),
        ("24.2", "v24.2.10"),
        ("26.1", "v26.1.5"),
        ("26.2", "v26.2.2"),
        ("26.3", "v26.3.2"),
        ("26.4", None),
    ],
)
def test_newest_release(series: str, newest: str | None) -> None:
    answer = CATALOG.newest_release(series)
    assert answer.build == (Build.parse(newest) if newest else None)
    assert answer.reason


@pytest.mark.parametrize(
    ("build", "day", "phase", "long_term"),
    [
        ("v24.1.0", "2025-05-20", SupportPhase.MAINTENANCE, False),
        ("v24.1.5", "2025-05-21", SupportPhase.ASSISTANCE, False),
        ("v24.1.5", "2025-11-21", SupportPhase.ENDED, False),
        ("v24.1.6", "2025-10-21", SupportPhase.MAINTENANCE, True),
        ("v24.1.6", "2026-10-21", SupportPhase.ASSISTANCE, True),
        ("v24.1.6", "2026-10-22", SupportPhase.ENDED, True),
        ("v24.2.3", "2025-02-12", SupportPhase.MAINTENANCE, False),
        ("v24.2.3", "2025-02-13", SupportPhase.ENDED, False),
        ("v21.2.0", "2026-06-12", SupportPhase.ENDED, False),
        ("v26.3.0-alpha.1", "2026-06-12", SupportPhase.UNKNOWN, False),
        ("v26.4.0", "2026-06-12", SupportPhase.UNKNOWN, False),
    ],
)
def test_support(build: str, day: str, phase: SupportPhase, long_term: bool) -> None:
    answer = CATALOG.support(build, dt.date.fromisoformat(day))
    assert (answer.phase, answer.long_term) == (phase, long_term)
    assert answer.reason


@pytest.mark.parametrize(("days", "stale"), [(0, False), (120, False), (121, True), (-1, True)])
def test_age(days: int, stale: bool) -> None:
    for number, until in enumerate((CATALOG.releases_until, CATALOG.advisories_until)):
        today = until + dt.timedelta(days=days)
        age = CATALOG.ages(today)[number]
        assert age.stale is stale
        assert str(until) in age.reason
        assert CATALOG.ages(dt.datetime.combine(today, dt.time(12), tzinfo=dt.UTC))[number].days == days


def test_a_build_that_only_its_tag_shows() -> None:
    answer = CATALOG.release("v26.2.5")
    assert answer.status is ReleaseStatus.PRODUCTION_BY_TAG
    assert answer.known
    assert "whether it was withdrawn" in answer.reason
    assert str(CATALOG.newest_release("26.2").build) == "v26.2.2"
    assert str(CATALOG.newest_release("26.3").build) == "v26.3.2"


@pytest.mark.parametrize("build", ["v26.3.7", "v26.2.99", "v25.4.15"])
def test_a_build_above_what_is_complete_may_exist(build: str) -> None:
    answer = CATALOG.release(build)
    assert answer.status is ReleaseStatus.NEWER_THAN_CATALOG
    assert str(CATALOG.releases_until) in answer.reason


def test_advisories_may_be_missing() -> None:
    assert CATALOG.advisories_missing("v26.2.1") == ""
    for build in ("v26.2.5", "v26.3.1", "v26.3.99", "v27.1.0"):
        assert CATALOG.advisories_missing(build)
        assert not CATALOG.advisories_affecting(build).complete
