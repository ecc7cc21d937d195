"""Every advisory at the edges of its ranges: from the data itself, and from a hand-written table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.versions import Build, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.records import Advisory, AffectedRange

CATALOG = load()
RANGES = [
    pytest.param(advisory, affected, id=f"{advisory.id}-{affected.introduced}")
    for advisory in CATALOG.advisories.values()
    for affected in advisory.affected
    if Series.parse(affected.series) in CATALOG.series
]


def published(series: str) -> list[str]:
    """The builds of a series in the order of the record, which a test below keeps in order."""
    return [release.build for release in CATALOG.series[Series.parse(series)].releases]


def others(advisory: Advisory, affected: AffectedRange) -> Iterator[tuple[str, str]]:
    """First and last affected build of the advisory's other ranges in the same series."""
    for other in advisory.affected:
        if other.series == affected.series and other is not affected:
            yield other.introduced, last_affected(other)


def last_affected(affected: AffectedRange) -> str:
    builds = published(affected.series)
    if affected.last_affected is not None:
        return affected.last_affected
    if affected.fixed is None:  # as long as its conditions hold, to the end of the series
        return builds[-1]
    assert affected.fixed is not None
    return builds[builds.index(affected.fixed) - 1]


def expected_outside(advisory: Advisory, affected: AffectedRange, build: str) -> Answer:
    builds = published(affected.series)
    for first, last in others(advisory, affected):
        if builds.index(first) <= builds.index(build) <= builds.index(last):
            return Answer.YES
    return Answer.NO


@pytest.mark.parametrize(("advisory", "affected"), RANGES)
def test_first_affected_build(advisory: Advisory, affected: AffectedRange) -> None:
    answer = CATALOG.affects(advisory, affected.introduced)
    assert (answer.affected, answer.range) == (Answer.YES, affected)


@pytest.mark.parametrize(("advisory", "affected"), RANGES)
def test_last_affected_build(advisory: Advisory, affected: AffectedRange) -> None:
    answer = CATALOG.affects(advisory, last_affected(affected))
    assert (answer.affected, answer.range) == (Answer.YES, affected)


@pytest.mark.parametrize(("advisory", "affected"), RANGES)
def test_first_build_after_the_range(advisory: Advisory, affected: AffectedRange) -> None:
    builds = published(affected.series)
    position = builds.index(last_affected(affected)) + 1
    if position < len(builds):
        after = builds[position]
        assert affected.fixed in (after, None)
        release = CATALOG.release(after).release
        if affected.fixed is None and release is not None and not release.listed:
            assert CATALOG.affects(advisory, after).affected is Answer.UNKNOWN
            return
        expected = expected_outside(advisory, affected, after)
        assert CATALOG.affects(advisory, after).affected is expected
    else:  # never repaired: of builds that are not published yet nobody can tell
        newest = Build.parse(builds[-1])
        after = f"v{newest.year}.{newest.ordinal}.{newest.patch + 1}"
        open_end = affected.last_affected is None
        assert CATALOG.affects(advisory, after).affected is (Answer.YES if open_end else Answer.UNKNOWN)


@pytest.mark.parametrize(("advisory", "affected"), RANGES)
def test_last_build_before_the_range(advisory: Advisory, affected: AffectedRange) -> None:
    builds = published(affected.series)
    position = builds.index(affected.introduced) - 1
    before = builds[position] if position >= 0 else f"v{affected.series}.0-alpha.0"
    expected = expected_outside(advisory, affected, before) if position >= 0 else Answer.NO
    assert CATALOG.affects(advisory, before).affected is expected


@pytest.mark.parametrize("advisory", CATALOG.advisories.values(), ids=lambda a: a.id)
def test_series_without_a_range_are_not_affected(advisory: Advisory) -> None:
    named = {affected.series for affected in advisory.affected}
    for series in CATALOG.series:
        if str(series) not in named:
            for build in published(str(series)):
                answer = CATALOG.affects(advisory, build)
                assert answer.affected is Answer.NO
                assert answer.reason == f"no v{series} build is affected"


@pytest.mark.parametrize("advisory", CATALOG.advisories.values(), ids=lambda a: a.id)
def test_a_fips_build_is_affected_like_its_twin(advisory: Advisory) -> None:
    for affected in advisory.affected:
        if "-" not in affected.introduced:
            fips = CATALOG.affects(advisory, f"{affected.introduced}-fips")
            assert fips.affected is Answer.YES


def test_builds_stand_in_the_order_of_their_versions() -> None:
    for record in CATALOG.series.values():
        builds = [Build.parse(release.build) for release in record.releases]
        assert builds == sorted(builds)
        assert len(set(builds)) == len(builds) > 0


