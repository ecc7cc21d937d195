"""guard catalog import: real files cut down, merged without losing what the catalog knows."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.catalog import CatalogError, load
from guard.catalog.answers import Answer, ReleaseStatus
from guard.catalog.catalog import Catalog
from guard.catalog.importing.affected import draft_ranges
from guard.catalog.importing.overlay import Overlay, make_overlay
from guard.catalog.importing.source import read_source
from guard.catalog.importing.toml import to_toml
from guard.catalog.lint import lint

PUBLIC = Path(__file__).parents[1] / "data" / "public"
CATALOG = load()
TODAY = dt.date(2026, 11, 25)
LIST = b'{"versions": {%s}}'


def made(*files: bytes, catalog: Catalog = CATALOG) -> Overlay:
    return make_overlay(catalog, [read_source(data, "a file") for data in files], None, TODAY)


def written(overlay: Overlay, directory: Path) -> Catalog:
    for name, record in overlay.files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(to_toml(record), encoding="utf-8")
    return load(directory)


def listing(**days: str) -> bytes:
    versions = ", ".join(
        f'"{name.replace("_", ".")}": {{"date": "{day}"}}' for name, day in days.items()
    )
    return LIST % versions.encode()


def test_the_public_list_says_nothing_that_the_catalog_does_not_know() -> None:
    found = read_source((PUBLIC / "release-data-cockroachdb.json").read_bytes(), "list")
    assert {each.build for each in found.releases} >= {"v26.2.5", "v21.1.20", "v19.1.0"}
    assert all(CATALOG.release(each.build).known for each in found.releases)
    assert make_overlay(CATALOG, [found], None, TODAY).files == {}


def test_new_builds_are_known_by_their_tag_and_move_the_date(tmp_path: Path) -> None:
    data = listing(**{"26_2_8": "2026-10-12", "24_2_1": "2024-09-05", "26_2_7": "2026-09-15"})
    catalog = written(made(data), tmp_path)
    assert catalog.release("v26.2.8").status is ReleaseStatus.PRODUCTION_BY_TAG
    assert catalog.release("v26.2.7").release.date == dt.date(2026, 9, 15)  # type: ignore[union-attr]
    assert catalog.release("v24.2.1").status is ReleaseStatus.WITHDRAWN  # a tag does not make it good
    assert catalog.release("v26.1.1").status is ReleaseStatus.CLOUD_ONLY
    assert catalog.releases_until == dt.date(2026, 10, 12)
    assert catalog.advisories_until == CATALOG.advisories_until
    assert lint(tmp_path) == []


def test_a_new_series_is_unknown_until_a_person_completes_it(tmp_path: Path) -> None:
    catalog = written(made(listing(**{"26_4_0": "2026-11-03"})), tmp_path)
    assert catalog.upgrade_allowed("26.2", "26.4").supported is Answer.UNKNOWN
    assert catalog.release("v26.4.0").known
    assert any("kind is unknown" in each.message for each in lint(tmp_path))


def test_release_notes_say_withdrawn_and_cloud_only(tmp_path: Path) -> None:
    page = (PUBLIC / "release-notes-v24.2.html").read_bytes()
    releases = {each.build: each for each in read_source(page, "page").releases}
    assert releases["v24.2.1"].withdrawn
    assert releases["v24.2.2"].date == dt.date(2024, 9, 23)
    assert not releases["v24.2.2"].withdrawn
    catalog = written(made(page), tmp_path)
    assert catalog.release("v24.2.99").status is ReleaseStatus.CLOUD_ONLY
    assert catalog.releases_until == CATALOG.releases_until  # one series is no list of all


def test_an_advisory_becomes_a_draft_that_is_unknown(tmp_path: Path) -> None:
    page = (PUBLIC / "a151050.md").read_bytes().replace(b"151050", b"199999")
    catalog = written(made(page), tmp_path)
    draft = catalog.advisories["A-199999"]
    assert (draft.draft, draft.date) == (True, dt.date(2025, 8, 4))
    assert catalog.affects(draft, "v24.1.21").affected is Answer.UNKNOWN
    assert catalog.affects(draft, "v24.1.22").affected is Answer.NO
    assert catalog.affects(draft, "v25.3.2").affected is Answer.UNKNOWN  # words that do not parse
    assert catalog.affects(draft, "v26.1.2").affected is Answer.NO
    (problem,) = lint(tmp_path)
    assert "complete edges" in problem.message


def test_an_advisory_that_the_catalog_holds_is_left_alone() -> None:
    overlay = made((PUBLIC / "a151050.md").read_bytes())
    assert overlay.files == {}
    assert "in the catalog already" in overlay.said[0]


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("v24.1.0 to v24.1.21", ["24.1"]),
        ("v23.1.9", ["23.1"]),
        ("v22.1 to v23.1", ["22.1", "22.2", "23.1"]),
        ("v24.1.0 to v24.2.3", ["24.1", "24.2"]),
        ("v20.2.0 and v21.1.0 - v21.1.3", ["20.2", "21.1"]),
        ("v21.1.0 and later", []),
        ("all versions before v22.2", []),
        ("some builds", []),
        ("v19.9.1 through nowhere", ["19.9"]),
    ],
)
def test_what_does_not_parse_counts_as_more(text: str, series: list[str]) -> None:
    assert [each.series for each in draft_ranges(CATALOG.series, text)] == series


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"versions": {}}',
        b'{"versions": []}',
        b'{"versions": {"26.2.9": {"date": "soon"}}}',
        b'{"versions": {"latest": {"date": "2026-01-01"}}}',
        b"<html><body>nothing</body></html>",
        b"title: Technical Advisory 7654321\n",
        b"[" * 100_000,
    ],
)
def test_what_is_none_of_them_is_one_clear_error(data: bytes) -> None:
    with pytest.raises(CatalogError, match="a file"):
        read_source(data, "a file")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_file_crashes_it(data: bytes) -> None:
    with contextlib.suppress(CatalogError):
        found = read_source(data, "a file")
        assert found.releases or found.advisories


@given(st.text(max_size=60))
def test_texts_survive_the_way_through_the_file(text: str) -> None:
    import tomllib

    import msgspec

    from guard.catalog.records import Advisory

    page = b"advisory: A-199999\nadvisory_date: 2026-01-02\n"
    (record,) = made(page).files.values()
    assert isinstance(record, Advisory)
    record = msgspec.structs.replace(record, note=text)
    assert msgspec.convert(tomllib.loads(to_toml(record)), Advisory) == record
