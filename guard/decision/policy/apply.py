"""Apply a policy to findings: change severities, waive, and report what did not apply. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from guard.decision.check_definition import Check
from guard.decision.policy.rules import (
    ALL_ADVISORIES,
    NEVER,
    OWN_IDS,
    Policy,
    WaiverRule,
    nearest,
)
from guard.decision.result import Finding, Outcome, Step, Waiver
from guard.versions import Build, Series

if TYPE_CHECKING:
    from guard.catalog.catalog import Catalog

__all__ = ["Ids", "Question", "apply_policy", "problems", "target_finding"]

_UNLISTED: Final = "unlisted-release"
_OBJECTIONS: Final = (Outcome.WARN, Outcome.BLOCK, Outcome.UNKNOWN)
_RESTARTS: Final = (Step.START, Step.NEXT_NODE, Step.ROLLBACK)
"""The steps that restart a node."""
_LONGEST_WAIVER: Final = dt.timedelta(days=366)


class Ids(msgspec.Struct, frozen=True):
    """The ids a policy may speak of, and which of them nothing may switch off.

    Attributes:
        canonical: every id and former id, in lower case, to the id that findings carry.
        never: ids that cannot be waived or lowered.
        advisories: ids of advisories.
    """

    canonical: Mapping[str, str]
    never: frozenset[str]
    advisories: frozenset[str]

    @classmethod
    def of(cls, checks: Iterable[Check], catalog: Catalog) -> Ids:
        """The ids of these checks and of this catalog."""
        checks = tuple(checks)
        canonical = {name.lower(): name for name in (*catalog.advisories, *OWN_IDS, *NEVER)}
        for check in checks:
            canonical |= dict.fromkeys((n.lower() for n in (check.id, *check.aliases)), check.id)
        never = NEVER.union(check.id for check in checks if not check.waivable)
        # An advisory with a check of its own (A-72839) is not meant by "advisories".
        own = {check.id for check in checks}
        return cls(canonical, never, frozenset(catalog.advisories) - own)

    @property
    def known(self) -> tuple[str, ...]:
        """Every id and former id, in any case a user may write it."""
        return (*self.canonical, *self.canonical.values())


class Question(msgspec.Struct, frozen=True):
    """What was asked, as far as the scope of a waiver limits it.

    `complete` is False if the checks did not run, so that an unused waiver says nothing.
    """

    step: Step
    cluster_id: str | None
    node_id: int | None
    complete: bool = True


def target_finding(policy: Policy, target: Build | None, step: Step) -> tuple[Finding, ...]:
    """Whether the policy allows the target; nothing if it limits none or the step goes nowhere."""
    if policy.targets is None or target is None or step not in (Step.START, Step.NEXT_NODE):
        return ()
    names = ", ".join(f"v{each}" if isinstance(each, Series) else str(each) for each in policy.targets)
    allowed = policy.allows(target)
    return (
        Finding(
            check="policy-target",
            outcome=Outcome.PASS if allowed else Outcome.BLOCK,
            title=f"the policy {'allows' if allowed else 'does not allow'} the target {target}",
            detail="" if allowed else f"Targets allowed: {names or 'none'}.",
            evidence={"target": str(target), "allowed": [str(each) for each in policy.targets]},
            remedy=() if allowed else ("Choose an allowed target, or change the policy's targets.",),
        ),
    )


def apply_policy(
    findings: Sequence[Finding],
    policy: Policy,
    ids: Ids,
    question: Question,
    today: dt.date,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Change severities, then waive. No finding goes away, and a waived one keeps its outcome.

    Args:
        findings: what the checks said.
        policy: what applies.
        ids: the ids that exist.
        question: what was asked.
        today: guard's own day, UTC; a waiver counts up to and including its last day.

    Returns:
        The findings in the same order, and notices: waivers that are expired, unknown, unused or
        that cannot count.
    """
    severity = {ids.canonical.get(name, name): steps for name, steps in policy.severity.items()}
    changed = [_graded(finding, severity, ids, question.step) for finding in findings]
    used: set[int] = set()
    result = []
    for finding in changed:
        covering = [
            (number, rule)
            for number, rule in enumerate(policy.waivers)
            if not _expired(rule, today) and _covers(rule, finding, ids, question)
        ]
        used.update(number for number, _ in covering)
        judged = _waived(finding, covering[0][1]) if covering else finding
        result.append(_vouched_for(judged, policy, today))
    unused = _unused(policy, changed, ids, question, used, today)
    return tuple(result), (*problems(policy, ids, today), *unused)


