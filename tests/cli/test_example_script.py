"""examples/rolling-upgrade.sh with stand-ins for cockroach and guard: whom it asks, and when."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "rolling-upgrade.sh"
HOSTS = ("a:1", "b:2", "c:3")

COCKROACH = """#!/bin/bash
# sql --host=HOST ... --execute=STATEMENT: a header line and one value
for each; do
    case $each in --host=*) host=${each#--host=} ;; --execute=*) statement=${each#--execute=} ;; esac
done
echo header
case $statement in
    *version\\(\\)*) echo "CockroachDB CCL $(cat "$ROOT/$host") (linux)" ;;
    *SETTING\\ version*) cat "$ROOT/version" ;;
    *node_id*) echo "${host#*:}" ;;
esac
"""
GUARD = """#!/bin/bash
echo "$*" >>"$ROOT/asked"
"""
HOOKS = """
stop_node() { :; }
install_binary() { echo "$TARGET" >"$ROOT/$1"; }
start_node() { :; }
"""


def asked(root: Path, old: str, target: str, version: str) -> list[tuple[str, str]]:
    """Run the script; for each question to guard the first host of its URL and the rest."""
    for name, text in (("cockroach", COCKROACH), ("guard", GUARD)):
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    (root / "hooks.sh").write_text(HOOKS)
    (root / "version").write_text(version + "\n")
    for host in HOSTS:
        (root / host).write_text(old + "\n")
    environment = os.environ | {
        "TARGET": target, "HOSTS": " ".join(HOSTS), "HOOKS": str(root / "hooks.sh"), "ROOT": str(root),
        "GUARD": str(root / "guard"), "COCKROACH": str(root / "cockroach"),
    }  # fmt: skip
    subprocess.run([str(SCRIPT)], env=environment, check=True, capture_output=True, timeout=60)
    found = []
    for line in (root / "asked").read_text().splitlines():
        words = line.split()
        first = words[words.index("--url") + 1].split("@")[1].split(",")[0].removesuffix("/system")
        node = words[words.index("--node") + 1] if "--node" in words else ""
        found.append((first, f"{words[words.index('--step') + 1]} {node}".strip()))
    return found


@pytest.mark.skipif(shutil.which("bash") is None, reason="the script needs bash")
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
    first, second, third = gateways
    assert asked(tmp_path, old, target, version) == [
        ("a:1", "start"),
        (first, "next-node 1"),
        (second, "next-node 2"),
        (third, "next-node 3"),
        ("a:1", "finalize"),
    ]
