"""The fingerprint: the same for a state that rests, another for one that has moved."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.decision.engine import evaluate
from guard.decision.fingerprint import is_fingerprint
from guard.decision.result import Outcome, Verdict
from guard.snapshot.model import Collected, Reason, Snapshot
from tests import building as b

JOBS = (b.job(1), b.job(2, "RESTORE", "paused"), b.job(3, "SCHEMA CHANGE"))
LATER = dt.timedelta(minutes=3)


def token(seen: Snapshot, **asked: Any) -> str:
    return evaluate(seen, **({"step": "start", "target": "v21.1.12"} | asked)).fingerprint


def busy(**changes: Any) -> Snapshot:
    usual: dict[str, Any] = {
        "jobs": JOBS,
        "schedules": [b.schedule(11), b.schedule(12, b.NOW + b.minutes(600))],
        "settings": {"server.time_until_store_dead": "00:05:00"},
    }
    return b.snapshot(**(usual | changes))


BASE = token(busy())


def test_a_fingerprint_is_sixteen_hexadecimal_digits() -> None:
    assert is_fingerprint(BASE)
    assert not any(
        is_fingerprint(text) for text in ("", BASE[:-1], BASE + "0", BASE.upper() + "G", "z" * 16)
    )


def test_the_same_state_has_the_same_fingerprint_in_any_order_of_rows() -> None:
    seen = busy()
    turned = {
        name: msgspec.structs.replace(section, rows=section.rows[::-1])
        for name in seen.__struct_fields__
        if isinstance(section := getattr(seen, name), Collected)
    }
    assert token(msgspec.structs.replace(seen, **turned)) == BASE


def test_what_always_moves_is_left_out() -> None:
    """Three minutes later: every record rewritten, the jobs further on, an automatic job begun."""
    nodes = []
    for each in b.three():
        assert each.liveness is not None
        assert each.status is not None
        assert each.status.updated_at is not None
        assert each.liveness.expiration is not None
        nodes.append(
            b.Node(
                msgspec.structs.replace(
                    each.liveness, expiration=each.liveness.expiration + LATER, epoch=2
                ),
                each.gossip,
                msgspec.structs.replace(each.status, updated_at=each.status.updated_at + LATER),
                each.store,
            )
        )
    jobs = [
        msgspec.structs.replace(b.job(1), fraction_completed=0.9, running_status="copying"),
        b.job(2, "RESTORE", "paused"),
        b.job(3, "SCHEMA CHANGE"),
        b.job(4, "AUTO CREATE STATS"),
        b.job(5, "SCHEMA CHANGE GC"),
    ]
    seen = busy(nodes=nodes, jobs=jobs, history=[b.job(9, status="succeeded", finished=b.NOW)])
    assert isinstance(seen.identity, Collected)
    clock = msgspec.structs.replace(
        seen.identity,
        rows=tuple(msgspec.structs.replace(r, cluster_time=b.NOW + LATER) for r in seen.identity.rows),
        read_at=b.NOW + LATER,
    )
    later = msgspec.structs.replace(
        seen, identity=clock, taken_at=b.NOW + LATER, guard_version="another"
    )
    assert token(later) == BASE


CHANGES: dict[str, Snapshot] = {
    "build": busy(nodes=[b.node(1, "v21.1.12"), b.node(2), b.node(3)]),
    "restarted": busy(nodes=[b.node(1, started=b.NOW - b.minutes(1)), b.node(2), b.node(3)]),
    "liveness": busy(nodes=[b.node(1, state="suspect"), b.node(2), b.node(3)]),
    "draining": busy(nodes=[b.node(1, state="draining"), b.node(2), b.node(3)]),
    "membership": busy(nodes=[b.node(1, membership="decommissioning"), b.node(2), b.node(3)]),
    "fewer nodes": busy(nodes=[b.node(1), b.node(2)]),
    "version": busy(version="21.1-2"),
    "KV version": busy(kv_version="21.2"),
    "setting": busy(settings={"server.time_until_store_dead": "00:15:00"}),
    "setting added": busy(settings={"cluster.preserve_downgrade_option": "21.1"}),
    "job over": busy(jobs=JOBS[:2]),
    "job begun": busy(jobs=[*JOBS, b.job(4)]),
    "job of unknown type": busy(jobs=[*JOBS, b.job(5, None)]),
    "job status": busy(jobs=[b.job(1), b.job(2, "RESTORE"), b.job(3, "SCHEMA CHANGE")]),
    "schedule due": busy(schedules=[b.schedule(11), b.schedule(12, b.NOW + b.minutes(5))]),
    "schedule paused": busy(schedules=[b.schedule(11, None), b.schedule(12, b.NOW + b.minutes(600))]),
    "section gone": msgspec.structs.replace(busy(), store_status=b.unavailable()),
    "other reason": msgspec.structs.replace(busy(), store_status=b.unavailable(Reason.TIMEOUT)),
    "no connection": msgspec.structs.replace(busy(), connection=b.unavailable()),
}  # fmt: skip


def test_every_change_of_the_state_changes_the_fingerprint_and_no_two_are_alike() -> None:
    tokens = {name: token(seen) for name, seen in CHANGES.items()} | {"nothing": BASE}
    tokens["target"] = token(busy(), target="v21.1.13")
    tokens["step"] = token(busy(), step="verify")
    tokens["node"] = token(busy(), node=2)
    tokens["another node"] = token(busy(), node=3)
    by_token: dict[str, list[str]] = {}
    for name, each in tokens.items():
        by_token.setdefault(each, []).append(name)
    assert [names for names in by_token.values() if len(names) > 1] == []


def test_a_decommissioned_node_that_is_forgotten_changes_nothing() -> None:
    gone = b.node(4, state="dead", membership="decommissioned")
    assert token(busy(nodes=[*b.three(), gone])) == BASE


def test_a_schedule_that_is_not_due_may_be_rewritten() -> None:
    schedules = [b.schedule(11), b.schedule(12, b.NOW + b.minutes(700), label="other")]
    assert token(busy(schedules=schedules)) == BASE


def test_the_expected_fingerprint_passes_and_another_blocks() -> None:
    seen = b.snapshot()
    now = token(seen)
    same = evaluate(seen, step="start", target="v21.1.12", expect_fingerprint=now)
    moved = evaluate(seen, step="start", target="v21.1.12", expect_fingerprint=BASE)
    assert same.verdict is Verdict.ALLOW
    assert [f.outcome for f in same.findings if f.check == "fingerprint"] == [Outcome.PASS]
    assert moved.verdict is Verdict.BLOCK
    [finding] = moved.of(Outcome.BLOCK)
    assert finding.check == "fingerprint"
    assert not finding.transient
    assert finding.evidence == {"expected": BASE, "found": now}
    assert moved.fingerprint == now


def test_an_expected_fingerprint_allows_nothing_by_itself() -> None:
    seen = b.snapshot([b.node(1, state="dead"), b.node(2), b.node(3)])
    decision = evaluate(seen, step="start", target="v21.1.12", expect_fingerprint=token(seen))
    assert decision.verdict is Verdict.BLOCK


@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "rollback", "verify", "auto"])
def test_every_decision_has_a_fingerprint(step: str) -> None:
    for seen in (b.snapshot(), CHANGES["no connection"], b.snapshot(nodes=[])):
        assert is_fingerprint(token(seen, step=step))


@given(st.lists(st.sampled_from(list(CHANGES)), min_size=2, max_size=2))
def test_equal_states_only_have_equal_fingerprints(names: list[str]) -> None:
    first, second = names
    assert (token(CHANGES[first]) == token(CHANGES[second])) is (first == second)


def test_of_ten_thousand_jobs_the_last_one_counts_and_few_are_listed() -> None:
    many = [b.job(number) for number in range(1, 10_001)]
    before = evaluate(busy(jobs=many), step="start", target="v21.1.12")
    other = [*many[:-1], b.job(10_001)]
    after = evaluate(busy(jobs=other), step="start", target="v21.1.12")
    assert before.fingerprint != after.fingerprint
    listed = before.fingerprint_parts["jobs"]
    assert len(listed) < 1_000
    assert "9500 more" in str(listed[-1])
