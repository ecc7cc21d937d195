"""Cockroach Labs' technical advisories, each reported under its own id (A-72839 has its own check).

- An advisory on the upgrade's edge acts in the steps that its record names (start, next-node,
  finalize, rollback, verify): it blocks (or warns) when its conditions hold, does not apply when one
  of them provably does not, and is UNKNOWN when guard could not tell.
- start: an advisory that affects the *target* warns; data loss and corruption block when a fixed
  patch of the same series exists, which the remedy names. A patch upgrade that does not make it
  worse, because the nodes have the defect already, only warns.
- Advisories that affect what runs now and that the target cures never block; they are counted in
  the one line that passes.

Every record, with its source page, affected builds and conditions: ``guard advisories``,
``guard explain A-110363``. Reads what the conditions name: settings, jobs, schema features.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.catalog.answers import Answer
from guard.catalog.records import (
    Advisory,
    Category,
    Edge,
    FeatureCondition,
    JobCondition,
    ScheduleCondition,
    SettingCondition,
    UnfinalizedCondition,
    UnreadableCondition,
)
from guard.cluster.missing import NotCollected
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build, Series

__all__ = ["CHECK"]

_OWN_CHECK = "A-72839"
_DESTROYS = frozenset({Category.DATA_LOSS, Category.CORRUPTION})


def run(situation: Situation) -> Iterator[Finding]:
    """Yield a finding for every advisory that has something to say here, then one that sums up."""
    said: list[Finding] = []
    for advisory in situation.catalog.advisories.values():
        if advisory.id != _OWN_CHECK:
            said.extend(_judge(situation, advisory))
    yield from said
    if not any(f.outcome in (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN) for f in said):
        yield CHECK.finding(
            Outcome.PASS,
            f"none of {len(situation.catalog.advisories)} advisories stands in the way",
            _cured(situation),
            evidence={"catalog_date": situation.catalog.date},
        )


def _cured(situation: Situation) -> str:
    target = situation.target
    if target is None or situation.step is not Step.START:
        return ""
    now = {a.id for a in situation.catalog.advisories.values() if _affects_now(situation, a)}
    after = {a.advisory.id for a in situation.catalog.advisories_affecting(target).affected}
    cured = sorted(now - after)
    return f"{target} cures {listed(cured)}." if cured else ""


def _judge(situation: Situation, advisory: Advisory) -> Iterator[Finding]:
    edge = _edge(situation, advisory)
    if edge is not None:
        yield from _on_edge(situation, advisory, edge)
        return
    if situation.step is Step.START and situation.target is not None and not advisory.edges:
        yield from _in_target(situation, advisory, situation.target)


def _edge(situation: Situation, advisory: Advisory) -> Edge | None:
    """The edge of the advisory that this step is on, if any."""
    target = situation.target
    if target is None:
        return None
    source = situation.cluster.active_series
    for edge in advisory.edges:
        on_it = Series.parse(edge.source) == source and Series.parse(edge.target) == target.series
        if on_it and situation.step.value in edge.steps:
            return edge
    return None


def _builds_at_stake(situation: Situation) -> list[Build]:
    """Which builds an edge is about: the one to come when going on, else the ones that run.

    Nodes that already run an affected build do not hold up the step to a target that cures it.
    """
    if situation.step in (Step.START, Step.NEXT_NODE) and not situation.finalizing:
        return [situation.target] if situation.target else []
    return sorted({n.build for n in situation.cluster.members if n.build is not None})


def _on_edge(situation: Situation, advisory: Advisory, edge: Edge) -> Iterator[Finding]:
    builds = _builds_at_stake(situation)
    answers = [situation.catalog.affects(advisory, build) for build in builds]
    hit = [answer for answer in answers if answer.affected is Answer.YES]
    doubt = [answer for answer in answers if answer.affected is Answer.UNKNOWN]
    if edge.target_affected_only and not hit and not doubt:
        yield _finding(advisory, Outcome.NOT_APPLICABLE, "; ".join(a.reason for a in answers))
        return
    holds, why, evidence = _conditions(situation, advisory)
    evidence |= {"edge": f"{edge.source} to {edge.target}", "builds": [str(b) for b in builds]}
    if holds is Answer.NO:
        yield _finding(advisory, Outcome.NOT_APPLICABLE, why, evidence)
        return
    if edge.effect == "warn":
        yield _finding(advisory, Outcome.WARN, why, evidence)
        return
    certain = holds is Answer.YES and (hit or not edge.target_affected_only)
    yield _finding(
        advisory,
        Outcome.BLOCK if certain else Outcome.UNKNOWN,
        why or "; ".join(a.reason for a in doubt),
        evidence,
        transient=certain and _only_a_job(advisory),
    )


def _only_a_job(advisory: Advisory) -> bool:
    """True if a job that ends by itself is what makes the advisory apply."""
    return any(
        isinstance(c, JobCondition) and c.state == "active" and "CHANGEFEED" not in c.types
        for c in advisory.conditions
    )


def _affects_now(situation: Situation, advisory: Advisory) -> bool:
    """True if every member already has the defect."""
    builds = {n.build for n in situation.cluster.members}
    return all(
        b is not None and situation.catalog.affects(advisory, b).affected is Answer.YES for b in builds
    )


def _in_target(situation: Situation, advisory: Advisory, target: Build) -> Iterator[Finding]:
    answer = situation.catalog.affects(advisory, target)
    if answer.affected is Answer.NO:
        return
    destroys = advisory.category in _DESTROYS
    already = _affects_now(situation, advisory)
    if already and not destroys:
        return  # this step changes nothing about it
    holds, why, evidence = _conditions(situation, advisory)
    evidence |= {"target": str(target), "category": advisory.category.value}
    fixed = answer.range.fixed if answer.range is not None else None
    if holds is Answer.NO and not destroys:
        yield _finding(advisory, Outcome.NOT_APPLICABLE, why, evidence)
        return
    outcome = Outcome.WARN
    spares = holds is Answer.NO or (already and target.series == situation.cluster.active_series)
    if destroys and fixed is not None and not spares:
        outcome = Outcome.BLOCK if answer.affected is Answer.YES else Outcome.UNKNOWN
    yield _finding(
        advisory,
        outcome,
        f"{answer.reason}. {why}".strip(),
        evidence,
        remedy=(_choose(situation, fixed, target) if fixed else f"Read {advisory.source}",),
    )


def _choose(situation: Situation, fixed: str, target: Build) -> str:
    newest = situation.catalog.newest_release(target.series).build
    latest = f" (the newest is {newest})" if newest is not None and str(newest) != fixed else ""
    return f"Choose {fixed} or later of v{target.series}, which has the fix{latest}."


def _finding(
    advisory: Advisory,
    outcome: Outcome,
    why: str,
    evidence: dict[str, object] | None = None,
    *,
    remedy: tuple[str, ...] = (),
    transient: bool = False,
) -> Finding:
    mitigation = advisory.mitigation
    detail = why
    if outcome in (Outcome.BLOCK, Outcome.UNKNOWN):
        detail = f"{' '.join(advisory.summary.split())} {why}".strip()
    if outcome is not Outcome.NOT_APPLICABLE and not remedy:
        remedy = (" ".join(mitigation.text.split()), *mitigation.commands)
    return Finding(
        check=advisory.id,
        outcome=outcome,
        title=advisory.title,
        detail=detail,
        evidence=dict(evidence or {}),
        remedy=remedy,
        docs=advisory.source,
        transient=transient,
    )


def _conditions(situation: Situation, advisory: Advisory) -> tuple[Answer, str, dict[str, object]]:
    """Do all conditions hold? YES, NO (one provably does not), or UNKNOWN, with the words for it."""
    reasons: list[str] = []
    evidence: dict[str, object] = {}
    verdict = Answer.YES
    for condition in advisory.conditions:
        try:
            holds, why = _holds(situation, condition, evidence)
        except NotCollected as missing:
            holds, why = Answer.UNKNOWN, f"{missing.section} could not be read: {missing.why.message}"
        if holds is Answer.NO:
            return Answer.NO, why, evidence
        if holds is Answer.UNKNOWN:
            verdict = Answer.UNKNOWN
        reasons.append(why)
    return verdict, " ".join(_sentence(reason) for reason in reasons if reason), evidence


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _holds(situation: Situation, condition: object, evidence: dict[str, object]) -> tuple[Answer, str]:
    match condition:
        case SettingCondition():
            return _setting_holds(situation, condition, evidence)
        case JobCondition():
            return _job_holds(situation, condition, evidence)
        case ScheduleCondition(label_prefix=feature) | FeatureCondition(name=feature):
            row = next((r for r in situation.cluster.rows("features") if r.name == feature), None)
            if row is None:
                return Answer.UNKNOWN, f"this gateway was not asked for {feature}"
            evidence[feature] = row.used
            return (
                (Answer.YES, f"the cluster uses {feature}")
                if row.used
                else (Answer.NO, f"the cluster does not use {feature}")
            )
        case UnfinalizedCondition(series=series):
            version = situation.cluster.version
            wanted = Series.parse(series)
            final = version.series >= wanted and not version.migrating
            evidence["active_version"] = version.active.text
            return (
                (Answer.NO, f"the cluster version is final: {version.active}")
                if final
                else (Answer.YES, f"the cluster version {version.active} is not yet {series}")
            )
        case UnreadableCondition(ask=ask):
            return Answer.UNKNOWN, f"guard cannot read this from the cluster: {' '.join(ask.split())}"
        case _:
            raise TypeError(f"unknown condition {condition!r}")


def _setting_holds(
    situation: Situation, condition: SettingCondition, evidence: dict[str, object]
) -> tuple[Answer, str]:
    value = situation.cluster.setting(condition.name)
    evidence[condition.name] = value
    if value is None:
        absent = {
            "applies": Answer.YES,
            "not-applicable": Answer.NO,
            "unknown": Answer.UNKNOWN,
        }[condition.absent]
        return absent, f"{condition.name} does not exist on this gateway"
    holds = value in condition.equals if condition.equals else value not in condition.differs
    return (Answer.YES if holds else Answer.NO), f"{condition.name} is {value!r}"


def _job_holds(
    situation: Situation, condition: JobCondition, evidence: dict[str, object]
) -> tuple[Answer, str]:
    wanted = set(condition.types)
    jobs = [j for j in situation.cluster.active_jobs if j.job_type in wanted or j.job_type is None]
    if condition.state == "any":
        jobs += [j for j in situation.cluster.job_history if j.job_type in wanted]
    names = listed(sorted(wanted))
    if not jobs:
        return Answer.NO, f"there is no {names} job"
    evidence["jobs"] = [str(job.job_id) for job in jobs[:50]]
    certain = any(job.job_type in wanted for job in jobs)
    return (
        Answer.YES if certain else Answer.UNKNOWN,
        f"{names if certain else 'unknown type of'} job {listed((j.job_id for j in jobs), 5)}",
    )


CHECK = Check(
    id="advisories",
    title="no technical advisory stands in the way",
    reads=("settings", "active_jobs", "features"),
    docs=f"{DOCS}/advisories/",
    explain=__doc__,
    run=run,
)
