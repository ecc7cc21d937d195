"""examples/ansible/ run by ansible-core, with the stand-ins for cockroach and guard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.test_rolling_upgrade import HOSTS, Upgrade

FOLDER = Path(__file__).parents[2] / "examples" / "ansible"
PLAYBOOK = shutil.which(
    "ansible-playbook", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        PLAYBOOK is None, reason="the role needs ansible-core: pip install '.[examples]'"
    ),
]

HOOK = """---
- name: {name}
  ansible.builtin.command:
    argv: [bash, -euc, 'source "$HOOKS"; {name} "$1"', bash, "{{{{ crdb_upgrade_address }}}}"]
  changed_when: true
"""


class Playbook(Upgrade):
    """The cluster of three directories, upgraded by Ansible."""

    def play(self, book: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        hooks = {"install": "install_binary", "stop": "stop_node", "start": "start_node",
                 "restore": "restore_binary"}  # fmt: skip
        for task, name in hooks.items():
            (self.root / f"{task}.yml").write_text(HOOK.format(name=name))
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "crdb_upgrade_target": self.target,
            "crdb_upgrade_hosts": list(HOSTS),
            "crdb_upgrade_guard": str(self.root / "guard"),
            "crdb_upgrade_cockroach": str(self.root / "cockroach"),
            "crdb_upgrade_start_seconds": 2,
            **{f"crdb_upgrade_{task}_tasks": str(self.root / f"{task}.yml") for task in hooks},
        }
        lines = [f"{host[0]} crdb_upgrade_address={host}" for host in HOSTS]
        (self.root / "inventory").write_text("[cockroach]\n" + "\n".join(lines) + "\n")
        assert PLAYBOOK is not None
        return subprocess.run(
            [
                PLAYBOOK, "-i", str(self.root / "inventory"), str(FOLDER / book),
                "-e", json.dumps(variables), *more,
            ],
            env=self.environment(
                ANSIBLE_HOME=str(self.root / "ansible"), ANSIBLE_NOCOLOR="1", **environment
            ),
            check=False, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def upgrade(tmp_path: Path) -> Playbook:
    laid = Playbook(tmp_path)
    laid.lay()
    return laid


def test_host_by_host_then_finalized_by_a_play_of_its_own(upgrade: Playbook) -> None:
    done = upgrade.play("upgrade.yml")
    assert done.returncode == 0, done.stdout
    assert upgrade.asked() == [
        ("a:1", "start"),
        ("a:1", "next-node 1"),
        ("b:2", "next-node 2"),
        ("c:3", "next-node 3"),
        ("a:1", "finalize"),
    ]
    assert [line for line in upgrade.log() if not line.startswith("SET")] == [
        f"{hook} {host}" for host in HOSTS for hook in ("install_binary", "stop_node", "start_node")
    ]
    # Nobody at the prompt: that is no yes.
    done = upgrade.play("finalize.yml")
    assert done.returncode != 0
    assert "Not finalized" in done.stdout
    assert not [line for line in upgrade.log() if line.startswith("RESET")]
    done = upgrade.play("finalize.yml", "-e", "crdb_upgrade_finalize=yes")
    assert done.returncode == 0, done.stdout
    assert upgrade.log()[-1] == "RESET CLUSTER SETTING cluster.preserve_downgrade_option"
    assert upgrade.asked()[-1] == ("a:1", "verify")


def test_without_allow_no_further_host_is_touched(upgrade: Playbook) -> None:
    done = upgrade.play("upgrade.yml", REFUSES="next-node", ANSWER="11")
    assert done.returncode != 0
    assert "UNKNOWN" in done.stdout
    assert upgrade.running() == ["v21.1.12"] * 3
    assert upgrade.asked() == [("a:1", "start"), ("a:1", "next-node 1")]


@pytest.mark.parametrize("hook", ["install_binary", "start_node"])
def test_a_hook_that_fails_leaves_the_host_on_the_old_binary(upgrade: Playbook, hook: str) -> None:
    done = upgrade.play("upgrade.yml", FAILS=f"{hook}:a:1:exit 3")
    assert done.returncode != 0
    assert "failed. The old binary is back" in done.stdout
    assert upgrade.running() == ["v21.1.12"] * 3
    assert upgrade.installed() == ["v21.1.12"] * 3
    assert not [line for line in upgrade.log() if line.endswith(("b:2", "c:3"))]


def test_it_goes_on_with_a_host_that_is_down(upgrade: Playbook) -> None:
    (upgrade.root / "a:1/running").unlink()
    (upgrade.root / "b:2/running").write_text("v21.2.1\n")
    done = upgrade.play("upgrade.yml")
    assert done.returncode == 0, done.stdout
    assert upgrade.asked() == [("b:2", "next-node 1"), ("c:3", "next-node 3"), ("a:1", "finalize")]
    assert upgrade.running() == ["v21.2.1"] * 3
