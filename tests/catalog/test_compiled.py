"""The compiled catalog is what the TOML records say, and nothing else."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from guard.catalog import CatalogError, load
from guard.catalog.compile import compile_directory
from guard.catalog.lint import SHIPPED
from guard.catalog.loader import COMPILED
from guard.catalog.records import CatalogRecords

if TYPE_CHECKING:
    from pathlib import Path


def test_the_compiled_file_is_up_to_date() -> None:
    assert COMPILED.read_bytes() == compile_directory(SHIPPED), "run: guard catalog build"


def test_compiling_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "catalog"
    for part in ("series", "advisories", "hazards", "changes"):
        shutil.copytree(SHIPPED / part, copy / part)
    shutil.copy(SHIPPED / "about.toml", copy)
    assert compile_directory(copy) == COMPILED.read_bytes()


def test_records_survive_the_way_through_the_file() -> None:
    records = msgspec.json.decode(COMPILED.read_bytes(), type=CatalogRecords)
    catalog = load()
    assert tuple(catalog.advisories.values()) == records.advisories
    assert tuple(catalog.series.values()) == records.series
    assert catalog.releases_until == records.about.releases_until


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"schema":1}', b"\xff\xfe", b"null", b"[" * 100_000],
)
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "compiled.json"
    file.write_bytes(content)
    with pytest.raises(CatalogError, match=r"compiled\.json: damaged catalog"):
        load(compiled=file)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        load(compiled=tmp_path / "compiled.json")


def test_a_directory_without_about_cannot_be_compiled(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "series", tmp_path / "series")
    with pytest.raises(CatalogError, match=r"no about\.toml"):
        compile_directory(tmp_path)
