"""What ``guard plan`` says of a cluster in the middle of something is what ``guard check`` says."""

from __future__ import annotations

import random

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.releases import installable
from guard.cli.position import position_of
from guard.decision.checks import cluster_version, mixed_version, upgrade_path
from guard.decision.engine import evaluate
from guard.decision.result import Outcome
from guard.plan.road import Plan, make_plan
from guard.snapshot.model import Snapshot
from guard.versions import Build, Series
from tests.building import node, snapshot

CATALOG = load()
SERIES = [
    series
    for series in CATALOG.series
    if Series(20, 2) <= series and installable(CATALOG.series[series])
]
CHECKS = [upgrade_path.CHECK, mixed_version.CHECK, cluster_version.CHECK]


def objections(seen: Snapshot, step: str, target: Build) -> list[str]:
    findings = evaluate(seen, step=step, target=target, checks=CHECKS).findings
    ours = {check.id for check in CHECKS}
    stops = (Outcome.BLOCK, Outcome.UNKNOWN)
    return [f.title for f in findings if f.check in ours and f.outcome in stops]


def some_build(chance: random.Random, series: Series) -> Build:
    """A new or an older patch of the series, a custom build, or a release candidate."""
    builds = [build for build, _ in installable(CATALOG.series[series])][:3]
    kind = chance.random()
    if kind < 0.1:
        return Build.parse(f"{builds[0]}-dirty")
    if kind < 0.2:
        return Build.parse(f"v{series}.0-rc.1")
    return builds[0] if kind < 0.7 else chance.choice(builds)


def steps_of(plan: Plan, target: Build) -> tuple[str, Build] | None:
    """The step that comes next by the plan, and its target; None where check is asked after another."""
    if not plan.hops:
        if "--step rollback" in plan.reason or "way back" in plan.reason:
            return "rollback", target
        return ("next-node" if "--step next-node" in plan.reason else "verify"), target
    hop = plan.hops[0]
    if hop.before or "--step next-node" in plan.reason:
        return None
    names = {"rolling": "next-node", "not-final": "finalize", "to-come": "start"}
    return names[hop.state], hop.build


@pytest.mark.parametrize("seed", range(250))
def test_the_next_step_of_a_plan_is_allowed_and_none_without_one(seed: int) -> None:
    chance = random.Random(seed)
    first = chance.randrange(len(SERIES))
    last = min(first + chance.choice((0, 1, 1, 1, 2, 2, 3)), len(SERIES) - 1)
    pool = [SERIES[first], SERIES[last]]
    if chance.random() < 0.3:
        pool.append(SERIES[chance.randint(first, last)])
    builds = [some_build(chance, chance.choice(pool)) for _ in range(3)]
    wanted = SERIES[min(chance.choice((first, last, last, last + 1)), len(SERIES) - 1)]
    target = installable(CATALOG.series[wanted])[0][0]
    version = str(SERIES[first])
    seen = snapshot([node(i, str(b)) for i, b in enumerate(builds, 1)], version=version)
    here = position_of(seen)
    plan = make_plan(CATALOG, here.build, target, begun=here.begun, builds=here.builds)
    told = (seed, version, [str(b) for b in builds], str(target), plan.reason)
    if plan.supported is Answer.YES:
        step = steps_of(plan, target)
        if step is None:
            return
        if step[0] == "start" and here.build.series == step[1].series and len(set(builds)) > 1:
            step = ("next-node", step[1])  # a patch upgrade that is under way
        assert objections(seen, *step) == [], (step[0], *told)
    else:
        assert objections(seen, "start", target), told
        assert objections(seen, "next-node", target), told