def _vouched_for(finding: Finding, policy: Policy, today: dt.date) -> Finding:
    """The finding, waived if it says no more than that the catalog lacks a release vouched for."""
    if finding.check != _UNLISTED or finding.waiver is not None or finding.outcome not in _OBJECTIONS:
        return finding
    for each in policy.vouched:
        same = finding.evidence.get("target") == str(each.build)
        if same and each.on <= today <= each.expires and not finding.evidence.get("crashed"):
            reason = f"{each.by} vouched for {each.build} on {each.on}"
            waiver = Waiver(reason=reason, owner=each.by, expires=each.expires, source="policy")
            return msgspec.structs.replace(finding, waiver=waiver)
    return finding


def problems(policy: Policy, ids: Ids, today: dt.date) -> Iterator[str]:
    """What in a policy does not do what it seems to, whatever the cluster.

    Ids nobody knows, waivers that have expired or will not for years, thresholds that limit nothing.
    """
    for name in policy.severity:
        if name not in ids.canonical:
            yield f"the severity for {name.upper()} names no advisory known to this guard"
    for rule in policy.waivers:
        if rule.id.lower() not in ids.canonical:
            hint = nearest(rule.id, ids.known)
            yield f"{_what(rule)} names no check or advisory known to this guard{hint}"
        elif _expired(rule, today):
            yield f"{_what(rule)} expired on {rule.expires} and no longer counts"
        elif rule.expires is not None and rule.expires - today > _LONGEST_WAIVER:
            yield f"{_what(rule)} lasts until {rule.expires}: nobody will look at it again for so long"
    for each in policy.vouched:
        if today > each.expires:
            yield f"{each.by} vouched for {each.build} until {each.expires}: it no longer counts"
        elif today < each.on:
            yield f"{each.by} vouches for {each.build} from {each.on} on: it does not count yet"
    yield from _switched_off(policy)


def _switched_off(policy: Policy) -> Iterator[str]:
    """Thresholds of nothing: what they limit is not checked any more."""
    thresholds = policy.thresholds
    if not thresholds.capacity_free:
        yield "thresholds.capacity-free is 0: a store without any space left is no finding"
    if not thresholds.window:
        yield "thresholds.window is 0: only a backup schedule that is due already is a finding"


def _what(rule: WaiverRule) -> str:
    return f"the waiver for {rule.id} by {rule.owner}"


def _graded(
    finding: Finding, severity: Mapping[str, Mapping[Step, Any]], ids: Ids, step: Step
) -> Finding:
    """The finding with the severity that the policy gives it. Unknown stays unknown."""
    if finding.outcome not in (Outcome.WARN, Outcome.BLOCK) or finding.check in ids.never:
        return finding
    steps = severity.get(finding.check)
    if steps is None and finding.check in ids.advisories:
        steps = severity.get(ALL_ADVISORIES)
    wanted = (steps or {}).get(_column(finding, step))
    if wanted is None or wanted.value == finding.outcome.value:
        return finding
    return msgspec.structs.replace(
        finding,
        outcome=Outcome(wanted.value),
        detail=f"{finding.detail} The policy makes this a {wanted.value}; "
        f"guard's own severity is {finding.outcome.value}.".strip(),
        evidence=finding.evidence | {"severity_without_policy": finding.outcome.value},
    )


def _column(finding: Finding, step: Step) -> Step:
    """The step a finding was judged as: a restart that finalizes is judged as finalize too."""
    return finding.judged_as or step


def _waived(finding: Finding, rule: WaiverRule) -> Finding:
    waiver = Waiver(reason=rule.reason, owner=rule.owner, expires=rule.expires, source=rule.source)
    return msgspec.structs.replace(finding, waiver=waiver)


