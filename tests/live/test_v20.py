"""v20.1 to v20.2: other columns on either side of the mix, and schedules on one only."""

from __future__ import annotations

from tests.live.cluster import Cluster, until
from tests.live.conftest import MakeCluster
from tests.live.test_a_72839 import own
from tests.live.test_nodes import liveness, membership

# v20.2.0 fails on foreign keys of v19.1, and guard cannot see whether there are any: a person answers.
HAZARD = "H-57083"
TARGET = ("--target", "v20.2.0", "--accept", HAZARD, "--reason", "no table here is as old as v19.1")


def columns(cluster: Cluster, node: int) -> set[str]:
    return {row[0] for row in cluster.sql("SHOW COLUMNS FROM crdb_internal.gossip_liveness", node)}


def test_v20_1_to_v20_2(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v20.1.5", "v20.2.0")
    cluster.sql("CREATE USER nobody")
    start = cluster.guard("--step", "start", *TARGET)
    assert start.outcomes("visibility") == {"pass"}
    assert start.outcomes("A-72839") == {"not-applicable"}
    assert own(start) <= {"target-release"}
    assert start.unknowns <= {HAZARD}, start.summary
    cluster.guard("--step", "start", *TARGET, user="nobody").expect(11)
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '20.1'")

    # The same table differs by the gateway. Only the new one knows schedules, and there may be some.
    cluster.roll(1, "v20.2.0")
    assert "membership" in columns(cluster, 1)
    assert "membership" not in columns(cluster, 2)
    old = cluster.guard("--step", "next-node", *TARGET, node=2).expect(11)
    assert old.unknowns - {HAZARD} == {"visibility", "scheduled-backups"}
    assert "v20.2" in " ".join(old.remedies("visibility"))
    for node in (1, 2):
        mixed = cluster.guard("--step", "next-node", *TARGET, node=node)
        mixed.expect(0 if node == 1 else 11)
        assert mixed.json["cluster"]["mixed"] is True
        assert set(liveness(mixed).values()) == {"live"}
        assert set(membership(mixed).values()) == {"active"}
        cluster.guard("--step", "next-node", *TARGET, node=node, user="nobody").expect(11)
    back = cluster.guard("--step", "rollback", "--target", "v20.1.17").expect(0)
    assert back.outcomes("cluster-version") == {"pass"}

    cluster.sql("CREATE DATABASE shop", node=1)
    cluster.sql(
        "CREATE SCHEDULE early FOR BACKUP DATABASE shop INTO 'nodelocal://1/early' RECURRING '@yearly'"
    )
    [found] = cluster.guard("--step", "next-node", *TARGET, node=1).expect(0).of("scheduled-backups")
    assert found["evidence"]["active_schedules"] == 1  # and n2 would have said nothing of it
    cluster.roll(2, "v20.2.0")
    last = cluster.guard(*TARGET, "--node", "3").expect(0)
    assert last.outcomes("auto-finalization") == {"pass"}
    cluster.roll(3, "v20.2.0")
    cluster.guard("--step", "finalize", *TARGET).expect(0)
    cluster.sql("RESET CLUSTER SETTING cluster.preserve_downgrade_option")
    until(lambda: cluster.one("SHOW CLUSTER SETTING version") == "20.2", "final on 20.2", 120)
    until(lambda: cluster.guard("--step", "verify", *TARGET).code == 0, "guard agrees", patience=60)
    refused = cluster.guard("--step", "rollback", "--target", "v20.1.17").expect(10)
    assert "cluster-version" in refused.blockers


def decommission(cluster: Cluster, node: int) -> None:
    """Decommission and stop a node, after its status tells that it holds nothing any more.

    On v20.1 that status, which stays as it was last written, is all that tells it from a dead one.
    """
    done = cluster.cli("node", "decommission", str(node), "--wait=all")
    assert done.returncode == 0, done.stderr
    until(
        lambda: cluster.one(
            f"SELECT range_count = 0 FROM crdb_internal.kv_store_status WHERE node_id = {node}"
        ),
        f"n{node} has written that it has no ranges",
    )
    assert membership(cluster.guard("--step", "verify", node=1))[node] == "decommissioning"
    cluster.stop(node)


def test_v20_1_cannot_tell_decommissioned_from_dead(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v20.1.5", size=4)
    decommission(cluster, 4)

    def gone() -> bool:
        report = cluster.guard("--step", "verify", node=1)
        return membership(report)[4] == "decommissioned" and report.code == 0

    until(gone, "a stopped node without replicas counts as decommissioned", patience=60)


def test_a_node_removed_under_v20_1_does_not_hold_up_the_upgrade(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v20.1.5", "v20.2.0", size=4)
    decommission(cluster, 4)
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '20.1'")
    cluster.roll(1, "v20.2.0")

    def allowed() -> bool:
        report = cluster.guard("--step", "next-node", *TARGET, "--node", "2", node=1)
        return membership(report)[4] == "decommissioned" and report.code == 0

    until(allowed, "v20.2 still calls it decommissioning, and guard does not", patience=120)
