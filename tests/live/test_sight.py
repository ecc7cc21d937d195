"""What guard may see decides what it may say: users with less, snapshots, and nothing left behind."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import Cluster, Report, guard, until

TARGET = ("--target", "v21.2.0", "--step", "next-node")
USERS = {"nobody": "", "ctl": "CONTROLJOB", "setter": "MODIFYCLUSTERSETTING"}


@pytest.fixture(scope="module")
def users(mixed: Cluster) -> Cluster:
    for name, option in USERS.items():
        mixed.sql(f"CREATE USER {name} {option}")
    return mixed


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("node", [1, 2])
def test_less_than_full_sight_is_unknown(users: Cluster, user: str, node: int) -> None:
    with users.held_backup(node=3, name=f"{user}{node}") as backup:
        users.guard(*TARGET, node=node).expect(10)
        report = users.guard(*TARGET, node=node, user=user).expect(11)
        assert report.json["verdict"] == "unknown"
        assert "visibility" in report.unknowns
        assert "pass" not in report.outcomes("running-backups") | report.outcomes("A-72839")
        backup.end()
    for step in ("start", "finalize", "rollback", "verify", "auto"):
        users.guard("--target", "v21.2.0", "--step", step, node=node, user=user).expect(11)


@pytest.mark.parametrize("user", USERS)
def test_the_remedy_gives_full_sight(users: Cluster, user: str) -> None:
    before = users.guard(*TARGET, user=user).expect(11)
    grants = {line for line in before.remedies("visibility") if line.startswith(("GRANT", "ALTER"))}
    assert grants == {f'GRANT admin TO "{user}";'}  # nothing less suffices before v22.1
    for statement in grants:
        users.sql(statement)
    try:
        users.guard(*TARGET, user=user).expect(0)
    finally:
        users.sql(f"REVOKE admin FROM {user}")
    users.guard(*TARGET, user=user).expect(11)


def test_a_snapshot_gives_the_same_verdict(users: Cluster, tmp_path: Path) -> None:
    def both(user: str, *arguments: str) -> None:
        file = tmp_path / "snapshot.json"
        collected = guard("collect", "--url", users.url(1, user=user), "-o", str(file))
        assert collected.code == 0, collected.stderr
        assert file.stat().st_mode & 0o077 == 0
        live = users.guard(*arguments, node=1, user=user)
        policy = ("--policy", str(users.policy))
        replayed = guard("check", "--snapshot", str(file), "--format", "json", *policy, *arguments)
        replayed.expect(live.code)
        for key in ("verdict", "step", "step_inferred", "target"):
            assert replayed.json[key] == live.json[key]

        def summary(report: Report) -> list[tuple[object, ...]]:
            findings = report.json["findings"]
            return [(f["check"], f["outcome"], f["transient"]) for f in findings]

        assert summary(live) == summary(replayed)

    with users.held_backup(node=3, name="snapshot") as backup:
        both("root", *TARGET)
        both("root")
        both("nobody", *TARGET)
        backup.end()
    both("root", *TARGET)
    both("root", "--step", "finalize")


def test_guard_leaves_nothing_behind(users: Cluster) -> None:
    users.sql("SET CLUSTER SETTING sql.stats.automatic_collection.enabled = false")
    users.settle_backups()

    def state() -> dict[str, Any]:
        return {
            "jobs": users.sql(
                "SELECT job_id, status FROM crdb_internal.jobs"
                " WHERE job_type NOT LIKE 'AUTO%' ORDER BY 1"
            ),
            "settings": users.sql(
                "SELECT name, value FROM system.settings WHERE name <> 'version' ORDER BY 1"
            ),
            "users": users.sql("SELECT * FROM system.users ORDER BY 1"),
            "options": users.sql("SELECT * FROM system.role_options ORDER BY 1, 2"),
            "role settings": users.sql("SELECT * FROM system.database_role_settings ORDER BY 1, 2"),
            "schedules": users.sql("SELECT schedule_id FROM system.scheduled_jobs ORDER BY 1"),
            "events": users.sql("SELECT count(*) FROM system.eventlog"),
            "tables": users.sql("SELECT count(*) FROM system.descriptor"),
        }

    def sessions() -> list[tuple[Any, ...]]:
        return users.sql(
            "SELECT session_id FROM crdb_internal.cluster_sessions WHERE application_name = 'guard'"
        )

    before = state()
    for user in ("root", *USERS):
        for step in ("start", "next-node", "finalize", "rollback", "verify", "auto"):
            users.guard("--target", "v21.2.0", "--step", step, user=user)
    with contextlib.suppress(AssertionError):
        users.guard(*TARGET, "--timeout", "1s")
    assert state() == before
    until(lambda: not sessions(), "no session of guard is left", patience=15)
