"""examples/ansible/ on real nodes, by real ansible-core: local processes instead of hosts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.examples.test_ansible import FOLDER, HOOK, PLAYBOOK
from tests.live.conftest import MakeCluster
from tests.live.test_script import Script, builds

RESTORE = """
restore_binary() {
    ln -sfn "$(dirname "$(readlink -f "$(binary "$1")")")/cockroach-$OLD" "$(binary "$1")"
}
"""


class Playbook(Script):
    """The plays, with the hooks of the script as tasks."""

    def play(self, book: str, *more: str) -> subprocess.CompletedProcess[str]:
        root = self.cluster.root
        hooks = root / "hooks.sh"
        if "restore_binary" not in hooks.read_text():
            hooks.write_text(hooks.read_text() + RESTORE)
        names = {"install": "install_binary", "stop": "stop_node", "start": "start_node",
                 "restore": "restore_binary"}  # fmt: skip
        for task, name in names.items():
            (root / f"{task}.yml").write_text(HOOK.format(name=name))
        addresses = [node.address for node in self.cluster.nodes.values()]
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "crdb_upgrade_target": self._environment["TARGET"],
            "crdb_upgrade_hosts": addresses,
            "crdb_upgrade_guard": self._environment["GUARD"],
            "crdb_upgrade_cockroach": self._environment["COCKROACH"],
            "crdb_upgrade_guard_options": self._environment["GUARD_OPTIONS"].split(),
            "crdb_upgrade_wait": "120s",
            "crdb_upgrade_settle": "2s",
            **{f"crdb_upgrade_{task}_tasks": str(root / f"{task}.yml") for task in names},
        }
        hosts = [f"n{i} crdb_upgrade_address={address}" for i, address in enumerate(addresses, 1)]
        (root / "inventory").write_text("[cockroach]\n" + "\n".join(hosts) + "\n")
        assert PLAYBOOK is not None
        own = {"OLD": "v21.1.12", "ANSIBLE_HOME": str(root / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(
            [
                PLAYBOOK, "-i", str(root / "inventory"), str(FOLDER / book),
                "-e", json.dumps(variables), *more,
            ],
            env=self._environment | own,
            check=False, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.mark.skipif(
    PLAYBOOK is None or shutil.which("timeout") is None,
    reason="the role needs ansible-core, pip install '.[examples]', and timeout",
)
def test_the_role_host_by_host(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    playbook = Playbook(cluster, "v21.2.1")
    cluster.make_table()

    # A schedule makes the advisory block for good: nothing is touched.
    rows = cluster.sql(
        "CREATE SCHEDULE far FOR BACKUP DATABASE shop INTO 'nodelocal://1/far' RECURRING '@yearly'"
        " FULL BACKUP ALWAYS WITH SCHEDULE OPTIONS first_run = '2099-01-01'"
    )
    done = playbook.play("upgrade.yml")
    assert done.returncode != 0, done.stdout
    assert "A-72839" in done.stdout
    assert builds(cluster) == ["v21.1.12"] * 3
    cluster.sql(f"DROP SCHEDULE {rows[0][0]}")

    done = playbook.play("upgrade.yml")
    assert done.returncode == 0, done.stdout
    assert builds(cluster) == ["v21.2.1"] * 3
    assert cluster.one("SHOW CLUSTER SETTING version") == "21.1"
    done = playbook.play("finalize.yml", "-e", "crdb_upgrade_finalize=yes")
    assert done.returncode == 0, done.stdout
    assert cluster.one("SHOW CLUSTER SETTING version") == "21.2"
