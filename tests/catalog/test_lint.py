"""The linter on the shipped records, and on records that are broken on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.catalog import CatalogError
from guard.catalog.lint import SHIPPED, lint

GOOD = """
schema = 1
id = "A-1"
title = "A defect"
date = 2021-11-18
category = "other"
trigger = "upgrade"
summary = "Something breaks."
source = "https://example.com/a1"
note = ""
withdrawn = ["v21.1.8"]

[[affected]]
series = "21.1"
introduced = "v21.1.8"
fixed = "v21.1.9"

[[affected]]
series = "21.2"
introduced = "v21.2.0-beta.1"
last_affected = "v21.2.3"

[[edges]]
source = "21.1"
target = "21.2"
steps = ["start", "next-node"]

[[conditions]]
kind = "setting"
name = "sql.trace.txn.enable_threshold"
differs = ["0s"]

[mitigation]
text = "Upgrade."
upgrade_to = ["v21.1.9"]

[[mitigation.settings]]
name = "sql.defaults.vectorize"
value = "off"
since = ["v21.1.12"]
"""

SERIES = """
schema = 1
series = "26.4"
kind = "regular"
released = 2026-11-02
upgrade_from = ["26.2", "26.3"]
source = "https://example.com/26.4"
restorable_into = ["26.4"]
restore_source = "https://example.com/restore"
releases = [
  { build = "v26.4.0-rc.1", date = 2026-10-19, kind = "testing" },
  { build = "v26.4.0", date = 2026-11-02, kind = "production" },
]

