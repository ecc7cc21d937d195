"""The union of nodes: each table knows a part, and each has its own way to be wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from guard.cluster.interval import interval
from guard.cluster.liveness import Liveness
from guard.cluster.members import Node as Member
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.cluster.stores import replicas_on
from guard.snapshot.model import NodeStatusRow, Reason, Snapshot, StoreStatusRow
from guard.versions import Build
from tests.building import NOW, Node, collected, minutes, node, put, snapshot, three, unavailable

TABLES = ("liveness", "gossip", "status")


def member(seen: Snapshot, node_id: int) -> Member:
    [found] = [n for n in Cluster.of(seen).nodes if n.node_id == node_id]
    return found


def status_of(built: Node) -> NodeStatusRow:
    assert built.status is not None
    return built.status


def gossip(built: Node, **changes: Any) -> Node:
    assert built.gossip is not None
    return replace(built, gossip=msgspec.structs.replace(built.gossip, **changes))


def status(built: Node, **changes: Any) -> Node:
    return replace(built, status=msgspec.structs.replace(status_of(built), **changes))


def test_every_table_adds_its_nodes() -> None:
    nodes = [node(i, tables=(table,)) for i, table in enumerate(TABLES, start=1)]
    assert [n.node_id for n in Cluster.of(snapshot(nodes)).members] == [1, 2, 3]


def test_a_dead_node_that_gossip_has_forgotten_is_still_a_member() -> None:
    """Gossip forgets a node two hours after its last word: "not mixed" would be wrong."""
    forgotten = node(3, "v20.2.9", state="dead", tables=("liveness", "status"))
    cluster = Cluster.of(snapshot([*three()[:2], forgotten]))
    assert cluster.members[2].build == Build(20, 2, 9)
    assert cluster.mixed


def test_a_decommissioned_node_that_lingers_in_gossip_is_none() -> None:
    """Gossip lists it with its old build for up to two hours: "mixed" would be wrong."""
    gone = node(4, "v20.2.9", state="dead", membership="decommissioned", tables=("liveness", "gossip"))
    cluster = Cluster.of(snapshot([*three(), gone]))
    assert [n.node_id for n in cluster.members] == [1, 2, 3]
    assert not cluster.mixed
    assert len(cluster.nodes) == 4


def test_a_decommissioned_node_known_to_liveness_alone_is_none() -> None:
    gone = node(4, state="dead", membership="decommissioned", tables=("liveness",))
    assert len(Cluster.of(snapshot([*three(), gone])).members) == 3


def test_a_status_record_without_liveness_is_a_member_of_unknown_state() -> None:
    leftover = member(snapshot([*three(), node(9, "v20.1.1", tables=("status",))]), 9)
    assert (leftover.liveness, leftover.membership) == (Liveness.UNKNOWN, "unknown")
    assert leftover.build == Build(20, 1, 1)


def test_membership_of_kv_goes_before_that_of_gossip() -> None:
    """Gossip lags behind: a node that was just decommissioned may still be active there."""
    seen = snapshot([*three(), node(4, state="dead")])
    fresh = snapshot([*three(), node(4, state="dead", membership="decommissioned")]).kv_node_liveness
    assert [n.node_id for n in Cluster.of(put(seen, kv_node_liveness=fresh)).members] == [1, 2, 3]


@pytest.mark.parametrize(
    ("decommissioning", "state", "replicas", "membership"),
    [
        (False, "live", 60, "active"),
        (False, "dead", 0, "active"),
        (True, "live", 0, "decommissioning"),
        (True, "dead", 12, "decommissioning"),
        (True, "dead", 0, "decommissioned"),
        (True, "suspect", 0, "decommissioned"),
    ],
)
def test_20_1_has_no_membership_column(
    decommissioning: bool, state: str, replicas: int, membership: str
) -> None:
    fourth = node(4, "v20.1.5", state=state, membership=None, range_count=replicas)
    assert fourth.liveness is not None
    row = msgspec.structs.replace(fourth.liveness, decommissioning=decommissioning)
    seen = snapshot([*three("v20.1.5"), replace(fourth, liveness=row)], version="20.1")
    assert member(seen, 4).membership == membership


@pytest.mark.parametrize(
    ("version", "state", "replicas", "membership"),
    [
        ("20.1", "dead", 0, "decommissioned"),
        ("20.1", "dead", 12, "decommissioning"),
        ("20.1", "live", 0, "decommissioning"),
        ("20.2", "dead", 0, "decommissioning"),
    ],
)
def test_until_20_2_is_final_no_node_can_become_decommissioned(
    version: str, state: str, replicas: int, membership: str
) -> None:
    """A v20.2 gateway has the column, but a node removed under v20.1 stays `decommissioning` in it."""
    mixed = [node(1, "v20.2.19"), node(2, "v20.1.17"), node(3, "v20.1.17")]
    removed = node(4, "v20.1.5", state=state, membership="decommissioning", range_count=replicas)
    seen = snapshot([*mixed, removed], version=version, gateway="v20.2.19")
    assert member(seen, 4).membership == membership


def test_kv_liveness_is_absent_up_to_21_1_1_and_gossip_alone_decides() -> None:
    seen = put(snapshot(), kv_node_liveness=unavailable(Reason.NOT_IN_THIS_VERSION, sqlstate="42P01"))
    assert len(Cluster.of(seen).members) == 3


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.NOT_IN_THIS_VERSION])
def test_kv_liveness_that_is_hidden_for_any_other_reason_hides_the_members(reason: Reason) -> None:
    seen = put(snapshot(), kv_node_liveness=unavailable(reason))
    with pytest.raises(NotCollected):
        _ = Cluster.of(seen).members


def test_kv_liveness_without_a_single_row_hides_the_members() -> None:
    with pytest.raises(NotCollected) as missing:
        _ = Cluster.of(put(snapshot(), kv_node_liveness=collected())).members
    assert missing.value.section == "kv_node_liveness"


@pytest.mark.parametrize("section", ["gossip_liveness", "gossip_nodes", "node_status"])
@pytest.mark.parametrize("empty", [collected(), unavailable(Reason.NOT_IN_THIS_VERSION)])
def test_no_table_may_be_missing_or_empty(section: str, empty: Any) -> None:
    with pytest.raises(NotCollected) as missing:
        _ = Cluster.of(put(snapshot(), **{section: empty})).members
    assert missing.value.section == section


@pytest.mark.parametrize(
    ("expired", "draining", "state"),
    [
        (-0.1, False, Liveness.LIVE),
        (-0.1, True, Liveness.DRAINING),
        (0.0, False, Liveness.SUSPECT),
        (1.0, True, Liveness.SUSPECT),
        (5.0, False, Liveness.SUSPECT),
        (5.1, False, Liveness.DEAD),
    ],
)
def test_liveness_is_the_record_against_the_clusters_clock(
    expired: float, draining: bool, state: Liveness
) -> None:
    third = node(3)
    assert third.liveness is not None
    row = msgspec.structs.replace(third.liveness, expiration=NOW - minutes(expired), draining=draining)
    assert member(snapshot([node(1), node(2), replace(third, liveness=row)]), 3).liveness is state


def test_the_later_of_two_liveness_records_is_the_truth() -> None:
    """Stale gossip of a node that is back, and stale KV never: records only move forward."""
    alive, dead = snapshot(), snapshot([node(1), node(2), node(3, state="dead")])
    stale_gossip = put(alive, gossip_liveness=dead.gossip_liveness)
    assert member(stale_gossip, 3).liveness is Liveness.LIVE
    read_earlier = put(alive, kv_node_liveness=dead.kv_node_liveness)
    assert member(read_earlier, 3).liveness is Liveness.LIVE
    assert member(dead, 3).liveness is Liveness.DEAD


def test_gossips_is_live_is_not_believed() -> None:
    """v22.2.11 reports it false for live nodes in a cluster of mixed patches."""
    seen = snapshot([node(1), node(2), gossip(node(3), is_live=False)])
    assert member(seen, 3).liveness is Liveness.LIVE


def test_the_process_that_started_last_is_the_one_that_runs() -> None:
    """After a restart gossip knows the new build at once, the status record after ten seconds."""
    restarted = gossip(
        node(3, started=NOW - minutes(500)), build_tag="v21.2.0", started_at=NOW - minutes(1)
    )
    assert member(snapshot([node(1), node(2), restarted]), 3).build == Build(21, 2, 0)
    behind = gossip(
        node(3, "v21.2.0", started=NOW - minutes(1)),
        build_tag="v21.1.11",
        started_at=NOW - minutes(500),
    )
    assert member(snapshot([node(1), node(2), behind]), 3).build == Build(21, 2, 0)
    assert member(snapshot([node(1), node(2), behind]), 3).started_at == NOW - minutes(1)


def test_tables_that_contradict_each_other_are_believed_in_nothing() -> None:
    odd = member(snapshot([node(1), node(2), gossip(node(3), build_tag="v21.2.0")]), 3)
    assert odd.build is None
    assert "contradict" in odd.doubt


def test_tables_that_differ_and_do_not_say_which_is_newer_neither() -> None:
    undated = gossip(node(3), build_tag="v21.2.0", started_at=None)
    odd = member(snapshot([node(1), node(2), undated]), 3)
    assert odd.build is None
    assert "which one is newer" in odd.doubt


def test_a_live_node_whose_only_word_is_a_stale_status_record_may_be_anything() -> None:
    """It may have been restarted on another build since, and not have written yet."""
    silent = status(node(3, tables=("liveness", "status")), updated_at=NOW - minutes(2))
    assert member(snapshot([node(1), node(2), silent]), 3).build is None
    writing = node(3, tables=("liveness", "status"))
    assert member(snapshot([node(1), node(2), writing]), 3).build == Build(21, 1, 11)


def test_a_dead_nodes_stale_status_record_tells_what_it_ran() -> None:
    silent = node(3, state="dead", tables=("liveness", "status"))
    assert member(snapshot([node(1), node(2), silent]), 3).build == Build(21, 1, 11)


@pytest.mark.parametrize("tag", ["unknown", "v21.1", "21.1.11", "24.1-upgrading-final-step"])
def test_a_tag_that_is_no_build_is_no_build(tag: str) -> None:
    odd = member(snapshot([node(1), node(2), node(3, tag)]), 3)
    assert odd.build is None
    assert odd.build_tag == tag
    assert "cannot be read" in odd.doubt


@pytest.mark.parametrize("tag", ["", None])
def test_a_node_without_a_tag_is_a_member_all_the_same(tag: str | None) -> None:
    bare = status(gossip(node(3), build_tag=tag), build_tag=tag)
    odd = member(snapshot([node(1), node(2), bare]), 3)
    assert (odd.build, odd.doubt) == (None, "no table knows its build")


def test_a_node_that_only_liveness_knows_is_a_member() -> None:
    odd = member(snapshot([*three(), node(4, tables=("liveness",))]), 4)
    assert (odd.build, odd.liveness) == (None, Liveness.LIVE)


@pytest.mark.parametrize("order", [lambda rows: rows[::-1], lambda rows: rows[1:] + rows[:1]])
def test_the_order_of_rows_means_nothing(order: Any) -> None:
    seen = snapshot([node(1, "v21.2.0"), node(2, state="dead"), node(3, membership="decommissioned")])
    turned = seen
    for name in ("gossip_liveness", "kv_node_liveness", "gossip_nodes", "node_status", "store_status"):
        rows: Sequence[Any] = getattr(seen, name).rows
        turned = put(turned, **{name: collected(*order(rows))})
    assert Cluster.of(turned).nodes == Cluster.of(seen).nodes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m0s", 300),
        ("1h15m0s", 4500),
        ("00:05:00", 300),
        ("1:00:00.5", 3600),
        ("90s", 90),
        ("1.5s", 1.5),
        ("", None),
        ("soon", None),
        ("5", None),
        ("5m0s and more", None),
        ("9" * 5000 + "h", None),
        ("9" * 5000 + ":00:00", None),
    ],
)
def test_durations_as_settings_print_them(text: str, seconds: float | None) -> None:
    assert interval(text) == (None if seconds is None else dt.timedelta(seconds=seconds))


@pytest.mark.parametrize("value", ["soon", "", "0s"])
def test_an_unreadable_time_until_dead_is_the_default(value: str) -> None:
    seen = snapshot(
        [*three()[:2], node(3, state="suspect")], settings={"server.time_until_store_dead": value}
    )
    assert member(seen, 3).liveness is Liveness.SUSPECT


def test_ages_are_counted_from_the_clusters_clock_not_from_guards() -> None:
    ahead = put(snapshot(), taken_at=NOW + minutes(600))
    assert all(n.liveness is Liveness.LIVE for n in Cluster.of(ahead).nodes)


def store(node_id: int, store_id: int, ranges: int | None) -> StoreStatusRow:
    nothing = dict.fromkeys(
        ("capacity", "available", "used", "lease_count", "unavailable_ranges", "underreplicated_ranges")
    )
    return StoreStatusRow(node_id=node_id, store_id=store_id, range_count=ranges, **nothing)


def test_a_store_that_does_not_count_is_not_spoken_for_by_the_others() -> None:
    seen = put(
        snapshot(),
        store_status=collected(
            store(1, 1, 0),
            store(1, 2, None),
            store(2, 3, 4),
            store(2, 4, 3),
        ),
    )
    assert replicas_on(seen) == {2: 7}
