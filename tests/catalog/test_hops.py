"""All pairs of series against a list of supported upgrades written by hand."""

from __future__ import annotations

from itertools import product

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.hops import expected_sources
from guard.versions import Series, VersionError

CATALOG = load()
SERIES = tuple(
    f"{year}.{number}"
    for year in range(19, 27)
    for number in range(1, 5)
    if (year, number) <= (26, 3) and number <= (2 if year < 24 else 3 if year == 24 else 4)
)

# From the general rule of the upgrade overview: where each series may go.
ONWARD = {
    "19.1": "19.2",
    "19.2": "20.1",
    "20.1": "20.2",
    "20.2": "21.1",
    "21.1": "21.2",
    "21.2": "22.1",
    "22.1": "22.2",
    "22.2": "23.1",
    "23.1": "23.2",
    "23.2": "24.1",
    "24.1": "24.2 24.3",
    "24.2": "24.3",
    "24.3": "25.1 25.2",
    "25.1": "25.2",
    "25.2": "25.3 25.4",
    "25.3": "25.4",
    "25.4": "26.1 26.2",
    "26.1": "26.2",
    "26.2": "26.3",
    "26.3": "",
}
SKIPS = {("24.1", "24.3"): "24.2", ("24.3", "25.2"): "25.1", ("25.2", "25.4"): "25.3"}
SKIPS |= {("25.4", "26.2"): "26.1"}


def test_the_catalog_holds_the_series() -> None:
    assert [str(series) for series in sorted(CATALOG.series)] == list(SERIES)


@pytest.mark.parametrize(("source", "target"), list(product(SERIES, SERIES)))
def test_every_pair(source: str, target: str) -> None:
    answer = CATALOG.upgrade_allowed(source, target)
    allowed = source == target or target in ONWARD[source].split()
    assert answer.supported is (Answer.YES if allowed else Answer.NO)
    skipped = SKIPS.get((source, target))
    assert [str(series) for series in answer.skips] == ([skipped] if skipped else [])
    assert bool(answer) is allowed
    assert answer.reason
    assert answer.docs.startswith("https://")


@pytest.mark.parametrize("kind", ["regular", "innovation"])
def test_kinds_of_series(kind: str) -> None:
    innovation = {"24.2", "25.1", "25.3", "26.1", "26.3"}
    named = {str(series) for series, record in CATALOG.series.items() if record.kind == kind}
    assert named == (innovation if kind == "innovation" else set(SERIES) - innovation)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("2.1", "19.1", Answer.YES),
        ("2.0", "19.1", Answer.NO),
        ("2.1", "19.2", Answer.NO),
        ("26.2", "26.4", Answer.UNKNOWN),  # over an innovation release, perhaps
        ("26.3", "26.4", Answer.UNKNOWN),
        ("26.1", "26.4", Answer.NO),  # 26.2 is regular and lies between
        ("20.1", "30.1", Answer.NO),
        ("26.4", "26.3", Answer.NO),  # a downgrade, whatever 26.4 is
        ("21.3", "22.1", Answer.UNKNOWN),  # no such series
        ("26.4", "26.4", Answer.UNKNOWN),
        ("26.4", "27.1", Answer.UNKNOWN),
        ("1.0", "1.1", Answer.UNKNOWN),
    ],
)
def test_pairs_outside_the_catalog(source: str, target: str, expected: Answer) -> None:
    answer = CATALOG.upgrade_allowed(source, target)
    assert answer.supported is expected
    assert bool(answer) is (expected is Answer.YES)


def test_versions_may_be_given_parsed() -> None:
    parsed = CATALOG.upgrade_allowed(Series(24, 1), Series(24, 3))
    assert parsed == CATALOG.upgrade_allowed("v24.1", "24.3")


@pytest.mark.parametrize("text", ["21.2.0", "21.2-14", "", "v21", "24.1-upgrading-final-step"])
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        CATALOG.upgrade_allowed(text, "22.1")


def test_the_rule_gives_the_recorded_sources() -> None:
    for target in sorted(CATALOG.series)[1:]:
        expected = expected_sources(CATALOG.series, target)
        assert expected is not None
        assert [str(series) for series in expected] == list(CATALOG.series[target].upgrade_from)
    assert expected_sources(CATALOG.series, min(CATALOG.series)) is None
