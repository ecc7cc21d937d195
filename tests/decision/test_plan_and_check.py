"""What ``guard plan`` says of a hop is what ``guard check`` says of its steps, on every hop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.records import SettingCondition
from guard.catalog.releases import installable
from guard.catalog.wellformed import all_conditions
from guard.decision.checks import advisories
from guard.decision.engine import evaluate
from guard.decision.result import Outcome
from guard.plan.hop import Hop
from guard.plan.road import make_plan
from guard.versions import Build, Series
from tests.building import snapshot, three, unavailable

CATALOG = load()
OWN_CHECK = "A-72839"
SPEAKS = (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN)


def sources(series: Series) -> list[Build]:
    """The first, the middle and the last production build of a series."""
    builds = sorted(build for build, _ in installable(CATALOG.series[series]))
    return sorted({builds[0], builds[len(builds) // 2], builds[-1]}) if builds else []


def hops() -> Iterator[tuple[Build, Hop]]:
    """Every hop that a plan recommends from these builds, and what it starts from."""
    for start in CATALOG.series:
        if start < Series(20, 1):
            continue
        for source in sources(start):
            for end in CATALOG.series:
                if CATALOG.upgrade_allowed(start, end).supported is not Answer.YES:
                    continue
                here = source
                for hop in make_plan(CATALOG, source, end).hops:
                    yield (hop.before[0].build if hop.before else here), hop
                    here = hop.build


HOPS = [pytest.param(here, hop, id=f"{here}-{hop.build}") for here, hop in hops()]


def said(here: Build, hop: Hop, step: str, series: Series) -> dict[str, Outcome]:
    """What the check says of each advisory where no condition can be read."""
    builds = {"start": here, "next-node": here}.get(step, hop.build)
    hidden = unavailable()
    seen = snapshot(
        three(str(builds)), version=str(series), gateway=str(builds), features=hidden, license=hidden,
        active_jobs=hidden, job_history=hidden,
    )  # fmt: skip
    decision = evaluate(seen, step=step, target=str(hop.build), checks=[advisories.CHECK])
    return {f.check: f.outcome for f in decision.findings if f.check in CATALOG.advisories}


@pytest.mark.parametrize(("here", "hop"), HOPS)
def test_plan_and_check_name_the_same_advisories(here: Build, hop: Hop) -> None:
    checked: dict[str, Outcome] = {}
    for step in ("start", "next-node", "finalize", "verify"):
        series = hop.target if step == "verify" else hop.source
        for advisory, outcome in said(here, hop, step, series).items():
            if outcome is Outcome.BLOCK:
                assert not _has_a_better_release(advisory, hop), advisory
            if outcome in SPEAKS or advisory not in checked:
                checked[advisory] = outcome
    planned = {met.advisory.id: met for met in hop.advisories if met.advisory.id != OWN_CHECK}
    speaks = {advisory for advisory, outcome in checked.items() if outcome in SPEAKS}
    # What the hop changes nothing about is in the plan's list, and said to be so by the check.
    assert speaks <= set(planned)
    for advisory in set(planned) - speaks:
        assert checked.get(advisory) is Outcome.NOT_APPLICABLE, advisory
        assert planned[advisory].lasting or _by_settings(advisory), advisory


def _by_settings(advisory: str) -> bool:
    """Settings can be read in the snapshot, and a default excludes some advisories."""
    conditions = all_conditions(CATALOG.advisories[advisory])
    return any(isinstance(condition, SettingCondition) for condition in conditions)


def _has_a_better_release(advisory: str, hop: Hop) -> bool:
    return any(
        CATALOG.affects(advisory, build).affected is Answer.NO
        for build, _ in installable(CATALOG.series[hop.target])
    )
