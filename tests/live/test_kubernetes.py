"""examples/kubernetes/rolling-upgrade-kubernetes.sh on real nodes: a stand-in kubectl moves them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.live.cluster import Cluster
from tests.live.conftest import MakeCluster
from tests.live.test_script import Script, builds

EXAMPLES = Path(__file__).parents[2] / "examples"
KUBECTL = Path(__file__).parents[1] / "examples" / "kubectl"

# Pod db-0 is n1, and so on.
POD = """#!/usr/bin/env bash
set -eu
source "$ROOT/hooks.sh"
host=$(sed -n "$((${2##*-} + 1))p" "$ROOT/hosts")
case $1 in
    replace) TARGET=${3##*:}
             stop_node "$host" || true
             install_binary "$host"
             start_node "$host" ;;
    ready) [[ -e /proc/$(cat "$ROOT/n$(number "$host").pid")/exe ]] ;;
    port) echo "${host#*:}" ;;
    exec) "$COCKROACH" "${@:4}" --host="$host" ;;
esac
"""


class Pods(Script):
    """The nodes as the pods of a StatefulSet."""

    def __init__(self, cluster: Cluster, old: str, target: str) -> None:
        super().__init__(cluster, target)
        root = cluster.root
        image = f"cockroachdb/cockroach:{old}"
        (root / "hosts").write_text("".join(f"{n.address}\n" for n in cluster.nodes.values()))
        (root / "pods").mkdir()
        for number in cluster.nodes:
            (root / "pods" / f"db-{number - 1}").write_text(image)
        for name, text in (
            ("name", "db"), ("replicas", str(len(cluster.nodes))), ("container", "db"),
            ("partition", "0"), ("image", image), ("old-image", image), ("pod", POD),
        ):  # fmt: skip
            (root / name).write_text(text)
        (root / "pod").chmod(0o755)
        del self._environment["HOOKS"]
        self._environment |= {
            "KUBECTL": str(KUBECTL), "KUBECTL_ROOT": str(root), "STATEFULSET": "db",
            "SQL_OPTIONS": "--insecure",
        }  # fmt: skip

    def begin(self, **environment: str) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [str(EXAMPLES / "kubernetes" / "rolling-upgrade-kubernetes.sh")],
                env=self._environment | environment, stdout=log, stderr=log,
            )  # fmt: skip


def test_a_stateful_set_pod_by_pod(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.1.12", "v21.2.1")
    pods = Pods(cluster, "v21.1.12", "v21.2.1")
    cluster.make_table()
    # Backups are taken here, and A-72839 wants them protected.
    cluster.sql("SET CLUSTER SETTING bulkio.backup.experimental_21_2_mode.enabled = true")

    # No sight, no permission; and nothing has moved.
    cluster.sql("CREATE USER nobody")
    assert pods.run(DB_USER="nobody") == 11, pods.said
    with cluster.held_backup(node=1) as backup:
        assert pods.run(WAIT="0s") == 10, pods.said
        assert builds(cluster) == ["v21.1.12"] * 3
        backup.end()

    assert pods.run() == 0, pods.said
    assert builds(cluster) == ["v21.2.1"] * 3
    assert cluster.one("SHOW CLUSTER SETTING version") == "21.1"
    assert pods.run(FINALIZE="yes") == 0, pods.said
    assert cluster.one("SHOW CLUSTER SETTING version") == "21.2"
    assert cluster.one("SELECT count(*) FROM shop.orders") == 200
