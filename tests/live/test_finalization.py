"""The last old node: restarting it is finalizing, unless the right setting holds it back."""

from __future__ import annotations

from tests.live.cluster import until
from tests.live.conftest import MakeCluster

PRESERVE = "cluster.preserve_downgrade_option"


def test_last_old_node_finalizes_by_itself(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.2.1", "v22.1.0")
    for node in (1, 2):
        cluster.roll(node, "v22.1.0")
    target = ("--target", "v22.1.0", "--node", "3")

    held = f"SET CLUSTER SETTING {PRESERVE} = '21.2'"
    cluster.sql(held)
    assert cluster.guard(*target).expect(0).outcomes("auto-finalization") == {"pass"}
    cluster.sql(f"RESET CLUSTER SETTING {PRESERVE}")
    for node in (1, 3):
        last = cluster.guard(*target, node=node).expect(0)
        assert last.outcomes("auto-finalization") == {"warn"}
        assert "no way back" in last.text("auto-finalization")
        assert any(held in line for line in last.remedies("auto-finalization"))

    # A value left over from an earlier upgrade is in the way of nothing. CockroachDB lets nobody set
    # one, so the test writes it where it is stored.
    cluster.sql(
        'UPSERT INTO system.settings (name, value, "lastUpdated", "valueType")'
        f" VALUES ('{PRESERVE}', '21.1', now(), 's')"
    )
    assert cluster.guard(*target).expect(0).outcomes("auto-finalization") == {"warn"}

    # It does happen as said. While it does, nothing else may.
    cluster.roll(3, "v22.1.0")
    seen: set[str] = set()

    def final() -> bool:
        report = cluster.guard("--target", "v22.1.0")
        seen.add(report.json["step"])
        assert report.code in (0, 10), report.stdout
        if report.code == 10:
            assert report.blockers <= {"cluster-version", "migrations"}
        return bool(report.json["step"] == "verify" and report.code == 0)

    until(final, "finalized by itself", patience=120)
    assert cluster.one("SHOW CLUSTER SETTING version") == "22.1"
    again = cluster.guard("--step", "finalize", "--target", "v22.1.0").expect(0)
    assert "already final" in again.text("cluster-version")
