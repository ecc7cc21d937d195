"""The OSV export against OSV's own schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guard.catalog import load
from guard.catalog.osv import VERSION_ORDER, osv_records

CATALOG = load()
SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "osv-schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RECORDS = dict(osv_records(CATALOG))


def test_there_is_one_record_per_advisory() -> None:
    assert sorted(record["database_specific"]["id"] for record in RECORDS.values()) == sorted(
        CATALOG.advisories
    )


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_valid(name: str) -> None:
    record = json.loads(json.dumps(RECORDS[name]))
    assert [error.message for error in VALIDATOR.iter_errors(record)] == []
    assert name == f"{record['id']}.json"


@pytest.mark.parametrize(
    "damage",
    [{"id": "A-72839"}, {"modified": "yesterday"}, {"affected": "all"}, {"references": [{}]}],
)
def test_the_schema_refuses_what_is_wrong(damage: dict[str, Any]) -> None:
    record = {**RECORDS["x_CRDB-A-72839.json"], **damage}
    assert list(VALIDATOR.iter_errors(record)) != []


def test_a_record_says_everything_about_72839() -> None:
    record = RECORDS["x_CRDB-A-72839.json"]
    (affected,) = record["affected"]
    (span,) = affected["ranges"]
    assert span["type"] == "ECOSYSTEM"
    assert span["events"] == [{"introduced": "v21.2.0-beta.1"}, {"fixed": "v21.2.1"}]
    assert span["database_specific"]["version_order"] == VERSION_ORDER
    assert "v21.2.0" in affected["versions"]
    assert "v21.2.1" not in affected["versions"]
    specific = record["database_specific"]
    assert specific["edges"]
    assert specific["conditions"]
    assert specific["mitigation"]["settings"][0]["value"] == "true"
    assert record["references"][0]["url"].endswith("/advisories/a72839")


def test_every_affected_build_is_listed() -> None:
    for record in RECORDS.values():
        name = record["database_specific"]["id"]
        listed = {build for affected in record["affected"] for build in affected["versions"]}
        for series in CATALOG.series.values():
            for release in series.releases:
                hit = CATALOG.affects(name, release.build).affected.value == "yes"
                assert (release.build in listed) == hit


def test_a_cve_is_an_alias() -> None:
    assert RECORDS["x_CRDB-CVE-2021-44228.json"]["aliases"] == ["CVE-2021-44228"]
