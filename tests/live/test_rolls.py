"""Whole rolls from one series to the next, a patch upgrade, and the way back."""

from __future__ import annotations

import datetime as dt

from tests.live.cluster import until
from tests.live.conftest import MakeCluster
from tests.live.test_a_72839 import finalize, own


def test_v21_2_to_v22_1(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.2.1", "v22.1.0")
    cluster.make_table()
    made = cluster.one("SELECT now()")
    until(
        lambda: cluster.one("SELECT now()") - made > dt.timedelta(seconds=11),
        "ten seconds have passed: what advisories ask of the schema is asked of then",
    )
    target = ("--target", "v22.1.0")
    start = cluster.guard("--step", "start", *target)
    assert own(start) == set()
    assert start.outcomes("A-72839") == {"not-applicable"}
    assert start.outcomes("auto-finalization") == {"warn"}
    [remedy] = start.remedies("auto-finalization")
    cluster.sql(remedy.split(": ", 1)[1])
    assert cluster.guard("--step", "start", *target).outcomes("auto-finalization") == {"pass"}

    for node in (1, 2):
        # Off the advisory's edge a backup is a reason to think, not to stop.
        with cluster.held_backup(node=3, name=f"before-{node}") as backup:
            before = cluster.guard(*target, "--node", str(node)).expect(0)
            assert "running-backups" in before.warnings
            assert before.outcomes("A-72839") == {"not-applicable"}
            backup.end()
        cluster.roll(node, "v22.1.0")
    assert cluster.guard("--step", "finalize", *target).expect(10).blockers == {"mixed-version"}
    cluster.guard(*target, "--node", "3").expect(0)
    cluster.roll(3, "v22.1.0")
    cluster.guard("--step", "finalize", *target).expect(0)
    finalize(cluster, "22.1")
    verified = cluster.guard(*target).expect(0)
    assert (verified.json["step"], verified.json["cluster"]["final"]) == ("verify", True)


def test_patch_upgrade(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.2.0", "v21.2.1")
    cluster.make_table()
    target = ("--target", "v21.2.1")
    start = cluster.guard("--step", "start", *target).expect(0)
    assert start.outcomes("A-72839") == {"not-applicable"}
    assert start.outcomes("auto-finalization") == {"not-applicable"}
    with cluster.held_backup(node=3) as backup:
        for node in (1, 2):
            cluster.guard("--step", "next-node", *target, "--node", str(node)).expect(0)
            cluster.roll(node, "v21.2.1")
        backup.end()
    # On the last old node nothing finalizes: there is nothing to finalize.
    last = cluster.guard(*target, "--node", "3").expect(0)
    assert (last.json["step"], last.json["cluster"]["mixed"]) == ("next-node", True)
    assert cluster.guard("--step", "verify", *target).expect(10).blockers == {"mixed-version"}
    assert cluster.guard("--step", "rollback", "--target", "v21.2.0").expect(0)
    cluster.roll(3, "v21.2.1")
    cluster.guard("--step", "verify", *target).expect(0)


def test_rollback(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    cluster.make_table()
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
    back = ("--step", "rollback", "--target", "v21.1.12")
    assert cluster.guard(*back).expect(10).blockers == {"mixed-version"}  # nothing to roll back
    for node in (1, 2, 3):
        cluster.roll(node, "v21.2.1")
    cluster.guard(*back).expect(0)
    # An older target alone is no order to roll back: it may be a slip of the pen.
    cluster.guard("--target", "v21.1.12").expect(11)

    # And really done: the old executable takes the store back.
    for node in (3, 2, 1):
        cluster.guard(*back).expect(0)
        cluster.roll(node, "v21.1.12")
    assert cluster.one("SELECT count(*) FROM shop.orders") == 200
    assert cluster.guard(*back).expect(10).blockers == {"mixed-version"}

    # Forward again, and over the point of no return.
    for node in (1, 2, 3):
        cluster.roll(node, "v21.2.1")
    finalize(cluster, "21.2")
    refused = cluster.guard(*back).expect(10)
    assert "cluster-version" in refused.blockers
    assert "no way back" in refused.text("cluster-version")
