"""guard watch over a whole rolling upgrade; a backup begins and a node dies while it watches."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from tests.live.cluster import Cluster, until
from tests.live.conftest import MakeCluster

OLD, NEW = "v21.2.1", "v22.1.0"


class Watch:
    """A guard watch that runs beside the test, and the changes that it has told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.changes: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.changes.append(json.loads(line))

    def expect(self, kind: str, *words: str, since: int = 0, patience: float = 60) -> dict[str, Any]:
        """The first change of a kind that has these words, as soon as it is told."""

        def found() -> dict[str, Any] | None:
            for change in self.changes[since:]:
                if change["kind"] == kind and all(word in change["text"] for word in words):
                    return change
            return None

        return until(found, f"{kind} {words} among {self.told(since)}", patience)

    def told(self, since: int = 0) -> list[str]:
        return [f"{change['kind']}: {change['text']}" for change in self.changes[since:]]

    @property
    def mark(self) -> int:
        """How much has been told so far."""
        return len(self.changes)


@contextlib.contextmanager
def watching(cluster: Cluster, *arguments: str) -> Iterator[Watch]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "GUARD_", "COCKROACH_"))}
    command = [sys.executable, "-m", "guard", "watch", "--url", cluster.url(), "--every", "1s"]
    command += ["--format", "json", "--policy", str(cluster.policy), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean) as process:
        try:
            yield Watch(process)
        finally:
            process.kill()


def allowed(cluster: Cluster) -> None:
    """Wait until guard would allow the next node."""
    until(lambda: cluster.guard("--step", "next-node", "--target", NEW).code == 0, "ALLOW", 120)


def test_a_whole_rolling_upgrade(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(OLD, NEW)
    cluster.make_table()
    cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.2'")
    with watching(cluster, "--target", NEW) as watch:
        watch.expect("first-look")
        cluster.roll(1, NEW)
        assert watch.expect("node", f"n1 went from {OLD} to {NEW}")["node_id"] == 1

        # A backup begins although, and after, the next node was allowed.
        allowed(cluster)
        until(lambda: watch.changes[-1]["verdict"] == "allow", f"the watch allows {watch.told()}")
        with cluster.held_backup(node=3) as backup:
            began = watch.expect("backup-after-allow", str(backup.job_id))
            assert began["job_id"] == str(backup.job_id)
            backup.end()
        watch.expect("backup", f"backup job {backup.job_id} succeeded")

        # A node dies and is started again.
        before = watch.mark
        cluster.kill(2)
        watch.expect("node", "n2", "(was live)", since=before)
        assert watch.expect("verdict", "BLOCK", since=before)["exit_code"] == 10
        cluster.start(2)
        watch.expect("node", "n2 was restarted on the same build", since=before)
        allowed(cluster)
        watch.expect("cleared", "node-liveness", since=before)

        cluster.roll(2, NEW)
        watch.expect("node", f"n2 went from {OLD} to {NEW}")
        cluster.roll(3, NEW)
        watch.expect("node", f"n3 went from {OLD} to {NEW}")

        before = watch.mark
        cluster.sql("RESET CLUSTER SETTING cluster.preserve_downgrade_option")
        # It may take minutes: the killed node's leases of system tables have to run out first.
        watch.expect("finalizing", "from 21.2", "no way back", since=before, patience=300)
        watch.process.send_signal(signal.SIGINT)
        assert watch.process.wait(timeout=30) == 130
    kinds = {change["kind"] for change in watch.changes}
    assert "node-flapping" not in kinds
    assert "mixed-too-long" not in kinds


def test_the_whole_cluster_goes_away_and_comes_back(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(OLD)
    with watching(cluster, "--target", OLD, "--until", "verify") as landed:
        assert landed.process.wait(timeout=60) == 0  # nothing is under way: the first look ends it
    with watching(cluster, "--target", OLD, "--timeout", "3s", "--until", "10m") as watch:
        watch.expect("first-look")
        for number in cluster.nodes:
            cluster.kill(number)
        assert watch.expect("connection-lost")["exit_code"] == 11
        for number in cluster.nodes:
            cluster.launch(number)
        watch.expect("connection-back")
        for number in cluster.nodes:
            watch.expect("node", f"n{number} was restarted on the same build")
        assert watch.process.poll() is None
