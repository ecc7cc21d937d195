"""Versions: the official order, custom builds, pre-releases, cloud builds, cluster versions."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.catalog import load
from guard.versions import Build, ClusterVersion, Phase, Series, VersionError

# One line per build, oldest first, in the order of github.com/cockroachdb/version.
ASCENDING = [
    "v2.1.11",
    "v19.1.0-beta.20190225",
    "v20.2.19",
    "v21.1.0",
    "v21.1.9",
    "v21.1.10",
    "v21.2.0-alpha.00000000-1724-gc5c74249f7",
    "v21.2.0-alpha.1",
    "v21.2.0-alpha.2",
    "v21.2.0-alpha.10",
    "v21.2.0-beta.1",
    "v21.2.0-beta.1-7-gabc123",
    "v21.2.0-rc.1",
    "v21.2.0-rc.1-2-gabc123",
    "v21.2.0-rc.2",
    "v21.2.0-cloudonly",
    "v21.2.0-cloudonly-rc1",
    "v21.2.0-cloudonly.1",
    "v21.2.0-cloudonly.2",
    "v21.2.0",
    "v21.2.0-1-gabc123",
    "v21.2.0-5-gabc123",
    "v21.2.0-10-gabc123",
    "v21.2.0-customLabel",
    "v21.2.0-dirty",
    "v21.2.1-rc.1",
    "v21.2.1",
    "v21.2.10",
    "v22.1.0",
    "v100.1.0",
]

numbers = st.integers(min_value=0, max_value=999)
positive = st.integers(min_value=1, max_value=99)
stable = st.builds("v{}.{}.{}".format, positive, positive, numbers)
phases = st.sampled_from(["alpha", "beta", "rc", "cloudonly"])
prerelease = st.builds("{}-{}.{}".format, stable, phases, numbers)
published = st.one_of(stable, prerelease)
custom = st.builds("{}-{}-g{}".format, published, st.integers(1, 999), st.just("0abcdef"))
fips = st.builds("{}-fips".format, st.one_of(published, custom))
adhoc = st.builds("{}-{}".format, stable, st.sampled_from(["dirty", "x", "hotfix.1", "a+b"]))
cloud = st.builds("{}-cloudonly-rc{}".format, stable, numbers)
builds = st.one_of(published, custom, fips, adhoc, cloud).map(Build.parse)


@pytest.mark.parametrize(("older", "newer"), list(combinations(ASCENDING, 2)))
def test_the_official_order(older: str, newer: str) -> None:
    one, two = Build.parse(older), Build.parse(newer)
    if {older, newer} == {"v21.2.0-cloudonly-rc1", "v21.2.0-cloudonly.1"}:
        assert one == two  # two spellings of the same release
        return
    assert one < two
    assert not two < one
    assert one != two
    assert two >= one


def test_the_catalogs_builds_are_in_order_across_series() -> None:
    catalog = load()
    everything = [
        Build.parse(release.build)
        for series in sorted(catalog.series)
        for release in catalog.series[series].releases
    ]
    assert all(one < two for one, two in pairwise(everything))


@given(builds)
def test_a_build_prints_its_own_tag(build: Build) -> None:
    assert Build.parse(str(build)) == build
    assert str(build) == build.tag


@given(builds, builds)
def test_the_order_is_total(one: Build, two: Build) -> None:
    assert [one < two, one == two, one > two].count(True) == 1
    assert (one <= two) == (not two < one)


@given(builds, builds, builds)
def test_the_order_is_transitive(one: Build, two: Build, three: Build) -> None:
    low, middle, high = sorted([one, two, three])
    assert low <= middle <= high
    assert low <= high


@given(builds, builds)
def test_equal_builds_hash_alike(one: Build, two: Build) -> None:
    if one == two:
        assert hash(one) == hash(two)
    assert hash(one) == hash(Build.parse(str(one)))


@given(published)
def test_a_fips_build_is_the_same_release(tag: str) -> None:
    plain, with_fips = Build.parse(tag), Build.parse(f"{tag}-fips")
    assert plain == with_fips
    assert hash(plain) == hash(with_fips)
    assert str(with_fips) == f"{tag}-fips"


@given(published, st.integers(1, 10_000))
def test_a_custom_build_comes_right_after_its_release(tag: str, commits: int) -> None:
    release = Build.parse(tag)
    made = Build.parse(f"{tag}-{commits}-gabc123")
    assert release < made
    assert made.is_custom
    assert not made.is_production
    assert made.series == release.series
    next_patch = Build.parse(f"v{release.year}.{release.ordinal}.{release.patch + 1}-alpha.0")
    assert made < next_patch


@given(stable, phases, numbers)
def test_a_testing_build_comes_before_its_release(tag: str, phase: str, number: int) -> None:
    testing, release = Build.parse(f"{tag}-{phase}.{number}"), Build.parse(tag)
    assert testing < release
    assert not testing.is_production
    assert testing.is_prerelease == (phase != "cloudonly")
    assert testing.phase is Phase[phase.upper()]
    assert release.is_production


@given(stable, numbers, numbers)
def test_phases_come_in_order(tag: str, one: int, two: int) -> None:
    ordered = [f"{tag}-alpha.{one}", f"{tag}-beta.{two}", f"{tag}-rc.{one}"]
    ordered += [f"{tag}-cloudonly.{two}", tag, f"{tag}-x"]
    parsed = [Build.parse(each) for each in ordered]
    assert parsed == sorted(parsed)
    assert len(set(parsed)) == len(parsed)


@given(stable, numbers, numbers)
def test_numbers_are_compared_as_numbers(tag: str, one: int, two: int) -> None:
    left, right = Build.parse(f"{tag}-rc.{one}"), Build.parse(f"{tag}-rc.{two}")
    assert (left < right) == (one < two)


@given(st.text())
def test_any_text_is_a_build_or_a_version_error(text: str) -> None:
    try:
        build = Build.parse(text)
    except VersionError:
        return
    assert str(build) == text


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "21.2.0", "v21.2", "v21.2.0 ", "v21.2.01", "v021.2.0", "v21.0.0", "v21.2.0-"],
)
def test_what_is_no_build(text: str) -> None:
    with pytest.raises(VersionError):
        Build.parse(text)


@pytest.mark.parametrize(
    ("tag", "custom_build", "production"),
    [
        ("v21.2.0", False, True),
        ("v21.2.0-fips", False, True),
        ("v21.2.0-rc.1", False, False),
        ("v21.2.0-cloudonly.1", False, False),
        ("v21.2.0-5-gabc123", True, False),
        ("v21.2.0-dirty", True, False),
        ("sha256:0a1b2c:latest-v21.2-build", True, False),
    ],
)
def test_what_kind_of_build(tag: str, custom_build: bool, production: bool) -> None:
    build = Build.parse(tag)
    assert (build.is_custom, build.is_production) == (custom_build, production)
    assert build.series == Series(21, 2)


def test_a_build_made_by_hand_prints_a_tag() -> None:
    assert str(Build(21, 2, 3)) == "v21.2.3"
    assert str(Build(21, 2, 0, Phase.RC, 2)) == "v21.2.0-rc.2"


# --- series -------------------------------------------------------------------------------------


@given(st.integers(0, 9999), st.integers(0, 9999), st.booleans())
def test_series_come_and_go_as_text(year: int, ordinal: int, with_v: bool) -> None:
    text = f"{'v' if with_v else ''}{year}.{ordinal}"
    assert Series.parse(text) == Series(year, ordinal)
    assert str(Series(year, ordinal)) == f"{year}.{ordinal}"


@given(st.tuples(positive, positive), st.tuples(positive, positive))
def test_series_are_ordered_by_year_then_number(one: tuple[int, int], two: tuple[int, int]) -> None:
    assert (Series(*one) < Series(*two)) == (one < two)


@pytest.mark.parametrize("text", ["", "21", "21.2.0", "21.2-14", "v21.2-fips", " 21.2", "\uff121.2"])
def test_what_is_no_series(text: str) -> None:
    with pytest.raises(VersionError):
        Series.parse(text)


# --- cluster versions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "series", "final", "target", "development"),
    [
        ("21.1", "21.1", True, None, False),
        ("21.1-14", "21.1", False, None, False),
        ("22.1--1", "22.1", False, "22.1", False),
        ("23.1-upgrading-step-008", "23.1", False, None, False),
        ("23.2-upgrading-to-24.1-step-008", "23.2", False, "24.1", False),
        ("24.1-upgrading-final-step", "24.1", False, "24.1", False),
        ("1000021.1-14", "21.1", False, None, True),
        ("1000024.1", "24.1", False, None, True),
        ("1000023.2-upgrading-to-1000024.1-step-008", "23.2", False, "24.1", True),
    ],
)
def test_cluster_versions(
    text: str, series: str, final: bool, target: str | None, development: bool
) -> None:
    version = ClusterVersion.parse(text)
    assert str(version) == text
    assert str(version.series) == series
    assert version.is_final is final
    assert version.is_migrating is not final
    assert version.target == (Series.parse(target) if target else None)
    assert version.is_development is development


@given(positive, positive)
def test_only_the_bare_form_is_final(year: int, ordinal: int) -> None:
    assert ClusterVersion.parse(f"{year}.{ordinal}").is_final
    for tail in ("-2", "--1", "-upgrading-step-001", "-upgrading-final-step"):
        version = ClusterVersion.parse(f"{year}.{ordinal}{tail}")
        assert not version.is_final
        assert version.series == Series(year, ordinal)


@given(st.text())
def test_any_text_is_a_cluster_version_or_a_version_error(text: str) -> None:
    try:
        version = ClusterVersion.parse(text)
    except VersionError:
        return
    assert str(version) == text


@pytest.mark.parametrize(
    "text", ["", "21", "v21.1", "21.1.0", "21.1-", "21.1-upgrading", "21.1 ", "21.1-14x", "21.1---1"]
)
def test_what_is_no_cluster_version(text: str) -> None:
    with pytest.raises(VersionError):
        ClusterVersion.parse(text)
