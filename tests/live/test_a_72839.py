"""Advisory A-72839 on real servers: v21.1 to v21.2, every row of its table that a cluster can be in.

The servers do not have the defect itself; guard judges by versions, settings, jobs and schedules,
and those are real.
"""

from __future__ import annotations

from tests.live.cluster import FAR, Cluster, Report, until
from tests.live.conftest import MakeCluster

SETTING = "bulkio.backup.experimental_21_2_mode.enabled"


def own(report: Report) -> set[str]:
    """What blocks, without the advisories about defects of these old targets themselves."""
    return {
        check for check in report.blockers if not check.startswith(("A-", "H-")) or check == "A-72839"
    }


def schedule(cluster: Cluster, recurrence: str = "@yearly") -> int:
    """A backup schedule, far away unless said otherwise."""
    rows = cluster.sql(
        "CREATE SCHEDULE nightly FOR BACKUP DATABASE shop INTO 'nodelocal://1/nightly'"
        f" RECURRING '{recurrence}' FULL BACKUP ALWAYS WITH SCHEDULE OPTIONS first_run = '{FAR}'"
    )
    return int(rows[0][0])


def test_v21_1_11_to_v21_2_0(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.11", "v21.2.0")
    cluster.make_table()
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")

    # The target itself is the defect.
    start = cluster.guard("--step", "start", "--target", "v21.2.0").expect(10)
    assert start.outcomes("A-72839") == {"block"}
    assert "v21.2.1" in start.text("A-72839")

    # Someone goes ahead all the same. Mixed, and no backup in sight: a warning with both ways out.
    cluster.roll(1, "v21.2.0")
    quiet = cluster.guard("--target", "v21.2.0").expect(0)
    assert (quiet.json["step"], quiet.json["step_inferred"]) == ("next-node", True)
    assert quiet.json["cluster"]["mixed"] is True
    assert quiet.outcomes("A-72839") == {"warn"}
    assert {"rollback", "finalize"} <= set(" ".join(quiet.remedies("A-72839")).split())

    # A backup runs: block, and waiting clears it, whichever gateway is asked.
    with cluster.held_backup(node=3) as backup:
        for node in (1, 2):
            busy = cluster.guard("--target", "v21.2.0", node=node).expect(10)
            assert own(busy) == {"A-72839"}  # one cause, one block
            assert all(f["transient"] for f in busy.json["findings"] if f["outcome"] == "block")
            assert str(backup.job_id) in busy.text("A-72839")
        assert cluster.guard("--step", "rollback", "--target", "v21.1.11").expect(0).outcomes(
            "A-72839"
        ) == {"pass"}
        backup.end()
    cluster.guard("--target", "v21.2.0").expect(0)

    # A paused backup does not end by itself, and guard says so.
    with cluster.held_backup(node=3, name="paused") as backup:
        cluster.sql(f"PAUSE JOB {backup.job_id}")
        until(lambda: backup.status == "paused", "the backup is paused")
        paused = cluster.guard("--target", "v21.2.0").expect(10)
        assert not any(f["transient"] for f in paused.of("A-72839"))
        assert any(line.count(f"RESUME JOB {backup.job_id}") for line in paused.remedies())
        cluster.sql(f"RESUME JOB {backup.job_id}")
        backup.end()

    # A schedule that is due is as good as a backup; a far one is not.
    number = schedule(cluster)
    cluster.guard("--target", "v21.2.0").expect(0)
    due = cluster.guard("--target", "v21.2.0", "--window", "70000h").expect(10)
    assert own(due) == {"A-72839"}
    assert f"PAUSE SCHEDULE {number};" in " ".join(due.remedies("scheduled-backups"))
    cluster.sql(f"PAUSE SCHEDULE {number}")
    cluster.guard("--target", "v21.2.0", "--window", "70000h").expect(0)

    # On to the last node; a backup is lost on the way.
    cluster.roll(2, "v21.2.0")
    with cluster.held_backup(node=1, name="lost") as backup:
        backup.cancel()
        lost = backup.job_id
    cluster.guard("--target", "v21.2.0", "--node", "3").expect(0)
    cluster.roll(3, "v21.2.0")

    ready = cluster.guard().expect(0)
    assert ready.json["step"] == "finalize"
    assert ready.outcomes("A-72839") == {"pass"}
    with cluster.held_backup(node=1, name="late") as backup:
        late = cluster.guard("--step", "finalize").expect(0)
        assert {"A-72839", "running-backups"} <= late.warnings
        backup.end()
    assert cluster.guard("--step", "verify").expect(10).outcomes("cluster-version") == {"block"}

    finalize(cluster, "21.2")
    after = cluster.guard("--target", "v21.2.0").expect(0)
    assert after.json["step"] == "verify"
    assert after.outcomes("A-72839") == {"warn"}
    assert str(lost) in after.text("A-72839")
    assert after.json["cluster"] | {"nodes": []} == after.json["cluster"] | {
        "active_version": "21.2", "final": True, "mixed": False, "nodes": [],
    }  # fmt: skip


def finalize(cluster: Cluster, version: str) -> None:
    """Do what guard's remedy says, and wait until the cluster version is final everywhere."""
    cluster.sql("RESET CLUSTER SETTING cluster.preserve_downgrade_option")
    for node in cluster.running:
        until(
            lambda node=node: (
                cluster.one(  # type: ignore[misc]
                    "SELECT value FROM crdb_internal.cluster_settings WHERE variable = 'version'",
                    node=node,
                )
                == version
            ),
            f"n{node} has cluster version {version}",
            patience=120,
        )
    until(lambda: cluster.one("SHOW CLUSTER SETTING version") == version, f"{version} is stored", 120)


def test_v21_1_to_v21_2_1_patched_and_protected(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.11", "v21.1.12", "v21.2.1")
    cluster.make_table()
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
    target = ("--target", "v21.2.1")

    # Nothing speaks of backups here: a warning only.
    unused = cluster.guard("--step", "start", *target)
    assert own(unused) == set()
    assert unused.outcomes("A-72839") == {"warn"}

    # With a schedule: patch first, then the setting.
    number = schedule(cluster)
    old = cluster.guard("--step", "start", *target).expect(10)
    assert old.outcomes("A-72839") == {"block"}
    assert "to v21.1.12 or later first" in old.remedies("A-72839")[0]
    assert not any(f["transient"] for f in old.of("A-72839"))

    # The patch upgrade on the way there is no business of this advisory.
    for node in (1, 2, 3):
        patch = cluster.guard("--target", "v21.1.12", "--node", str(node))
        assert patch.outcomes("A-72839") == {"not-applicable"}
        assert own(patch) == set()
        cluster.roll(node, "v21.1.12")
    unset = cluster.guard("--step", "start", *target).expect(10)
    assert unset.outcomes("A-72839") == {"block"}
    [remedy] = unset.remedies("A-72839")
    cluster.sql(remedy)  # exactly as guard prints it
    safe = cluster.guard("--step", "start", *target)
    assert safe.outcomes("A-72839") == {"pass"}
    assert own(safe) == set()

    # Protected, but let a running backup end before the first restart.
    with cluster.held_backup(node=2, name="before") as backup:
        before = cluster.guard("--step", "start", *target).expect(10)
        assert own(before) == {"A-72839"}
        assert all(f["transient"] for f in before.of("A-72839"))
        backup.end()

    # Mixed: with the setting a backup is a warning, seen through a node that has the setting.
    cluster.roll(1, "v21.2.1")
    with cluster.held_backup(node=3, name="mixed") as backup:
        protected = cluster.guard(*target, node=2).expect(0)
        assert protected.outcomes("A-72839") == {"warn"}
        hidden = cluster.guard(*target, node=1).expect(10)
        assert any("v21.1 node" in line for line in hidden.remedies("A-72839"))
        cluster.sql(f"SET CLUSTER SETTING {SETTING} = false", node=2)
        naked = cluster.guard(*target, node=2).expect(10)
        assert naked.outcomes("A-72839") == {"block"}
        backup.end()
    cluster.guard(*target, node=2).expect(0)
    cluster.sql(f"DROP SCHEDULE {number}")

    for node in (2, 3):
        cluster.guard(*target, "--node", str(node)).expect(0)
        cluster.roll(node, "v21.2.1")
    with cluster.held_backup(node=1, name="all-new") as backup:
        assert cluster.guard("--step", "finalize").expect(0).outcomes("A-72839") == {"pass", "warn"}
        backup.end()
    finalize(cluster, "21.2")
    assert cluster.guard(*target).expect(0).outcomes("A-72839") == {"pass"}
