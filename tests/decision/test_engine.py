"""The verdict fails closed, class by class, and does not block what it should not."""

from __future__ import annotations

import ast
import datetime as dt
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guard.decision import checks as package
from guard.decision.check_definition import Check
from guard.decision.checks import ALL, by_id
from guard.decision.engine import evaluate
from guard.decision.result import Decision, ExitCode, FailOn, Finding, Outcome, Step, Verdict, Waiver
from guard.decision.situation import Situation
from guard.snapshot.model import Reason, Snapshot, Unavailable
from tests.building import (
    NOW,
    Node,
    collected,
    job,
    minutes,
    node,
    put,
    schedule,
    snapshot,
    three,
    unavailable,
)

STEPS = tuple(step for step in Step if step is not Step.AUTO)
TARGET = {
    Step.START: "v21.1.12",
    Step.NEXT_NODE: "v21.1.12",
    Step.FINALIZE: "v21.1.11",
    Step.ROLLBACK: "v21.1.10",
    Step.VERIFY: "v21.1.11",
}


def ask(seen: Snapshot, step: Step | str, target: str | None = None, **more: Any) -> Decision:
    return evaluate(seen, step=step, target=target or TARGET[Step(step)], **more)


def check_that(run: Any, name: str = "made-up") -> Check:
    return Check(id=name, title="made up", reads=(), docs="", explain="", run=run)


def says(*outcomes: Outcome) -> Check:
    def run(_: Situation) -> Iterator[Finding]:
        for outcome in outcomes:
            yield Finding(check="made-up", outcome=outcome, title="made up")

    return check_that(run)


# Fail-open holes of other tools, one test each.


@pytest.mark.parametrize("step", STEPS)
def test_a_crashed_check_counts(step: Step) -> None:
    def run(_: Situation) -> Iterator[Finding]:
        yield Finding(check="made-up", outcome=Outcome.PASS, title="fine so far")
        raise RuntimeError("boom")

    decision = ask(snapshot(), step, checks=[check_that(run)])
    assert decision.verdict is Verdict.UNKNOWN
    assert decision.exit_code() is ExitCode.UNKNOWN
    assert decision.findings[-1].evidence == {"crashed": True}
    assert "RuntimeError: boom" in decision.findings[-1].detail


def test_a_crash_beside_passes_is_not_outvoted() -> None:
    def run(situation: Situation) -> Iterator[Finding]:
        yield Finding(check="made-up", outcome=Outcome.PASS, title=str(situation.cluster.members[99]))

    fine = says(Outcome.PASS)
    decision = ask(snapshot(), "start", checks=[fine, check_that(run), fine])
    assert decision.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("reason", list(Reason))
def test_no_connection_is_zero_findings_and_not_success(reason: Reason) -> None:
    gone = put(snapshot(), connection=Unavailable(reason=reason, message="no host answered"))
    for step in Step:
        decision = evaluate(gone, step=step, target="v21.1.12")
        assert decision.verdict is Verdict.UNKNOWN
        assert decision.exit_code(FailOn.BLOCK) is ExitCode.UNKNOWN


def test_a_host_without_data_is_not_dropped_from_the_table() -> None:
    silent = [node(1), node(2), node(3, tables=("liveness",))]
    decision = ask(snapshot(silent), "verify")
    assert [n.node_id for n in decision.cluster.nodes] == [1, 2, 3]
    assert decision.verdict is Verdict.UNKNOWN


def test_a_later_finding_does_not_overwrite_an_earlier_one() -> None:
    for order in ((Outcome.BLOCK, Outcome.PASS), (Outcome.PASS, Outcome.BLOCK)):
        assert ask(snapshot(), "start", checks=[says(*order)]).verdict is Verdict.BLOCK
    for order in ((Outcome.UNKNOWN, Outcome.PASS), (Outcome.PASS, Outcome.UNKNOWN)):
        assert ask(snapshot(), "start", checks=[says(*order)]).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_every_line_is_read_not_only_the_first(broken: int) -> None:
    nodes = [node(i, unavailable_ranges=int(i == broken)) for i in (1, 2, 3)]
    assert ask(snapshot(nodes), "start").verdict is Verdict.BLOCK


