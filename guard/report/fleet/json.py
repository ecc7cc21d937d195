"""A fleet as one JSON object. Its field names are an API: see ``guard schema fleet``."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from guard.decision.result import Step, Verdict
from guard.fleet.result import ClusterLine, FleetReport
from guard.report.interface import Options
from guard.report.json import Report, report_of
from guard.report.plain import escape_json

__all__ = ["FLEET_SCHEMA_VERSION", "render", "schema"]

FLEET_SCHEMA_VERSION: Final = "1"


class _Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's line, and the report that ``guard check`` would have printed; null without one."""

    name: str
    verdict: Verdict
    exit_code: int
    reason: str
    step: Step
    target: str | None
    active_version: str | None
    builds: str
    seconds: float
    report: Report | None


class _Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON object that ``guard fleet --format json`` prints; clusters worst first."""

    schema_version: str
    exit_code: int
    clusters: tuple[_Cluster, ...]
    guard_version: str


def render(report: FleetReport, options: Options) -> str:
    """The fleet as JSON, indented, with a final newline."""
    fleet = _Fleet(
        schema_version=FLEET_SCHEMA_VERSION,
        exit_code=report.exit_code,
        clusters=tuple(_cluster(line, options) for line in report.clusters),
        guard_version=report.guard_version,
    )
    encoded = msgspec.json.format(msgspec.json.encode(fleet), indent=2)
    return escape_json(encoded.decode()) + "\n"


def _cluster(line: ClusterLine, options: Options) -> _Cluster:
    return _Cluster(
        name=line.name,
        verdict=line.verdict,
        exit_code=line.exit_code,
        reason=line.reason,
        step=line.step,
        target=line.target,
        active_version=line.active_version,
        builds=line.builds,
        seconds=line.seconds,
        report=None if line.decision is None else report_of(line.decision, options),
    )


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the fleet's report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "guard fleet",
        **msgspec.json.schema(_Fleet),
    }
