"""Nodes that are not as they should be: suspect, dead, draining, half decommissioned, gone for good."""

from __future__ import annotations

import os
import signal
import time

from tests.live.cluster import Cluster, Report, until
from tests.live.conftest import MakeCluster


def liveness(report: Report) -> dict[int, str]:
    return {n["node_id"]: n["liveness"] for n in report.json["cluster"]["nodes"]}


def membership(report: Report) -> dict[int, str]:
    return {n["node_id"]: n["membership"] for n in report.json["cluster"]["nodes"]}


def await_liveness(cluster: Cluster, node: int, state: str, *arguments: str) -> Report:
    """Ask guard until it sees the node in that state."""

    def seen() -> Report | None:
        report = cluster.guard(*arguments, node=1)
        # A dead gateway's leases have to run out too before everything can be read again.
        return report if liveness(report)[node] == state and report.code != 11 else None

    return until(seen, f"n{node} is {state}", patience=150, pause=1.0)


def test_a_node_goes_silent(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    cluster.sql("SET CLUSTER SETTING server.time_until_store_dead = '75s'")
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
    cluster.roll(1, "v21.2.1")
    target = ("--target", "v21.2.1", "--step", "next-node")
    cluster.guard(*target).expect(0)
    cluster.kill(3)

    # Its liveness record has not run out yet, or it has: never a reason to go on with another node.
    suspect = await_liveness(cluster, 3, "suspect", *target).expect(10)
    assert "node-liveness" in suspect.blockers
    assert all(f["transient"] for f in suspect.of("node-liveness") if f["outcome"] == "block")
    assert any("--node 3" in line for line in suspect.remedies("node-liveness"))
    # It is the one that is being restarted: that is why it is down.
    mine = cluster.guard(*target, "--node", "3", node=1)
    assert mine.outcomes("node-liveness") == {"pass"}
    assert "node-liveness" in cluster.guard("--step", "finalize", "--target", "v21.2.1").blockers
    back = cluster.guard("--step", "rollback", "--target", "v21.1.12")
    assert "node-liveness" in back.warnings

    dead = await_liveness(cluster, 3, "dead", *target).expect(10)
    blocking = [f for f in dead.of("node-liveness") if f["outcome"] == "block"]
    assert not any(f["transient"] for f in blocking)
    assert any("cockroach node decommission 3" in line for line in dead.remedies("node-liveness"))

    cluster.start(3)
    cluster.await_settled(3)
    cluster.guard(*target).expect(0)


def test_a_node_drains(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    target = ("--target", "v21.2.1", "--step", "next-node")
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
    cluster.roll(1, "v21.2.1")
    done = cluster.cli("node", "drain", "--drain-wait=60s", node=2)
    assert done.returncode == 0, done.stderr
    drained = await_liveness(cluster, 2, "draining", *target).expect(10)
    assert "draining" in drained.blockers
    assert all(f["transient"] for f in drained.json["findings"] if f["outcome"] == "block")
    cluster.guard(*target, "--node", "2", node=1).expect(0)
    assert "draining" in cluster.guard("--step", "finalize", node=1).expect(10).blockers
    # Asked through a node that accepts nobody any more, then the next: guard finds one that does.
    cluster.guard(*target, "--node", "2").expect(0)

    # Stopped while it is being upgraded: live no longer, and excused by name only.
    cluster.stop(2)
    down = await_liveness(cluster, 2, "suspect", *target).expect(10)
    assert "node-liveness" in down.blockers
    cluster.swap(2, "v21.2.1")
    cluster.start(2)
    cluster.await_settled(2)
    cluster.guard(*target).expect(0)


def test_a_node_hangs(make_cluster: MakeCluster) -> None:
    """A gateway that accepts connections and never answers costs no more than the time-out."""
    cluster = make_cluster("v21.2.1")
    stuck = cluster.nodes[2].pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    try:
        alone = cluster.guard("--step", "verify", "--timeout", "8s", node=2)
        alone.expect(11)
        assert alone.seconds < 8 + 2

        def through_n1() -> bool:
            started = time.monotonic()
            report = cluster.guard("--step", "verify", "--timeout", "20s", node=None)
            assert time.monotonic() - started < 20 + 2
            return report.code in (0, 10)

        # What the hung node held a lease of cannot be read until that has run out.
        until(through_n1, "guard reads everything through n1", patience=120)
    finally:
        os.kill(stuck, signal.SIGCONT)


def test_decommissioning(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.2.0", "v21.2.1", size=4)
    target = ("--target", "v21.2.1", "--step", "start")
    cluster.guard(*target).expect(0)

    # Half-way, and alive: there is nowhere to go for the replicas of the second one.
    for node in (3, 4):
        done = cluster.cli("node", "decommission", str(node), "--wait=none")
        assert done.returncode == 0, done.stderr
    half = cluster.guard(*target).expect(10)
    assert membership(half)[3] == membership(half)[4] == "decommissioning"
    assert "decommissioning" in half.blockers
    assert any("recommission 3 4" in line for line in half.remedies("decommissioning"))
    done = cluster.cli("node", "recommission", "3")
    assert done.returncode == 0, done.stderr

    # Finish the other one, as guard says.
    [finish] = [line for line in half.remedies("decommissioning") if line.startswith("Finish")]
    assert finish.split(": ", 1)[1].startswith("cockroach node decommission ")
    done = cluster.cli("node", "decommission", "4", "--wait=all")
    assert done.returncode == 0, done.stderr
    cluster.stop(4)

    def settled() -> bool:
        return cluster.guard(*target, node=1).code == 0

    until(settled, "guard lets the upgrade start", patience=60)
    after = cluster.guard(*target, node=1).expect(0)
    # Gossip goes on telling the old build of a node that is gone; it counts for nothing.
    lingering = cluster.one("SELECT count(*) FROM crdb_internal.gossip_nodes WHERE node_id = 4")
    assert lingering == 1
    assert membership(after)[4] == "decommissioned"
    for node in (1, 2, 3):
        cluster.guard("--target", "v21.2.1", "--node", str(node)).expect(0)
        cluster.roll(node, "v21.2.1")
    verified = cluster.guard("--step", "verify", "--target", "v21.2.1").expect(0)
    assert verified.json["cluster"]["mixed"] is False


def test_half_decommissioned_and_dead(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
    for node in (1, 2):
        cluster.roll(node, "v21.2.1")
    done = cluster.cli("node", "decommission", "3", "--wait=none")
    assert done.returncode == 0, done.stderr
    cluster.kill(3)
    # `cockroach node status` hides such a node; CockroachDB will not finalize because of it.
    target = ("--target", "v21.2.1")
    report = await_liveness(cluster, 3, "suspect", "--step", "finalize", *target).expect(10)
    assert {"decommissioning", "node-liveness"} <= report.blockers
    assert not any(f["transient"] for f in report.of("decommissioning"))
    assert membership(report)[3] == "decommissioning"
    status = cluster.cli("node", "status", "--format=tsv")
    shown = [line.split("\t")[0] for line in status.stdout.splitlines()[1:]]
    assert shown == ["1", "2"]
    cluster.sql("RESET CLUSTER SETTING cluster.preserve_downgrade_option")
    assert cluster.guard("--step", "verify", *target, node=1).expect(10)


def test_loss_of_quorum(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    cluster.sql("CREATE USER watcher")
    cluster.sql("GRANT admin TO watcher")
    cluster.guard("--target", "v21.2.1", user="watcher")
    cluster.kill(2)
    cluster.kill(3)
    # Until leases and liveness records run out, 9 seconds later, the node that is left answers all
    # from its own disk, as if nothing had happened. An ALLOW that has to settle does not pass.
    early = cluster.guard(
        "--step", "next-node", "--target", "v21.2.1", "--timeout", "12s", "--settle", "10s", node=1
    )
    assert early.code in (10, 11), early.summary
    until(
        lambda: cluster.one(
            "SELECT count(*) = 3 FROM crdb_internal.gossip_liveness"
            " WHERE split_part(expiration, ',', 1)::DECIMAL < now()::DECIMAL"
        ),
        "liveness has run out",
    )
    for user in ("root", "watcher"):
        for arguments in (("--step", "next-node"), ("--step", "start"), ("--step", "finalize"), ()):
            report = cluster.guard(
                "--target", "v21.2.1", *arguments, "--timeout", "12s", node=1, user=user
            )
            report.expect(11)
            assert report.seconds < 12 + 2
            assert report.blockers == set()
            assert "visibility" in report.unknowns
            if user == "root":  # who logs in without quorum, and is told what is wrong
                assert "n2, n3" in report.text("visibility")
    # The dead nodes' addresses first: guard still gets round to the one that answers.
    numbers = (2, 3, 1)
    report = cluster.guard_through(*numbers, arguments=("--step", "verify", "--timeout", "12s"))
    report.expect(11)
    assert report.seconds < 12 + 2
