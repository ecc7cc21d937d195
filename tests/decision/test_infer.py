"""Step inference: builds, cluster version and target tell which step is next, or nothing does."""

from __future__ import annotations

import pytest

from guard.decision.engine import evaluate
from guard.decision.result import Step, Verdict
from guard.snapshot.model import Reason
from tests.building import Node, job, node, put, snapshot, three, unavailable


def nodes(*builds: str) -> list[Node]:
    return [node(number, build) for number, build in enumerate(builds, start=1)]


OLD, MIXED, NEW = three(), nodes("v21.2.1", "v21.1.11", "v21.1.11"), three("v21.2.1")


@pytest.mark.parametrize(
    ("built", "version", "target", "step", "to"),
    [
        # one build, final
        (OLD, "21.1", None, Step.VERIFY, "v21.1.11"),
        (OLD, "21.1", "v21.1.11", Step.VERIFY, "v21.1.11"),
        (OLD, "21.1", "v21.1.12", Step.START, "v21.1.12"),
        (OLD, "21.1", "v21.2.1", Step.START, "v21.2.1"),
        # between two series
        (MIXED, "21.1", None, Step.NEXT_NODE, "v21.2.1"),
        (MIXED, "21.1", "v21.2.1", Step.NEXT_NODE, "v21.2.1"),
        (MIXED, "21.1", "v21.2.2", Step.NEXT_NODE, "v21.2.2"),
        (MIXED, "21.1", "v21.1.11", Step.ROLLBACK, "v21.1.11"),
        # between two patches
        (nodes("v21.1.12", "v21.1.11"), "21.1", None, Step.NEXT_NODE, "v21.1.12"),
        (nodes("v21.1.12", "v21.1.11"), "21.1", "v21.1.12", Step.NEXT_NODE, "v21.1.12"),
        (nodes("v21.1.12", "v21.1.11"), "21.1", "v21.1.11", Step.ROLLBACK, "v21.1.11"),
        # every node new, not final
        (NEW, "21.1", None, Step.FINALIZE, "v21.2.1"),
        (NEW, "21.1", "v21.2.1", Step.FINALIZE, "v21.2.1"),
        (nodes("v21.2.1", "v21.2.0"), "21.1", None, Step.FINALIZE, "v21.2.1"),
        # final
        (NEW, "21.2", None, Step.VERIFY, "v21.2.1"),
        (NEW, "21.2", "v21.2.1", Step.VERIFY, "v21.2.1"),
        # migrating
        (NEW, "21.1-14", None, Step.VERIFY, "v21.2.1"),
    ],
)
def test_the_step_that_comes_next(
    built: list[Node], version: str, target: str | None, step: Step, to: str
) -> None:
    decision = evaluate(snapshot(built, version=version), target=target)
    assert (decision.step, decision.target) == (step, to)
    assert decision.step_inferred
    assert decision.step_reason


@pytest.mark.parametrize(
    ("built", "target"), [(OLD, "v21.1.10"), (NEW, "v21.1.11"), (three("v24.3.30"), "v24.3.3")]
)
def test_an_older_target_that_no_node_runs_is_a_slip_or_needs_the_step(
    built: list[Node], target: str
) -> None:
    decision = evaluate(snapshot(built), target=target)
    assert (decision.verdict, decision.step) == (Verdict.UNKNOWN, Step.AUTO)
    assert "--step" in " ".join(f.detail + " ".join(f.remedy) for f in decision.findings)


def test_a_named_step_is_not_inferred() -> None:
    decision = evaluate(snapshot(), step="rollback", target="v21.1.10")
    assert (decision.step, decision.step_inferred) == (Step.ROLLBACK, False)


@pytest.mark.parametrize(
    "seen",
    [
        snapshot([node(1), node(2), node(3, "unknown")]),
        snapshot([node(1, "unknown")]),
        put(snapshot(), gossip_nodes=unavailable(Reason.PRIVILEGE)),
        put(snapshot(), settings=unavailable(Reason.PRIVILEGE)),
        put(snapshot(), kv_version=unavailable(Reason.TIMEOUT)),
    ],
)
def test_when_it_cannot_be_told_the_answer_is_unknown(seen: object) -> None:
    decision = evaluate(seen, target="v21.2.1")  # type: ignore[arg-type]
    assert (decision.step, decision.verdict) == (Step.AUTO, Verdict.UNKNOWN)
    assert any(f.check == "step" for f in decision.findings)


@pytest.mark.parametrize(("built", "version"), [(OLD, "21.1"), (NEW, "21.1"), (NEW, "21.2")])
def test_permission_to_verify_or_finalize_is_not_permission_to_restart_a_node(
    built: list[Node], version: str
) -> None:
    """`guard check --node 2` before the first restart: every node looks alike, and a backup runs."""
    decision = evaluate(snapshot(built, version=version, jobs=[job()]), node=2)
    assert (decision.step, decision.verdict) == (Step.AUTO, Verdict.UNKNOWN)
    assert "n2 is about to be restarted" in decision.step_reason
    assert "--target" in decision.step_reason
    named = evaluate(snapshot(MIXED), node=2)
    assert named.step is Step.NEXT_NODE


@pytest.mark.parametrize("version", ["21.1", "21.2"])
def test_nor_is_it_where_the_node_runs_the_target_already(version: str) -> None:
    """Whoever restarts n3 once more while n2 drains stops two nodes, whatever may be finalized."""
    built = [node(1, "v21.2.17"), node(2, "v21.2.17", state="draining"), node(3, "v21.2.17")]
    seen = snapshot(built, version=version)
    decision = evaluate(seen, target="v21.2.17", node=3)
    assert decision.step is Step.NEXT_NODE
    assert "n3 is about to be restarted on v21.2.17, although" in decision.step_reason
    assert decision.verdict is Verdict.BLOCK
    assert evaluate(seen, target="v21.2.17").step is not Step.NEXT_NODE


def test_decommissioned_nodes_do_not_lead_the_inference_astray() -> None:
    gone = node(4, "v20.2.9", state="dead", membership="decommissioned")
    assert evaluate(snapshot([*NEW, gone], version="21.2")).step is Step.VERIFY


def test_the_target_of_a_rollback_is_what_the_old_nodes_run() -> None:
    built = nodes("v21.2.1", "v21.1.11", "v21.1.12")
    assert evaluate(snapshot(built), step="rollback").target == "v21.1.12"
    assert evaluate(snapshot(NEW), step="rollback").target is None


def test_a_start_has_no_target_but_the_one_that_is_named() -> None:
    decision = evaluate(snapshot(), step="start")
    assert (decision.target, decision.verdict) == (None, Verdict.UNKNOWN)
    assert any("--target" in " ".join(f.remedy) for f in decision.findings)