@pytest.mark.parametrize("step", STEPS)
def test_a_check_that_says_nothing_neither_passes_nor_fails(step: Step) -> None:
    decision = ask(snapshot(), step, checks=[says()])
    assert decision.verdict is Verdict.UNKNOWN
    assert "said nothing" in decision.findings[0].title


def test_no_check_at_all_is_not_permission() -> None:
    for step in STEPS:
        assert ask(snapshot(), step, checks=[]).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "section",
    [
        "gossip_liveness", "gossip_nodes", "node_status", "kv_node_liveness", "store_status",
        "settings", "kv_version", "identity", "privileges",
    ],
)  # fmt: skip
def test_empty_input_is_not_accepted(step: Step, section: str) -> None:
    decision = ask(put(snapshot(), **{section: collected()}), step)
    assert decision.verdict is not Verdict.ALLOW


NEEDED = {
    "gossip_liveness": STEPS,
    "gossip_nodes": STEPS,
    "node_status": STEPS,
    "kv_node_liveness": STEPS,
    "settings": STEPS,
    "kv_version": STEPS,
    "identity": STEPS,
    "privileges": STEPS,
    "active_jobs": STEPS,
    "schedules": STEPS,
    "store_status": STEPS,
    "job_history": (Step.START, Step.FINALIZE, Step.VERIFY),
}


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.NOT_IN_THIS_VERSION])
@pytest.mark.parametrize(
    ("section", "step"), [(section, step) for section, steps in NEEDED.items() for step in steps]
)
def test_an_error_in_any_class_is_an_error(section: str, step: Step, reason: Reason) -> None:
    decision = ask(put(snapshot(), **{section: unavailable(reason)}), step)
    assert decision.verdict is not Verdict.ALLOW
    assert Outcome.UNKNOWN in {f.outcome for f in decision.findings}


FURTHER = ("migrations", "replication_stats", "critical_localities", "variables", "zone_replicas")


@pytest.mark.parametrize("section", FURTHER)
@pytest.mark.parametrize("step", [Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.VERIFY])
def test_evidence_that_only_adds_does_not_take_away(section: str, step: Step) -> None:
    decision = ask(put(snapshot(), **{section: unavailable(Reason.UNSAFE_INTERNALS)}), step)
    assert decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("outcomes", "verdict", "code", "strict"),
    [
        ((Outcome.PASS,), Verdict.ALLOW, 0, 0),
        ((Outcome.NOT_APPLICABLE,), Verdict.ALLOW, 0, 0),
        ((Outcome.PASS, Outcome.WARN), Verdict.ALLOW, 0, 12),
        ((Outcome.UNKNOWN, Outcome.WARN), Verdict.UNKNOWN, 11, 11),
        ((Outcome.BLOCK, Outcome.WARN), Verdict.BLOCK, 10, 10),
        ((Outcome.BLOCK, Outcome.UNKNOWN), Verdict.BLOCK, 10, 10),
    ],
)
def test_the_verdict_is_the_exit_code(
    outcomes: tuple[Outcome, ...], verdict: Verdict, code: int, strict: int
) -> None:
    decision = ask(snapshot(), "start", checks=[says(*outcomes)])
    assert decision.verdict is verdict
    assert decision.exit_code() == code
    assert decision.exit_code(FailOn.WARN) == strict


def test_a_waived_finding_keeps_its_outcome() -> None:
    def run(_: Situation) -> Iterator[Finding]:
        waiver = Waiver(reason="known", owner="me")
        yield Finding(check="made-up", outcome=Outcome.BLOCK, title="bad", waiver=waiver)
        yield Finding(check="made-up", outcome=Outcome.PASS, title="good")

    decision = ask(snapshot(), "start", checks=[check_that(run)])
    assert decision.verdict is Verdict.ALLOW
    assert [f.outcome for f in decision.waived] == [Outcome.BLOCK]


