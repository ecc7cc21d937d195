"""States in which an upgrade gate is easily wrong: one case for each kind, at the verdict."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from guard.decision.engine import evaluate
from guard.decision.policy.rules import Policy, Scope, WaiverRule
from guard.decision.result import Decision, Outcome, Step, Verdict
from guard.snapshot.model import EventRow, MigrationRow
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
)

PRESERVE = "cluster.preserve_downgrade_option"


def ask(seen: Any, step: str, target: str | None = None, **asked: Any) -> Decision:
    return evaluate(seen, step=step, target=target, **asked)


def objecting(decision: Decision, outcome: Outcome = Outcome.BLOCK) -> set[str]:
    return {f.check for f in decision.findings if f.outcome is outcome}


def nodes(*builds: str) -> list[Node]:
    return [node(i, build) for i, build in enumerate(builds, start=1)]


# A restart of the last old node with auto-finalization on is a finalization.


@pytest.mark.parametrize("held", [True, False])
def test_the_finalize_column_runs_on_the_cluster_as_it_will_be(held: bool) -> None:
    """A node on a stray old patch of the new series matters to finalize, not to the last restart."""
    seen = snapshot(
        nodes("v21.2.0", "v21.2.17", "v21.1.12"),
        settings={PRESERVE: "21.1"} if held else {},
        jobs=[job(job_type="SCHEMA CHANGE")],
    )
    decision = ask(seen, "next-node", "v21.2.17", node=3)
    as_finalize = [f for f in decision.findings if f.judged_as is Step.FINALIZE]
    assert bool(as_finalize) is not held
    assert ("schema-changes" in objecting(decision)) is not held


@pytest.mark.parametrize(
    ("named", "finalizes"),
    [(None, True), (3, True), (1, False)],
)
def test_a_node_that_is_new_already_is_never_the_last_old_one(
    named: int | None, finalizes: bool
) -> None:
    seen = snapshot(nodes("v21.2.17", "v21.2.17", "v21.1.12"), jobs=[job(job_type="SCHEMA CHANGE")])
    decision = ask(seen, "next-node", "v21.2.17", node=named)
    assert ("schema-changes" in objecting(decision)) is finalizes


def test_an_old_node_that_is_down_keeps_a_restart_from_finalizing() -> None:
    seen = snapshot(
        [node(1, "v21.2.17"), node(2, "v21.1.12"), node(3, "v21.1.12", state="dead")],
        jobs=[job(job_type="SCHEMA CHANGE")],
    )
    assert "schema-changes" not in objecting(ask(seen, "next-node", "v21.2.17", node=2))


def test_the_only_node_of_a_cluster_finalizes_at_start() -> None:
    seen = snapshot([node(1, "v21.1.12")], jobs=[job(job_type="SCHEMA CHANGE")])
    assert "schema-changes" in objecting(ask(seen, "start", "v21.2.17"))
    held = snapshot(
        [node(1, "v21.1.12")], jobs=[job(job_type="SCHEMA CHANGE")], settings={PRESERVE: "21.1"}
    )
    assert "schema-changes" not in objecting(ask(held, "start", "v21.2.17"))


# ALLOW where it must not be.


def test_next_node_before_any_new_node_needs_a_target() -> None:
    seen = snapshot(three("v21.1.11"), jobs=[job()], schedules=[schedule()])
    assert ask(seen, "next-node").verdict is Verdict.UNKNOWN
    assert ask(seen, "next-node", "v21.2.17").verdict is Verdict.BLOCK


def test_beginning_with_next_node_does_not_bypass_start() -> None:
    """v23.1.3 has defects that destroy data and that a later patch repairs."""
    seen = snapshot(three("v22.2.19"), version="22.2", gateway="v22.2.19")
    at_start = objecting(ask(seen, "start", "v23.1.3"))
    assert {"A-99561", "A-131639"} <= at_start
    assert {"A-99561", "A-131639"} <= objecting(ask(seen, "next-node", "v23.1.3"))


@pytest.mark.parametrize(
    ("first", "then", "outcome"),
    [
        ("v21.1.7", "v21.1.9", Outcome.BLOCK),  # A-71002 loses data from v21.1.9 on
        ("v21.1.7", "v21.1.10", None),
        ("v21.1.9", "v21.1.9", None),  # what runs was judged when it came
        ("v21.1.8", "v21.1.9", Outcome.BLOCK),
    ],
)
def test_another_patch_in_the_middle_of_an_upgrade_is_judged_as_the_first_was(
    first: str, then: str, outcome: Outcome | None
) -> None:
    seen = snapshot(nodes(first, "v20.2.19", "v20.2.19"), version="20.2", gateway="v20.2.19")
    decision = ask(seen, "next-node", then, node=2)
    assert {f.outcome for f in decision.findings if f.check == "A-71002"} == (
        {outcome} if outcome else set()
    )


def test_two_waivers_of_one_node_each_do_not_cover_what_rests_on_both() -> None:
    def rule(check: str, number: int) -> WaiverRule:
        return WaiverRule(check, "seen", "ops", None, Scope(node=number))

    seen = snapshot([node(1), node(2, state="dead"), node(3)])
    rules = tuple(rule(c, n) for c in ("node-liveness", "quorum-safety") for n in (2, 3))
    decision = ask(seen, "next-node", "v21.1.12", node=3, policy=Policy(waivers=rules), now=NOW)
    assert decision.verdict is not Verdict.ALLOW


@pytest.mark.parametrize("check", ["range-health", "mixed-version", "draining", "license"])
def test_what_could_not_be_seen_is_never_waived(check: str) -> None:
    unseen = node(2, "v24.1.5", tables=("liveness",))
    seen = snapshot([node(1, "v24.1.5"), unseen, node(3, "v24.1.5")], version="24.1", gateway="v24.1.5")
    seen = put(seen, license=collected())
    waiver = WaiverRule(check, "never mind", "ops", None)
    decision = ask(seen, "start", "v24.3.33", policy=Policy(waivers=(waiver,)), now=NOW)
    unknown = [f for f in decision.findings if f.check == check and f.unseen]
    assert unknown
    assert all(f.waiver is None for f in unknown)


def test_a_rollback_of_a_healthy_node_while_another_is_down_costs_quorum() -> None:
    seen = snapshot([node(1, "v21.2.17"), node(2, "v21.2.17"), node(3, "v21.1.12", state="dead")])
    assert "quorum-safety" in objecting(ask(seen, "rollback", "v21.1.12", node=1))
    assert "quorum-safety" not in objecting(ask(seen, "rollback", "v21.1.12", node=3))


def test_a_draining_node_is_not_up() -> None:
    seen = snapshot([node(1), node(2), node(3, state="draining")])
    assert "quorum-safety" in objecting(ask(seen, "start", "v21.1.12"))


def test_two_rows_of_one_node_that_differ_are_a_contradiction() -> None:
    seen = snapshot(three())
    rows = seen.gossip_nodes.rows  # type: ignore[union-attr]
    twin = node(1, "v21.2.17").gossip
    torn = put(seen, gossip_nodes=collected(*rows, twin))
    for step in ("start", "next-node", "finalize", "rollback", "verify"):
        assert ask(torn, step, "v21.1.12").verdict is not Verdict.ALLOW
    same = put(seen, gossip_nodes=collected(*rows, rows[0]))
    assert ask(same, "verify").verdict is Verdict.ALLOW


def test_a_72839_counts_an_old_node_without_the_data_path() -> None:
    mode = {"bulkio.backup.experimental_21_2_mode.enabled": "true"}
    old = snapshot(nodes("v21.2.17", "v21.1.12", "v21.1.11"), jobs=[job()], settings=mode)
    assert "A-72839" in objecting(ask(old, "next-node", "v21.2.17"))
    patched = snapshot(nodes("v21.2.17", "v21.1.12", "v21.1.12"), jobs=[job()], settings=mode)
    assert "A-72839" in objecting(ask(patched, "next-node", "v21.2.17"), Outcome.WARN)


def test_backups_without_a_gap_are_not_waited_for() -> None:
    every_ten = schedule(recurrence="*/10 * * * *")
    seen = snapshot(nodes("v21.2.0", "v21.1.12", "v21.1.12"), schedules=[every_ten])
    [finding] = [f for f in ask(seen, "next-node", "v21.2.0").findings if f.check == "A-72839"]
    assert (finding.outcome, finding.transient) == (Outcome.BLOCK, False)
    assert "PAUSE SCHEDULE 501;" in finding.remedy
    nightly = schedule(recurrence="0 2 * * *")
    seen = snapshot(nodes("v21.2.0", "v21.1.12", "v21.1.12"), schedules=[nightly])
    [finding] = [f for f in ask(seen, "next-node", "v21.2.0").findings if f.check == "A-72839"]
    assert finding.transient


def test_a_72839_does_not_reach_beyond_21_2() -> None:
    seen = snapshot(three("v22.1.22"), version="21.2-14", gateway="v22.1.22")
    for step in ("next-node", "finalize", "verify"):
        found = [f for f in ask(seen, step, "v22.1.22").findings if f.check == "A-72839"]
        assert [f.outcome for f in found] == [Outcome.NOT_APPLICABLE]


# verify: when was the cluster mixed?


def finalized(hours_ago: float) -> Any:
    row = MigrationRow(
        major=21, minor=1, patch=0, internal=60, completed_at=NOW - minutes(60 * hours_ago)
    )
    return collected(row)


def event(kind: str, hours_ago: float) -> EventRow:
    return EventRow(time=NOW - minutes(60 * hours_ago), event_type=kind, node_id=1, reporting_node_id=1)


FAILED = job(9, status="failed", created=NOW - minutes(60 * 30), finished=NOW - minutes(60 * 29))


@pytest.mark.parametrize("logged", [True, False])
def test_a_later_restart_does_not_hide_what_failed_while_the_cluster_was_mixed(logged: bool) -> None:
    """Mixed from 31 to 26 hours ago; every node was restarted again ten hours ago."""
    events = [event("node_restart", h) for h in (31, 30, 28, 10)] if logged else []
    seen = put(
        snapshot(three("v21.2.0"), version="21.2", gateway="v21.2.0", history=[FAILED]),
        migrations=finalized(26),
        events=collected(*events),
    )
    found = [f for f in ask(seen, "verify").findings if f.check == "A-72839"]
    assert [f.outcome for f in found] == [Outcome.WARN]
    assert found[0].jobs == ("9",)


def test_without_evidence_guard_does_not_say_that_no_backup_failed() -> None:
    seen = put(snapshot(three("v21.2.0"), version="21.2", gateway="v21.2.0"), migrations=finalized(26))
    [finding] = [f for f in ask(seen, "verify").findings if f.check == "A-72839"]
    assert finding.outcome is Outcome.WARN
    assert "no backup failed" not in finding.title
    logged = put(seen, events=collected(*(event("node_restart", h) for h in (31, 30, 28))))
    [finding] = [f for f in ask(logged, "verify").findings if f.check == "A-72839"]
    assert finding.outcome is Outcome.PASS
    assert "the event log" in finding.title


def test_long_after_the_upgrade_nothing_is_asked() -> None:
    seen = put(
        snapshot(three("v21.2.17"), version="21.2", gateway="v21.2.17"),
        migrations=finalized(24 * 90),
    )
    [finding] = [f for f in ask(seen, "verify").findings if f.check == "A-72839"]
    assert finding.outcome is Outcome.NOT_APPLICABLE


# What the cluster waits for.


def test_an_upgrade_that_stays_unfinalized_says_why() -> None:
    gone = node(4, "v21.1.12", state="suspect", membership="decommissioned")
    seen = snapshot([*three("v21.2.17"), gone])
    [finding] = [f for f in ask(seen, "verify", "v21.2.17").findings if f.check == "cluster-version"]
    assert "n4" in finding.detail
    assert "another 4 min" in finding.detail or "another 240 s" in finding.detail
    assert any("SET CLUSTER SETTING version = '21.2';" in line for line in finding.remedy)


def test_nothing_seen_is_said_as_null() -> None:
    from guard.snapshot.model import Reason, Unavailable

    why = Unavailable(reason=Reason.TIMEOUT, message="timed out")
    seen = put(snapshot(), gossip_nodes=why, settings=why)
    summary = ask(seen, "verify").cluster
    assert (summary.mixed, summary.final, summary.active_version) == (None, None, None)


def test_imports_block_and_paused_ones_warn() -> None:
    for step in ("start", "next-node", "finalize"):
        running = snapshot(jobs=[job(5, "IMPORT")])
        assert "imports" in objecting(ask(running, step, "v21.1.12"))
        paused = snapshot(jobs=[job(5, "IMPORT", "paused", created=NOW - dt.timedelta(days=3))])
        decision = ask(paused, step, "v21.1.12")
        assert "imports" in objecting(decision, Outcome.WARN)
        assert "imports" not in objecting(decision)


@pytest.mark.parametrize("kind", [None, "31", "A KIND OF JOB NOBODY KNOWS"])
def test_a_job_that_cannot_be_named_is_unknown(kind: str | None) -> None:
    for step in ("start", "next-node", "finalize", "rollback"):
        found = ask(snapshot(jobs=[job(5, kind)]), step, "v21.1.12")
        assert "unnamed-jobs" in objecting(found, Outcome.UNKNOWN)
        assert "running-backups" not in objecting(found, Outcome.BLOCK)


@pytest.mark.parametrize("twin", ["v22.2.19-dirty", "v22.2.19-64-g0abcdef", "v22.2.19-fips"])
def test_beside_a_custom_twin_the_plain_release_is_no_way_back(twin: str) -> None:
    """Nobody goes back by putting v22.2.19 on the last nodes; a real older patch is a way back."""
    seen = snapshot(nodes(twin, "v22.2.19", "v22.2.18"), version="22.2", gateway="v22.2.18")
    assert objecting(ask(seen, "next-node", "v22.2.19", node=3)) == set()
    assert "upgrade-path" in objecting(ask(seen, "next-node", "v22.2.18", node=3))


@pytest.mark.parametrize(("status", "blocks"), [("pause-requested", True), ("paused", False)])
def test_an_import_that_is_only_asked_to_pause_still_runs(status: str, blocks: bool) -> None:
    decision = ask(snapshot(three(), jobs=[job(7, "IMPORT", status)]), "start", "v21.1.21")
    found = [f for f in decision.findings if f.check == "imports"]
    assert [f.outcome is Outcome.BLOCK for f in found] == [blocks]
    assert not any(f.transient for f in found)  # waiting ends neither
    assert not any("WHEN COMPLETE" in line for f in found for line in f.remedy)


def test_a_backup_that_is_only_asked_to_pause_is_not_waited_for() -> None:
    on = {"bulkio.backup.experimental_21_2_mode.enabled": "true", PRESERVE: "21.1"}
    seen = snapshot(three("v21.1.21"), settings=on, jobs=[job(7, "BACKUP", "pause-requested")])
    [found] = [f for f in ask(seen, "start", "v21.2.17").findings if f.check == "A-72839"]
    assert found.outcome is Outcome.BLOCK
    assert not found.transient


@pytest.mark.parametrize(
    ("build", "version", "setting"),
    [
        ("v24.1.29", "23.2", "cluster.auto_upgrade.enabled"),
        ("v21.2.17", "21.1", "bulkio.backup.experimental_21_2_mode.enabled"),
    ],
)
def test_while_the_upgrade_is_open_nothing_that_protects_it_is_reset(
    build: str, version: str, setting: str
) -> None:
    value = "false" if setting.startswith("cluster") else "true"
    for at, advised in ((version, False), (build[1:5], True)):
        seen = snapshot(three(build), version=at, settings={setting: value}, gateway=build)
        remedies = [line for f in ask(seen, "verify", build).findings for line in f.remedy]
        assert any(f"RESET CLUSTER SETTING {setting}" in line for line in remedies) is advised


def test_a_development_cluster_is_not_told_how_to_finalize() -> None:
    seen = snapshot(three("v22.1.22"), version="1000022.1-56", gateway="v22.1.22")
    remedies = [line for f in ask(seen, "start", "v22.2.19").findings for line in f.remedy]
    assert not any("10000" in line for line in remedies)


def test_the_better_target_of_a_72839_is_named_with_what_it_asks_for() -> None:
    seen = snapshot(three("v21.1.11"), jobs=[job()])
    [found] = [f for f in ask(seen, "start", "v21.2.0").findings if f.check == "A-72839"]
    assert "v21.1.12 or later first" in found.remedy[0]
    assert "--target v21.2." in found.remedy[-1]


@pytest.mark.parametrize(
    "section",
    [
        *("gossip_liveness", "kv_node_liveness", "gossip_nodes", "node_status", "store_status"),
        *("settings", "active_jobs", "schedules"),
    ],
)
def test_a_part_of_an_answer_is_no_answer(section: str) -> None:
    seen = snapshot(three())
    assert ask(seen, "start", "v21.1.21").verdict is Verdict.ALLOW
    rows = getattr(seen, section).rows
    torn = put(seen, **{section: collected(*rows, truncated=True)})
    assert ask(torn, "start", "v21.1.21").verdict is Verdict.UNKNOWN
