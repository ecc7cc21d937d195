"""What an upgrade changes, as one JSON object. Its field names are an API: ``guard schema changes``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from guard.changes.result import CHANGES_SCHEMA_VERSION, ChangesReport, Concern, JudgedSeries
from guard.report.interface import Options
from guard.report.plain import escape_json

__all__ = ["ChangesObject", "render", "schema"]


class ChangesObject(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON object that ``guard changes --format json`` prints. `counts`: by concern."""

    schema_version: str
    exit_code: int
    source: str
    target: str
    counts: dict[str, int]
    series: tuple[JudgedSeries, ...]
    taken_at: dt.datetime | None
    gateway: str | None
    guard_version: str
    catalog_date: dt.date


def render(report: ChangesReport, options: Options) -> str:
    """The report as JSON, indented, with a final newline."""
    found = ChangesObject(
        schema_version=CHANGES_SCHEMA_VERSION,
        exit_code=int(report.exit_code(options.fail_on)),
        source=report.source,
        target=report.target,
        counts={concern.value: len(report.of(concern)) for concern in Concern},
        series=report.series,
        taken_at=report.taken_at,
        gateway=report.gateway,
        guard_version=report.guard_version,
        catalog_date=report.catalog_date,
    )
    encoded = msgspec.json.format(msgspec.json.encode(found), indent=2)
    return escape_json(encoded.decode()) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the object."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guard changes",
        **msgspec.json.schema(ChangesObject),
    }
