"""Hazards in guard check: each affected, not affected, and unknown, in every step it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import guard
from guard.catalog import load
from guard.catalog.edges import decides
from guard.catalog.records import (
    Advisory,
    AffectedRange,
    Edge,
    JobCondition,
    SettingCondition,
    UnreadableCondition,
)
from guard.catalog.releases import build_of, installable
from guard.decision.checks import advisories
from guard.decision.result import Finding, Outcome
from guard.snapshot.model import Snapshot
from guard.versions import Series
from tests.building import job, put, snapshot, three, unavailable

CATALOG = load()
HAZARDS = [each for each in CATALOG.advisories.values() if each.is_hazard]
CASES = [
    pytest.param(hazard, edge, step, id=f"{hazard.id}-{edge.source}-{edge.target}-{step}")
    for hazard in HAZARDS
    for edge in hazard.edges
    for step in edge.steps
]


def newest(series: str) -> str:
    return str(installable(CATALOG.series[Series.parse(series)])[0][0])


def range_of(hazard: Advisory, edge: Edge) -> AffectedRange:
    """The range that decides. The way back from a series is an edge within the older one."""
    sides = [edge.source, edge.target] if decides(edge) == "running" else [edge.target]
    found = [each for each in hazard.affected if each.series in sides]
    return found[0] if found else hazard.affected[0]


def affected(hazard: Advisory, edge: Edge) -> str:
    """The last affected production release of the deciding series."""
    one = range_of(hazard, edge)
    good = [
        release.build
        for release in CATALOG.series[Series.parse(one.series)].releases
        if release.kind == "production" and release.listed
    ]
    hit = [b for b in good if CATALOG.affects(hazard, b).affected.value == "yes"]
    return hit[-1]


def clean(hazard: Advisory, edge: Edge) -> str:
    """A build of the deciding series that has the repair, or of one that never had the defect."""
    one = range_of(hazard, edge)
    return one.fixed if one.fixed is not None else ""


def harmful(hazard: Advisory) -> dict[str, Any]:
    """A state in which every condition that guard can read holds."""
    state: dict[str, Any] = {"jobs": [], "settings": {}}
    for condition in hazard.conditions:
        if isinstance(condition, JobCondition):
            kind = condition.types[0] if condition.types else "SCHEMA CHANGE"
            state["jobs"] += [job(1000 + number, kind) for number in range(condition.at_least)]
        elif isinstance(condition, SettingCondition):
            state["settings"] |= {condition.name: condition.equals[0]}
    return state


def taken(edge: Edge, build: str, step: str, **state: Any) -> tuple[Snapshot, str]:
    """The snapshot and the target of a step in which `build` decides."""
    series = edge.source
    old = build if decides(edge) == "running" else newest(series)
    new = newest(edge.target) if decides(edge) == "running" else build
    if step == "rollback":  # nodes of the new series go back to the old one
        nodes, target = three(build), newest(edge.target)
    elif step in ("finalize", "verify"):
        nodes, target = three(new), new
    else:
        nodes, target = three(old), new
        if step == "next-node":
            nodes = [*three(new)[:1], *three(old)[1:]]
    return snapshot(nodes, version=series, gateway=old, **state), target


def finding(hazard: Advisory, step: str, of: tuple[Snapshot, str]) -> Finding | None:
    decision = guard.evaluate(of[0], step=step, target=of[1], checks=[advisories.CHECK])
    return next((f for f in decision.findings if f.check == hazard.id), None)


def expected(hazard: Advisory, edge: Edge) -> Outcome:
    if edge.effect == "warn":
        return Outcome.WARN
    asks = any(isinstance(condition, UnreadableCondition) for condition in hazard.conditions)
    return Outcome.UNKNOWN if asks else Outcome.BLOCK


@pytest.mark.parametrize(("hazard", "edge", "step"), CASES)
def test_affected(hazard: Advisory, edge: Edge, step: str) -> None:
    found = finding(hazard, step, taken(edge, affected(hazard, edge), step, **harmful(hazard)))
    assert found is not None
    assert found.outcome is expected(hazard, edge), found
    assert found.remedy
    assert found.docs.startswith("https://")


@pytest.mark.parametrize(("hazard", "edge", "step"), CASES)
def test_not_affected(hazard: Advisory, edge: Edge, step: str) -> None:
    build = clean(hazard, edge)
    if build:
        found = finding(hazard, step, taken(edge, build, step, **harmful(hazard)))
        assert found is None or found.outcome is Outcome.NOT_APPLICABLE, found
    readable = [c for c in hazard.conditions if isinstance(c, JobCondition | SettingCondition)]
    assert build or readable, "nothing here can show that it does not apply"
    if readable:
        state = {"settings": {c.name: "off" for c in readable if isinstance(c, SettingCondition)}}
        found = finding(hazard, step, taken(edge, affected(hazard, edge), step, **state))
        assert found is not None
        assert found.outcome is Outcome.NOT_APPLICABLE, found


@pytest.mark.parametrize(("hazard", "edge", "step"), CASES)
def test_unknown(hazard: Advisory, edge: Edge, step: str) -> None:
    """What cannot be read is no reason to say that it does not apply."""
    hidden, target = taken(edge, affected(hazard, edge), step)
    hidden = put(
        hidden,
        active_jobs=unavailable(),
        job_history=unavailable(),
        settings=hidden.settings,
    )
    found = finding(hazard, step, (hidden, target))
    assert found is not None
    if any(isinstance(c, JobCondition | SettingCondition) for c in hazard.conditions):
        assert found.outcome is (Outcome.WARN if edge.effect == "warn" else Outcome.UNKNOWN), found
        return
    first = build_of(range_of(hazard, edge).introduced)  # a custom build from just before it
    before = f"{first.patch - 1}" if first.patch else "0-alpha.0"
    custom = f"v{first.series}.{before}-5-gabc"
    found = finding(hazard, step, taken(edge, custom, step, **harmful(hazard)))
    assert found is not None
    assert found.outcome is (Outcome.WARN if edge.effect == "warn" else Outcome.UNKNOWN), found


@pytest.mark.parametrize(
    ("hazard", "step", "nodes", "target", "version", "outcome"),
    [
        ("H-104798", "finalize", "v23.1.3", "v23.1.3", "22.2", Outcome.BLOCK),
        ("H-104798", "finalize", "v23.1.4", "v23.1.4", "22.2", Outcome.NOT_APPLICABLE),
        ("H-104798", "start", "v22.2.19", "v23.1.2", "22.2", Outcome.NOT_APPLICABLE),
        ("H-136074", "start", "v23.2.10", "v24.1.9", "23.2", Outcome.UNKNOWN),
        ("H-136074", "start", "v23.2.10", "v24.1.10", "23.2", Outcome.NOT_APPLICABLE),
        ("H-87633", "finalize", "v22.1.6", "v22.1.6", "21.2", Outcome.BLOCK),
        ("H-99936", "finalize", "v22.2.12", "v22.2.12", "22.1", Outcome.BLOCK),
        ("H-141460", "finalize", "v25.1.1", "v25.1.1", "24.3", Outcome.BLOCK),
        ("H-141460", "finalize", "v25.1.2", "v25.1.2", "24.3", Outcome.NOT_APPLICABLE),
        ("H-57437", "start", "v20.1.17", "v20.2.2", "20.1", Outcome.NOT_APPLICABLE),  # no job runs
        ("H-98379", "next-node", "v22.1.9", "v22.2.6", "22.1", Outcome.WARN),
    ],
)
def test_literal_cases(
    hazard: str, step: str, nodes: str, target: str, version: str, outcome: Outcome
) -> None:
    made = snapshot(three(nodes), version=version, gateway=nodes)
    found = finding(CATALOG.advisories[hazard], step, (made, target))
    assert found is not None
    assert found.outcome is outcome


DRAFT = """
schema = 1
id = "A-199999"
title = "Technical advisory A-199999"
date = 2026-10-01
category = "other"
trigger = "always"
summary = "Imported from its page."
source = "https://www.cockroachlabs.com/docs/advisories/a199999"
{ranges}
mitigation = {{ text = "Read the page." }}
draft = true
"""
RANGES = 'affected = [{ series = "24.1", introduced = "v24.1.0", last_affected = "v24.1.21" }]'


@pytest.mark.parametrize(
    ("ranges", "step", "target", "outcome"),
    [
        (RANGES, "start", "v24.1.21", Outcome.UNKNOWN),
        (RANGES, "next-node", "v24.1.21", Outcome.UNKNOWN),
        (RANGES, "start", "v24.1.22", None),
        (RANGES, "finalize", "v24.1.21", None),
        ("affected = []", "start", "v24.1.22", Outcome.UNKNOWN),  # nobody said which builds
    ],
)
def test_a_draft_is_unknown_for_what_it_may_concern_and_blocks_nothing(
    tmp_path: Path, ranges: str, step: str, target: str, outcome: Outcome | None
) -> None:
    (tmp_path / "A-199999.toml").write_text(DRAFT.format(ranges=ranges))
    nodes = three("v23.2.20") if step != "finalize" else three(target)
    decision = guard.evaluate(
        snapshot(nodes, version="23.2", gateway="v23.2.20"),
        step=step,
        target=target,
        catalog=load(tmp_path),
        checks=[advisories.CHECK],
    )
    found = next((f for f in decision.findings if f.check == "A-199999"), None)
    assert (found.outcome if found is not None else None) is outcome