# Read from the advisory pages (and, where a page contradicts the release notes, from those), not
# from the records: advisory, builds that are affected, builds that are not.
TABLE = {
    "A-44166": ("v19.2.0 v19.2.2", "v19.2.3 v19.1.11 v20.1.0"),
    "A-44299": ("v19.1.0 v19.1.7 v19.2.0 v19.2.3", "v19.1.8 v19.2.4 v20.1.0"),
    "A-48860": ("v19.1.8 v19.2.6", "v19.1.9 v19.2.7 v20.1.1"),
    "A-50587": ("v19.1.10 v19.2.0 v19.2.8", "v19.1.11 v19.2.9"),
    "A-54418": ("v20.1.4 v20.1.5", "v20.1.3 v20.1.6 v19.2.12 v20.2.0"),
    "A-58932": ("v19.2.11 v20.1.10 v20.2.0 v20.2.3", "v19.2.12 v20.1.11 v20.2.4 v21.1.0"),
    "A-62842": ("v20.2.0 v20.2.8", "v20.2.9 v20.1.17 v21.1.0"),
    "A-63162": ("v19.1.11 v19.2.12 v20.1.14 v20.2.7", "v20.1.15 v20.2.8 v21.1.0"),
    "A-68005": ("v21.1.0 v21.1.6", "v21.1.7 v20.2.19 v21.2.0"),
    "A-69874": ("v21.1.8", "v21.1.7 v21.1.9 v20.2.16 v21.2.0"),
    "A-71002": ("v21.1.9", "v21.1.8 v21.1.10 v21.2.0"),
    "A-71553": ("v20.2.0 v20.2.17 v21.1.0 v21.1.11", "v20.2.18 v21.1.12"),
    "A-72839": ("v21.2.0", "v21.2.1 v21.1.11 v21.1.12 v22.1.0"),
    "A-73024": ("v21.2.0", "v21.2.1 v21.1.12"),
    "A-74385": ("v21.1.12 v21.2.0 v21.2.3", "v21.1.13 v21.2.4 v20.2.19 v22.1.0"),
    "A-74736": ("v21.2.0 v21.2.4", "v21.2.5 v21.1.13"),
    "A-75758": ("v20.2.18 v21.1.13 v21.2.4", "v20.2.19 v21.1.14 v21.2.5"),
    "A-76522": ("v20.2.19 v21.1.15 v21.2.6", "v21.1.16 v21.2.7"),
    "A-78681": ("v21.1.16 v21.2.7 v22.1.0-alpha.5", "v21.1.17 v21.2.8 v22.1.0"),
    "A-79066": ("v20.2.0 v20.2.19 v21.1.18 v21.2.9", "v21.1.19 v21.2.10"),
    "A-79384": ("v21.1.17 v21.2.8 v22.1.0-alpha.1 v22.1.0-beta.1", "v21.1.18 v21.2.9 v22.1.0"),
    "A-81315": ("v21.2.0 v21.2.10 v22.1.0-alpha.1 v22.1.0", "v21.2.11 v22.1.1"),
    "A-81968": ("v22.1.0-alpha.1 v22.1.0", "v22.1.1 v21.2.17"),
    "A-82309": ("v22.1.0-alpha.1 v22.1.0", "v22.1.1 v21.2.17 v22.2.0"),
    "A-82576": ("v22.1.0 v22.1.2", "v22.1.3 v22.2.0"),
    "A-84144": ("v22.1.0 v22.1.3", "v22.1.4"),
    "A-88042": ("v21.2.0 v21.2.16 v22.1.0 v22.1.8", "v21.2.17 v22.1.9"),
    "A-88993": ("v22.1.0-alpha.1 v22.1.8 v22.2.0-alpha.1 v22.2.0-beta.2", "v22.1.9 v22.2.0"),
    "A-90146": ("v22.1.6 v22.1.9", "v22.1.5 v22.1.10 v22.2.0"),
    "A-93314": ("v22.2.0 v22.2.1", "v22.2.2 v22.1.22 v23.1.1"),
    "A-96924": ("v20.2.0 v21.2.17 v22.1.15 v22.2.5", "v20.1.17 v22.1.16 v22.2.6 v23.1.1"),
    "A-97090": ("v19.1.0 v20.1.17 v22.1.15 v22.2.0 v22.2.5", "v22.1.16 v22.2.6"),
    "A-97178": ("v22.2.4", "v22.2.3 v22.2.5 v22.1.22 v23.1.1"),
    "A-97932": ("v22.2.0 v22.2.6", "v22.2.7 v22.1.22"),
    "A-98779": ("v22.2.6", "v22.2.5 v22.2.7"),
    "A-99561": ("v22.2.0 v22.2.11 v23.1.0 v23.1.5", "v22.2.12 v23.1.6 v22.1.22"),
    "A-99796": ("v22.2.0 v22.2.7", "v22.2.9 v22.1.22"),
    "A-102375": ("v22.1.19 v22.2.8", "v22.1.18 v22.1.20 v22.2.7 v22.2.9"),
    "A-103220": ("v23.1.0-alpha.1 v23.1.0", "v23.1.1 v22.2.19"),
    "A-104309": (
        "v22.2.17 v22.2.18 v23.1.14 v23.1.15 v23.2.0 v23.2.1",
        "v22.2.19 v23.1.16 v23.2.2 v24.1.0",
    ),
    "A-106617": ("v21.2.0 v22.1.21 v22.2.12 v23.1.7", "v22.1.22 v22.2.13 v23.1.8 v21.1.21"),
    "A-110363": ("v23.1.9", "v23.1.8 v23.1.10 v22.2.19 v23.2.0"),
    "A-114393": ("v23.1.0-beta.1 v23.1.0 v23.1.12", "v23.1.13 v22.2.19"),
    "A-122372": (
        # from v23.2.10, v24.1.4 and v24.2.0-rc.1 on as long as the new sink is not switched on
        "v23.1.30 v23.2.9 v23.2.10 v23.2.30 v24.1.3 v24.1.4 v24.2.0-beta.3 v24.2.0",
        "v24.2.2 v24.3.0 v22.2.19",
    ),
    "A-123371": ("v22.2.19 v23.1.21 v23.2.5 v24.1.0-rc.1", "v23.1.22 v23.2.6 v24.1.0"),
    "A-131639": ("v22.2.19 v23.1.26 v23.2.10 v24.1.0", "v23.1.27 v23.2.11 v24.1.1"),
    "A-144650": (
        "v23.2.0 v23.2.23 v24.1.16 v24.2.10 v24.3.10 v25.1.4 v25.2.0-beta.1",
        "v23.2.24 v24.1.17 v24.3.11 v25.1.5 v25.2.0-beta.2 v25.2.0",
    ),
    "A-151050": (
        "v24.1.21 v24.3.16 v25.1.9 v25.2.3 v25.3.0-rc.1",
        "v24.1.22 v24.3.17 v25.1.10 v25.2.4 v25.3.0",
    ),
    "A-166122": (
        "v24.1.27 v24.2.0 v24.3.30 v25.1.10 v25.2.16 v25.3.0 v25.4.8 v26.1.2 v26.2.0-alpha.1",
        "v24.1.28 v24.3.31 v25.2.17 v25.4.9 v26.1.3 v26.2.0",
    ),
    "A-190483": ("v22.2.7 v22.2.13 v23.1.0 v23.1.8", "v22.2.6 v22.2.14 v23.1.9"),
    "S-26052016": (
        "v23.2.29 v24.1.26 v24.3.29 v25.2.15 v25.4.6 v26.1.1",
        "v23.2.30 v24.1.27 v24.3.30 v25.2.16 v25.4.7 v26.1.2",
    ),
}


