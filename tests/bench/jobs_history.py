"""What guard's job statements cost on a server with a long job history.

    GUARD_LIVE_SERVERS=DIR python -m tests.bench.jobs_history [--jobs 100000] [--version v21.2.1]

A single node with a few real jobs; their rows are then copied, payload and all, until there are as
many finished jobs as asked for. Every statement that guard may send for jobs on this release is
timed before and after, and so are all its other statements. Those that guard prefers must not grow
with the history; the newest-finished-jobs statement grows until it reads its limit, and no further.
Those it falls back to when the better one is refused do grow.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from guard.connector.connect import announced_build
from guard.connector.statements import SECTIONS, Statement
from tests.live.cluster import Cluster, find_executables, guard, until

BATCH = 5_000
JOBS = ("active_jobs", "job_history")
# 22.2 and later keep payloads in another table; this benchmark is about the releases before.
COPY = """
INSERT INTO system.jobs (id, status, created, payload, progress, created_by_type, created_by_id)
SELECT {base} + g.i,
       CASE WHEN g.i % 50 = 0 THEN 'failed' WHEN g.i % 97 = 0 THEN 'canceled' ELSE 'succeeded' END,
       now()::TIMESTAMP - '13 days'::INTERVAL * (({base} + g.i)::FLOAT / {total}::FLOAT),
       j.payload, j.progress, j.created_by_type, j.created_by_id
FROM generate_series(1, {batch}) AS g(i)
JOIN (SELECT *, row_number() OVER (ORDER BY id) AS k FROM system.jobs
      WHERE status = 'succeeded' AND id > {limit}) AS j
  ON j.k = 1 + g.i % {kinds}
"""


def statements(server: str, *sections: str) -> list[Statement]:
    """Every statement guard may send for these sections through this gateway."""
    build = announced_build(server)
    series = build.series if build else None
    return [s for name in sections for s in SECTIONS[name] if s.suits(series)]


def milliseconds(connection: psycopg.Connection[object], statement: Statement, runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        connection.execute(statement.sql).fetchall()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def real_jobs(cluster: Cluster) -> int:
    """Let the server make finished jobs of several kinds; how many there are."""
    cluster.make_table()
    cluster.sql("CREATE INDEX ON shop.orders (note)")
    cluster.sql("CREATE STATISTICS s FROM shop.orders")
    for name in ("one", "two"):
        cluster.sql(f"BACKUP DATABASE shop TO 'nodelocal://1/{name}'")
    cluster.settle_backups()
    return int(cluster.one("SELECT count(*) FROM system.jobs WHERE status = 'succeeded'"))


def fill(cluster: Cluster, jobs: int, kinds: int) -> None:
    limit = 1_000_000_000  # copies have small ids, the server's own are huge
    with cluster.connect() as connection:
        for base in range(0, jobs, BATCH):
            batch = min(BATCH, jobs - base)
            text = COPY.format(base=base, total=jobs, batch=batch, kinds=kinds, limit=limit)
            connection.execute(text)
        connection.execute("CREATE STATISTICS jobs FROM system.jobs")


def measure(cluster: Cluster, runs: int) -> dict[str, float]:
    with cluster.connect() as connection:
        server = connection.info.parameter_status("crdb_version") or ""
        result = {s.name: milliseconds(connection, s, runs) for s in statements(server, *SECTIONS)}
    whole = [
        guard("collect", "--url", cluster.url(1), "-o", os.devnull).seconds * 1000 for _ in range(runs)
    ]
    return result | {"guard collect, whole process": statistics.median(whole)}


def main() -> int:
    parser = argparse.ArgumentParser(description="guard's job statements and the job history")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--version", default="v21.2.1")
    parser.add_argument("--explain", action="store_true", help="print the plans as well")
    options = parser.parse_args()
    directory = os.environ.get("GUARD_LIVE_SERVERS")
    if not directory:
        parser.error("GUARD_LIVE_SERVERS must name a directory of cockroach-vX.Y.Z executables")
    found: dict[str, Path] = {}
    for part in directory.split(os.pathsep):
        found |= find_executables(Path(part))
    with tempfile.TemporaryDirectory() as root:
        cluster = Cluster(Path(root), found, options.version, size=1)
        try:
            cluster.bootstrap()
            cluster.sql("SET CLUSTER SETTING jobs.retention_time = '8760h'")
            cluster.sql("SET CLUSTER SETTING sql.stats.automatic_collection.enabled = false")
            kinds = real_jobs(cluster)
            before = measure(cluster, options.runs)
            started = time.perf_counter()
            fill(cluster, options.jobs, kinds)
            filled = time.perf_counter() - started
            count = until(lambda: cluster.one("SELECT count(*) FROM system.jobs"), "the jobs are there")
            after = measure(cluster, options.runs)
            if options.explain:
                explain(cluster)
        finally:
            cluster.close()
    write = sys.stdout.write
    write(f"{options.version}: {count} jobs in system.jobs, filled in {filled:.0f} s; ")
    write(f"medians of {options.runs}, ms\n")
    write(f"{'statement':<32}{'few jobs':>12}{options.jobs:>12}{'growth':>9}\n")
    for name, value in before.items():
        write(f"{name:<32}{value:>12.1f}{after[name]:>12.1f}{after[name] / value:>8.1f}x\n")
    return 0


def explain(cluster: Cluster) -> None:
    with cluster.connect() as connection:
        server = connection.info.parameter_status("crdb_version") or ""
        for statement in statements(server, *JOBS):
            plan = connection.execute(f"EXPLAIN {statement.sql}").fetchall()
            sys.stdout.write(f"\n{statement.name}\n" + "\n".join(str(row[0]) for row in plan) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
