"""The report as one JSON object. Its field names are an API: see ``guard schema report``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from guard.decision.result import (
    REPORT_SCHEMA_VERSION,
    ClusterSummary,
    Decision,
    Finding,
    Step,
    Verdict,
)
from guard.report.interface import Options
from guard.report.plain import escape_json

__all__ = ["Report", "render", "report_of", "schema"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON object that ``guard check --format json`` prints."""

    schema_version: str
    verdict: Verdict
    exit_code: int
    step: Step
    step_inferred: bool
    step_reason: str
    target: str | None
    cluster: ClusterSummary
    findings: tuple[Finding, ...]
    taken_at: dt.datetime
    guard_version: str
    catalog_date: dt.date | None
    releases_until: dt.date | None
    advisories_until: dt.date | None
    notices: tuple[str, ...]
    fingerprint: str
    fingerprint_parts: dict[str, Any]
    looks: tuple[dt.datetime, ...]


def render(decision: Decision, options: Options) -> str:
    """The decision as JSON, indented, with a final newline."""
    encoded = msgspec.json.format(msgspec.json.encode(report_of(decision, options)), indent=2)
    return escape_json(encoded.decode()) + "\n"


def report_of(decision: Decision, options: Options) -> Report:
    """The object that is printed."""
    return Report(
        schema_version=REPORT_SCHEMA_VERSION,
        verdict=decision.verdict,
        exit_code=int(decision.exit_code(options.fail_on)),
        step=decision.step,
        step_inferred=decision.step_inferred,
        step_reason=decision.step_reason,
        target=decision.target,
        cluster=decision.cluster,
        findings=decision.findings,
        taken_at=decision.taken_at,
        guard_version=decision.guard_version,
        catalog_date=decision.catalog_date,
        releases_until=decision.releases_until,
        advisories_until=decision.advisories_until,
        notices=decision.notices,
        fingerprint=decision.fingerprint,
        fingerprint_parts=decision.fingerprint_parts,
        looks=decision.looks,
    )


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guard report",
        **msgspec.json.schema(Report),
    }
