"""A real CockroachDB cluster on loopback: start it, roll its nodes, break it, ask guard about it.

Every process that is started here is ended here, by its own process id, and dies with the test run
if that dies first. Nothing sleeps for a fixed time: `until` polls a condition with a deadline.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg

from guard.catalog import load

__all__ = [
    "ENVIRONMENT",
    "FAR",
    "Cluster",
    "HeldBackup",
    "Report",
    "find_executables",
    "guard",
    "live_policy",
    "until",
]

T = TypeVar("T")

FAR: Final = f"{dt.datetime.now(dt.UTC).year + 5}-01-01"
"""When a schedule runs that is not to run in a test: within 70000 hours."""

ENVIRONMENT: Final = {
    "COCKROACH_SKIP_UPDATE_CHECK": "1",
    "COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING": "1",
    # The queues look at every range this often: replication is complete in seconds, not a minute.
    "COCKROACH_SCAN_MAX_IDLE_TIME": "20ms",
}
"""What the servers are started with."""

# Jobs are adopted, cancelled and retried at this pace, so that tests need not wait for them.
_QUICK: Final = {
    "jobs.registry.interval.adopt": "1s",
    "jobs.registry.interval.cancel": "1s",
    "bulkio.backup.read_retry_delay": "200ms",
}


def live_policy(settle: str = "1s") -> str:
    """A policy with what differs from production here.

    Nodes need not run in for a minute, the disk is shared with other work, and the targets are old
    ones, of whose own defects Cockroach Labs' advisories rightly warn. A-72839 stays as it is.
    """
    lowered = "\n".join(f'{name} = "warn"' for name in load().advisories if name != "A-72839")
    return f'''[thresholds]
settle = "{settle}"
capacity-free = "0%"
[severity]
{lowered}
'''


_PR_SET_PDEATHSIG: Final = 1
_DRAIN_PATIENCE: Final = 30.0  # the last node of a cluster never finishes draining


def until(
    condition: Callable[[], T | None], what: str, patience: float = 60.0, pause: float = 0.25
) -> T:
    """Poll until the condition gives something true, and return that.

    Errors of a connection are taken for "not yet".
    """
    deadline = time.monotonic() + patience
    last: T | Exception | None = None
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (psycopg.Error, OSError) as error:
            last = error
        else:
            if found:
                return found
            last = found
        time.sleep(pause)
    raise AssertionError(f"not within {patience:g} s: {what} (last: {last!r})")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True)
class Report:
    """What one run of guard said."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    json: dict[str, Any] = field(default_factory=dict)

    def of(self, check: str) -> list[dict[str, Any]]:
        """All findings of a check."""
        return [f for f in self.json["findings"] if f["check"] == check]

    def outcomes(self, check: str) -> set[str]:
        """The outcomes of a check's findings."""
        return {f["outcome"] for f in self.of(check)}

    @property
    def blockers(self) -> set[str]:
        """Ids of the checks that block."""
        return {f["check"] for f in self.json["findings"] if f["outcome"] == "block"}

    @property
    def warnings(self) -> set[str]:
        """Ids of the checks that warn."""
        return {f["check"] for f in self.json["findings"] if f["outcome"] == "warn"}

    @property
    def unknowns(self) -> set[str]:
        """Ids of the checks that could not look."""
        return {f["check"] for f in self.json["findings"] if f["outcome"] == "unknown"}

    def remedies(self, check: str | None = None) -> list[str]:
        """What guard suggests to do."""
        return [
            line
            for f in self.json["findings"]
            if check is None or f["check"] == check
            for line in f["remedy"]
        ]

    def text(self, check: str) -> str:
        """Titles and details of a check's findings."""
        return "\n".join(f"{f['title']} {f['detail']}" for f in self.of(check))

    def expect(self, code: int) -> Report:
        """Fail, showing everything guard said, unless it left with that code."""
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.summary}"
        return self

    @property
    def summary(self) -> str:
        """What an assertion that failed has to show."""
        if not self.json:
            return self.stdout + self.stderr
        findings = "\n".join(
            f"{f['outcome']:8}{f['check']}: {f['title']} | {f['detail']} | {f['remedy']}"
            for f in self.json["findings"]
            if f["outcome"] in ("block", "unknown", "warn")
        )
        return f"{self.json['verdict']} at {self.json['step']}\n{findings}\n{self.stderr}"


