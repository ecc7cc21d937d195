"""Cockroach Labs' technical advisories, and hazards, each reported under its own id.

A hazard (H-104798) is what the release notes know and no advisory says: a defect of some builds that
bites in a step of an upgrade. It is judged as an advisory is. A-72839 has a check of its own.

- start, next-node, finalize, rollback, if its record names the step: an advisory on the upgrade's
  edge; next-node as the first restart on this build is asked what start is. The record says what makes
  it bite: the build being moved to, a build that runs now and is restarted, or the upgrade itself. It
  blocks (or warns) when its conditions hold, does not apply when one of them provably does not, and is
  UNKNOWN when guard could not tell.
- start, and next-node as the first restart on this build: an advisory that affects the *target*
  warns, whatever runs now, as long as a patch of the target's series repairs it or the nodes do not
  have it yet. Data loss and corruption block when such a patch exists, which the remedy names, and are
  UNKNOWN where nobody could tell whether the target has the defect; a target that does not make it
  worse, because the nodes of its series have the defect already, only warns, and so does one whose
  conditions do not hold.
- start, verify: harm that is done already and that a statement can see is a warning, because no
  upgrade undoes it; at verify so is an advisory on the edge.
- A draft, made by ``guard catalog import``, is UNKNOWN before the first and the next node for a target
  it may concern: nobody has said yet what it means.
- Advisories that affect what runs now and that the target cures never block; they are counted in
  the one line that passes.

An advisory of the edge or the target that provably does not bite is not applicable, and so is the one
line that sums up where guard does not know every advisory of the target.

The id ``advisories`` stands for all of these findings together: in ``severity.advisories`` of a policy
where it has no line for the advisory's own id, in a waiver, and in ``--accept advisories``.

Every record, with its source page, affected builds and conditions: ``guard advisories``,
``guard explain A-110363``. Reads what the conditions name: settings, jobs, schema features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guard.catalog.answers import Answer
from guard.catalog.bites import Bite, destroys, in_target, on_edges
from guard.catalog.records import Advisory, JobCondition
from guard.decision.check_definition import DOCS, NAMED, Check
from guard.decision.conditions import feature_found, holds, unfinished_jobs
from guard.decision.job_words import ends_by_itself
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build

__all__ = ["CHECK"]

_OWN_CHECK = "A-72839"
_LOOKED: Final = "If a person has looked, and it does not apply here: --accept {} --reason '...'"
_WORST_FIRST = (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN, Outcome.NOT_APPLICABLE)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield a finding for every advisory that has something to say here, then one that sums up."""
    said: list[Finding] = []
    for advisory in situation.catalog.advisories.values():
        if advisory.id == _OWN_CHECK:
            continue
        found = list(_judge(situation, advisory))
        if found:  # the worst says it all; harm that is done comes first, then the edge
            said.append(min(found, key=lambda finding: _WORST_FIRST.index(finding.outcome)))
    yield from said
    if any(f.outcome in (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN) for f in said):
        return
    target = situation.target
    missing = situation.catalog.advisories_missing(target) if target is not None else ""
    if missing:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            f"which advisories concern {target} guard cannot know",
            f"Of {_count(situation)} that it knows none stands in the way, but {missing}.",
            evidence={"catalog_date": situation.catalog.date},
        )
    else:
        yield CHECK.finding(
            Outcome.PASS,
            f"none of {_count(situation)} stands in the way",
            _cured(situation),
            evidence={"catalog_date": situation.catalog.date},
        )


def _count(situation: Situation) -> str:
    hazards = sum(1 for each in situation.catalog.advisories.values() if each.is_hazard)
    return f"{len(situation.catalog.advisories) - hazards} advisories and {hazards} hazards"


def _cured(situation: Situation) -> str:
    target = situation.target
    if target is None or situation.step is not Step.START:
        return ""
    now = {a.id for a in situation.catalog.advisories.values() if _affects_now(situation, a)}
    after = {a.advisory.id for a in situation.catalog.advisories_affecting(target).affected}
    cured = sorted(now - after)
    return f"{target} cures {listed(cured)}." if cured else ""


