"""Hazards as records: their form, and what a plan makes of them."""

from __future__ import annotations

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.edges import avoids, decides, edges_of
from guard.catalog.records import Advisory
from guard.catalog.releases import build_of
from guard.plan.road import make_plan
from guard.versions import Build, Series

CATALOG = load()
HAZARDS = [each for each in CATALOG.advisories.values() if each.is_hazard]


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda each: each.id)
def test_a_plan_avoids_it_when_it_picks_a_patch(hazard: Advisory) -> None:
    for edge in hazard.edges:
        if not avoids(hazard, edge):
            continue
        source, target = Series.parse(edge.source), Series.parse(edge.target)
        made = make_plan(CATALOG, source, target)
        chosen = made.hops[0].build
        assert CATALOG.affects(hazard, chosen).affected is Answer.NO or not _repaired(hazard, target)


def _repaired(hazard: Advisory, target: Series) -> bool:
    return any(each.series == str(target) and each.fixed for each in hazard.affected)


@pytest.mark.parametrize(
    ("source", "asked", "hazard"),
    [
        ("v22.2.19", "v23.1.3", "H-104798"),
        ("v23.2.20", "v24.1.9", "H-136074"),
        ("v24.1.20", "v24.2.4", "H-133371"),
        ("v24.3.20", "v25.1.1", "H-141460"),
        ("v20.1.17", "v20.2.2", "H-57437"),
        ("v22.1.20", "v22.2.6", "H-98379"),
        ("v21.2.17", "v22.1.6", "H-87633"),
    ],
)
def test_an_affected_release_that_was_asked_for_is_replaced(
    source: str, asked: str, hazard: str
) -> None:
    (hop,) = make_plan(CATALOG, Build.parse(source), Build.parse(asked)).hops
    assert hop.build != Build.parse(asked)
    assert any(hazard in reason for reason in hop.reasons)
    assert CATALOG.affects(hazard, hop.build).affected is Answer.NO


@pytest.mark.parametrize(
    ("source", "target", "hazard", "ready"),
    [("v20.2.5", "v21.1", "H-64688", True), ("v20.2.12", "v21.1", "H-64688", False)],
)
def test_the_old_series_is_patched_first_where_the_running_build_bites(
    source: str, target: str, hazard: str, ready: bool
) -> None:
    (hop,) = make_plan(CATALOG, Build.parse(source), Series.parse(target)).hops
    assert any(hazard in each.reason for each in hop.before) is ready


def test_every_hazard_has_a_number_a_source_and_an_edge_that_can_bite() -> None:
    assert len(HAZARDS) >= 33
    for hazard in HAZARDS:
        assert int(hazard.id.removeprefix("H-")) in hazard.issues
        assert hazard.checked
        for edge in hazard.edges:
            side = edge.source if decides(edge) == "running" else edge.target
            ranged = {each.series for each in hazard.affected}
            assert side in ranged or edge.source == edge.target
            assert edge in edges_of(hazard, Series.parse(edge.source), Series.parse(edge.target))
        for affected in hazard.affected:
            first = build_of(affected.introduced)
            assert CATALOG.affects(hazard, first).affected is Answer.YES