[support]
maintenance_ends = 2027-11-02
assistance_ends = 2028-05-02
"""

ABOUT = """
schema = 1
catalog_date = 2026-11-01
read = 2026-11-02
docs_repository = "https://example.com"
docs_commit = "79e9a5d03f4b01203131e71af49a6f2eaae9ff63"
"""


def problems(directory: Path, name: str, text: str) -> list[str]:
    (directory / name).write_text(text, encoding="utf-8")
    return [problem.message for problem in lint(directory)]


def test_the_shipped_records_are_clean() -> None:
    assert [str(problem) for problem in lint()] == []
    assert Path(lint.__code__.co_filename).parent == SHIPPED.parent


@pytest.mark.parametrize(("name", "text"), [("A-1.toml", GOOD), ("26.4.toml", SERIES)])
def test_good_records_have_no_problem(tmp_path: Path, name: str, text: str) -> None:
    assert problems(tmp_path, name, text) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "A defect"', 'titel = "A defect"', "unknown field `titel`"),
        ('title = "A defect"', 'title = " "', "title is empty"),
        ('summary = "Something breaks."', 'summary = ""', "summary is empty"),
        ('text = "Upgrade."', 'text = ""', "mitigation.text is empty"),
        ('source = "https://example.com/a1"', "", "missing required field `source`"),
        ('source = "https://example.com/a1"', 'source = "page"', "source is missing"),
        ('id = "A-1"', 'id = "A-2"', "id A-2 differs from the file's name"),
        ('id = "A-1"', 'id = "a 1"', "is not of the form"),
        ('introduced = "v21.1.8"', 'introduced = "21.1.8"', "not a CockroachDB build"),
        ('introduced = "v21.1.8"', 'introduced = "v21.2.0"', "no build of series v21.1"),
        ('introduced = "v21.1.8"', 'introduced = "v21.1.9"', "is empty"),
        ('introduced = "v21.1.8"', 'introduced = "v21.1.10"', "is empty"),
        ('introduced = "v21.1.8"', 'introduced = "v21.1.0-rc.9"', "rc.9 is not in the releases"),
        ('fixed = "v21.1.9"', 'fixed = "v21.1.99"', "fixed v21.1.99 is not in the releases"),
        ('fixed = "v21.1.9"', "", "needs either fixed or last_affected"),
        ('"v21.2.3"', '"v21.2.99"', "last_affected v21.2.99 is not in the releases"),
        ('"v21.2.3"', '"v21.2.3"\nfixed = "v21.2.4"', "needs either fixed or last_affected"),
        ('series = "21.1"', 'series = "21.3"', "no build of series v21.3"),
        ('withdrawn = ["v21.1.8"]', 'withdrawn = ["v21.1.7"]', "v21.1.7 is not withdrawn"),
        ('withdrawn = ["v21.1.8"]', 'withdrawn = ["v21.1.99"]', "is not in the releases"),
        ('target = "21.2"', 'target = "22.1"', "is no supported upgrade"),
        ('target = "21.2"', 'target = "21"', "not a release series"),
        ('source = "21.1"', 'source = "21.3"', "names a series that is not in the catalog"),
        ('steps = ["start", "next-node"]', "steps = []", "names no step"),
        ('["start", "next-node"]', '["start", "start"]', "twice for the same step"),
        ('["start", "next-node"]', '["begin"]', "Invalid enum value 'begin'"),
        ('differs = ["0s"]', "", "needs either equals or differs"),
        ('differs = ["0s"]', 'differs = ["0s"]\nequals = ["1s"]', "needs either equals or differs"),
        ('name = "sql.trace.txn.enable_threshold"', 'name = "SQL trace"', "not a cluster setting"),
        ('name = "sql.defaults.vectorize"', 'name = "SQL"', "not a cluster setting"),
        ('kind = "setting"', 'kind = "weather"', "weather"),
        ('upgrade_to = ["v21.1.9"]', 'upgrade_to = ["v21.1.99"]', "is not in the releases"),
        ('upgrade_to = ["v21.1.9"]', 'upgrade_to = ["v21.2.0"]', "is affected itself"),
        ('since = ["v21.1.12"]', 'since = ["v21.1.8"]', "v21.1.8 was withdrawn"),
        ('trigger = "upgrade"', 'trigger = "moon"', "Invalid enum value 'moon'"),
        ("schema = 1", "schema = 2", "schema"),
    ],
)
def test_a_broken_advisory(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    found = problems(tmp_path, "A-1.toml", GOOD.replace(old, new))
    assert any(message in problem for problem in found), found


def test_a_fix_that_was_withdrawn(tmp_path: Path) -> None:
    text = GOOD.replace('"v21.1.8"', '"v21.1.7"').replace('fixed = "v21.1.9"', 'fixed = "v21.1.8"')
    assert "fixed v21.1.8 was withdrawn" in problems(tmp_path, "A-1.toml", text)


@pytest.mark.parametrize("second", ["v21.2.1", "v21.2.3"])
def test_ranges_that_overlap(tmp_path: Path, second: str) -> None:
    more = f'[[affected]]\nseries = "21.2"\nintroduced = "{second}"\nfixed = "v21.2.5"\n\n[[edges]]'
    found = problems(tmp_path, "A-1.toml", GOOD.replace("[[edges]]", more))
    assert found == [f"the ranges from v21.2.0-beta.1 and from {second} overlap"]


def test_ranges_that_touch_do_not_overlap(tmp_path: Path) -> None:
    more = '[[affected]]\nseries = "21.1"\nintroduced = "v21.1.9"\nfixed = "v21.1.10"\n\n[[edges]]'
    text = GOOD.replace("[[edges]]", more).replace('["v21.1.9"]', '["v21.1.10"]')
    assert problems(tmp_path, "A-1.toml", text) == []


def test_an_upgrade_defect_without_an_edge(tmp_path: Path) -> None:
    start, end = GOOD.index("[[edges]]"), GOOD.index("[[conditions]]")
    found = problems(tmp_path, "A-1.toml", GOOD[:start] + GOOD[end:])
    assert found == ["trigger is upgrade, but no edge says which one"]


def test_an_edge_that_can_never_count(tmp_path: Path) -> None:
    text = GOOD.replace('source = "21.1"', 'source = "22.1"').replace(
        'target = "21.2"', 'target = "22.2"'
    )
    found = problems(tmp_path, "A-1.toml", text)
    assert found == ["edge 22.1 to 22.2 can never count: no range in v22.2, whose builds decide"]


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ('source = "any"\ntarget = "21.2"', None),
        ('source = "any"\ntarget = "any"\nbites = "running"', None),
        ('source = "21.1"\ntarget = "21.2"\nbites = "running"', None),
        ('source = "21.1"\ntarget = "21.2"\nbites = "edge"', None),
        ('source = "21.2"\ntarget = "22.1"\nbites = "running"', None),
        ('source = "any"\ntarget = "22.1"', "can never count: no range in v22.1"),
        ('source = "22.1"\ntarget = "22.2"\nbites = "running"', "no range in v22.1"),
        ('source = "any"\ntarget = "any"\nbites = "edge"', "bites on every upgrade there is"),
        ('source = "any"\ntarget = "30.1"\nbites = "running"', "not in the catalog"),
        (
            'source = "21.1"\ntarget = "21.2"\nbites = "edge"\ntarget_affected_only = false',
            "has both bites and its older name",
        ),
        ('source = "all"\ntarget = "21.2"', "edges.source"),
        ('source = "21.1"\ntarget = "21.2"\nbites = "sometimes"', "bites"),
    ],
)
def test_what_makes_an_edge_bite(tmp_path: Path, edge: str, message: str | None) -> None:
    text = GOOD.replace('source = "21.1"\ntarget = "21.2"', edge)
    found = problems(tmp_path, "A-1.toml", text)
    assert found == [] if message is None else any(message in problem for problem in found)


def test_a_range_to_the_end_of_its_series_needs_a_condition(tmp_path: Path) -> None:
    open_end = GOOD.replace('last_affected = "v21.2.3"\n', "")
    assert any(
        "needs either fixed or last_affected" in p for p in problems(tmp_path, "A-1.toml", open_end)
    )
    condition = (
        '[[affected.conditions]]\nkind = "setting"\nname = "a.b"\ndiffers = ["true"]\n\n[[edges]]'
    )
    assert problems(tmp_path, "A-1.toml", open_end.replace("[[edges]]", condition)) == []
    bad = condition.replace('differs = ["true"]\n', "")
    (found,) = problems(tmp_path, "A-1.toml", open_end.replace("[[edges]]", bad))
    assert "needs either equals or differs" in found


def test_no_range_and_no_note(tmp_path: Path) -> None:
    start, end = GOOD.index("[[affected]]"), GOOD.index("[[edges]]")
    text = GOOD[:start] + "[[edges]]\ntarget_affected_only = false" + GOOD[end + 9 :]
    assert problems(tmp_path, "A-1.toml", "affected = []\n" + text) == [
        "affected is empty and no note says why"
    ]
    noted = "affected = []\n" + text.replace('note = ""', 'note = "Only in the cloud."')
    assert problems(tmp_path, "A-1.toml", noted) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('series = "26.4"', 'series = "26.5"', "differs from the file's name"),
        ('upgrade_from = ["26.2", "26.3"]', 'upgrade_from = ["26.3"]', "which says 26.2, 26.3"),
        ('kind = "regular"', 'kind = "innovation"', "upgrade_from differs"),
        ('kind = "regular"', 'kind = "innovation"', "neither assistance nor LTS"),
        ("released = 2026-11-02", "released = 2026-11-01", "released is not the day"),
        ("released = 2026-11-02", "", "released is not the day"),
        ('source = "https://example.com/26.4"', 'source = ""', "source is missing"),
        ('restorable_into = ["26.4"]', "", "go together"),
        ('restorable_into = ["26.4"]', 'restorable_into = ["26.3"]', "goes against the rule"),
        ('"v26.4.0-rc.1"', '"v26.4.1"', "releases are not in order"),
        ('"v26.4.0-rc.1"', '"v26.4.1"', "v26.4.1 is not a testing build by its name"),
        ('"v26.4.0-rc.1"', '"v26.4.0"', "v26.4.0 stands in the releases twice"),
        ('"v26.4.0-rc.1"', '"v26.3.0"', "no build of series v26.4"),
        ('"v26.4.0-rc.1"', '"v26.4.0-dirty"', "is not a testing build by its name"),
        ("assistance_ends = 2028-05-02", "assistance_ends = 2027-05-02", "not in order"),
        (
            "assistance_ends = 2028-05-02",
            'lts_since_build = "v26.4.0"',
            "the three lts entries go together",
        ),
        (
            "assistance_ends = 2028-05-02",
            'lts_since_build = "v26.4.9"',
            "support.lts_since_build v26.4.9 is not in the releases",
        ),
    ],
)
def test_a_broken_series(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SERIES.count(old) == 1
    found = problems(tmp_path, "26.4.toml", SERIES.replace(old, new))
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("read = 2026-11-02", "read = 2026-10-02", "read lies before catalog_date"),
        ("catalog_date = 2026-11-01", "releases_until = 2026-11-03", "read lies before releases_un"),
        ("catalog_date = 2026-11-01", "advisories_until = 2026-10-01", "there is no such record"),
        ("79e9a5d03f4b", "HEAD", "not a commit"),
    ],
)
def test_a_broken_about(tmp_path: Path, old: str, new: str, message: str) -> None:
    found = problems(tmp_path, "about.toml", ABOUT.replace(old, new))
    assert any(message in problem for problem in found), found


def test_the_same_record_twice(tmp_path: Path) -> None:
    (tmp_path / "advisories").mkdir()
    (tmp_path / "advisories" / "A-1.toml").write_text(GOOD)
    (found,) = problems(tmp_path, "A-1.toml", GOOD)
    assert "the same record stands in" in found


def test_files_that_cannot_be_read_are_problems_too(tmp_path: Path) -> None:
    (tmp_path / "A-2.toml").mkdir()
    (tmp_path / "A-3.toml").write_bytes(b"\xff")
    found = problems(tmp_path, "A-4.toml", "= ")
    assert len(found) == 3
    assert {"not a regular file", "not UTF-8 text"} < set(found)


def test_a_directory_without_records(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no \.toml record"):
        lint(tmp_path)