@pytest.mark.parametrize("state", ["dead", "suspect"])
def test_dead_nodes_do_not_lower_the_quorum_of_done(state: str) -> None:
    left_behind = [node(1, "v21.2.1"), node(2, "v21.2.1"), node(3, "v21.1.11", state=state)]
    for step in ("finalize", "verify"):
        decision = ask(snapshot(left_behind), step, "v21.2.1")
        assert decision.verdict is Verdict.BLOCK
        assert "mixed-version" in {f.check for f in decision.of(Outcome.BLOCK)}


def test_a_skipped_item_is_not_a_pass() -> None:
    """A node that cannot be compared is no reason to compare the others only."""
    seen = snapshot([node(1, "v21.2.1"), node(2, "v21.2.1"), node(3, "unknown")], version="21.2")
    assert ask(seen, "verify", "v21.2.1").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "version", ["24.1-upgrading-final-step", "24.1--1", "23.2-upgrading-to-24.1-step-008"]
)
def test_a_version_is_not_matched_as_a_substring(version: str) -> None:
    seen = snapshot(three("v24.1.0"), version=version, gateway="v24.1.0")
    for step in ("verify", "finalize", "start"):
        assert ask(seen, step, "v24.1.0").verdict is Verdict.BLOCK


def test_21_1_10_is_not_older_than_21_1_9() -> None:
    decision = ask(snapshot(three("v21.1.9"), gateway="v21.1.9"), "rollback", "v21.1.10")
    assert decision.verdict is Verdict.BLOCK


def test_a_replication_factor_of_three_is_not_hard_coded() -> None:
    from guard.snapshot.model import ZoneReplicasRow

    nodes = [node(i) for i in range(1, 7)] + [node(7, state="dead")]
    check = by_id("quorum-safety")
    assert check is not None
    for factor, verdict in ((5, Verdict.ALLOW), (3, Verdict.BLOCK)):
        zones = collected(ZoneReplicasRow(num_replicas=factor, num_voters=None))
        seen = snapshot(nodes, zone_replicas=zones)
        assert ask(seen, "next-node", checks=[check]).verdict is verdict


def test_stale_rows_are_not_the_truth() -> None:
    """A dead node's last status row says v21.2.1, zero problems and a full set of ranges."""
    nodes = [node(1, "v21.2.1"), node(2, "v21.2.1"), node(3, "v21.2.1", state="dead")]
    decision = ask(snapshot(nodes, version="21.2"), "verify", "v21.2.1")
    assert decision.verdict is Verdict.BLOCK
    assert by_outcome(decision, "range-health") == {Outcome.UNKNOWN}


def by_outcome(decision: Decision, check: str) -> set[Outcome]:
    return {f.outcome for f in decision.findings if f.check == check}


@pytest.mark.parametrize("step", STEPS)
def test_an_empty_list_of_jobs_is_no_permission_for_a_user_who_may_not_see_them(step: Step) -> None:
    assert ask(snapshot(admin=False, user="low"), step).verdict is not Verdict.ALLOW


# Over-blocking kills gates just as surely.


def rolling(build: str, series: str, done: int, target: str) -> Snapshot:
    nodes = [node(i, target if i <= done else build) for i in (1, 2, 3)]
    return snapshot(nodes, version=series, gateway=build, history=[good_backup()])


def good_backup() -> Any:
    return job(1, "BACKUP", "succeeded", created=NOW - minutes(90), finished=NOW - minutes(80))


@pytest.mark.parametrize(
    ("build", "series", "target"),
    [
        ("v21.1.11", "21.1", "v21.1.12"),
        ("v21.1.12", "21.1", "v21.1.21"),
        ("v23.1.10", "23.1", "v23.1.30"),
    ],
)
def test_a_patch_upgrade_is_not_blocked_by_rules_for_major_ones(
    build: str, series: str, target: str
) -> None:
    backup = [job(2)]
    for done, step in ((0, "start"), (1, "next-node"), (2, "next-node"), (3, "verify")):
        quiet = rolling(build, series, done, target)
        assert ask(quiet, step, target).verdict is Verdict.ALLOW, step
        busy = put(quiet, active_jobs=collected(*backup), schedules=collected(schedule()))
        assert ask(busy, step, target).verdict is Verdict.ALLOW, step