def _expired(rule: WaiverRule, today: dt.date) -> bool:
    return rule.expires is not None and today > rule.expires


def _names(rule: WaiverRule, finding: Finding, ids: Ids) -> bool:
    name = ids.canonical.get(rule.id.lower(), rule.id)
    return name == finding.check or (name == ALL_ADVISORIES and finding.check in ids.advisories)


def _why_never(finding: Finding, ids: Ids) -> str:
    """Why nothing may waive a finding; empty if something may."""
    if finding.check in ids.never:
        return f"{finding.check} can never be waived"
    if finding.evidence.get("crashed") is True:
        return "a crashed check can never be waived"
    if finding.check == "cluster-version" and finding.outcome is Outcome.UNKNOWN:
        return "an unknown cluster version can never be waived"
    if finding.unseen:
        return "what could not be seen can never be waived"
    return ""


def _covers(rule: WaiverRule, finding: Finding, ids: Ids, question: Question) -> bool:
    return (
        finding.outcome in _OBJECTIONS
        and _names(rule, finding, ids)
        and not _why_never(finding, ids)
        and _in_scope(rule, finding, question)
    )


def _in_scope(rule: WaiverRule, finding: Finding, question: Question) -> bool:
    scope = rule.scope
    if _of_another_cluster(rule, question):
        return False
    if scope.step is not None and scope.step is not _column(finding, question.step):
        return False
    if scope.nodes is not None and not _only_nodes(finding, question, scope.nodes):
        return False
    return scope.jobs is None or _only_jobs(finding, scope.jobs)


def _only_nodes(finding: Finding, question: Question, allowed: frozenset[int]) -> bool:
    """True if a finding rests on nodes, all of them allowed.

    One that names no node rests on the one that is restarted. Nothing is restarted to finalize or to
    verify: those are about the whole cluster, also where the restart of one node finalizes.
    """
    named = frozenset(finding.nodes)
    if not named and question.node_id is not None and _column(finding, question.step) in _RESTARTS:
        named = frozenset({question.node_id})
    return bool(named) and named <= allowed


def _of_another_cluster(rule: WaiverRule, question: Question) -> bool:
    """True if its scope names a cluster that is not this one, or that cannot be told to be it."""
    wanted, this = rule.scope.cluster, question.cluster_id
    return wanted is not None and (this is None or wanted.lower() != this.lower())


def _only_jobs(finding: Finding, allowed: frozenset[str]) -> bool:
    """True if a finding rests on jobs, all of them allowed, and on nothing else of its kind."""
    if not finding.jobs or finding.schedules or finding.more:
        return False
    return frozenset(finding.jobs) <= allowed


def _unused(
    policy: Policy,
    findings: Sequence[Finding],
    ids: Ids,
    question: Question,
    used: set[int],
    today: dt.date,
) -> Iterator[str]:
    for number, rule in enumerate(policy.waivers):
        if number in used or _expired(rule, today) or rule.id.lower() not in ids.canonical:
            continue
        what = _what(rule)
        if _of_another_cluster(rule, question):
            here = (
                f"this is {question.cluster_id}" if question.cluster_id else "this one's id is unknown"
            )
            yield f"{what} is for another cluster, {rule.scope.cluster}; {here}"
            continue
        if not question.complete or not _concerns(rule, question):
            continue
        objecting = [f for f in findings if f.outcome in _OBJECTIONS and _names(rule, f, ids)]
        never = next(filter(None, (_why_never(f, ids) for f in objecting)), "")
        if never:
            yield f"{what} does not count: {never}"
        elif objecting:
            yield f"{what} does not cover what was found: its scope is narrower"
        else:
            yield f"{what} is unused: nothing was found that it would waive"


def _concerns(rule: WaiverRule, question: Question) -> bool:
    """False for a waiver of another step or node, whose turn this is not."""
    scope = rule.scope
    return (scope.step is None or scope.step is question.step) and (
        scope.nodes is None or question.node_id is None or question.node_id in scope.nodes
    )
