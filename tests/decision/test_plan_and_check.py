"""What ``guard plan`` says of a hop is what ``guard check`` says of its steps, on every hop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.records import SettingCondition
from guard.catalog.releases import installable
from guard.catalog.wellformed import all_conditions
from guard.decision.checks import advisories, auto_finalization, cluster_version, upgrade_path
from guard.decision.engine import evaluate
from guard.decision.result import Finding, Outcome
from guard.plan.hop import OnTheWay
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


class Way(NamedTuple):
    """An upgrade that a plan recommends: a hop, or the patch upgrade that must come before it."""

    here: Build
    build: Build
    source: Series
    advisories: tuple[OnTheWay, ...]


def ways() -> Iterator[Way]:
    """Every upgrade that plans recommend from the chosen builds."""
    for start in CATALOG.series:
        if start < Series(20, 1):
            continue
        for source in sources(start):
            for end in CATALOG.series:
                if CATALOG.upgrade_allowed(start, end).supported is not Answer.YES:
                    continue
                here = source
                for hop in make_plan(CATALOG, source, end).hops:
                    for first in hop.before:
                        yield Way(here, first.build, hop.source, first.advisories)
                        here = first.build
                    yield Way(here, hop.build, hop.source, hop.advisories)
                    here = hop.build


WAYS = [
    pytest.param(way, id=f"{way.here}-{way.build}")
    for way in {(way.here, way.build, way.source): way for way in ways()}.values()
]


def said(way: Way, step: str, series: Series) -> dict[str, Outcome]:
    """What the check says of each advisory where no condition can be read."""
    builds = {"start": way.here, "next-node": way.here}.get(step, way.build)
    hidden = unavailable()
    seen = snapshot(
        three(str(builds)), version=str(series), gateway=str(builds), features=hidden, license=hidden,
        active_jobs=hidden, job_history=hidden,
    )  # fmt: skip
    decision = evaluate(seen, step=step, target=str(way.build), checks=[advisories.CHECK])
    return {f.check: f.outcome for f in decision.findings if f.check in CATALOG.advisories}


@pytest.mark.parametrize("way", WAYS)
def test_plan_and_check_name_the_same_advisories(way: Way) -> None:
    checked: dict[str, Outcome] = {}
    for step in ("start", "next-node", "finalize", "verify"):
        series = way.build.series if step == "verify" else way.source
        for advisory, outcome in said(way, step, series).items():
            if outcome is Outcome.BLOCK:
                assert not _has_a_better_release(advisory, way), advisory
            if outcome in SPEAKS or advisory not in checked:
                checked[advisory] = outcome
    planned = {met.advisory.id: met for met in way.advisories if met.advisory.id != OWN_CHECK}
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


def _has_a_better_release(advisory: str, way: Way) -> bool:
    return any(
        CATALOG.affects(advisory, build).affected is Answer.NO
        for build, _ in installable(CATALOG.series[way.build.series])
    )


# The same road, the same hold, the same end.

PRESERVE = "cluster.preserve_downgrade_option"
AUTO = "cluster.auto_upgrade.enabled"
AUTO_SINCE = Series(23, 2)
SERIES = [
    each for each in CATALOG.series if each >= Series(20, 1) and installable(CATALOG.series[each])
]


def newest(series: Series) -> Build:
    return installable(CATALOG.series[series])[0][0]


def asked(check: str, here: Build, at: Series, step: str, to: Build, *, held: bool = False) -> Finding:
    """What one check says of a cluster on this build and cluster version."""
    settings = {PRESERVE: str(at) if held and at < AUTO_SINCE else ""}
    if at >= AUTO_SINCE:
        settings[AUTO] = "false" if held else "true"
    seen = snapshot(three(str(here)), version=str(at), gateway=str(here), settings=settings)
    checks = [upgrade_path.CHECK, auto_finalization.CHECK, cluster_version.CHECK]
    decision = evaluate(seen, step=step, target=to, checks=checks)
    return next(finding for finding in decision.findings if finding.check == check)


@pytest.mark.parametrize("source", SERIES, ids=str)
def test_the_road_and_what_keeps_and_ends_each_hop(source: Series) -> None:
    for target in SERIES:
        if target <= source:
            continue
        here, to = newest(source), newest(target)
        plan = make_plan(CATALOG, here, to)
        path = asked("upgrade-path", here, source, "start", to)
        assert (path.outcome is Outcome.PASS) is (len(plan.hops) == 1), (str(target), path.title)
        if len(plan.hops) != 1:
            continue
        hop = plan.hops[0]
        kept = asked("auto-finalization", here, source, "start", to).remedy
        assert kept == (f"Keep the way back open: {hop.keep_way_back[0]}",)
        ready = asked("cluster-version", to, source, "finalize", to, held=True)
        assert ready.detail.endswith(f"It is done by: {hop.finalize[0]}")
        late = asked("cluster-version", to, source, "verify", to, held=True)
        assert late.remedy == (f"When you are sure: {hop.finalize[0]}",)


TESTING = [
    max(build for build in builds if f"-{phase}" in str(build))
    for series in SERIES
    for builds in [[Build.parse(r.build) for r in CATALOG.series[series].releases]]
    for phase in ("alpha", "beta", "rc")
    if any(f"-{phase}" in str(build) for build in builds)
]


@pytest.mark.parametrize("here", TESTING, ids=str)
def test_the_way_out_of_a_testing_release(here: Build) -> None:
    """An alpha leads nowhere; a later one first to a production release of its own series."""
    for target in SERIES:
        if CATALOG.upgrade_allowed(here.series, target).supported is not Answer.YES:
            continue
        to = newest(target)
        plan = make_plan(CATALOG, here, to)
        path = asked("upgrade-path", here, here.series, "start", to)
        first = [each for hop in plan.hops for each in hop.before]
        assert (path.outcome is Outcome.BLOCK) is (plan.supported is Answer.NO or bool(first)), to
        for preparation in first:
            assert str(preparation.build) in " ".join(path.remedy)