@pytest.mark.parametrize("nodes", [[node(1, underreplicated_ranges=44)], [node(1), node(2)]])
def test_a_small_cluster_is_not_blocked_by_what_nobody_can_fix(nodes: list[Node]) -> None:
    decision = ask(snapshot(nodes), "start")
    assert decision.verdict is Verdict.ALLOW
    assert decision.of(Outcome.WARN)


def test_the_symptom_that_the_next_step_cures_does_not_block_it() -> None:
    """n3 is down because it is being restarted: starting it is the step."""
    nodes = [node(1, "v21.1.12", underreplicated_ranges=40), node(2), node(3, state="suspect")]
    assert ask(snapshot(nodes), "next-node", node=3).verdict is Verdict.ALLOW
    assert ask(snapshot(nodes), "next-node").verdict is Verdict.BLOCK


def test_a_half_upgraded_cluster_whose_backups_fail_may_finalize_or_roll_back() -> None:
    edge = snapshot([node(1, "v21.2.0"), node(2), node(3)], jobs=[job()])
    assert by_outcome(ask(edge, "next-node", "v21.2.0"), "A-72839") == {Outcome.BLOCK}
    assert by_outcome(ask(edge, "rollback", "v21.1.11"), "A-72839") == {Outcome.PASS}
    done = snapshot(three("v21.2.0"), jobs=[job()])
    assert Outcome.BLOCK not in by_outcome(ask(done, "finalize", "v21.2.0"), "A-72839")


@pytest.mark.parametrize(
    ("step", "bad", "fixed"),
    [
        ("start", {"jobs": [job(job_type="RESTORE")]}, {"history": [job(1, "RESTORE", "succeeded")]}),
        (
            "verify",
            {"jobs": [job(9, "MIGRATION")]},
            {"history": [job(9, "MIGRATION", "failed"), job(10, "MIGRATION", "succeeded")]},
        ),
        ("next-node", {"nodes": [node(1), node(2), node(3, state="draining")]}, {}),
        (
            "start",
            {"nodes": [*three(), node(4, membership="decommissioning")]},
            {"nodes": [*three(), node(4, state="dead", membership="decommissioned")]},
        ),
    ],
)
def test_a_finding_goes_away_with_the_fix(
    step: str, bad: dict[str, Any], fixed: dict[str, Any]
) -> None:
    assert ask(snapshot(**bad), step).verdict is Verdict.BLOCK
    assert ask(snapshot(**fixed), step).verdict is Verdict.ALLOW


# Waiting: what passes by itself must not look permanent beside another finding of the same cause.


@pytest.mark.parametrize(
    "trouble",
    [
        {"nodes": [node(1), node(2), node(3, state="suspect")]},
        {"nodes": [node(1, underreplicated_ranges=40), node(2), node(3, state="suspect")]},
        {"nodes": [node(1, unavailable_ranges=2), node(2), node(3, state="suspect")]},
        {"nodes": [node(1), node(2), node(3, state="draining")]},
        {"nodes": [node(1), node(2), node(3, started=NOW)]},
        {"nodes": [node(1, underreplicated_ranges=40), node(2), node(3, started=NOW)]},
        {"jobs": [job(job_type="RESTORE")]},
        {"nodes": [*three(), node(4, membership="decommissioning")]},
        {"version": "21.1-14"},
    ],
)
@pytest.mark.parametrize("step", ["start", "next-node", "finalize"])
def test_what_passes_by_itself_can_be_waited_for(step: str, trouble: dict[str, Any]) -> None:
    decision = ask(snapshot(**trouble), step, "v21.1.11")
    assert decision.verdict is not Verdict.BLOCK or decision.only_waiting_helps


