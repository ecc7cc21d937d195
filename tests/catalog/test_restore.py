"""All pairs of series for restores, against the pages' rows and the rule beyond them."""

from __future__ import annotations

from itertools import product

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer, Basis
from guard.catalog.records import Category
from guard.catalog.restore import restorable_backups
from guard.versions import Build, Series
from tests.catalog.test_hops import ONWARD, SERIES

CATALOG = load()

_COSTS_DATA = (Category.DATA_LOSS, Category.CORRUPTION, Category.WRONG_RESULTS)

# The rows of the restore pages of v22.2 (v20.x), v23.1 (v21.1 to v22.2) and v26.2 (v23.2 to v24.3).
ROWS = {
    "20.1": "20.2",
    "20.2": "21.1",
    "21.1": "21.1 21.2",
    "21.2": "21.2 22.1",
    "22.1": "22.1 22.2",
    "22.2": "22.2 23.1",
    "23.2": "23.2 24.1",
    "24.1": "24.1 24.2 24.3",
    "24.2": "24.2 24.3",
    "24.3": "24.3 25.1 25.2",
}


@pytest.mark.parametrize(("backup", "into"), list(product(SERIES, SERIES)))
def test_every_pair(backup: str, into: str) -> None:
    answer = CATALOG.restore_allowed(backup, into)
    allowed = backup == into or into in ONWARD[backup].split()
    assert answer.allowed is (Answer.YES if allowed else Answer.NO)
    lower = Series.parse(into) < Series.parse(backup)
    assert answer.basis is (Basis.DOCUMENTED if lower or backup in ROWS else Basis.INFERRED)
    assert answer.reason
    assert answer.docs.startswith("https://www.cockroachlabs.com/docs/")


@pytest.mark.parametrize(("backup", "row"), ROWS.items())
def test_the_rows_of_the_pages(backup: str, row: str) -> None:
    assert CATALOG.series[Series.parse(backup)].restorable_into == tuple(row.split())
    for into in row.split():
        assert CATALOG.restore_allowed(backup, into).allowed is Answer.YES


def test_series_without_a_row_are_inferred_and_say_so() -> None:
    answer = CATALOG.restore_allowed("25.4", "26.2")
    assert (answer.allowed, answer.basis) == (Answer.YES, Basis.INFERRED)
    assert "inferred" in answer.reason
    assert CATALOG.restore_allowed("23.1", "23.2").basis is Basis.INFERRED


def test_a_full_cluster_restore_needs_a_cluster_that_is_not_mixed() -> None:
    def ask(mixed: bool | None, *, full: bool = True) -> Answer:
        return CATALOG.restore_allowed("21.1", "21.2", full_cluster=full, into_mixed=mixed).allowed

    assert ask(False) is Answer.YES
    assert ask(True) is Answer.NO
    assert ask(None) is Answer.UNKNOWN
    assert ask(True, full=False) is Answer.YES
    assert ask(None, full=False) is Answer.YES


def test_a_refusal_by_series_stays_one_when_the_cluster_could_not_be_seen() -> None:
    answer = CATALOG.restore_allowed("21.1", "22.1", full_cluster=True, into_mixed=None)
    assert answer.allowed is Answer.NO


@pytest.mark.parametrize(
    ("backup", "into", "expected"),
    [
        ("26.3", "26.4", Answer.UNKNOWN),
        ("26.2", "26.4", Answer.UNKNOWN),
        ("26.1", "26.4", Answer.NO),
        ("26.4", "26.3", Answer.NO),
        ("24.3", "26.4", Answer.NO),
        ("2.1", "19.1", Answer.YES),
    ],
)
def test_pairs_outside_the_catalog(backup: str, into: str, expected: Answer) -> None:
    answer = CATALOG.restore_allowed(backup, into)
    assert answer.allowed is expected
    assert bool(answer) is (expected is Answer.YES)


@pytest.mark.parametrize(
    ("into", "backups"),
    [
        ("21.2", "21.1 21.2"),
        ("24.3", "24.1 24.2 24.3"),
        ("25.1", "24.3 25.1"),
        ("19.1", "19.1"),
        ("26.2", "25.4 26.1 26.2"),
    ],
)
def test_which_backups_a_series_takes(into: str, backups: str) -> None:
    found = restorable_backups(CATALOG.series, Series.parse(into))
    assert [str(series) for series in found] == backups.split()


