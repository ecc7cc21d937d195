"""Recurrences against the server's own next_run, and the job history and event log it really keeps."""

from __future__ import annotations

import datetime as dt
import re
from itertools import islice

import psycopg
import pytest

from guard.cluster.recurrence import recurrence
from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.decision.quiet_windows import quiet_windows
from guard.snapshot.model import Collected
from tests.live.cluster import Cluster
from tests.live.conftest import MakeCluster

BOTH = (
    "@hourly", "@daily", "@weekly", "@monthly", "@yearly",
    "30 4 * * *", "*/7 * * * *", "5/20 8-10 * * *", "0 0 1,15 * *", "0 12 * * mon-fri", "0 0 31 * *",
    "0 2 */2 * MON", "0 2 15 * */3", "0 2 1 * MON", "0 2 ? * MON", "0 2 *,15 * 3", "0 0 29 2 *",
    "15 3 1-7 1,6 SUN", "0 0,12 * JAN,jul *",
)  # fmt: skip
SINCE_22_1 = (
    "@midnight", "0 2 */1 * MON",
    "CRON_TZ=Asia/Tokyo 0 9 * * *", "TZ=Asia/Kolkata 15 9 * * 1", "TZ=UTC @daily",
    "TZ=Asia/Tokyo @weekly",
    # The days on which clocks change: hours that are left out, and that come twice.
    "TZ=America/New_York 30 2 8-14 3 *", "TZ=America/New_York 30 2 14 3 *",
    "TZ=America/New_York 30 3 14 3 *", "TZ=America/New_York 30 1 7 11 *",
    "TZ=Europe/Berlin 30 2 28 3 *", "TZ=Europe/Berlin 30 2 31 10 *", "TZ=Europe/Berlin 0 3 * 3 SUN",
)  # fmt: skip
REFUSED_SINCE_22_1 = ("0 0 * * 7", "0 0 L * *", "0 0 * * FRI-MON", "* * * * * *", "0 0 32 * *")


def next_runs(
    cluster: Cluster, expressions: tuple[str, ...]
) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    """For each expression when its schedule was made, and the server's next run."""
    for number, expression in enumerate(expressions):
        cluster.sql(
            f"CREATE SCHEDULE s{number} FOR BACKUP INTO 'nodelocal://1/s{number}'"
            f" RECURRING '{expression}' FULL BACKUP ALWAYS"
        )
    rows = cluster.sql("SELECT label, created, next_run FROM [SHOW SCHEDULES FOR BACKUP]")
    found = {label: (created, run) for label, created, run in rows}
    return {expression: found[f"s{number}"] for number, expression in enumerate(expressions)}


@pytest.mark.parametrize(
    ("version", "older"), [("v20.2.0", True), ("v21.1.2", True), ("v22.1.0", False)]
)
def test_the_next_run_is_the_servers(make_cluster: MakeCluster, version: str, older: bool) -> None:
    cluster = make_cluster(version, size=1)
    runs = next_runs(cluster, BOTH if older else (*BOTH, *SINCE_22_1))
    wrong = {}
    for expression, (created, run) in runs.items():
        rule = recurrence(expression, before_22_1=older)
        ours = list(islice(rule.after(created - dt.timedelta(seconds=1)), 2))
        if run not in ours:
            wrong[expression] = (created, run, ours)
    assert not wrong
    if not older:
        for expression in REFUSED_SINCE_22_1:
            with pytest.raises(psycopg.Error, match=re.escape(expression.split()[-1])):
                next_runs(cluster, (expression,))


def test_history_and_events_of_a_real_cluster(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v22.1.0", size=1)
    cluster.make_table()
    cluster.sql("SET CLUSTER SETTING jobs.retention_time = '500h'")
    cluster.sql("BACKUP DATABASE shop TO 'nodelocal://1/by-hand'")
    snapshot = collect(targets([cluster.url(1)], {}), 30)
    history, events = snapshot.job_history, snapshot.events
    assert isinstance(history, Collected), history
    assert isinstance(events, Collected), events
    [backup] = [job for job in history.rows if job.job_type == "BACKUP"]
    assert backup.created is not None
    assert backup.finished is not None
    assert backup.finished > backup.created
    assert backup.schedule_id is None
    kinds = {(e.event_type, e.node_id, e.setting) for e in events.rows}
    assert ("node_join", 1, None) in kinds
    assert ("set_cluster_setting", None, "jobs.retention_time") in kinds
    answer = quiet_windows(snapshot, dt.timedelta(minutes=10), dt.timedelta(hours=3))
    assert answer.exit_code == 0
    assert any("started by no schedule" in note for note in answer.notes)
