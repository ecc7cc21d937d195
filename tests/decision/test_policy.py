"""Policies: what may be changed, what never, and that nothing goes away unseen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.catalog import load
from guard.decision.check_definition import Check
from guard.decision.checks import ALL
from guard.decision.engine import evaluate
from guard.decision.own_findings import OWN
from guard.decision.policy.apply import Ids, problems
from guard.decision.policy.rules import (
    NEVER,
    OWN_IDS,
    Policy,
    PolicyError,
    Scope,
    Severity,
    Thresholds,
    WaiverRule,
)
from guard.decision.policy.shape import read_policy
from guard.decision.result import Decision, Finding, Outcome, Step, Verdict
from guard.decision.situation import Situation
from guard.snapshot.model import Snapshot
from guard.versions import Build
from tests import building as b

NOW = dt.datetime(2026, 11, 22, 2, 0, tzinfo=dt.UTC)
TODAY = NOW.date()
CLUSTER = "00000000-0000-4000-8000-000000000001"
CATALOG = load()
IDS = Ids.of(ALL, CATALOG)


def finding(check: str = "capacity", outcome: Outcome = Outcome.BLOCK, **evidence: Any) -> Finding:
    return Finding(check=check, outcome=outcome, title="a title", evidence=evidence)


def saying(*findings: Finding, check: str = "capacity", waivable: bool = True) -> Check:
    """A check that says just this."""

    def run(_: Situation) -> Iterator[Finding]:
        yield from findings

    return Check(id=check, title="", reads=(), docs="", explain="", run=run, waivable=waivable)


def judge(
    policy: Policy,
    *findings: Finding,
    step: Step = Step.NEXT_NODE,
    node: int | None = None,
    now: dt.datetime = NOW,
    seen: Snapshot | None = None,
    checks: tuple[Check, ...] = (),
) -> Decision:
    return evaluate(
        seen or b.snapshot(),
        step=step,
        target="v21.1.12",
        node=node,
        checks=checks or (saying(*findings),),
        policy=policy,
        now=now,
        catalog=CATALOG,
    )


def waiver(name: str = "capacity", expires: dt.date | None = TODAY, **scope: Any) -> WaiverRule:
    return WaiverRule(id=name, reason="CHG-1", owner="alex", expires=expires, scope=Scope(**scope))


def waiving(*rules: WaiverRule) -> Policy:
    return Policy(waivers=rules)


def about(decision: Decision, word: str) -> list[str]:
    return [notice for notice in decision.notices if word in notice]


# Severity


def severity(check: str, level: str, *steps: Step) -> Policy:
    return Policy(severity={check: dict.fromkeys(steps or tuple(Step), Severity(level))})


def test_a_warning_may_be_raised_and_a_block_lowered() -> None:
    raised = judge(severity("capacity", "block"), finding(outcome=Outcome.WARN))
    lowered = judge(severity("capacity", "warn"), finding(outcome=Outcome.BLOCK))
    assert raised.verdict is Verdict.BLOCK
    assert lowered.verdict is Verdict.ALLOW
    assert [f.outcome for f in lowered.findings] == [Outcome.WARN]
    assert lowered.findings[0].evidence["severity_without_policy"] == "block"
    assert "policy" in lowered.findings[0].detail


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.NOT_APPLICABLE, Outcome.UNKNOWN])
@pytest.mark.parametrize("level", list(Severity))
def test_nothing_else_changes_with_the_severity(outcome: Outcome, level: str) -> None:
    said = finding(outcome=outcome)
    assert judge(severity("capacity", level), said).findings == (said,)


def test_a_severity_holds_for_its_steps_only() -> None:
    policy = severity("capacity", "warn", Step.START)
    assert judge(policy, finding(), step=Step.START).verdict is Verdict.ALLOW
    assert judge(policy, finding(), step=Step.NEXT_NODE).verdict is Verdict.BLOCK


def test_a_finding_judged_as_finalize_has_the_severity_of_finalize() -> None:
    said = msgspec.structs.replace(finding(), judged_as=Step.FINALIZE)
    assert judge(severity("capacity", "warn", Step.FINALIZE), said).verdict is Verdict.ALLOW
    assert judge(severity("capacity", "warn", Step.NEXT_NODE), said).verdict is Verdict.BLOCK


def test_one_severity_for_all_advisories() -> None:
    name = next(iter(CATALOG.advisories))
    assert judge(severity("advisories", "warn"), finding(name)).verdict is Verdict.ALLOW
    assert judge(severity("advisories", "warn"), finding("capacity")).verdict is Verdict.BLOCK


def test_a_raised_warning_that_passes_can_be_waited_for() -> None:
    said = Finding(check="capacity", outcome=Outcome.WARN, title="", transient=True)
    assert judge(severity("capacity", "block"), said).only_waiting_helps


# Waivers


@pytest.mark.parametrize("outcome", [Outcome.WARN, Outcome.BLOCK, Outcome.UNKNOWN])
def test_a_waived_finding_keeps_its_outcome_and_says_by_whom(outcome: Outcome) -> None:
    decision = judge(waiving(waiver()), finding(outcome=outcome), finding("other", Outcome.PASS))
    [waived] = decision.waived
    assert decision.verdict is Verdict.ALLOW
    assert waived.outcome is outcome
    assert waived.waiver is not None
    assert (waived.waiver.owner, waived.waiver.reason, waived.waiver.expires) == (
        "alex",
        "CHG-1",
        TODAY,
    )
    assert not about(decision, "waiver")


def test_when_everything_is_waived_nothing_is_left_to_allow() -> None:
    assert judge(waiving(waiver()), finding()).verdict is Verdict.UNKNOWN


def test_a_waiver_covers_its_own_check_only() -> None:
    decision = judge(waiving(waiver()), finding(), finding("license"))
    assert decision.verdict is Verdict.BLOCK
    assert [f.check for f in decision.waived] == ["capacity"]


def test_ids_are_read_in_any_case_and_by_former_names() -> None:
    former = msgspec.structs.replace(saying(finding()), aliases=("disk-space",))
    for name in ("CAPACITY", "disk-space", "Disk-Space"):
        assert judge(waiving(waiver(name)), checks=(former,)).waived
    passing = Policy(severity={"disk-space": dict.fromkeys(Step, Severity.WARN)})
    assert judge(passing, checks=(former,)).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("days", "counts"), [(-400, False), (-1, False), (0, True), (1, True), (400, True)]
)
def test_a_waiver_counts_to_the_end_of_its_last_day(days: int, counts: bool) -> None:
    rule = waiver(expires=TODAY + dt.timedelta(days=days))
    late = NOW.replace(hour=23, minute=59)
    decision = judge(waiving(rule), finding(), now=late)
    assert bool(decision.waived) is counts
    assert bool(about(decision, "expired on")) is not counts
    assert (decision.verdict is Verdict.BLOCK) is not counts


def test_the_day_is_that_of_utc() -> None:
    east = dt.timezone(dt.timedelta(hours=14))
    same = dt.datetime(2026, 11, 23, 13, 0, tzinfo=east)  # the 22nd in UTC
    assert judge(waiving(waiver()), finding(), now=same).waived


def test_an_expiry_is_never_taken_from_the_snapshot() -> None:
    with pytest.raises(ValueError, match="needs `now`"):
        evaluate(b.snapshot(), step="verify", policy=waiving(waiver()))
    with pytest.raises(ValueError, match="needs `now`"):
        evaluate(b.snapshot(), step="verify", policy=severity("capacity", "warn"))


@pytest.mark.parametrize(
    ("scope", "said", "node", "counts"),
    [
        ({"cluster": CLUSTER}, {}, None, True),
        ({"cluster": "another"}, {}, None, False),
        ({"step": Step.NEXT_NODE}, {}, None, True),
        ({"step": Step.START}, {}, None, False),
        ({"step": Step.NEXT_NODE}, {"judged_as": Step.FINALIZE}, None, False),
        ({"step": Step.FINALIZE}, {"judged_as": Step.FINALIZE}, None, True),
        ({"node": 3}, {"nodes": (3,)}, None, True),
        ({"node": 3}, {"nodes": (2,)}, 3, False),
        ({"node": 3}, {"nodes": (2, 3)}, None, False),
        ({"node": (2, 3)}, {"nodes": (2, 3)}, None, True),
        ({"node": 3}, {}, 3, True),
        ({"node": 3}, {}, 4, False),
        ({"node": 3}, {}, None, False),
        ({"node": 3}, {"judged_as": Step.FINALIZE}, 3, False),
        ({"node": 3}, {"judged_as": Step.FINALIZE, "nodes": (3,)}, 3, True),
        ({"job": 1}, {"jobs": ("1",)}, None, True),
        ({"job": "1"}, {"jobs": ("1",)}, None, True),
        ({"job": 1}, {"jobs": ("1", "2")}, None, False),
        ({"job": (1, 2)}, {"jobs": ("1", "2")}, None, True),
        ({"job": 1}, {"jobs": ("1",), "schedules": ("5",)}, None, False),
        ({"job": 1}, {"jobs": ("1",), "more": 3}, None, False),
        ({"node": 3}, {"nodes": (3,), "unseen": True}, None, False),
        ({"job": 1}, {}, None, False),
    ],
)  # fmt: skip
def test_the_scope_limits_a_waiver(
    scope: dict[str, Any], said: dict[str, Any], node: int | None, counts: bool
) -> None:
    found = msgspec.structs.replace(finding(), **said)
    decision = judge(waiving(waiver(**scope)), found, node=node)
    assert bool(decision.waived) is counts


@pytest.mark.parametrize(
    ("step", "counts"),
    [(Step.START, True), (Step.ROLLBACK, True), (Step.FINALIZE, False), (Step.VERIFY, False)],
)
def test_a_waiver_of_one_node_does_not_cover_what_restarts_none(step: Step, counts: bool) -> None:
    check = saying(finding("restores"), check="restores")
    decision = judge(waiving(waiver("restores", node=3)), checks=(check,), step=step, node=3)
    assert bool(decision.waived) is counts


LAST = b.snapshot(
    [b.node(1, "v21.2.17"), b.node(2, "v21.2.17"), b.node(3, "v21.1.12")], jobs=[b.job(4, "RESTORE")]
)
"""Restarting n3 finalizes, and a RESTORE stands in the way of both."""


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        (Policy(), Verdict.BLOCK),
        (waiving(waiver("restores", step=Step.NEXT_NODE)), Verdict.BLOCK),
        (waiving(waiver("restores", step=Step.FINALIZE)), Verdict.BLOCK),
        (severity("restores", "warn", Step.NEXT_NODE), Verdict.BLOCK),
        (severity("restores", "warn", Step.FINALIZE), Verdict.BLOCK),
        (waiving(waiver("restores")), Verdict.ALLOW),
        (waiving(waiver("restores", job=4)), Verdict.ALLOW),
        (severity("restores", "warn", Step.NEXT_NODE, Step.FINALIZE), Verdict.ALLOW),
    ],
)
def test_what_two_columns_refuse_is_let_pass_in_both_or_not_at_all(
    policy: Policy, verdict: Verdict
) -> None:
    decision = evaluate(
        LAST, step="next-node", target="v21.2.17", node=3, policy=policy, now=NOW, catalog=CATALOG
    )
    assert decision.verdict is verdict
    said = [
        (f.outcome, f.waiver is None, f.judged_as) for f in decision.findings if f.check == "restores"
    ]
    assert len({each[:2] for each in said}) == len(said)


@pytest.mark.parametrize(
    ("step", "node", "waived"),
    [
        (Step.NEXT_NODE, None, ("mixed-version", "upgrade-path")),
        (Step.ROLLBACK, 99, ("quorum-safety", "upgrade-path", "mixed-version", "cluster-version")),
    ],
)
def test_no_waiver_stands_in_for_a_target_or_for_a_node(
    step: Step, node: int | None, waived: tuple[str, ...]
) -> None:
    """Where nobody says where it goes, or which node, nothing was judged that could be waived."""
    policy = waiving(*(waiver(name) for name in waived))
    target = None if step is Step.NEXT_NODE else "v21.1.10"
    decision = evaluate(
        b.snapshot(), step=step, target=target, node=node, policy=policy, now=NOW, catalog=CATALOG
    )
    assert decision.verdict is Verdict.UNKNOWN


def test_the_first_waiver_that_covers_is_shown_and_the_second_is_no_unused_one() -> None:
    other = msgspec.structs.replace(waiver(), owner="kim")
    decision = judge(waiving(waiver(), other), finding())
    assert [f.waiver.owner for f in decision.waived if f.waiver] == ["alex"]
    assert not about(decision, "unused")


# What no policy can do


def test_missing_sight_is_neither_waived_nor_lowered() -> None:
    policy = Policy(
        waivers=(waiver("visibility"),),
        severity={"visibility": dict.fromkeys(Step, Severity.WARN)},
    )
    blind = msgspec.structs.replace(b.snapshot(), schedules=b.unavailable())
    decision = judge(policy, seen=blind, checks=ALL)
    hidden = [f for f in decision.findings if f.check == "visibility"]
    assert hidden
    assert all(f.outcome is Outcome.UNKNOWN and f.waiver is None for f in hidden)
    assert decision.verdict is not Verdict.ALLOW
    assert about(decision, "visibility can never be waived")


def test_an_unknown_cluster_version_is_not_waived_but_a_blocking_one_is() -> None:
    def version(outcome: Outcome) -> Decision:
        check = saying(finding("cluster-version", outcome), check="cluster-version")
        return judge(waiving(waiver("cluster-version")), checks=(check,))

    unknown = version(Outcome.UNKNOWN)
    assert not unknown.waived
    assert about(unknown, "unknown cluster version can never be waived")
    assert version(Outcome.BLOCK).waived


def test_a_crashed_check_is_not_waived() -> None:
    def crash(_: Situation) -> Iterator[Finding]:
        raise RuntimeError("boom")

    crashing = msgspec.structs.replace(saying(), run=crash)
    silent = saying()
    for check in (crashing, silent):
        decision = judge(waiving(waiver()), checks=(check,))
        assert decision.verdict is Verdict.UNKNOWN
        assert not decision.waived
        assert about(decision, "crashed check can never be waived")


def test_a_check_that_says_so_is_never_waived_or_lowered() -> None:
    check = saying(finding(), waivable=False)
    policy = Policy(waivers=(waiver(),), severity={"capacity": dict.fromkeys(Step, Severity.WARN)})
    decision = judge(policy, checks=(check,))
    assert decision.findings == (finding(),)
    assert decision.verdict is Verdict.BLOCK


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_every_check_says_whether_it_may_be_waived(check: Check) -> None:
    assert (check.id in IDS.never) is not check.waivable


@given(
    st.sampled_from(sorted(NEVER)),
    st.sampled_from(list(Step)),
    st.booleans(),
)
def test_own_findings_of_guard_are_never_waived(name: str, step: Step, lower: bool) -> None:
    policy = Policy(waivers=(waiver(name),), severity={name: {step: Severity.WARN}} if lower else {})
    said = (finding(name, Outcome.BLOCK), finding(name, Outcome.UNKNOWN))
    decision = judge(policy, checks=(saying(*said),), step=Step.START)
    assert decision.findings[:2] == said


# What is reported


def test_unused_unknown_and_narrow_waivers_are_reported() -> None:
    policy = waiving(
        waiver("license"), waiver("capactiy"), waiver("capacity", node=9), waiver("A-999999")
    )
    fine = saying(finding("license", Outcome.PASS), check="license")
    decision = judge(policy, checks=(saying(finding(node_id=1)), fine))
    assert about(decision, "license by alex is unused")
    assert about(decision, "'capacity'")
    assert about(decision, "does not cover what was found")
    assert about(decision, "A-999999 by alex names no check or advisory")
    assert len(decision.notices) == 4 + len(about(decision, "catalog"))


def test_a_waiver_whose_turn_it_is_not_is_not_called_unused() -> None:
    policy = waiving(
        waiver("capacity", step=Step.FINALIZE),
        waiver("capacity", node=4),
    )
    decision = judge(policy, finding(outcome=Outcome.PASS), node=3)
    assert not about(decision, "waiver")


def test_without_a_connection_no_waiver_is_called_unused() -> None:
    lost = msgspec.structs.replace(b.snapshot(), connection=b.unavailable())
    decision = judge(waiving(waiver()), seen=lost)
    assert decision.verdict is Verdict.UNKNOWN
    assert not about(decision, "unused")


def test_problems_of_a_policy_by_itself() -> None:
    policy = Policy(
        waivers=(waiver(), waiver("nope"), waiver(expires=TODAY - dt.timedelta(days=1))),
        severity={"a-999999": {Step.START: Severity.WARN}, "capacity": {Step.START: Severity.WARN}},
    )
    found = list(problems(policy, IDS, TODAY))
    assert len(found) == 3
    assert ["A-999999" in found[0], "nope" in found[1], "expired" in found[2]] == [True] * 3


def test_an_old_catalog_is_reported_and_a_fresh_one_is_not() -> None:
    for what, until in (
        ("releases", CATALOG.releases_until),
        ("advisories", CATALOG.advisories_until),
    ):
        for days, old in ((60, False), (120, False), (121, True)):
            moment = dt.datetime.combine(until, dt.time(), dt.UTC) + dt.timedelta(days=days)
            assert bool(about(judge(Policy(), finding(), now=moment), f"catalog's {what}")) is old


# Targets


@pytest.mark.parametrize(
    ("targets", "allowed"),
    [
        (None, True),
        ((), False),
        (("v21.1",), True),
        (("21.1.12",), True),
        (("v21.1.13", "v21.2"), False),
        (("v21.1.13", "v21.1.12"), True),
    ],
)
def test_only_allowed_targets(targets: tuple[str, ...] | None, allowed: bool) -> None:
    table = {} if targets is None else {"targets": list(targets)}
    policy = read_policy(table, IDS.known, "guard.toml")
    for step in (Step.START, Step.NEXT_NODE):
        decision = judge(policy, finding(outcome=Outcome.PASS), step=step)
        said = [f.outcome for f in decision.findings if f.check == "policy-target"]
        assert decision.verdict is (Verdict.ALLOW if allowed else Verdict.BLOCK)
        assert said == ([] if targets is None else [Outcome.PASS if allowed else Outcome.BLOCK])


def test_a_custom_build_goes_by_the_name_of_its_release() -> None:
    policy = Policy(targets=(Build.parse("v22.2.19"),))
    for tag, allowed in (("v22.2.19-fips", True), ("v22.2.19-dirty", True), ("v22.2.18-dirty", False)):
        assert policy.allows(Build.parse(tag)) is allowed
    assert not Policy(targets=(Build.parse("v22.2.19-dirty"),)).allows(Build.parse("v22.2.19"))


@pytest.mark.parametrize("step", [Step.FINALIZE, Step.ROLLBACK, Step.VERIFY])
def test_the_way_back_and_the_end_need_no_allowed_target(step: Step) -> None:
    policy = Policy(targets=(Build.parse("v30.1.0"),))
    passing = saying(finding("mixed-version", Outcome.PASS), check="mixed-version")
    decision = judge(policy, step=step, checks=(passing,))
    assert decision.verdict is Verdict.ALLOW


def test_a_target_that_was_inferred_is_checked_too() -> None:
    nodes = [b.node(1, "v21.1.12"), b.node(2), b.node(3)]
    decision = evaluate(
        b.snapshot(nodes),
        step="next-node",
        policy=Policy(targets=()),
        now=NOW,
        checks=(saying(finding()),),
    )
    assert "policy-target" in [f.check for f in decision.of(Outcome.BLOCK)]


# Thresholds


def test_thresholds_of_the_policy_reach_the_checks() -> None:
    table = {
        "thresholds": {
            "window": "5m", "settle": "2m", "capacity-free": "25%", "backup-age": "2d",
            "mixed-for": "12h", "unfinalized-for": "7d",
        }
    }  # fmt: skip
    policy = read_policy(table, IDS.known, "guard.toml")
    assert policy.thresholds == Thresholds(
        window=dt.timedelta(minutes=5),
        settle=dt.timedelta(minutes=2),
        capacity_free=0.25,
        backup_age=dt.timedelta(days=2),
        mixed_for=dt.timedelta(hours=12),
        unfinalized_for=dt.timedelta(days=7),
    )
    seen = b.snapshot(schedules=[b.schedule(next_run=b.NOW + b.minutes(10))])

    def due(policy: Policy, window: dt.timedelta | None = None) -> list[Outcome]:
        decision = evaluate(
            seen, step="start", target="v21.1.12", policy=policy, now=NOW, window=window
        )
        return [f.outcome for f in decision.findings if f.check == "scheduled-backups"]

    assert due(Policy()) == [Outcome.WARN]
    assert due(policy) == [Outcome.PASS]
    assert due(policy, dt.timedelta(minutes=30)) == [Outcome.WARN]  # --window wins


# Reading


def rejected(table: dict[str, Any]) -> str:
    with pytest.raises(PolicyError) as caught:
        read_policy(table, IDS.known, "guard.toml")
    text = str(caught.value)
    assert text.startswith("guard.toml: ")
    assert "\n" not in text
    return text


WAIVER = {"id": "capacity", "reason": "x", "owner": "y", "expires": dt.date(2030, 1, 1)}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"wavers": []}, ("'wavers'", "did you mean 'waivers'?")),
        ({"zzz": 1}, ("'zzz'", "the keys are targets, thresholds, severity, waivers")),
        ({"thresholds": {"windw": "1m"}}, ("in thresholds", "did you mean 'window'?")),
        ({"thresholds": {"capacity_free": 0.1}}, ("did you mean 'capacity-free'?",)),
        ({"thresholds": {"window": "soon"}}, ("thresholds.window", "30s")),
        ({"thresholds": {"window": "-5m"}}, ("thresholds.window",)),
        ({"thresholds": {"window": "999999999d"}}, ("10 years",)),
        ({"thresholds": {"window": 30}}, ("thresholds.window",)),
        ({"thresholds": {"capacity-free": 1.0}}, ("capacity-free",)),
        ({"thresholds": {"capacity-free": -0.1}}, ("capacity-free",)),
        ({"thresholds": {"capacity-free": float("nan")}}, ("capacity-free",)),
        ({"thresholds": {"capacity-free": "100%"}}, ("capacity-free",)),
        ({"severity": {"capactiy": "warn"}}, ("did you mean 'capacity'?",)),
        ({"severity": {"capacity": "blok"}}, ("'blok'", "did you mean 'block'?")),
        ({"severity": {"capacity": "pass"}}, ("neither 'warn' nor 'block'",)),
        ({"severity": {"capacity": 1}}, ("neither 'warn' nor 'block'",)),
        ({"severity": {"capacity": {"strat": "warn"}}}, ("did you mean 'start'?",)),
        ({"severity": {"capacity": {"auto": "warn"}}}, ("no step",)),
        ({"severity": {"capacity": {"start": "unknown"}}}, ("neither",)),
        ({"severity": {"visibility": "warn"}}, ("never",)),
        ({"severity": []}, ("severity",)),
        ({"targets": "v24.1"}, ("targets",)),
        ({"targets": ["24"]}, ("'24'", "v24.1.3")),
        ({"targets": ["v24.1.x"]}, ("v24.1.x",)),
        ({"waivers": [WAIVER, {"id": "capacity"}]}, ("waivers[1]", "lacks the key")),
        ({"waivers": [WAIVER | {"expire": 1}]}, ("'expire'", "did you mean 'expires'?")),
        ({"waivers": [WAIVER | {"expires": "soon"}]}, ("waivers[0].expires",)),
        ({"waivers": [WAIVER | {"expires": NOW}]}, ("waivers[0].expires",)),
        ({"waivers": [WAIVER | {"reason": "  "}]}, ("waivers[0].reason",)),
        ({"waivers": [WAIVER | {"owner": ""}]}, ("waivers[0].owner",)),
        ({"waivers": [WAIVER | {"id": "Visibility"}]}, ("never be waived",)),
        ({"waivers": [WAIVER | {"scope": {"nod": 1}}]}, ("did you mean 'node'?",)),
        ({"waivers": [WAIVER | {"scope": {"node": 0}}]}, ("scope.node",)),
        ({"waivers": [WAIVER | {"scope": {"step": "finalise"}}]}, ("did you mean 'finalize'?",)),
        ({"waivers": [WAIVER | {"scope": {"step": "auto"}}]}, ("never judged",)),
    ],
)  # fmt: skip
def test_mistakes_are_named(table: dict[str, Any], words: tuple[str, ...]) -> None:
    text = rejected(table)
    for word in words:
        assert word in text


@pytest.mark.parametrize("missing", ["id", "reason", "owner", "expires"])
def test_everything_but_the_scope_is_required(missing: str) -> None:
    text = rejected({"waivers": [{key: value for key, value in WAIVER.items() if key != missing}]})
    assert f"'{missing}'" in text


def test_a_severity_for_an_advisory_of_a_newer_catalog_is_no_mistake() -> None:
    policy = read_policy({"severity": {"A-999999": "block"}}, IDS.known, "guard.toml")
    assert policy.severity["a-999999"][Step.START] is Severity.BLOCK


def test_a_whole_policy() -> None:
    scope = {"cluster": CLUSTER, "step": "next-node", "node": [1, 2], "job": 123456789012345678}
    table = {
        "targets": ["v24.1", "v24.3.2"],
        "severity": {"running-backups": {"start": "block"}, "A-72839": "warn"},
        "waivers": [WAIVER | {"scope": scope}],
    }
    policy = read_policy(table, IDS.known, "guard.toml")
    assert policy.allows(Build.parse("v24.1.9"))
    assert not policy.allows(Build.parse("v24.3.3"))
    assert policy.severity["running-backups"] == {Step.START: Severity.BLOCK}
    assert policy.severity["a-72839"][Step.VERIFY] is Severity.WARN
    [rule] = policy.waivers
    assert rule.expires == dt.date(2030, 1, 1)
    assert rule.scope.nodes == frozenset({1, 2})
    assert rule.scope.jobs == frozenset({"123456789012345678"})


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=10,
)
_KEYS = st.sampled_from(
    ["targets", "thresholds", "severity", "waivers", "window", "id", "expires", "scope", "capacity"]
)


@given(st.dictionaries(_KEYS | st.text(), _JUNK | st.dictionaries(_KEYS, _JUNK)))
def test_no_table_does_more_than_be_refused(table: dict[str, Any]) -> None:
    try:
        policy = read_policy(table, IDS.known, "guard.toml")
    except PolicyError as error:
        assert str(error).startswith("guard.toml: ")  # noqa: PT017 - both ends are fine
    else:
        assert policy.source == "guard.toml"


@given(
    st.lists(
        st.builds(
            finding,
            st.sampled_from(["capacity", "license", "visibility", "cluster-version"]),
            st.sampled_from(list(Outcome)),
        ),
        min_size=1,
        max_size=6,
    ),
    st.lists(
        st.builds(
            waiver,
            st.sampled_from(["capacity", "license", "visibility", "cluster-version", "nope"]),
            st.sampled_from([TODAY, TODAY - dt.timedelta(days=1), None]),
        ),
        max_size=4,
    ),
    st.dictionaries(
        st.sampled_from(["capacity", "license", "visibility", "cluster-version"]),
        st.dictionaries(st.sampled_from(list(Step)), st.sampled_from(list(Severity))),
    ),
)
def test_no_policy_makes_a_finding_go_away(
    said: list[Finding],
    rules: list[WaiverRule],
    severities: dict[str, dict[Step, Severity]],
) -> None:
    policy = Policy(waivers=tuple(rules), severity=severities)
    decision = judge(policy, checks=(saying(*said), saying(finding("x", Outcome.PASS), check="x")))
    assert [f.check for f in decision.findings] == [*(f.check for f in said), "x"]
    for before, after in zip(said, decision.findings, strict=False):
        if before.outcome not in (Outcome.WARN, Outcome.BLOCK):
            assert after.outcome is before.outcome
        if before.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE):
            assert after == before
        if before.check == "visibility":
            assert after == before
        if after.waiver is not None:
            assert after.waiver.expires in (TODAY, None)
    standing = [f.outcome for f in decision.findings if f.waiver is None]
    if Outcome.BLOCK in standing:
        assert decision.verdict is Verdict.BLOCK
    elif Outcome.UNKNOWN in standing:
        assert decision.verdict is Verdict.UNKNOWN


def test_what_guard_says_by_itself_is_explained_and_known_to_policies() -> None:
    assert set(OWN) | {"visibility"} == NEVER | OWN_IDS
    assert set(OWN) <= set(IDS.canonical)


# Waivers that do what their owner thinks, or say that they do not


def test_a_cluster_is_meant_in_any_case() -> None:
    rule = waiver("capacity", cluster=CLUSTER.upper())
    decision = judge(waiving(rule), finding(), finding(outcome=Outcome.PASS))
    assert (decision.verdict, len(decision.waived)) == (Verdict.ALLOW, 1)


def test_a_waiver_of_another_cluster_says_so() -> None:
    other = "11111111-0000-4000-8000-000000000009"
    decision = judge(waiving(waiver("capacity", cluster=other)), finding())
    assert decision.verdict is Verdict.BLOCK
    assert about(decision, f"is for another cluster, {other}; this is {CLUSTER}")


@pytest.mark.parametrize("accepted", ["advisories", "ADVISORIES"])
def test_advisories_means_all_of_them_in_a_waiver_as_in_a_severity(accepted: str) -> None:
    found = (finding("A-110363"), finding("C20230118"), finding("advisories"))
    passing = finding("advisories", Outcome.PASS)
    check = saying(*found, passing, check="advisories")
    waived = judge(waiving(waiver(accepted)), checks=(check,))
    lowered = judge(severity("advisories", "warn"), checks=(check,))
    for decision in (waived, lowered):
        assert decision.verdict is Verdict.ALLOW
    assert {f.check for f in waived.waived} == {
        f.check for f in found if f.check in IDS.canonical.values()
    }
    other = judge(waiving(waiver(accepted)), finding("capacity"))
    assert other.verdict is Verdict.BLOCK


def test_waivers_and_thresholds_that_switch_a_check_off_for_good_are_told() -> None:
    forever = waiver(expires=dt.date(9999, 12, 31))
    nothing = Thresholds(capacity_free=0, window=dt.timedelta())
    told = list(problems(Policy(waivers=(forever,), thresholds=nothing), IDS, TODAY))
    assert len(told) == 3
    assert "lasts until 9999-12-31" in told[0]
    assert not list(problems(waiving(waiver(expires=TODAY + dt.timedelta(days=300))), IDS, TODAY))


def test_the_verdicts_line_says_how_many_findings_are_waived() -> None:
    from guard.report import Options
    from guard.report.text import render

    passing = finding(outcome=Outcome.PASS)
    one = judge(waiving(waiver()), finding(), passing)
    two = judge(waiving(waiver()), finding(), finding(outcome=Outcome.WARN), passing)
    none = judge(Policy(), passing)
    lines = [render(each, Options(quiet=True)) for each in (one, two, none)]
    assert lines[0].startswith("ALLOW, 1 finding waived: ")
    assert lines[1].startswith("ALLOW, 2 findings waived: ")
    assert lines[2].startswith("ALLOW: ")


# Releases vouched for

VOUCHED = {"build": "v26.3.9", "by": "Ann", "on": "2026-11-20", "expires": "2026-11-30"}


def vouch(**changes: str) -> Policy:
    entry = VOUCHED | changes
    dates = {name: dt.date.fromisoformat(entry[name]) for name in ("on", "expires")}
    return read_policy({"vouched": [entry | dates]}, (), "guard.toml")


def unlisted(target: str = "v26.3.9") -> Finding:
    return finding("unlisted-release", Outcome.UNKNOWN, target=target, status="newer-than-catalog")


def test_a_release_vouched_for_is_waived_for_being_unlisted_and_nothing_else() -> None:
    other = finding("upgrade-path", Outcome.UNKNOWN, target="v26.3.9")
    decision = judge(vouch(), unlisted(), other, checks=(saying(unlisted(), other),))
    found = {each.check: each for each in decision.findings}
    waiver = found["unlisted-release"].waiver
    assert waiver is not None
    assert (waiver.owner, waiver.expires) == ("Ann", dt.date(2026, 11, 30))
    assert "2026-11-20" in waiver.reason
    assert found["unlisted-release"].outcome is Outcome.UNKNOWN
    assert found["upgrade-path"].waiver is None
    assert decision.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"expires": "2026-11-21"}, "no longer counts"),
        ({"on": "2026-11-23"}, "does not count yet"),
        ({"build": "v26.3.8"}, ""),
    ],
)
def test_what_is_not_vouched_for_today(changes: dict[str, str], says: str) -> None:
    decision = judge(vouch(**changes), unlisted())
    assert decision.findings[0].waiver is None
    assert bool(about(decision, "vouche")) is bool(says)
    assert any(says in each for each in decision.notices)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"build": "latest"}, "no build such as"),
        ({"expires": "2026-11-01"}, "before anybody looked"),
    ],
)
def test_a_broken_vouching(changes: dict[str, str], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        vouch(**changes)


def test_a_vouching_needs_its_four_keys() -> None:
    for missing in VOUCHED:
        entry = {key: value for key, value in VOUCHED.items() if key != missing}
        with pytest.raises(PolicyError):
            read_policy({"vouched": [entry]}, (), "guard.toml")
