"""Rows that no server should send, and clocks that are hours apart: end to end, through the wire."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from guard.snapshot.model import Reason, Unavailable
from tests.cluster.fake import Fake
from tests.cluster.process import Run
from tests.cluster.recording import Recording, Table, load
from tests.connector.test_wire import FINAL, look
from tests.faults import fault, in_time

RUNNING = "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old"


def check(fake: Fake, recording: Recording | str, step: str, **options: Any) -> Run:
    with fake.gateway(recording, **options) as gateway:
        return in_time("check", "--step", step, "--format", "json", "--url", gateway.url(), seconds=20)


def outcomes(run: Run, check_id: str) -> set[str]:
    return {outcome for name, outcome, _ in run.findings() if name == check_id}


def _changed(query: str, where: dict[str, Any], values: dict[str, Any]) -> Recording:
    recording = load(FINAL)
    table = recording.table(query)
    changed = table.update(where, **values)
    assert changed != table, "nothing was changed"
    slug = "-".join(f"{name}={value}" for name, value in values.items())
    return recording.but(f"odd-{query}-{slug}", **{query: changed})


# Negative numbers.

_COUNTS = (
    ("kv_store_status", "capacity"), ("kv_store_status", "available"),
    ("kv_store_status", "range_count"), ("kv_store_status", "lease_count"),
    ("replication_stats", "unavailable_ranges"), ("replication_stats", "under_replicated_ranges"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "column"), _COUNTS)
def test_a_negative_size_or_count_is_no_answer(fake: Fake, query: str, column: str) -> None:
    with fake.gateway(_changed(query, {}, {column: -5})) as gateway:
        snapshot = look(gateway)
    section = getattr(snapshot, {"kv_store_status": "store_status"}.get(query, query))
    assert isinstance(section, Unavailable)
    assert (section.reason, column in section.message) == (Reason.MALFORMED, True)


@pytest.mark.parametrize("metric", ["ranges.unavailable", "ranges.underreplicated"])
@fault(
    "a negative number of unavailable ranges on one node, as many on another",
    "UNKNOWN: they are not added up to none", 11, group="Rows",
)  # fmt: skip
def test_negative_ranges_do_not_outweigh_others(fake: Fake, metric: str) -> Run:
    base = load(FINAL)
    rows = base.table("kv_store_status").dicts()
    for row, number in zip(rows, (3, -3, 0), strict=True):
        row["metrics"] = row["metrics"] | {metric: number}
    table = base.table("kv_store_status").with_rows(rows)
    run = check(fake, base.but(f"negative-{metric}", kv_store_status=table), "verify")
    assert outcomes(run, "range-health") == {"unknown"}
    return run


@pytest.mark.parametrize("query", ["gossip_nodes", "kv_node_status"])
@fault("a node with a negative number", "counts as one more node; never ALLOW", 10, 11, group="Rows")
def test_a_negative_node(fake: Fake, query: str) -> Run:
    base = load(FINAL)
    table = base.table(query)
    more = [*table.dicts(), table.dicts()[0] | {"node_id": -7}]
    return check(fake, base.but(f"node-7-{query}", **{query: table.with_rows(more)}), "verify")


@fault("a running backup with a negative id", "BLOCK, names it", 10, group="Rows")
def test_a_negative_job(fake: Fake) -> Run:
    base = load(RUNNING)
    (backup,) = (
        r
        for r in base.table("system_jobs").dicts()
        if r["status"] == "running" and r["claim_instance_id"] is None
    )
    tables = {
        query: base.table(query).update({"id": backup["id"]}, id=-12345)
        for query in ("system_jobs", "system_jobs_decoded")
    }
    run = check(fake, base.but("negative-job", **tables), "next-node")
    assert "-12345" in run.out
    return run


# Words that no release prints today.


@fault("a membership that guard does not know", "never taken for decommissioned", 10, 11, group="Rows")
def test_an_unknown_membership(fake: Fake) -> list[Run]:
    """The decommissioned node of the recording, on the old build, under a new word."""
    base = load(FINAL)
    tables = {
        query: base.table(query).update({"membership": "decommissioned"}, membership="exiled")
        for query in ("gossip_liveness", "kv_node_liveness")
    }
    recording = base.but("membership", **tables)
    runs = [check(fake, recording, "verify"), check(fake, recording, "finalize")]
    assert all(len(run.json["cluster"]["nodes"]) == 4 for run in runs)
    return runs


@fault("a running job of an unknown status", "is not taken for finished: BLOCK", 10, group="Rows")
def test_an_unknown_status(fake: Fake) -> Run:
    base = load(RUNNING)
    table = base.table("system_jobs")
    changed = table.update({"status": "running"}, status="hibernating")
    assert changed != table
    return check(fake, base.but("hibernating", system_jobs=changed), "next-node")


@fault("a running job of an unknown type", "may be a backup: BLOCK", 10, group="Rows")
def test_an_unknown_type(fake: Fake) -> Run:
    base = load(RUNNING)
    table = base.table("system_jobs_decoded")
    renamed = table.with_rows(
        row
        | {
            "payload_json": {
                {"backup": "teleport"}.get(key, key): value
                for key, value in (row["payload_json"] or {}).items()
            }
        }
        for row in table.dicts()
    )
    assert renamed != table
    return check(fake, base.but("teleport", system_jobs_decoded=renamed), "next-node")


@fault("an active schedule of an unknown status", "is judged by its next run", 0, group="Rows")
def test_an_unknown_schedule_status(fake: Fake) -> Run:
    recording = _changed("show_schedules", {}, {"schedule_status": "LIMBO"})
    run = check(fake, recording, "verify")
    (finding,) = [f for f in run.json["findings"] if f["check"] == "scheduled-backups"]
    assert (finding["outcome"], finding["evidence"]["active_schedules"]) == ("pass", 1)
    return run


# NULL where there never was one.


_NULLS = (
    ("gossip_nodes", "node_id"), ("gossip_liveness", "node_id"), ("kv_node_status", "node_id"),
    ("show_schedules", "id"), ("show_cluster_setting_version", "version"),
    ("cluster_settings", "value"),
)  # fmt: skip


@pytest.mark.parametrize(("query", "column"), _NULLS)
@fault("NULL in place of an id or a version", "UNKNOWN for what needs it", 11, group="Rows")
def test_null(fake: Fake, query: str, column: str) -> Run:
    return check(fake, _changed(query, {}, {column: None}), "verify")


@fault("every table has columns that guard does not know", "judges as before", 0, group="Rows")
def test_additional_columns(fake: Fake) -> Run:
    base = load(FINAL)
    tables = {
        query: answer.with_column("added_later", "text", "x").with_column("node_id_2", "int8", None)
        for query, answer in base.queries.items()
        if isinstance(answer, Table)
    }
    run = check(fake, base.but("more-columns", **tables), "verify")
    assert run.findings() == check(fake, FINAL, "verify").findings()
    return run


# Clocks.


def _moved(recording: Recording, by: dt.timedelta) -> Recording:
    """The same state at another time: every time in it is moved."""
    micros = by // dt.timedelta(microseconds=1)

    def cell(name: str, kind: str, value: Any) -> Any:
        if value is None:
            return None
        if kind.startswith("timestamp"):
            return (dt.datetime.fromisoformat(value) + by).isoformat()
        if name == "expiration":
            seconds, _, rest = value.partition(".")
            return f"{int(seconds) + micros // 1_000_000}.{rest}"
        if kind == "jsonb" and isinstance(value, dict):
            return {
                k: str(int(v) + micros) if re.fullmatch(r"\w+Micros", k) else v
                for k, v in value.items()
            }
        return value

    queries = {
        query: Table(
            answer.columns,
            tuple(
                tuple(cell(*column, value) for column, value in zip(answer.columns, row, strict=True))
                for row in answer.rows
            ),
        )
        if isinstance(answer, Table)
        else answer
        for query, answer in recording.queries.items()
    }
    clock = (dt.datetime.fromisoformat(recording.clock) + by).isoformat()
    return Recording(
        f"{recording.name}+moved-{micros}", recording.crdb_version, recording.user, clock, queries
    )


def _ages(run: Run) -> list[tuple[str, str, str, str]]:
    """What was found, without the absolute times."""
    times = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
    return [
        (f["check"], f["outcome"], f["title"], times.sub("TIME", f["detail"]))
        for f in run.json["findings"]
    ]


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        (RUNNING, "next-node", "is running, created just now"),
        ("v21.1.11-to-v21.2.0/03-uniform-old-preserve-set-schedule", "next-node", "is due now"),
    ],
    ids=["running backup", "due schedule"],
)
@fault(
    "guard's clock is hours behind or ahead of the cluster's",
    "ages and due schedules follow the cluster's", 10, group="Rows",
)  # fmt: skip
def test_clocks_that_are_hours_apart(fake: Fake, name: str, step: str, words: str) -> list[Run]:
    recording = load(name)
    clock = dt.datetime.fromisoformat(recording.clock).replace(tzinfo=dt.UTC)
    now = dt.datetime.now(dt.UTC)
    runs = [
        check(fake, _moved(recording, now + dt.timedelta(hours=hours) - clock), step)
        for hours in (-5, 0, 5)
    ]
    assert _ages(runs[0]) == _ages(runs[1]) == _ages(runs[2])
    assert words in str(_ages(runs[0]))
    return runs