@pytest.mark.parametrize(
    ("name", "build", "expected"),
    [
        (name, build, expected)
        for name, (hit, clear) in TABLE.items()
        for expected, builds in ((Answer.YES, hit), (Answer.NO, clear))
        for build in builds.split()
    ],
)
def test_boundaries_as_the_pages_give_them(name: str, build: str, expected: Answer) -> None:
    assert CATALOG.affects(name, build).affected is expected


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ("v21.2.0-5-gabc123", Answer.YES),  # between v21.2.0, affected, and v21.2.1, repaired
        ("v21.2.1-5-gabc123", Answer.NO),
        ("v21.2.0-alpha.00000000-1724-gc5c74249f7", Answer.UNKNOWN),  # beta.1 after it is affected
        ("v21.2.0-dirty", Answer.YES),
        ("v21.1.12-7-gabc123", Answer.NO),
    ],
)
def test_custom_builds(build: str, expected: Answer) -> None:
    assert CATALOG.affects("A-72839", build).affected is expected


def test_all_advisories_of_the_issue_are_there() -> None:
    ids = {each.id for each in CATALOG.advisories.values() if not each.is_hazard}
    technical = {name for name in ids if name.startswith("A-")}
    assert len(technical) == 70
    assert len(ids) == 73
    assert {"A-72839", "S-26052016"} <= ids


def test_the_list_for_a_build_holds_yes_and_unknown_only() -> None:
    answer = CATALOG.advisories_affecting("v21.2.0")
    assert answer.complete
    listed = set(answer.ids)
    assert [each.advisory.id for each in answer] == list(answer.ids)
    assert len(answer) == len(listed)
    assert "A-72839" in listed
    assert listed == {
        name
        for name in CATALOG.advisories
        if CATALOG.affects(name, "v21.2.0").affected is not Answer.NO
    }


def test_the_list_for_an_unknown_build_is_not_complete() -> None:
    for build in ("v26.4.0", "v26.2.99", "v21.2.0-5-gabc123", "v26.2.5"):
        answer = CATALOG.advisories_affecting(build)
        assert not answer.complete
        assert "incomplete" in answer.reason


def test_a_build_newer_than_the_catalog_is_unknown_where_there_was_no_repair() -> None:
    never_repaired = [
        advisory.id
        for advisory in CATALOG.advisories.values()
        for affected in advisory.affected
        if affected.series == "21.2" and affected.last_affected == "v21.2.17"
    ]
    assert never_repaired
    for name in never_repaired:
        assert CATALOG.affects(name, "v21.2.18").affected is Answer.UNKNOWN
