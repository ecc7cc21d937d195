"""The JSON report: its field names are an API, so they stand here a second time."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import given

from guard.decision.result import Decision, Verdict, Waiver
from guard.report import Options
from guard.report.json import render, schema
from tests.report.decisions import NOW, decision, decisions, finding


def report(made: Decision) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(made, Options()))
    return found


def test_the_keys_are_frozen() -> None:
    made = decision(finding(waiver=Waiver(reason="x", owner="y")), verdict=Verdict.ALLOW)
    found = report(made)
    assert set(found) == {
        "schema_version",
        "verdict",
        "exit_code",
        "step",
        "step_inferred",
        "step_reason",
        "target",
        "cluster",
        "findings",
        "taken_at",
        "guard_version",
        "catalog_date",
        "releases_until",
        "advisories_until",
        "notices",
        "fingerprint",
        "fingerprint_parts",
        "looks",
    }
    assert set(found["cluster"]) == {
        "active_version",
        "final",
        "mixed",
        "nodes",
        "gateway",
        "cluster_id",
    }
    assert set(found["cluster"]["nodes"][0]) == {
        "node_id",
        "build",
        "server_version",
        "liveness",
        "membership",
        "address",
        "locality",
        "started_at",
    }
    assert set(found["findings"][0]) == {
        "check",
        "outcome",
        "title",
        "detail",
        "evidence",
        "remedy",
        "docs",
        "transient",
        "waiver",
        "nodes",
        "jobs",
        "schedules",
        "more",
        "unseen",
        "judged_as",
    }
    assert set(found["findings"][0]["waiver"]) == {"reason", "owner", "expires", "source"}


def test_the_values_are_frozen() -> None:
    found = report(decision(finding()))
    assert (found["schema_version"], found["verdict"], found["exit_code"]) == ("2", "block", 10)
    assert found["looks"] == ["2026-11-22T02:00:00Z"]
    assert found["taken_at"] == NOW.isoformat().replace("+00:00", "Z")
    assert found["catalog_date"] == "2026-11-22"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@given(decisions())
def test_every_report_fits_the_schema(made: Decision) -> None:
    jsonschema.Draft202012Validator(schema()).validate(report(made))


@given(decisions())
def test_texts_come_back_as_they_were(made: Decision) -> None:
    found = report(made)
    assert [f["title"] for f in found["findings"]] == [f.title for f in made.findings]
    assert found["notices"] == list(made.notices)