def _affects_now(situation: Situation, advisory: Advisory) -> bool:
    """True if every member already has the defect."""
    builds = {n.build for n in situation.cluster.members}
    return all(
        b is not None and situation.catalog.affects(advisory, b).affected is Answer.YES for b in builds
    )


def _judge_draft(situation: Situation, draft: Advisory) -> Iterator[Finding]:
    target = situation.target
    if target is None or situation.step not in (Step.START, Step.NEXT_NODE):
        return
    answer = situation.catalog.affects(draft, target)
    if answer.affected is Answer.NO:
        return
    yield _finding(
        draft,
        Outcome.UNKNOWN,
        f"{answer.reason[:1].upper()}{answer.reason[1:]}.",
        {"draft": True, "target": str(target)},
        remedy=(
            f"Read {draft.source} and complete the record: guard catalog lint says what is missing.",
            f"Or take the responsibility: --accept {draft.id} --reason '...'",
        ),
    )


def _judge(situation: Situation, advisory: Advisory) -> Iterator[Finding]:
    if advisory.draft:
        yield from _judge_draft(situation, advisory)
        return
    target, catalog = situation.target, situation.catalog.series
    yield from _damage(situation, advisory)
    if target is not None:
        source, running = situation.cluster.active_series, _running(situation)
        for step in _asked(situation):
            for bite in on_edges(catalog, advisory, source, target, step, running):
                yield _on_edge(situation, bite)
        if situation.brings_in:
            defect = in_target(catalog, advisory, target, _beside(situation))
            if defect is not None:
                yield _in_target(situation, defect, target)


def _asked(situation: Situation) -> tuple[str, ...]:
    """The steps whose edges count: a next node that brings the target in is a start as well."""
    own = situation.step.value
    return (own, Step.START.value) if own == Step.NEXT_NODE and situation.brings_in else (own,)


def _beside(situation: Situation) -> list[Build | None]:
    """Builds that the target comes to: once the upgrade has begun those of its own side."""
    hop = situation.hop
    members = hop.new if hop is not None and hop.begun else situation.cluster.members
    return [n.build for n in members]


def _running(situation: Situation) -> list[Build | None]:
    """Builds of the nodes that this step restarts; of all members where it restarts none.

    Nodes that already run an affected build do not hold up the step to a target that cures it,
    unless restarting them is what does the harm.
    """
    members = situation.cluster.members
    if situation.step in (Step.START, Step.NEXT_NODE):
        members = situation.hop.old if situation.hop is not None else ()
    elif situation.step is Step.ROLLBACK:
        members = tuple(n for n in members if n.build is None or n.build != situation.target)
    if situation.step is Step.NEXT_NODE and situation.node_id is not None:
        members = tuple(n for n in members if n.node_id == situation.node_id) or members
    return [n.build for n in members]


def _on_edge(situation: Situation, bite: Bite) -> Finding:
    edge = bite.edge
    assert edge is not None  # noqa: S101 - on_edges yields no other
    if bite.affected is Answer.NO:
        return _finding(bite.advisory, Outcome.NOT_APPLICABLE, bite.reason)
    judged = holds(situation.cluster, bite.conditions)
    evidence = judged.evidence | {
        "edge": f"{edge.source} to {edge.target}",
        "builds": [str(build) for build in bite.builds],
    }
    if judged.answer is Answer.NO:
        return _finding(bite.advisory, Outcome.NOT_APPLICABLE, judged.why, evidence)
    certain = judged.answer is Answer.YES and bite.affected is Answer.YES
    outcome = Outcome.BLOCK if certain else Outcome.UNKNOWN
    outcome = Outcome.WARN if edge.effect == "warn" else outcome
    asks = outcome is Outcome.UNKNOWN and judged.answer is Answer.UNKNOWN
    return _finding(
        bite.advisory,
        outcome,
        f"{judged.why} {bite.reason}.".strip(),
        evidence,
        remedy=(
            *_another_target(situation, bite),
            *((_LOOKED.format(bite.advisory.id),) if asks else ()),
        ),
        transient=certain and _passes_by_itself(situation, bite),
        jobs=judged.jobs,
    )


