"""examples/rolling-upgrade.sh with stand-ins for cockroach and guard: whom it asks, when, and what a
failure leaves behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.process import heard

SCRIPT = Path(__file__).parents[2] / "examples" / "rolling-upgrade.sh"
HOSTS = ("a:1", "b:2", "c:3")

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or shutil.which("timeout") is None,
    reason="the script needs bash and timeout",
)

# Each host is a directory: `installed` is the binary that stands there, `running` the build of the
# process, absent while it is stopped. `hangs` makes a statement hang, `log` has what was done.
COCKROACH = """#!/bin/bash
for each; do
    case $each in --host=*) host=${each#--host=} ;; --execute=*) statement=${each#--execute=} ;; esac
done
[[ $1 != node ]] || { printf 'id\\taddress\\tsql_address\\n'
                      printf '1\\ta:1\\ta:1\\n2\\tb:2\\tb:2\\n3\\tx\\tc:3\\n'; exit; }
[[ ! -e $ROOT/$host/hangs ]] || exec sleep 60
[[ -e $ROOT/$host/running ]] || { echo "cannot dial $host" >&2; exit 1; }
case $statement in
    SET*|RESET*) echo "$statement" >>"$ROOT/log"; [[ ! -e $ROOT/settings-fail ]] || exit 1 ;;
esac
case $statement in RESET*) echo "${TARGET:1:4}" >"$ROOT/version" ;; esac
echo header
case $statement in
    *version\\(\\)*) echo "CockroachDB CCL $(cat "$ROOT/$host/running") (linux)" ;;
    *SETTING\\ version*) cat "$ROOT/version" ;;
    *node_id*) echo "${host#*:}" ;;