@pytest.mark.parametrize(
    "trouble",
    [
        {"nodes": [node(1), node(2), node(3, state="dead")]},
        {"nodes": [node(1, unavailable_ranges=2), node(2), node(3)]},
        {"nodes": [*three(), node(4, state="dead", membership="decommissioning")]},
        {"jobs": [job(job_type="RESTORE", status="paused")]},
        {"jobs": [job(job_type="MIGRATION", status="paused")]},
    ],
)
@pytest.mark.parametrize("step", ["start", "next-node", "finalize"])
def test_what_does_not_is_not_waited_for(step: str, trouble: dict[str, Any]) -> None:
    decision = ask(snapshot(**trouble), step, "v21.1.11")
    assert decision.verdict is Verdict.BLOCK
    assert not decision.only_waiting_helps


# The finalize column on the last old node.


@pytest.mark.parametrize("left", [1, 0])
def test_the_finalize_column_is_judged_on_the_last_old_node(left: int) -> None:
    nodes = [node(i, "v21.2.1" if i <= 3 - left else "v21.1.12") for i in (1, 2, 3)]
    seen = snapshot(nodes, jobs=[job(job_type="SCHEMA CHANGE")])
    blocking = ask(seen, "next-node", "v21.2.1").of(Outcome.BLOCK)
    assert [f.judged_as for f in blocking if f.check == "schema-changes"] == ["finalize"]


def test_what_both_columns_say_is_said_once() -> None:
    nodes = [node(1, "v21.2.1"), node(2, "v21.2.1"), node(3, "v21.1.12")]
    decision = ask(snapshot(nodes, jobs=[job(4, "RESTORE")]), "next-node", "v21.2.1")
    assert len([f for f in decision.findings if f.check == "restores"]) == 1


# What is registered, and what the pages say.

FILES = sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def test_every_file_of_the_package_is_registered_under_the_id_of_its_name() -> None:
    registered = {check.run.__module__.rsplit(".", 1)[-1]: check.id for check in ALL}
    assert sorted(registered) == FILES
    for name, check_id in registered.items():
        assert check_id.lower().replace("-", "_") == name


def test_ids_and_aliases_are_unique() -> None:
    names = [name.lower() for check in ALL for name in (check.id, *check.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_a_check_can_be_found_by_id_in_any_case(check: Check) -> None:
    assert by_id(check.id) is by_id(check.id.upper()) is by_id(check.id.lower()) is check


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_the_explain_page_is_the_modules_docstring(check: Check) -> None:
    source = Path(package.__path__[0]) / f"{check.run.__module__.rsplit('.', 1)[-1]}.py"
    assert check.explain == ast.get_docstring(ast.parse(source.read_text()), clean=False)


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_the_explain_page_names_its_steps_and_what_it_reads(check: Check) -> None:
    page = check.explain
    every = re.search(r"\b(every|each|all) steps?\b|in every step", page)
    for step in check.steps:
        assert every or re.search(rf"\b{step.value}\b", page), step.value
    assert re.search(r"\bRead", page)
    assert set(check.reads) <= set(Snapshot.__struct_fields__)
    assert check.docs.startswith("https://")


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
@pytest.mark.parametrize("step", STEPS)
def test_every_check_has_a_word_in_every_step_it_is_registered_for(check: Check, step: Step) -> None:
    if step not in check.steps:
        assert check.id not in {f.check for f in ask(snapshot(), step).findings}
        return
    found = ask(snapshot(), step, checks=[check]).findings
    assert found
    assert not any(f.evidence.get("crashed") for f in found)
    assert all(f.title for f in found)


@pytest.mark.parametrize("step", STEPS)
def test_the_same_snapshot_gives_the_same_decision(step: Step) -> None:
    seen = snapshot([node(1, "v21.2.0"), node(2), node(3, state="dead")], jobs=[job()])
    assert ask(seen, step) == ask(seen, step)


def test_an_unknown_step_is_an_error_and_not_a_verdict() -> None:
    with pytest.raises(ValueError, match="sideways"):
        evaluate(snapshot(), step="sideways")


def test_guards_own_clock_decides_nothing() -> None:
    seen = snapshot([node(1), node(2), node(3, started=NOW - minutes(0.5))])
    later = put(seen, taken_at=NOW + dt.timedelta(days=3))
    assert ask(later, "next-node").verdict is ask(seen, "next-node").verdict is Verdict.BLOCK