def _another_target(situation: Situation, bite: Bite) -> tuple[str, ...]:
    """The record's words, and the release to choose while nothing runs the target yet."""
    target, fixed = situation.target, bite.repaired_in
    words = _mitigation(bite.advisory)
    if target is None or fixed is None or target not in bite.builds or not situation.brings_in:
        return words
    return (*words, _choose(situation, fixed, target))


def _passes_by_itself(situation: Situation, bite: Bite) -> bool:
    """True if jobs that end by themselves are what makes the advisory apply."""
    cluster = situation.cluster
    return any(
        isinstance(c, JobCondition)
        and c.state != "any"
        and ("CHANGEFEED" not in c.types or c.high_water == "absent")
        and sum(not ends_by_itself([job], cluster.now) for job in unfinished_jobs(cluster, c))
        < c.at_least
        for c in bite.conditions
    )


def _in_target(situation: Situation, bite: Bite, target: Build) -> Finding:
    advisory = bite.advisory
    destroying = destroys(advisory)
    if bite.changes_nothing and not destroying:
        free = f"no v{target.series} release is free of it"
        why = f"{bite.reason}; what runs now has it as well, and {free}"
        return _finding(advisory, Outcome.NOT_APPLICABLE, why, {"target": str(target), "lasting": True})
    judged = holds(situation.cluster, bite.conditions)
    evidence = judged.evidence | {"target": str(target), "category": advisory.category.value}
    if judged.answer is Answer.NO and (judged.conclusive or not destroying):
        return _finding(advisory, Outcome.NOT_APPLICABLE, judged.why, evidence)
    outcome = Outcome.WARN
    spares = judged.answer is Answer.NO or (
        bite.lasting and (situation.is_patch or not situation.opens)
    )
    if destroying and bite.repaired_in is not None and not spares:
        outcome = Outcome.BLOCK if bite.affected is Answer.YES else Outcome.UNKNOWN
    return _finding(
        advisory,
        outcome,
        f"{bite.reason}. {judged.why}".strip(),
        evidence,
        remedy=(_choose(situation, bite.repaired_in, target),) if bite.repaired_in else (),
        jobs=judged.jobs,
    )


def _choose(situation: Situation, fixed: Build, target: Build) -> str:
    """The remedy of a defect of the target: the release that nothing else speaks against either."""
    best = situation.better_release
    if best is None or best < fixed:
        return f"Choose {fixed} or later of v{target.series}, which has the fix."
    return f"Choose {best}; the fix came with {fixed}."


def _damage(situation: Situation, advisory: Advisory) -> Iterator[Finding]:
    """Harm that is done and that a statement sees; no upgrade undoes it."""
    damage = advisory.damage
    if damage is None or situation.step not in (Step.START, Step.VERIFY):
        return
    found, count = feature_found(situation.cluster, damage.name)
    if found:
        yield _finding(
            advisory,
            Outcome.WARN,
            f"The cluster has {damage.what or damage.name}: {count}. No upgrade repairs that.",
            {damage.name: count},
        )


def _mitigation(advisory: Advisory) -> tuple[str, ...]:
    return (" ".join(advisory.mitigation.text.split()), *advisory.mitigation.commands)


def _finding(
    advisory: Advisory,
    outcome: Outcome,
    why: str,
    evidence: dict[str, object] | None = None,
    *,
    remedy: tuple[str, ...] = (),
    transient: bool = False,
    jobs: Sequence[str] = (),
) -> Finding:
    detail = why
    if outcome in (Outcome.BLOCK, Outcome.UNKNOWN):
        detail = f"{' '.join(advisory.summary.split())} {why}".strip()
    if outcome is not Outcome.NOT_APPLICABLE and not remedy:
        remedy = _mitigation(advisory)
    return Finding(
        check=advisory.id,
        outcome=outcome,
        title=advisory.title,
        detail=detail,
        evidence=dict(evidence or {}),
        remedy=remedy,
        docs=advisory.source,
        transient=transient,
        jobs=tuple(jobs[:NAMED]),
        more=len(jobs[NAMED:]),
    )


CHECK = Check(
    id="advisories",
    title="no technical advisory stands in the way",
    reads=("settings", "active_jobs", "job_history", "features", "license"),
    docs=f"{DOCS}/advisories/",
    explain=__doc__,
    run=run,
)
