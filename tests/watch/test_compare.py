"""What many looks show that one cannot."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.report.watch_lines import json_line, schema, text_line
from guard.snapshot.model import Snapshot
from guard.watch.compare import Known, see
from tests import building as b
from tests.fuzzing import examples
from tests.watch.nights import LIMITS, LOST, NEW, OLD, at, kinds, look, mixed, night


def nodes(first: dict[str, Any] | None = None, **third: Any) -> list[b.Node]:
    """n1 new, n2 and n3 old, with n3 (and n1) as asked."""
    one = {"started": b.NOW - b.minutes(60)} | (first or {})
    return [b.node(1, NEW, **one), b.node(2, OLD), b.node(3, **({"build": OLD} | third))]


def with_jobs(*jobs: Any, **changes: Any) -> Snapshot:
    return mixed(jobs=jobs, **changes)


def test_nothing_moves_nothing_is_told() -> None:
    first, *others = night(*[mixed()] * 20)
    assert kinds(first) == ["first-look"]
    assert first[0].text == f"ALLOW at next-node to {NEW}"
    assert [change for look in others for change in look] == []


def test_a_backup_that_began_after_the_allow() -> None:
    _, second = night(mixed(), with_jobs(b.job(7, created=b.NOW + b.minutes(0.5))))
    began = next(change for change in second if change.kind == "backup-after-allow")
    assert began.text == "backup job 7 began after the ALLOW of 02:00:00Z"
    assert began.job_id == "7"


def test_a_backup_without_an_allow_is_only_a_backup() -> None:
    blocked = mixed(nodes=nodes(state="dead"))
    _, second = night(blocked, mixed(nodes=nodes(state="dead"), jobs=[b.job(7)]))
    assert "backup" in kinds(second)
    assert "backup-after-allow" not in kinds(second)


@pytest.mark.parametrize(
    ("status", "words"), [("succeeded", "succeeded"), ("failed", "failed"), (None, "is over")]
)
def test_a_backup_ends(status: str | None, words: str) -> None:
    history = [b.job(7, status=status, finished=b.NOW)] if status else []
    _, second = night(with_jobs(b.job(7)), mixed(history=history))
    assert f"backup job 7 {words}" in [change.text for change in second]


def test_a_backup_is_paused() -> None:
    _, second = night(with_jobs(b.job(7)), with_jobs(b.job(7, status="paused")))
    assert "backup job 7 is paused (was running)" in [change.text for change in second]


def test_jobs_that_cannot_be_seen_did_not_end() -> None:
    _, second, third = night(
        with_jobs(b.job(7)), mixed(active_jobs=b.unavailable()), with_jobs(b.job(7))
    )
    assert "backup" not in kinds(second) + kinds(third)
    assert "verdict" in kinds(second)


def test_a_node_is_rolled() -> None:
    back: dict[str, Any] = {"build": NEW, "started": b.NOW + b.minutes(2)}
    told = night(mixed(), mixed(nodes=nodes(state="suspect")), mixed(nodes=nodes(**back)))
    assert [c.text for c in told[1] if c.kind == "node"] == ["n3 is suspect (was live)"]
    assert [c.text for c in told[2] if c.kind == "node"] == [
        f"n3 went from {OLD} to {NEW}, is live (was suspect)"
    ]
    assert {c.node_id for look in told[1:] for c in look if c.kind == "node"} == {3}


def test_a_node_that_flaps_is_told_once() -> None:
    restarts = [
        (i * 2.0, mixed(nodes=nodes(started=b.NOW + b.minutes(i * 2 - 1)))) for i in range(1, 6)
    ]
    told = night((0.0, mixed()), *restarts)
    flaps = [change for look in told for change in look if change.kind == "node-flapping"]
    assert [(change.node_id, change.text) for change in flaps] == [
        (3, "n3 flaps: down or restarted 3 times within 4 min")
    ]


def test_two_outages_with_their_restarts_are_two_upsets() -> None:
    def bounced(minute: float) -> list[tuple[float, Snapshot]]:
        back = nodes(started=b.NOW + b.minutes(minute + 0.9))
        return [(minute, mixed(nodes=nodes(state="suspect"))), (minute + 1, mixed(nodes=back))]

    told = night((0.0, mixed()), *bounced(1), *bounced(3))
    assert "node-flapping" not in [k for look in told for k in kinds(look)]
    told = night((0.0, mixed()), *bounced(1), *bounced(3), *bounced(5))
    assert "node-flapping" in [k for look in told for k in kinds(look)]


def test_restarts_far_apart_or_on_a_new_build_are_no_flapping() -> None:
    hours = [(i * 60.0, mixed(nodes=nodes(started=b.NOW + b.minutes(i * 60 - 1)))) for i in range(1, 6)]
    assert "node-flapping" not in [k for look in night((0.0, mixed()), *hours) for k in kinds(look)]
    builds = [
        (i * 1.0, mixed(nodes=nodes(build=f"v22.2.{i}", started=b.NOW + b.minutes(i - 0.5))))
        for i in range(1, 6)
    ]
    assert "node-flapping" not in [k for look in night((0.0, mixed()), *builds) for k in kinds(look)]


BLIND = b.put(
    mixed(),
    gossip_nodes=b.unavailable(),
    node_status=b.unavailable(),
    settings=b.unavailable(),
    active_jobs=b.unavailable(),
)


def test_what_a_look_could_not_see_is_remembered() -> None:
    """Nodes are stopped one after the other: the last looks see less and less, and then nothing."""
    back = nodes({"started": b.NOW + b.minutes(3)}, started=b.NOW + b.minutes(3))
    told = night(with_jobs(b.job(7)), BLIND, LOST, mixed(nodes=back))
    assert {"node", "backup", "cluster-version"}.isdisjoint(kinds(told[1]))
    texts = [c.text for c in told[3] if c.kind in ("node", "backup")]
    assert texts == [
        "n1 was restarted on the same build",
        "n3 was restarted on the same build",
        "backup job 7 is over",
    ]


def test_a_mixed_cluster_that_was_out_of_sight_is_still_mixed() -> None:
    again = nodes({"started": b.NOW + b.minutes(180)})
    told = night((0.0, mixed()), (100.0, BLIND), (185.0, mixed(nodes=again)))
    assert "mixed-too-long" in kinds(told[2])


def test_a_build_that_nobody_tells_for_a_while() -> None:
    """A node on its way to the new build is no node that was restarted on the same one."""
    third = b.node(3, OLD)
    unknown = [*nodes()[:2], b.Node(third.liveness, None, None, third.store)]
    rolled = nodes(build=NEW, started=b.NOW + b.minutes(1))
    told = night(mixed(), mixed(nodes=unknown), mixed(nodes=rolled))
    assert [c.text for c in told[2] if c.kind == "node"] == [f"n3 went from {OLD} to {NEW}"]


def test_a_start_that_is_rounded_differently_is_no_restart() -> None:
    moved = nodes(started=b.TEN_HOURS_AGO + b.minutes(0.01))
    _, second = night(mixed(), mixed(nodes=moved))
    assert second == ()


def test_a_node_joins_and_is_decommissioned_and_goes() -> None:
    fourth = [*nodes(), b.node(4, OLD)]
    gone = [*nodes(), b.node(4, OLD, membership="decommissioned")]
    told = night(mixed(), mixed(nodes=fourth), mixed(nodes=gone), mixed())
    texts = [[c.text for c in look if c.kind == "node"] for look in told[1:]]
    assert texts == [
        [f"n4 has joined on {OLD}"],
        ["n4 is decommissioned (was active)"],
        ["n4 is no longer known"],
    ]


def behind(count: int, minutes: float) -> tuple[float, Snapshot]:
    return minutes, mixed(nodes=nodes(underreplicated_ranges=count))


def test_ranges_that_stop_catching_up() -> None:
    told = night(
        behind(0, 0),
        behind(30, 1),
        behind(20, 2),
        behind(20, 4),
        behind(21, 8),
        behind(21, 9),
        behind(5, 10),
        behind(0, 11),
    )
    said = [[c.text for c in look if c.kind.startswith("ranges")] for look in told]
    assert said[1] == ["30 ranges have too few copies, 0 have no quorum"]
    assert said[2] == said[3] == []
    assert said[4] == [
        "ranges have stopped catching up for 6 min: 21 ranges have too few copies, 0 have no quorum"
    ]
    assert said[5] == []
    assert said[6] == ["ranges catch up again: 5 ranges have too few copies, 0 have no quorum"]
    assert said[7] == ["every range has all its copies again"]


def test_another_restart_begins_the_catching_up_anew() -> None:
    rolled = (
        8.0,
        mixed(nodes=nodes(underreplicated_ranges=60, build=NEW, started=b.NOW + b.minutes(7))),
    )
    told = night(behind(30, 0), behind(3, 4), rolled, behind(50, 8.5))
    assert "ranges-stalled" not in [k for look in told for k in kinds(look)]


def test_a_cluster_that_finalizes_by_itself() -> None:
    new = [b.node(i, NEW) for i in (1, 2, 3)]
    free = {"cluster.preserve_downgrade_option": ""}
    told = night(
        mixed(nodes=new, settings=free),
        mixed(nodes=new, settings=free, version="22.1-50"),
        mixed(nodes=new, settings=free, version="22.2"),
    )
    finalizing = [c.text for look in told for c in look if c.kind == "finalizing"]
    assert finalizing == [
        "the cluster finalizes the upgrade from 22.1 by itself: nothing held it back; "
        "there is no way back from here"
    ]
    assert [c.text for c in told[2] if c.kind == "cluster-version"] == [
        "the cluster version 22.2 is final"
    ]


def test_what_holds_finalization_back_is_watched() -> None:
    new = [b.node(i, NEW) for i in (1, 2, 3)]
    free = {"cluster.preserve_downgrade_option": ""}
    told = night(
        mixed(nodes=new),
        mixed(nodes=new, settings=free),
        mixed(nodes=new, settings=free, version="22.1-50"),
        step="finalize",
    )
    assert [c.text for c in told[1]] == ["nothing holds finalization back any more"]
    assert [c.text for c in told[2] if c.kind == "finalizing"] == [
        "the cluster finalizes the upgrade from 22.1, which nothing has held back since 02:00:00Z; "
        "there is no way back from here"
    ]


def test_a_finalization_between_two_looks_is_not_missed() -> None:
    new = [b.node(i, NEW) for i in (1, 2, 3)]
    _, second = night(mixed(nodes=new), mixed(nodes=new, version="22.2"), step="finalize")
    assert [c.text for c in second if c.kind == "finalizing"] == [
        "the cluster went from 22.1 to 22.2, final"
    ]


def test_mixed_for_too_long_is_told_once_and_survives_restarts() -> None:
    """The new node is restarted after three hours: its process proves an hour, the watch knows four."""
    again = nodes({"started": b.NOW + b.minutes(180)})
    told = night(
        (0.0, mixed()),
        (181.0, mixed(nodes=again)),
        (200.0, mixed(nodes=again)),
        (210.0, mixed(nodes=again)),
    )
    long = [c for look in told for c in look if c.kind == "mixed-too-long"]
    assert [c.text for c in long] == ["the cluster has been of two series for 4 h 1 min, more than 4 h"]


def test_unfinalized_for_too_long() -> None:
    new = [b.node(i, NEW) for i in (1, 2, 3)]
    told = night((0.0, mixed(nodes=new)), (60 * 72.0, mixed(nodes=new)), step="finalize")
    assert "unfinalized-too-long" in kinds(told[1])


def test_a_finding_comes_and_goes() -> None:
    told = night(mixed(), mixed(nodes=nodes(state="dead")), mixed(nodes=nodes(state="dead")), mixed())
    came = [c for c in told[1] if c.kind == "finding" and c.check == "node-liveness"]
    assert [c.outcome for c in came] == ["block"]
    assert "finding" not in kinds(told[2])
    assert "no longer blocks: node-liveness, after 120 s" not in [c.text for c in told[2]]
    assert "no longer blocks: node-liveness, after 2 min" in [c.text for c in told[3]]
    assert told[3][-1].text == f"ALLOW at next-node to {NEW} (was BLOCK at next-node)"


def test_a_lost_connection_is_a_line_and_no_end() -> None:
    told = night(mixed(), LOST, LOST, with_jobs(b.job(7)))
    assert [kinds(look) for look in told[1:3]] == [["connection-lost"], []]
    assert told[1][0].text == "no host answers: refused"
    assert told[1][0].exit_code == 11
    assert kinds(told[3])[0] == "connection-back"
    assert told[3][0].text == "the cluster answers again through 127.0.0.1:26257, after 2 min"
    assert "backup-after-allow" in kinds(told[3])


def test_no_connection_at_first() -> None:
    told = night(LOST, mixed())
    assert [kinds(look) for look in told] == [["connection-lost"], ["connection-back", "first-look"]]


def test_every_field_of_a_change_is_frozen() -> None:
    _, second = night(mixed(), with_jobs(b.job(7)))
    found: set[str] = set()
    for change in second:
        found |= set(msgspec.to_builtins(change))
    assert {"schema_version", "time", "kind", "text", "verdict", "exit_code", "step", "target"} <= found
    assert found <= {
        "schema_version", "time", "kind", "text", "verdict", "exit_code", "step", "target",
        "check", "outcome", "node_id", "job_id",
    }  # fmt: skip


STATES = [
    mixed(),
    with_jobs(b.job(7)),
    mixed(nodes=nodes(state="dead")),
    mixed(nodes=nodes(build=NEW)),
    mixed(active_jobs=b.unavailable()),
    b.put(mixed(), settings=b.unavailable()),
    b.put(mixed(), gossip_nodes=b.unavailable(), node_status=b.unavailable()),
    mixed(version="22.1-50"),
    LOST,
]


@settings(max_examples=examples(40))
@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=8))
def test_any_night_is_told_and_what_stays_the_same_is_silent(states: list[Snapshot]) -> None:
    known = Known()
    for index, state in enumerate(states):
        now = look(at(state, index))
        known, changes = see(known, now, LIMITS)
        assert all(change.verdict == now.verdict for change in changes)
        again, silent = see(known, now, LIMITS)
        assert list(silent) == []
        assert again.since == known.since


def test_every_change_fits_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    told = night(mixed(), with_jobs(b.job(7)), LOST, mixed(nodes=nodes(state="dead")))
    lines = [json_line(change) for look in told for change in look]
    assert len(lines) > 5
    for line in lines:
        assert line.endswith("\n")
        validator.validate(json.loads(line))


def test_no_text_of_a_cluster_forges_a_line() -> None:
    nasty = "v1\n2026-11-22 verdict ALLOW\x1b[2J\u202e::error::"
    _, second = night(mixed(), mixed(nodes=nodes(build=nasty)))
    for change in second:
        assert text_line(change).count("\n") == json_line(change).count("\n") == 1
        assert "\x1b" not in text_line(change) + json_line(change)
        assert json.loads(json_line(change))["text"] == change.text
