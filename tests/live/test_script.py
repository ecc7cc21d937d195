"""examples/rolling-upgrade.sh, on real nodes: it waits, it stops, it goes on, it finalizes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.live.cluster import ENVIRONMENT, Cluster, live_policy, until
from tests.live.conftest import MakeCluster

SCRIPT = Path(__file__).parents[2] / "examples" / "rolling-upgrade.sh"

HOOKS = """
stop_node() {
    local pid; pid=$(cat "$ROOT/n$(number "$1").pid")
    kill -TERM "$pid"
    while [[ -e /proc/$pid/exe ]]; do sleep 0.1; done
}
install_binary() {
    ln -sfn "$(dirname "$(readlink -f "$(binary "$1")")")/cockroach-$TARGET" "$(binary "$1")"
}
start_node() {
    launch "$1" >"$ROOT/start.log" 2>&1
    # The test stops here once, to start a backup between two nodes.
    while [[ -e $ROOT/pause ]]; do touch "$ROOT/paused"; sleep 0.1; done
}
binary() { echo "$ROOT/bin/n$(number "$1")/cockroach"; }
"""


class Script:
    """The script, with hooks for local processes."""

    def __init__(self, cluster: Cluster, target: str) -> None:
        self.cluster = cluster
        root = cluster.root
        hosts = {number: node.address for number, node in cluster.nodes.items()}
        numbers = "; ".join(f"{address}) echo {number}" for number, address in hosts.items())
        starts = "; ".join(
            f"{address}) {shlex.join([*cluster.start_command(number), '--background'])}"
            for number, address in hosts.items()
        )
        hooks = root / "hooks.sh"
        hooks.write_text(
            HOOKS
            + f"number() {{ case $1 in {numbers.replace('; ', ' ;; ')} ;; esac; }}\n"
            + f"launch() {{ case $1 in {starts.replace('; ', ' ;; ')} ;; esac; }}\n"
        )
        policy = root / "script.toml"
        policy.write_text(live_policy(settle="3s"))
        guard = root / "guard"
        guard.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m guard "$@"\n')
        guard.chmod(0o755)
        self._log = root / "script.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "GUARD_"))}
        self._environment = (
            clean
            | ENVIRONMENT
            | {
                "TARGET": target,
                "HOSTS": " ".join(hosts.values()),
                "HOOKS": str(hooks),
                "ROOT": str(root),
                "GUARD": str(guard),
                "GUARD_OPTIONS": f"--policy {policy}",
                "COCKROACH": str(cluster.nodes[1].binary),
                "COCKROACH_INSECURE": "true",
                "WAIT": "120s",
                "SETTLE": "2s",
            }
        )

    def begin(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it."""
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [str(SCRIPT)], env=self._environment | environment, stdout=log, stderr=log
            )

    def run(self, **environment: str) -> int:
        """Run it to its end."""
        return self.begin(**environment).wait(timeout=300)

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._log.read_text()


def builds(cluster: Cluster) -> list[str]:
    """What the nodes run, as they say themselves."""
    return [str(cluster.one("SELECT version()", node=n)).split()[2] for n in cluster.running]


def test_rolling_upgrade_script(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    script = Script(cluster, "v21.2.1")
    cluster.make_table()

    # No sight, no permission; and nothing has been touched.
    cluster.sql("CREATE USER nobody")
    assert script.run(DB_USER="nobody") == 11, script.said
    # A schedule makes the advisory block for good, until the setting protects backups.
    rows = cluster.sql(
        "CREATE SCHEDULE far FOR BACKUP DATABASE shop INTO 'nodelocal://1/far' RECURRING '@yearly'"
        " FULL BACKUP ALWAYS WITH SCHEDULE OPTIONS first_run = '2099-01-01'"
    )
    assert script.run() == 10, script.said
    assert "A-72839" in script.said
    assert builds(cluster) == ["v21.1.12"] * 3
    assert cluster.one("SHOW CLUSTER SETTING cluster.preserve_downgrade_option") == ""
    cluster.sql(f"DROP SCHEDULE {rows[0][0]}")

    # The first node goes; then a backup comes in between, and the script waits for it.
    (cluster.root / "pause").touch()
    running = script.begin()
    until(
        lambda: running.poll() is not None or (cluster.root / "paused").exists(),
        "n1 has been restarted",
        patience=120,
    )
    assert running.poll() is None, script.said
    cluster.await_node(1)
    with cluster.held_backup(node=3, name="between") as backup:
        (cluster.root / "pause").unlink()
        # guard says what it waits for.
        until(
            lambda: running.poll() is not None or "running-backups" in script.said.split("n2", 1)[-1],
            "guard waits for the backup",
            patience=90,
        )
        assert running.poll() is None, script.said
        assert backup.status == "running"
        assert builds(cluster) == ["v21.2.1", "v21.1.12", "v21.1.12"]
        backup.end()
    assert running.wait(timeout=300) == 0, script.said
    assert builds(cluster) == ["v21.2.1"] * 3
    assert "FINALIZE=yes" in script.said
    assert cluster.one("SHOW CLUSTER SETTING version") == "21.1"
    assert cluster.one("SELECT count(*) FROM shop.orders") == 200

    # Later, when somebody is sure. After that there is nothing left to do.
    assert script.run(FINALIZE="yes") == 0, script.said
    assert cluster.one("SHOW CLUSTER SETTING version") == "21.2"
    assert script.run(FINALIZE="yes") == 0, script.said


def test_the_script_does_not_go_on_with_a_node_down(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.2.0", "v21.2.1")
    script = Script(cluster, "v21.2.1")
    # To the others it is live for some seconds more: too short a settling time would let n1 go too.
    cluster.kill(3)
    assert script.run(WAIT="5s", SETTLE="15s") in (10, 11), script.said
    assert builds(cluster) == ["v21.2.0"] * 2
    cluster.start(3)
    cluster.await_settled(3)
    # A patch upgrade: no setting, no finalization.
    assert script.run() == 0, script.said
    assert builds(cluster) == ["v21.2.1"] * 3
    assert cluster.one("SHOW CLUSTER SETTING cluster.preserve_downgrade_option") == ""
