"""The wall clock and the CPU time of ``guard check`` against the floor.

    GUARD_LIVE_SERVERS=DIR python -m tests.bench.wall_time [--runs 25] [--version v21.2.1]

The floor is a bare Python process that imports psycopg, connects and runs the statements that guard
ran (in libpq's pipeline, as guard does), once. Both are run alternately against the same gateway;
the medians and the ratios of both are printed. The floor ends as Python does; guard leaves at once
when it has said everything, which is why it can be the cheaper one. The aims: at most 1.25 by the
wall clock, 1.35 in CPU time, which is the one to compare where other things run on the machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.live.cluster import Cluster, find_executables

FLOOR = """
import sys
import psycopg
statements = open(sys.argv[2]).read().split("\\0")
with psycopg.connect(sys.argv[1], autocommit=True, prepare_threshold=None) as connection:
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    for statement in statements:
        pgconn.send_query_params(statement.encode(), None)
        pgconn.pipeline_sync()
    pgconn.flush()
    for statement in statements:
        while True:
            result = pgconn.get_result()
            if result is None:
                continue
            if result.status == psycopg.pq.ExecStatus.PIPELINE_SYNC:
                break
            rows = [
                [result.get_value(row, column) for column in range(result.nfields)]
                for row in range(result.ntuples)
            ]
"""
RECORD = """
import sys
from guard.connector import pipeline
sent = []
ask = pipeline.ask
def recording(pgconn, statements, deadline):
    sent.extend(s.sql for s in statements)
    return ask(pgconn, statements, deadline)
import guard.connector.collect as module
module.ask = recording
from guard.connector.hosts import targets
module.collect(targets([sys.argv[1]], {}), 30.0)
open(sys.argv[2], "w").write("\\0".join(sent))
"""
REPOSITORY = Path(__file__).parents[2]
AIMS = {"wall": 1.25, "cpu": 1.35}


def environment(root: Path) -> dict[str, str]:
    """Byte code is cached, as it is for an installed guard, whatever this shell has set."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    (root / "bytecode").mkdir()
    return kept | {"PYTHONPYCACHEPREFIX": str(root / "bytecode"), "PYTHONPATH": str(REPOSITORY)}


class Cost(NamedTuple):
    """Seconds of one run: by the wall clock, and of CPU time of the process, user's and system's."""

    wall: float
    cpu: float


def cost(env: dict[str, str], *command: str) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    # Not in the repository: whose pyproject.toml would be read and parsed as a policy.
    away = env["PYTHONPYCACHEPREFIX"]
    done = subprocess.run(command, capture_output=True, check=False, env=env, cwd=away)
    elapsed = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 10):
        raise SystemExit(done.stderr.decode() + done.stdout.decode())
    return Cost(elapsed, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> int:
    parser = argparse.ArgumentParser(description="wall time of guard check")
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--version", default="v21.2.1")
    options = parser.parse_args()
    directory = os.environ.get("GUARD_LIVE_SERVERS")
    if not directory:
        parser.error("GUARD_LIVE_SERVERS must name a directory of cockroach-vX.Y.Z executables")
    found: dict[str, Path] = {}
    for part in directory.split(os.pathsep):
        found |= find_executables(Path(part))
    with tempfile.TemporaryDirectory() as root:
        cluster = Cluster(Path(root), found, options.version)
        try:
            cluster.bootstrap()
            cluster.await_replication()
            floor, check = measure(cluster, Path(root) / "statements", options.runs)
        finally:
            cluster.close()
    for what, aim in AIMS.items():
        compare(what, aim, [getattr(c, what) for c in floor], [getattr(c, what) for c in check])
    return 0


def compare(what: str, aim: float, floor: list[float], check: list[float]) -> None:
    write = sys.stdout.write
    for name, times in (("floor", floor), ("guard check", check)):
        middle, least = statistics.median(times) * 1000, min(times) * 1000
        write(f"{what:<5}{name:<14}median {middle:6.0f} ms   fastest {least:6.0f} ms")
        write(f"   runs {len(times)}\n")
    ratio = statistics.median(check) / statistics.median(floor)
    fastest = min(check) / min(floor)
    write(f"{what:<5}ratio of medians {ratio:.2f}, of the fastest {fastest:.2f} (aim: {aim})\n")


def measure(cluster: Cluster, statements: Path, runs: int) -> tuple[list[Cost], list[Cost]]:
    url = cluster.url(1)
    subprocess.run([sys.executable, "-c", RECORD, url, str(statements)], check=True)
    arguments = ("check", "--url", url, "--step", "verify")
    env = environment(statements.parent)
    commands = (
        (sys.executable, "-c", FLOOR, url, str(statements)),
        (sys.executable, "-m", "guard", *arguments),
    )
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for turn in range(runs + 2):
        for command, measured in zip(commands, costs, strict=True):
            once = cost(env, *command)
            if turn >= 2:  # warm by then: byte code, page cache, the server's plans
                measured.append(once)
    return costs


if __name__ == "__main__":
    raise SystemExit(main())