@pytest.mark.parametrize(
    ("backup", "into", "full", "build", "expected", "open_ones"),
    [
        ("21.2", "22.1", True, "v22.1.4", Answer.NO, 0),
        ("21.2", "22.1", True, "v22.1.5", Answer.YES, 0),
        ("21.2", "22.1", True, None, Answer.YES, 1),
        ("21.2", "22.1", False, "v22.1.4", Answer.YES, 0),  # only of a whole cluster
        ("22.1", "22.1", True, "v22.1.4", Answer.YES, 0),  # only of the older version
        ("20.1", "20.2", True, "v20.2.0-rc.2", Answer.NO, 0),
        ("20.1", "20.2", True, "v20.2.0", Answer.YES, 0),
        ("19.2", "20.1", True, "v20.1.8", Answer.NO, 0),
    ],
)
def test_a_restore_that_needs_a_patch(
    backup: str, into: str, full: bool, build: str | None, expected: Answer, open_ones: int
) -> None:
    builds = () if build is None else (Build.parse("v99.1.1"), Build.parse(build))
    answer = CATALOG.restore_allowed(backup, into, full_cluster=full, into_builds=builds)
    assert answer.allowed is expected
    assert len(answer.exceptions) == open_ones
    if expected is Answer.NO:
        assert answer.basis is Basis.DOCUMENTED
        assert "/docs/releases/" in answer.docs


@pytest.mark.parametrize(
    ("backup", "made_with", "expected", "open_ones"),
    [
        ("25.4", None, Answer.YES, 1),
        ("26.1", {"incremental_location"}, Answer.NO, 0),
        ("25.4", set(), Answer.YES, 0),
        ("26.2", None, Answer.YES, 0),  # v26.2 cannot make such a backup
    ],
)
def test_backups_made_with_an_option_that_is_gone(
    backup: str, made_with: set[str] | None, expected: Answer, open_ones: int
) -> None:
    answer = CATALOG.restore_allowed(backup, "26.2", made_with=made_with)
    assert answer.allowed is expected
    assert len(answer.exceptions) == open_ones


def test_an_exception_never_makes_a_no_a_yes() -> None:
    answer = CATALOG.restore_allowed("21.1", "22.1", into_builds=(Build.parse("v22.1.22"),))
    assert (answer.allowed, answer.exceptions) == (Answer.NO, ())


@pytest.mark.parametrize(
    ("backup", "into", "told"),
    [
        ("v22.1", "v22.2.5", {"A-101963"}),
        ("v22.1", "v22.2.6", {"A-101963", "A-98779"}),
        ("v22.1", "v22.2.8", {"A-101963", "A-190483"}),
        ("v22.1", "v22.2.9", {"A-190483"}),
        ("v22.1", "v22.2.14", set()),
        ("v22.2", "v23.1.8", {"A-190483"}),
        ("v22.2", "v23.1.9", set()),
        ("v21.1", "v21.2.16", {"A-88042"}),
        ("v21.1", "v21.2.17", set()),
        ("v24.3.16", "v25.2.19", {"A-151050"}),
        ("v24.3.17", "v25.2.19", set()),
        ("v24.3.17", "v25.2.0", set()),  # the defect is in BACKUP: where it is restored does not matter
        ("v24.2.10", "v24.3.33", {"A-151050"}),
        ("v20.1.14", "v20.2.19", {"A-63162", "A-64325"}),
        ("v20.1.15", "v20.2.19", {"A-64325"}),
        ("v20.1.16", "v20.2.19", set()),
    ],
)
def test_the_advisories_of_either_build_are_said(backup: str, into: str, told: set[str]) -> None:
    made_on, receiving = Build.parse(backup) if backup.count(".") == 2 else None, Build.parse(into)
    answer = CATALOG.restore_allowed(
        str(made_on.series) if made_on else backup,
        receiving.series,
        into_builds=(receiving,),
        made_on=(made_on or Build.parse(f"{backup}.99"),),
    )
    assert answer.allowed is Answer.YES
    assert {text.partition(":")[0] for text in answer.advisories} == told


def test_without_builds_the_advisories_name_the_ones_that_will_do() -> None:
    answer = CATALOG.restore_allowed("24.3", "25.2")
    [text] = answer.advisories
    assert text.startswith("made on v24.3.17 or later: before it, A-151050")
    [lasting] = CATALOG.restore_allowed("24.2", "24.3").advisories
    assert lasting.startswith("A-151050")
    into = CATALOG.restore_allowed("22.1", "22.2").advisories
    assert [text.partition(" or later")[0] for text in into] == [
        f"into {build}" for build in ("v22.2.7", "v22.2.9", "v22.2.14")
    ]
    assert CATALOG.restore_allowed("22.2", "22.1").advisories == ()


def test_every_advisory_on_restoring_says_which_side_it_is_about() -> None:
    """The pages that tell of restores of data gone wrong; found by their words."""
    about = {
        each.id
        for each in CATALOG.advisories.values()
        if "RESTORE" in f"{each.title} {each.summary}" and each.category in _COSTS_DATA
    }
    told = {each.id for each in CATALOG.advisories.values() if each.restores}
    assert about - told == {"A-144650"}  # whose page says that RESTORE is not affected
