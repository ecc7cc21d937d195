"""The same cluster in every layout; what an archive lacks is unavailable, with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.debugzip.collect import read_debug_zip
from guard.debugzip.errors import DebugZipError
from guard.decision.engine import evaluate
from guard.decision.result import Outcome
from guard.snapshot.file import encode
from guard.snapshot.model import Collected, Reason, Snapshot, Unavailable
from tests.debugzip.making import at, entries, hlc, pack, quiet, rendered

Content = dict[str, bytes]


def read(tmp_path: Path, content: Content) -> Snapshot:
    return read_debug_zip(pack(tmp_path / "debug.zip", content))


def why(section: object) -> Unavailable:
    assert isinstance(section, Unavailable)
    return section


def verdict(seen: Snapshot, step: str = "start", target: str = "v21.1.21") -> str:
    return evaluate(seen, step=step, target=target).verdict.value


def test_a_quiet_cluster_is_allowed(tmp_path: Path) -> None:
    seen = read(tmp_path, entries(quiet()))
    assert verdict(seen) == "allow"
    assert isinstance(seen.schedules, Collected)
    assert [(row.schedule_id, row.label) for row in seen.schedules.rows] == [(1, "nightly")]
    assert b"hunter2" not in encode(seen)
    assert isinstance(seen.store_status, Collected)
    assert [row.underreplicated_ranges for row in seen.store_status.rows] == [0, 0, 0]


@pytest.mark.parametrize("how", ["csv", "json", "ndjson"])
def test_every_format_gives_the_same_snapshot(tmp_path: Path, how: str) -> None:
    tables = quiet(jobs=[(7, "BACKUP", "running"), (6, "BACKUP", "succeeded")])
    expected = read(tmp_path, entries(tables))
    assert read(tmp_path, entries(tables, how)) == expected


@pytest.mark.parametrize("top", ["", "case-1234/debug/", "debug/debug/"])
def test_a_folder_that_was_packed_again(tmp_path: Path, top: str) -> None:
    assert read(tmp_path, entries(quiet(), top=top)) == read(tmp_path, entries(quiet()))


def test_virtual_clusters_beside_the_system_are_not_mistaken_for_it(tmp_path: Path) -> None:
    tenant = quiet(version="20.2", jobs=[(9, "BACKUP", "running")])
    content = entries(quiet()) | entries(tenant, top="debug/cluster/app/")
    assert read(tmp_path, content) == read(tmp_path, entries(quiet()))


REMOVED: list[tuple[str, str, Reason]] = [
    ("crdb_internal.cluster_settings", "settings", Reason.NOT_ASKED),
    ("system.settings", "kv_version", Reason.NOT_ASKED),
    ("crdb_internal.kv_node_status", "node_status", Reason.NOT_ASKED),
    ("crdb_internal.kv_store_status", "store_status", Reason.NOT_ASKED),
    ("system.scheduled_jobs", "schedules", Reason.NOT_ASKED),
    ("crdb_internal.zones", "zone_replicas", Reason.NOT_ASKED),
]
REFUSED: list[tuple[bytes, Reason]] = [
    (b"pq: only users with the admin role are allowed to read x", Reason.PRIVILEGE),
    (b"ERROR: user low does not have VIEWJOB system privilege (SQLSTATE 42501)", Reason.PRIVILEGE),
    (b"pq: query execution canceled due to statement timeout", Reason.TIMEOUT),
    (b"ERROR: query execution canceled (SQLSTATE 57014)", Reason.TIMEOUT),
    (b"pq: unimplemented: operation is unsupported in multi-tenancy mode", Reason.VIRTUAL_CLUSTER),
    (b'pq: relation "x" does not exist', Reason.NOT_IN_THIS_VERSION),
    (b"dial tcp 10.0.0.1:26257: connect: connection refused", Reason.CONNECTION),
    (b"Access to crdb_internal and system is restricted. (SQLSTATE 42501)", Reason.UNSAFE_INTERNALS),
    (b"something new", Reason.ERROR),
    (b"", Reason.ERROR),
]  # fmt: skip


@pytest.mark.parametrize(("table", "section", "reason"), REMOVED)
def test_a_table_that_is_not_there(tmp_path: Path, table: str, section: str, reason: Reason) -> None:
    content = {name: data for name, data in entries(quiet()).items() if f"/{table}." not in name}
    seen = read(tmp_path, content)
    assert why(getattr(seen, section)).reason is reason
    assert table in why(getattr(seen, section)).message
    if section != "zone_replicas":
        assert verdict(seen) != "allow" or section == "store_status"


@pytest.mark.parametrize(("text", "reason"), REFUSED)
@pytest.mark.parametrize("left", [b"", b"schedule_id\tnext_run\texecutor_type\n"])
def test_an_error_beside_a_table_counts_even_if_rows_were_written_before_it(
    tmp_path: Path, text: bytes, reason: Reason, left: bytes
) -> None:
    content = entries(quiet())
    content["debug/system.scheduled_jobs.txt"] = left
    content["debug/system.scheduled_jobs.txt.err.txt"] = text
    seen = read(tmp_path, content)
    assert why(seen.schedules).reason is reason
    assert verdict(seen) == "unknown"


def test_the_error_may_be_named_without_the_ending(tmp_path: Path) -> None:
    content = entries(quiet())
    content["debug/system.scheduled_jobs.err.txt"] = b"pq: permission denied"
    assert why(read(tmp_path, content).schedules).reason is Reason.PRIVILEGE


def test_v20_1_on_a_terminal_writes_tables_for_people(tmp_path: Path) -> None:
    content = entries(quiet())
    content["debug/system.scheduled_jobs.txt"] = (
        b"  schedule_id | next_run\n--------------+----\n(0 rows)\n"
    )
    assert "in a pipe" in why(read(tmp_path, content).schedules).remedy[0]


def test_the_answer_to_a_set_statement_before_the_rows(tmp_path: Path) -> None:
    content = entries(quiet())
    content |= {n: b"SET\n" + d for n, d in content.items() if n.endswith(".txt")}
    assert read(tmp_path, content) == read(tmp_path, entries(quiet()))


def test_redacted_sessions_have_no_statements(tmp_path: Path) -> None:
    tables = quiet(version="23.1", builds=("v23.1.20",) * 3)
    tables["crdb_internal.cluster_sessions"] = (
        ("node_id", "user_name", "application_name"),
        [[1, "app", "psql"], [2, "root", "$ internal cockroach zip"]],
    )
    seen = read(tmp_path, entries(tables))
    assert isinstance(seen.identity, Collected)
    assert seen.identity.rows[0].user == "root"
    assert seen.connection.host.endswith("n2")  # type: ignore[union-attr]


def test_v20_1_writes_the_error_into_the_table_itself(tmp_path: Path) -> None:
    content = entries(quiet())
    content["debug/system.scheduled_jobs.txt"] = b"pq: only users with the admin role may do that\n"
    assert why(read(tmp_path, content).schedules).reason is Reason.PRIVILEGE


@pytest.mark.parametrize("suffix", [".1", ".3", ".fallback"])
def test_after_a_retry_the_later_file_counts(tmp_path: Path, suffix: str) -> None:
    content = entries(quiet())
    rows = content["debug/system.scheduled_jobs.txt"]
    retries = {".1": [""], ".3": ["", ".1", ".2"], ".fallback": [""]}[suffix]
    for each in retries:
        content[f"debug/system.scheduled_jobs{each}.txt"] = b""
        content[f"debug/system.scheduled_jobs{each}.txt.err.txt"] = (
            b"restart transaction (SQLSTATE 40001)"
        )
    content[f"debug/system.scheduled_jobs{suffix}.txt"] = rows
    assert read(tmp_path, content) == read(tmp_path, entries(quiet()))


def _cut(data: bytes) -> bytes:
    return data[: len(data) - 20]


def _empty(_: bytes) -> bytes:
    return b""


def _open_quote(data: bytes) -> bytes:
    return data + b'9\t"nightly\t'


@pytest.mark.parametrize("damage", [_cut, _empty, _open_quote])
@pytest.mark.parametrize(
    "table", ["system.scheduled_jobs", "crdb_internal.cluster_settings", "system.settings"]
)
def test_a_table_that_is_cut_off(tmp_path: Path, damage: Callable[[bytes], bytes], table: str) -> None:
    content = entries(quiet())
    name = f"debug/{table}.txt"
    content[name] = damage(content[name])
    assert verdict(read(tmp_path, content)) == "unknown"


def test_a_value_that_cannot_be_read_hides_the_section(tmp_path: Path) -> None:
    tables = quiet()
    tables["system.scheduled_jobs"][1][0][4] = "soon"
    assert why(read(tmp_path, entries(tables)).schedules).reason is Reason.MALFORMED


def test_redaction(tmp_path: Path) -> None:
    tables = quiet(settings={"cluster.preserve_downgrade_option": "<redacted>"})
    for n in (1, 2, 3):
        columns, rows = tables[f"nodes/{n}/crdb_internal.gossip_nodes"]
        tables[f"nodes/{n}/crdb_internal.gossip_nodes"] = (
            columns,
            [[row[0], "<redacted>", "<redacted>", "<redacted>", *row[4:]] for row in rows],
        )
    seen = read(tmp_path, entries(tables))
    # Set, and only the active version can be set: the way back is preserved.
    decision = evaluate(seen, step="start", target="v21.2.17")
    [found] = [f for f in decision.findings if f.check == "auto-finalization"]
    assert found.outcome is Outcome.PASS
    assert isinstance(seen.gossip_nodes, Collected)
    assert {row.address for row in seen.gossip_nodes.rows} == {None}


def test_jobs_that_the_decoded_table_hides_are_found_in_the_other(tmp_path: Path) -> None:
    seen = read(tmp_path, entries(quiet(hidden_jobs=[(8, "running")])))
    assert isinstance(seen.active_jobs, Collected)
    assert [(job.job_id, job.job_type) for job in seen.active_jobs.rows] == [(8, None)]
    decision = evaluate(seen, step="next-node", target="v21.1.21")
    assert [f.outcome for f in decision.findings if f.check == "running-backups"] == [Outcome.WARN]


def test_the_later_table_tells_how_a_job_ended(tmp_path: Path) -> None:
    tables = quiet(jobs=[(7, "BACKUP", "running")])
    tables["system.jobs"][1][0][1] = "succeeded"
    tables["system.jobs"][1][0][4:] = ["crdb_schedule", 1]
    seen = read(tmp_path, entries(tables))
    assert isinstance(seen.active_jobs, Collected)
    assert not seen.active_jobs.rows
    assert isinstance(seen.job_history, Collected)
    [job] = seen.job_history.rows
    assert (job.status, job.job_type, job.schedule_id) == ("succeeded", "BACKUP", 1)


def _nobody(tables: dict[str, object]) -> None:
    del tables["crdb_internal.cluster_sessions"]


def test_sight_must_be_proved(tmp_path: Path) -> None:
    """From v23.1.12 on others than admins read the nodes, so the jobs may be filtered."""
    tables = quiet(version="23.1", builds=("v23.1.20",) * 3)
    _nobody(tables)  # type: ignore[arg-type]
    proved = read(tmp_path, entries(tables))
    assert isinstance(proved.privileges, Collected)
    assert [row.kind for row in proved.privileges.rows] == ["whole-table"]
    assert verdict(proved, "verify", "v23.1.20") == "allow"

    del tables["system.jobs"]
    seen = read(tmp_path, entries(tables))
    assert why(seen.privileges).reason is Reason.PRIVILEGE
    decision = evaluate(seen, step="verify", target="v23.1.20")
    assert (decision.verdict.value, "as root" in decision.findings[0].remedy[0]) == ("unknown", True)


def test_before_v23_1_12_the_nodes_alone_prove_an_admin(tmp_path: Path) -> None:
    tables = quiet()
    _nobody(tables)  # type: ignore[arg-type]
    del tables["system.jobs"]
    assert verdict(read(tmp_path, entries(tables))) == "allow"


def test_root_proves_itself(tmp_path: Path) -> None:
    tables = quiet(version="23.1", builds=("v23.1.20",) * 3)
    del tables["system.jobs"]
    assert verdict(read(tmp_path, entries(tables)), "verify", "v23.1.20") == "allow"


def test_of_two_views_the_newer_record_counts(tmp_path: Path) -> None:
    tables = quiet()
    columns, rows = tables["nodes/2/crdb_internal.gossip_liveness"]
    newer = [list(row) for row in rows]
    newer[2][3], newer[2][2], newer[2][6] = "true", hlc(20), at(5)
    tables["nodes/2/crdb_internal.gossip_liveness"] = columns, newer
    seen = read(tmp_path, entries(tables))
    assert isinstance(seen.gossip_liveness, Collected)
    assert [row.draining for row in seen.gossip_liveness.rows] == [False, False, True]
    assert verdict(seen, "next-node") == "block"


def test_without_any_view_of_gossip_the_nodes_are_unknown(tmp_path: Path) -> None:
    content = {n: d for n, d in entries(quiet()).items() if "gossip_liveness" not in n}
    assert verdict(read(tmp_path, content)) == "unknown"


def test_a_gateway_that_is_not_told_is_not_guessed(tmp_path: Path) -> None:
    tables = quiet(builds=("v21.2.4", "v21.1.12", "v21.1.12"))
    _nobody(tables)  # type: ignore[arg-type]
    seen = read(tmp_path, entries(tables))
    assert seen.connection.build is None  # type: ignore[union-attr]
    told = entries(tables) | {"debug/reports/problemranges.json": b'{"node_id": 2}'}
    assert read(tmp_path, told).connection.build == "v21.1.12"  # type: ignore[union-attr]


def test_the_time_of_the_entries_where_no_row_has_one(tmp_path: Path) -> None:
    content = {"debug/crdb_internal.cluster_settings.txt": b"variable\tvalue\nversion\t21.1\n"}
    seen = read(tmp_path, content)
    assert seen.taken_at.isoformat() == "2026-11-24T12:00:00+00:00"
    assert verdict(seen) == "unknown"


UNKNOWN_LAYOUTS: list[tuple[Content, str]] = [
    ({}, r"debug/crdb_internal\.cluster_settings\.txt"),
    ({"readme.txt": b""}, r"debug/crdb_internal\.cluster_settings\.txt"),
    (entries(quiet()) | entries(quiet(), top="other/"), "more than one cluster"),
    (entries(quiet()) | entries(quiet(), "csv"), "more than one format"),
    ({"debug/crdb_internal.jobs.html": b"<table>"}, r"--format, or with tsv, csv, json or ndjson"),
]


@pytest.mark.parametrize(("content", "words"), UNKNOWN_LAYOUTS)
def test_an_unknown_layout_says_what_was_looked_for(
    tmp_path: Path, content: Content, words: str
) -> None:
    with pytest.raises(DebugZipError) as error:
        read(tmp_path, content)
    assert re.search(words, str(error.value))


def test_events_of_old_releases_come_from_the_list(tmp_path: Path) -> None:
    setting = '{"SettingName":"version","Value":"hunter2"}'
    listed = [
        {"timestamp": "2026-11-24T11:00:00Z", "event_type": "node_join", "target_id": 2, "info": "{}"},
        {"timestamp": "2026-11-24T11:30:00Z", "event_type": "set_cluster_setting", "info": setting},
        {"timestamp": "2026-11-24T11:31:00Z", "event_type": "drop_table"},
    ]
    content = entries(quiet()) | {"debug/events.json": json.dumps({"events": listed}).encode()}
    seen = read(tmp_path, content)
    assert isinstance(seen.events, Collected)
    assert [(e.event_type, e.node_id, e.setting) for e in seen.events.rows] == [
        ("set_cluster_setting", None, "version"),
        ("node_join", 2, None),
    ]
    assert b"hunter2" not in encode(seen)


def test_the_table_of_events_counts_more_than_the_list(tmp_path: Path) -> None:
    table = (
        ("timestamp", "eventType", "targetID", "reportingID", "info"),
        [[at(-60), "node_restart", 0, 3, '{"NodeID":3}']],
    )
    content = entries(quiet()) | {
        "debug/system.eventlog.txt": rendered(table, "txt"),  # type: ignore[arg-type]
        "debug/events.json": b'{"events": []}',
    }
    seen = read(tmp_path, content)
    assert isinstance(seen.events, Collected)
    assert [(e.event_type, e.node_id) for e in seen.events.rows] == [("node_restart", 3)]