esac
"""
GUARD = """#!/bin/bash
echo "$*" >>"$ROOT/asked"
[[ " $* " != *" --step $REFUSES "* ]] || exit "$ANSWER"
"""
# FAILS is HOOK:HOST:HOW, HOW being what the hook does there in the end.
HOOKS = """
act() {
    echo "$1 $2" >>"$ROOT/log"
    [[ $FAILS != "$1:$2":* || -e $ROOT/failed.$1 ]] || { touch "$ROOT/failed.$1"; eval "${FAILS##*:}"; }
}
install_binary() {
    cp "$ROOT/$1/installed" "$ROOT/$1/before"; echo "$TARGET" >"$ROOT/$1/installed"
    act install_binary "$1"
}
restore_binary() { mv "$ROOT/$1/before" "$ROOT/$1/installed"; act restore_binary "$1"; }
stop_node() { rm -f "$ROOT/$1/running"; act stop_node "$1"; }
start_node() { act start_node "$1"; cp "$ROOT/$1/installed" "$ROOT/$1/running"; }
"""


@dataclass
class Upgrade:
    """A cluster of three directories, and the script on it."""

    root: Path
    target: str = "v21.2.1"

    def lay(self, old: str = "v21.1.12", version: str = "21.1") -> Upgrade:
        for name, text in (("cockroach", COCKROACH), ("guard", GUARD)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)
        (self.root / "hooks.sh").write_text(HOOKS)
        (self.root / "version").write_text(version + "\n")
        for host in HOSTS:
            (self.root / host).mkdir()
            (self.root / host / "installed").write_text(old + "\n")
            (self.root / host / "running").write_text(old + "\n")
        return self

    def environment(self, **more: str) -> dict[str, str]:
        own = {
            "TARGET": self.target, "HOSTS": " ".join(HOSTS), "HOOKS": str(self.root / "hooks.sh"),
            "ROOT": str(self.root), "GUARD": str(self.root / "guard"),
            "COCKROACH": str(self.root / "cockroach"), "FAILS": "", "REFUSES": "none", "ANSWER": "10",
            "START_SECONDS": "1", "PROBE_SECONDS": "1", "SQL_SECONDS": "1",
        }  # fmt: skip
        return os.environ | own | more

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT)], env=self.environment(**more), check=False, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    def running(self) -> list[str]:
        """What each node runs; nothing for one that is down."""
        return [self._text(f"{host}/running") for host in HOSTS]

    def installed(self) -> list[str]:
        return [self._text(f"{host}/installed") for host in HOSTS]

    def log(self) -> list[str]:
        return self._text("log").splitlines()

    def asked(self) -> list[tuple[str, str]]:
        """For each question to guard the first host of its URL, and the step and node."""
        found = []
        for line in self._text("asked").splitlines():
            words = line.split()
            first = words[words.index("--url") + 1].split("@")[1].split(",")[0].removesuffix("/system")
            node = words[words.index("--node") + 1] if "--node" in words else ""
            found.append((first, f"{words[words.index('--step') + 1]} {node}".strip()))
        return found

    def _text(self, name: str) -> str:
        path = self.root / name
        return path.read_text().strip() if path.exists() else ""


@pytest.mark.parametrize(
    ("old", "target", "version", "gateways"),
    [
        # The old node knows the old settings, such as the one that A-72839 asks for.
        ("v21.1.12", "v21.2.1", "21.1", ("a:1", "b:2", "c:3")),
        # A v20.1 node cannot tell of the schedules that a v20.2 node may run.
        ("v20.1.17", "v20.2.19", "20.1", ("a:1", "a:1", "b:2")),
    ],
)
def test_each_restart_is_asked_through_a_node_that_can_tell(
    tmp_path: Path, old: str, target: str, version: str, gateways: tuple[str, ...]
) -> None:
    upgrade = Upgrade(tmp_path, target).lay(old, version)
    assert upgrade.run().returncode == 0
    first, second, third = gateways
    assert upgrade.asked() == [
        ("a:1", "start"),
        (first, "next-node 1"),
        (second, "next-node 2"),
        (third, "next-node 3"),
        ("a:1", "finalize"),
    ]


def test_a_binary_is_installed_before_its_node_is_stopped(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    assert upgrade.run(FINALIZE="yes").returncode == 0
    assert upgrade.log() == [
        "SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'",
        *(f"{hook} {host}" for host in HOSTS for hook in ("install_binary", "stop_node", "start_node")),
        "RESET CLUSTER SETTING cluster.preserve_downgrade_option",
    ]
    assert upgrade.asked()[-2:] == [("a:1", "finalize"), ("a:1", "verify")]


@pytest.mark.parametrize("how", ["return 3", "exit 3", "exit 10", "false; true"])
@pytest.mark.parametrize("hook", ["install_binary", "stop_node", "start_node"])
def test_a_hook_that_fails_leaves_the_node_on_the_old_binary(
    tmp_path: Path, hook: str, how: str
) -> None:
    upgrade = Upgrade(tmp_path).lay()
    done = upgrade.run(FAILS=f"{hook}:b:2:{how}")
    assert done.returncode == 1, done.stderr  # never 10 or 11: those are guard's to say
    assert f"b:2: {hook} failed" in done.stderr
    assert upgrade.running() == ["v21.2.1", "v21.1.12", "v21.1.12"]
    assert upgrade.installed() == ["v21.2.1", "v21.1.12", "v21.1.12"]
    assert ("stop_node b:2" in upgrade.log()) is (hook != "install_binary")
    assert not [line for line in upgrade.log() if line.endswith("c:3")]
    # Whatever it was is mended: the script goes on where it stopped.
    assert upgrade.run(FINALIZE="yes").returncode == 0
    assert upgrade.running() == ["v21.2.1"] * 3


def test_a_node_that_does_not_answer_in_time_goes_back(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "hooks.sh").write_text(
        HOOKS + 'start_node() { act start_node "$1"; [[ $(cat "$ROOT/$1/installed") == "$TARGET" ]] ||'
        ' cp "$ROOT/$1/installed" "$ROOT/$1/running"; }\n'
    )
    done = upgrade.run()
    assert done.returncode == 1
    assert "a:1 does not answer with v21.2.1 after 1 s" in done.stderr
    assert "it answers again" in done.stderr
    assert upgrade.running() == ["v21.1.12"] * 3


def test_a_node_that_cannot_come_back_is_named(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "hooks.sh").write_text(
        HOOKS + "start_node() { return 1; }\nrestore_binary() { false; }\n"
    )
    done = upgrade.run()
    assert done.returncode == 1
    assert "a:1: restore_binary failed with 1: LOOK WHICH BINARY IS THERE" in done.stderr
    assert "a:1: IT DOES NOT ANSWER" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_between_stop_and_start_brings_the_old_node_back(
    tmp_path: Path, number: int, code: int
) -> None:
    upgrade = Upgrade(tmp_path).lay()
    os.mkfifo(tmp_path / "reached")
    os.mkfifo(tmp_path / "go")
    with heard():
        script = subprocess.Popen(
            [str(SCRIPT)],
            env=upgrade.environment(FAILS='stop_node:a:1:echo >"$ROOT/reached"; read -r _ <"$ROOT/go"'),
            stderr=subprocess.DEVNULL,
        )
    with script:
        (tmp_path / "reached").read_text()  # the hook is at work now
        script.send_signal(number)
        (tmp_path / "go").write_text("\n")
        assert script.wait(timeout=30) == code
    assert upgrade.running() == ["v21.1.12"] * 3
    assert upgrade.installed() == ["v21.1.12"] * 3


def test_it_goes_on_at_once_when_the_first_host_is_down(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "a:1/running").unlink()
    (tmp_path / "b:2/running").write_text("v21.2.1\n")
    done = upgrade.run()
    assert done.returncode == 0, done.stderr
    assert upgrade.asked() == [("b:2", "next-node 1"), ("c:3", "next-node 3"), ("a:1", "finalize")]
    assert upgrade.running() == ["v21.2.1"] * 3


def test_the_first_host_is_down_before_anything_began(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "a:1/running").unlink()
    assert upgrade.run(REFUSES="start").returncode == 10
    assert upgrade.asked() == [("b:2", "start")]
    assert upgrade.log() == []


def test_a_node_that_nobody_knows_by_its_address_is_no_permission(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "b:2/running").write_text("v21.2.1\n")
    done = upgrade.run(HOSTS="elsewhere:1 b:2 c:3")
    assert done.returncode == 11
    assert "elsewhere:1 does not answer, and no node knows it" in done.stderr


def test_no_node_answers(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    for host in HOSTS:
        (tmp_path / host / "running").unlink()
    assert upgrade.run().returncode == 11
    assert upgrade.asked() == []


def test_a_statement_that_hangs_is_given_up(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "a:1/hangs").touch()
    assert upgrade.run(REFUSES="start", HOSTS="a:1 b:2").returncode == 10
    assert upgrade.asked() == [("b:2", "start")]


@pytest.mark.parametrize(
    ("answer", "code"),
    [("10", 10), ("11", 11), ("12", 12), ("2", 2), ("1", 1), ("127", 1), ("130", 130)],
)
@pytest.mark.parametrize("step", ["start", "next-node", "finalize", "verify"])
def test_what_guard_says_is_how_the_script_leaves(
    tmp_path: Path, step: str, answer: str, code: int
) -> None:
    upgrade = Upgrade(tmp_path).lay()
    assert upgrade.run(REFUSES=step, ANSWER=answer, FINALIZE="yes").returncode == code
    if step in ("start", "next-node"):
        assert upgrade.running() == ["v21.1.12"] * 3
    if step != "verify":
        assert not [line for line in upgrade.log() if line.startswith("RESET")]


def test_without_the_setting_that_keeps_the_way_back_nothing_is_touched(tmp_path: Path) -> None:
    upgrade = Upgrade(tmp_path).lay()
    (tmp_path / "settings-fail").touch()
    assert upgrade.run().returncode == 1
    assert not [line for line in upgrade.log() if "_node" in line or "_binary" in line]


@pytest.mark.parametrize(
    "wrong",
    [
        {"TARGET": ""}, {"HOSTS": ""}, {"TARGET": "21.2.1"}, {"TARGET": "v21.2"},
        {"GUARD": "/nowhere/guard"},
        {"COCKROACH": "/nowhere/cockroach"}, {"HOOKS": "/nowhere/hooks"}, {"HOOKS": "/dev/null"},
    ],
)  # fmt: skip
def test_wrong_usage(tmp_path: Path, wrong: dict[str, str]) -> None:
    upgrade = Upgrade(tmp_path).lay()
    assert upgrade.run(**wrong).returncode == 2
    assert upgrade.asked() == []


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck: pip install '.[examples]'")
def test_shellcheck_has_nothing_to_say() -> None:
    scripts = sorted(SCRIPT.parent.rglob("*.sh"))
    assert SCRIPT in scripts
    subprocess.run(["shellcheck", *map(str, scripts)], check=True)
