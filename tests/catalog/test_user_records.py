"""A user's own records: they add and override, and whatever is odd is one clear error."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest

from guard.catalog import CatalogError, load
from guard.catalog.answers import Answer, ReleaseStatus
from guard.catalog.files import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

ADVISORY = """
schema = 1
id = "A-1"
title = "A defect"
date = 2026-07-01
category = "other"
trigger = "always"
summary = "Something breaks."
source = "https://example.com/a1"
affected = [{ series = "26.2", introduced = "v26.2.0", fixed = "v26.2.1" }]
mitigation = { text = "Upgrade." }
"""
SERIES = """
schema = 1
series = "26.4"
kind = "regular"
released = 2026-11-02
upgrade_from = ["26.2", "26.3"]
source = "https://example.com/26.4"
releases = [{ build = "v26.4.0", date = 2026-11-02, kind = "production" }]
support = {}
"""


def test_records_are_added(tmp_path: Path) -> None:
    (tmp_path / "A-1.toml").write_text(ADVISORY)
    (tmp_path / "26.4.toml").write_text(SERIES)
    (tmp_path / "README.md").write_text("not a record")
    (tmp_path / ".hidden.toml").write_text("not a record either")
    shipped, extended = load(), load(tmp_path)
    assert len(extended.advisories) == len(shipped.advisories) + 1
    assert extended.affects("A-1", "v26.2.0").affected is Answer.YES
    assert extended.affects("A-1", "v26.2.1").affected is Answer.NO
    assert shipped.upgrade_allowed("26.2", "26.4").supported is Answer.UNKNOWN
    assert extended.upgrade_allowed("26.2", "26.4").supported is Answer.YES
    assert extended.release("v26.4.0").status is ReleaseStatus.PRODUCTION
    assert extended.date == shipped.date


def test_a_record_of_the_same_id_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "advisories").mkdir()
    (tmp_path / "advisories" / "A-72839.toml").write_text(ADVISORY.replace("A-1", "A-72839"))
    catalog = load(tmp_path)
    assert len(catalog.advisories) == len(load().advisories)
    assert catalog.affects("A-72839", "v21.2.0").affected is Answer.NO


ABOUT = "schema = 1\nread = 2026-11-20\n"


def test_about_alone_moves_no_date(tmp_path: Path) -> None:
    (tmp_path / "about.toml").write_text(ABOUT + "catalog_date = 2026-11-20\n")
    assert load(tmp_path).extent == load().extent


def test_about_moves_a_date_as_far_as_its_records_reach(tmp_path: Path) -> None:
    claim = "releases_until = 2026-11-20\nadvisories_until = 2026-06-30\n"
    (tmp_path / "about.toml").write_text(ABOUT + claim)
    (tmp_path / "26.4.toml").write_text(SERIES)
    shipped, moved = load(), load(tmp_path)
    assert moved.releases_until == dt.date(2026, 11, 2)  # the newest release among the records
    assert moved.advisories_until == shipped.advisories_until
    assert moved.date == shipped.advisories_until
    (tmp_path / "A-1.toml").write_text(ADVISORY)
    assert load(tmp_path).advisories_until == dt.date(2026, 6, 30)  # what was claimed


def test_about_moves_no_date_back(tmp_path: Path) -> None:
    (tmp_path / "about.toml").write_text(ABOUT + "releases_until = 2026-01-01\n")
    (tmp_path / "26.4.toml").write_text(SERIES)
    assert load(tmp_path).extent == load().extent


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"= broken", "not TOML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "missing required field"),
        (b"a = " + b"[" * 20_000, "not TOML"),
        (ADVISORY.replace("title", "titel").encode(), "titel|title"),
        (ADVISORY.replace("v26.2.1", "26.2.1").encode(), "not a CockroachDB build"),
        (ADVISORY.replace('fixed = "v26.2.1"', 'fixed = "v26.1.1"').encode(), "no build of series"),
        (ADVISORY.replace('fixed = "v26.2.1"', 'fixed = "v26.2.0"').encode(), "empty"),
        (ADVISORY.replace(', fixed = "v26.2.1"', "").encode(), "either fixed or last_affected"),
        (ADVISORY.replace('"other"', '"bad luck"').encode(), "bad luck"),
        (ADVISORY.replace("2026-07-01", '"July"').encode(), "date"),
        (ADVISORY.replace('series = "26.2"', 'series = "v26.2"').encode(), "write 26.2"),
    ],
)
def test_a_broken_record_is_one_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "A-1.toml").write_bytes(content)
    with pytest.raises(CatalogError, match=message) as caught:
        load(tmp_path)
    assert "A-1.toml" in str(caught.value)


def test_a_huge_file(tmp_path: Path) -> None:
    (tmp_path / "A-1.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(CatalogError, match="larger than"):
        load(tmp_path)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "A-1.toml")
    with pytest.raises(CatalogError, match="not a regular file"):
        load(tmp_path)


def test_a_directory_under_a_records_name(tmp_path: Path) -> None:
    (tmp_path / "A-1.toml").mkdir()
    with pytest.raises(CatalogError, match="not a regular file"):
        load(tmp_path)


def test_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "A-1.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CatalogError, match="cannot be read"):
        load(tmp_path)


def test_no_directory_an_empty_one_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such catalog directory"):
        load(tmp_path / "nowhere")
    with pytest.raises(CatalogError, match=r"no \.toml record"):
        load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match="cannot be listed"):
        load(tmp_path / "file")


def test_the_same_record_twice(tmp_path: Path) -> None:
    (tmp_path / "A-1.toml").write_text(ADVISORY)
    (tmp_path / "A-2.toml").write_text(ADVISORY)
    with pytest.raises(CatalogError, match="stands in"):
        load(tmp_path)