def guard(*arguments: str, env: Mapping[str, str] | None = None, patience: float = 90.0) -> Report:
    """Run guard as a user does, in a process of its own."""
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PG", "GUARD_", "COCKROACH_")) and k != "COLUMNS"
    }
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "guard", *arguments],
        capture_output=True,
        text=True,
        timeout=patience,
        env=clean | dict(env or {}),
        check=False,
    )
    seconds = time.monotonic() - started
    parsed: dict[str, Any] = {}
    if "json" in arguments and done.stdout.startswith("{"):
        parsed = json.loads(done.stdout)
        assert parsed["exit_code"] == done.returncode
    return Report(done.returncode, done.stdout, done.stderr, seconds, parsed)


class Node:
    """One node: its ports, its store, the executable it is to run, and its process."""

    def __init__(self, number: int, root: Path, port: int, http_port: int) -> None:
        self.number = number
        self.port = port
        self.http_port = http_port
        self.store = root / f"n{number}"
        self.binary = root / "bin" / f"n{number}" / "cockroach"
        self.pid_file = root / f"n{number}.pid"
        self.log = root / f"n{number}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.binary.parent.mkdir(parents=True)

    @property
    def address(self) -> str:
        """Where it listens for SQL and for the other nodes."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs, whether this object started it or a script did."""
        if self.process is not None and self.process.poll() is None:
            return self.process.pid
        try:
            pid = int(self.pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()  # empty for a zombie
        except (OSError, ValueError):
            return None
        return pid if str(self.pid_file) in command else None


@functools.cache
def _without_ballast(executable: Path) -> str:
    """What keeps a store from a gigabyte of ballast, for an executable that makes any."""
    field_of_store = ",ballast-size=0"
    asked = [str(executable), "start", f"--store=path=x{field_of_store}", "--help"]
    known = subprocess.run(asked, capture_output=True, check=False).returncode == 0
    return field_of_store if known else ""


class Cluster:
    """Nodes on loopback. Number and node id of a node are the same.

    Args:
        root: a directory of the cluster's own.
        executables: for each version the server's executable.
        version: what the nodes run at first.
        certs: a directory as ``cockroach cert`` makes it; None for an insecure cluster.
        size: how many nodes.
    """

    def __init__(
        self,
        root: Path,
        executables: Mapping[str, Path],
        version: str,
        certs: Path | None = None,
        size: int = 3,
    ) -> None:
        self.root = root
        self.executables = dict(executables)
        self.certs = certs
        self.policy = root / "guard.toml"
        self.policy.write_text(live_policy())
        ports = _free_ports(2 * size)
        self.nodes = {n: Node(n, root, ports[2 * n - 2], ports[2 * n - 1]) for n in range(1, size + 1)}
        for number in self.nodes:
            self.swap(number, version)

    # -- processes ------------------------------------------------------------------------------

    @property
    def _security(self) -> list[str]:
        return ["--insecure"] if self.certs is None else [f"--certs-dir={self.certs}"]

    def start_command(self, number: int) -> list[str]:
        """The command line that starts a node."""
        node = self.nodes[number]
        return [
            str(node.binary),
            "start",
            *self._security,
            f"--listen-addr={node.address}",
            f"--http-addr=127.0.0.1:{node.http_port}",
            f"--store=path={node.store}{_without_ballast(node.binary.resolve())}",
            f"--external-io-dir={self.root / 'extern'}",
            f"--pid-file={node.pid_file}",
            f"--join={','.join(n.address for n in self.nodes.values())}",
            "--cache=48MiB",
            "--max-sql-memory=128MiB",
        ]

    def launch(self, number: int) -> None:
        """Start a node's process, without waiting for it."""
        node = self.nodes[number]
        assert node.pid is None, f"n{number} runs already"
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(
                self.start_command(number),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | ENVIRONMENT,
                preexec_fn=_die_with_parent,
            )

    def start(self, number: int) -> None:
        """Start a node and wait until the whole cluster sees it as it is."""
        self.launch(number)
        self.await_node(number)

    def await_node(self, number: int) -> None:
        """Wait until a node answers and every running node knows its new process."""
        build = until(
            lambda: self.one("SELECT crdb_internal.node_executable_version()", node=number),
            f"n{number} answers\n{self.nodes[number].log}",
            patience=90,
        )
        tag = self.version_of(number)
        for other in self.running:
            until(
                lambda other=other: self.one(  # type: ignore[misc]
                    "SELECT count(*) FROM crdb_internal.gossip_nodes JOIN crdb_internal.gossip_liveness"
                    f" USING (node_id) WHERE node_id = {number} AND build_tag = '{tag}'"
                    " AND split_part(expiration, ',', 1)::DECIMAL > now()::DECIMAL AND NOT draining",
                    node=other,
                ),
                f"n{other} sees n{number} live on {tag} ({build})",
            )

    def bootstrap(self) -> None:
        """Start all nodes one after the other, so that number and node id agree."""
        first = min(self.nodes)
        self.launch(first)
        until(lambda: self.cli("init", node=first).returncode == 0, "cockroach init", 60)
        until(lambda: self.sql("SELECT 1", node=first), "the first node answers")
        for number in self.nodes:
            if number != first:
                self.launch(number)
            until(
                lambda number=number: self.one("SHOW node_id", node=number) == str(number),  # type: ignore[misc]
                f"n{number} has joined",
            )
            self.await_node(number)
        for setting, value in _QUICK.items():
            with contextlib.suppress(psycopg.Error):  # a release without it
                self.sql(f"SET CLUSTER SETTING {setting} = '{value}'")

    def await_replication(self) -> None:
        """Wait until every range has three replicas, and every node has said so in its status."""
        until(
            lambda: self.one(
                "SELECT count(*) = 0 FROM crdb_internal.ranges_no_leases"
                " WHERE array_length(replicas, 1) < 3",
                node=self.running[0],
            ),
            "every range has three replicas",
            patience=180,
            pause=0.5,
        )
        until(
            lambda: self.one(
                "SELECT sum((metrics->>'ranges.unavailable')::DECIMAL"
                " + (metrics->>'ranges.underreplicated')::DECIMAL) = 0"
                " FROM crdb_internal.kv_store_status",
                node=self.running[0],
            ),
            "the nodes' status counts no under-replicated range",
            patience=60,
        )

    @property
    def running(self) -> list[int]:
        """Numbers of the nodes whose process runs."""
        return [number for number, node in self.nodes.items() if node.pid is not None]

    def swap(self, number: int, version: str) -> None:
        """Put another executable where the node starts from."""
        binary = self.nodes[number].binary
        fresh = binary.with_name("next")
        fresh.symlink_to(self.executables[version])
        fresh.replace(binary)

    def version_of(self, number: int) -> str:
        """The version of the executable that a node starts from."""
        return self.nodes[number].binary.resolve().name.removeprefix("cockroach-")

    def stop(self, number: int) -> None:
        """Stop a node gracefully: it drains first."""
        self._end(number, signal.SIGTERM)

    def kill(self, number: int) -> None:
        """Kill a node: to the others it goes silent."""
        self._end(number, signal.SIGKILL)

    def _end(self, number: int, how: signal.Signals) -> None:
        node = self.nodes[number]
        pid = node.pid
        if pid is None:
            return
        os.kill(pid, how)
        try:
            until(lambda: node.pid is None, f"n{number} has ended", _DRAIN_PATIENCE)
        except AssertionError:
            if how is signal.SIGKILL:
                raise
            os.kill(pid, signal.SIGKILL)
            until(lambda: node.pid is None, f"n{number} has ended after SIGKILL", 10)
        if node.process is not None:
            node.process.wait()
            node.process = None

    def roll(self, number: int, version: str) -> None:
        """Restart a node on another version."""
        self.stop(number)
        self.swap(number, version)
        self.start(number)
        self.await_settled(number)

    def await_settled(self, number: int) -> None:
        """Wait until a node that came back has caught up: what guard asks for before the next one."""
        until(
            lambda: self.one(
                "SELECT (SELECT count(*) = 1 FROM crdb_internal.kv_node_status"
                f" WHERE node_id = {number} AND tag = '{self.version_of(number)}'"
                " AND now()::TIMESTAMP - started_at > '2s')"
                " AND (SELECT sum((metrics->>'ranges.unavailable')::DECIMAL"
                " + (metrics->>'ranges.underreplicated')::DECIMAL) = 0"
                " FROM crdb_internal.kv_store_status)",
                node=number,
            ),
            f"n{number} has settled",
            patience=120,
        )

    def close(self) -> None:
        """End every process of this cluster."""
        for number in self.nodes:
            with contextlib.suppress(ProcessLookupError):
                self.kill(number)
        for node in self.nodes.values():
            shutil.rmtree(node.store, ignore_errors=True)  # large; the logs stay

    # -- clients --------------------------------------------------------------------------------

    def url(self, *numbers: int, user: str = "root", database: str = "defaultdb") -> str:
        """A connection URL for these nodes, or for all."""
        hosts = ",".join(self.nodes[n].address for n in numbers or self.nodes)
        mode = "disable" if self.certs is None else "verify-full"
        url = f"postgresql://{user}@{hosts}/{database}?sslmode={mode}"
        if self.certs is not None:
            url += f"&sslrootcert={self.certs / 'ca.crt'}"
            if (self.certs / f"client.{user}.crt").exists():
                url += f"&sslcert={self.certs / f'client.{user}.crt'}"
                url += f"&sslkey={self.certs / f'client.{user}.key'}"
        return url

    def connect(self, node: int = 1, user: str = "root") -> psycopg.Connection[Any]:
        """A connection of the test's own."""
        return psycopg.connect(
            self.url(node, user=user), autocommit=True, prepare_threshold=None, connect_timeout=5
        )

    def sql(self, statement: str, node: int = 1, user: str = "root") -> list[tuple[Any, ...]]:
        """Run one statement through a node."""
        with self.connect(node, user) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, node: int = 1, user: str = "root") -> Any:
        """The value of a statement's single row and column."""
        [(value,)] = self.sql(statement, node, user)
        return value

    def cli(self, *arguments: str, node: int = 1) -> subprocess.CompletedProcess[str]:
        """The server executable's own client commands."""
        address = self.nodes[node].address
        return subprocess.run(
            [str(self.nodes[node].binary), *arguments, *self._security, f"--host={address}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def guard(self, *arguments: str, node: int | None = None, user: str = "root") -> Report:
        """``guard check`` on this cluster, through one node or the first that answers."""
        numbers = (node,) if node is not None else tuple(self.running)
        return self.guard_through(*numbers, arguments=arguments, user=user)

    def guard_through(self, *numbers: int, arguments: Sequence[str] = (), user: str = "root") -> Report:
        """``guard check`` with these nodes in the URL, in this order."""
        url = self.url(*numbers, user=user)
        given = ("--url", url, "--format", "json", "--policy", str(self.policy))
        return guard("check", *given, *arguments)

    # -- backups --------------------------------------------------------------------------------

    def make_table(self) -> None:
        """A table worth a backup."""
        self.sql("CREATE DATABASE IF NOT EXISTS shop")
        self.sql("CREATE TABLE IF NOT EXISTS shop.orders (id INT PRIMARY KEY, note STRING)")
        self.sql("UPSERT INTO shop.orders SELECT i, 'order' FROM generate_series(1, 200) AS g(i)")

    @contextlib.contextmanager
    def held_backup(self, node: int = 3, name: str = "held") -> Iterator[HeldBackup]:
        """A BACKUP that runs until it is released: an open write transaction keeps it from ending."""
        self.make_table()
        self.sql("SET CLUSTER SETTING bulkio.backup.read_with_priority_after = '1h'")
        writer = self.connect(node)
        try:
            writer.execute("BEGIN")
            writer.execute("UPDATE shop.orders SET note = 'in the making' WHERE id = 1")
            job = self.one(
                f"BACKUP DATABASE shop TO 'nodelocal://{node}/{name}' WITH detached", node=node
            )
            held = HeldBackup(self, int(job), writer)
            until(lambda: held.status == "running", "the backup runs")
            yield held
        finally:
            with contextlib.suppress(psycopg.Error):
                writer.close()

    def settle_backups(self, node: int = 1) -> None:
        """Wait until no BACKUP is under way any more."""
        until(
            lambda: self.one(
                "SELECT count(*) = 0 FROM crdb_internal.jobs WHERE job_type = 'BACKUP'"
                " AND status NOT IN ('succeeded', 'failed', 'canceled')",
                node=node,
            ),
            "no backup runs",
            patience=120,
        )


class HeldBackup:
    """A BACKUP job that waits for the test."""

    def __init__(self, cluster: Cluster, job_id: int, writer: psycopg.Connection[Any]) -> None:
        self._cluster = cluster
        self.job_id = job_id
        self._writer = writer

    @property
    def status(self) -> str:
        """The job's status."""
        node = self._cluster.running[0]
        return str(
            self._cluster.one(f"SELECT status FROM system.jobs WHERE id = {self.job_id}", node=node)
        )

    def release(self) -> None:
        """End the transaction that the backup waits for."""
        self._writer.close()

    def end(self, status: str = "succeeded") -> None:
        """Let it end, and wait until it has."""
        self.release()
        until(lambda: self.status == status, f"the backup is {status}", patience=120)

    def cancel(self) -> None:
        """Cancel it."""
        self._cluster.sql(f"CANCEL JOB {self.job_id}", node=self._cluster.running[0])
        self.end("canceled")


def find_executables(directory: Path, versions: Sequence[str] = ()) -> dict[str, Path]:
    """For each version in a directory of ``cockroach-vX.Y.Z`` its executable."""
    found = {
        path.name.removeprefix("cockroach-"): path.resolve()
        for path in sorted(directory.glob("cockroach-v*"))
        if os.access(path, os.X_OK)
    }
    return {v: found[v] for v in versions} if versions else found
