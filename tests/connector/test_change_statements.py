"""The statements that only some hops need: run, watched on the wire, with secrets wherever they can be.

CockroachDB's own words (flags, descriptions, function bodies) are planted in a PostgreSQL server; what
the releases really answer was tried on servers of v20.2 and of v22.1 in development.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from guard.catalog import load as load_catalog
from guard.catalog.change_records import SetSettingProbe
from guard.connector import statements
from guard.connector.change_statements import CHANGE_SECTIONS, READ_VALUES
from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.snapshot.file import encode
from guard.snapshot.model import Collected, FeaturesRow, Reason, Snapshot, Unavailable
from tests.cluster.fake import Fake
from tests.cluster.process import guard
from tests.cluster.proxy import Proxy
from tests.cluster.recording import Recording, load
from tests.connector.test_secrets import SECRETS, STATEMENT, URI, clean

FINAL = "v21.1.11-to-v21.2.0/12-finalized"
LICENSE = SECRETS[6]

_SETTINGS = {
    "version": "\x12", "cluster.secret": LICENSE, "enterprise.license": LICENSE,
    "cloudstorage.gs.default.key": URI, "server.identity_map.configuration": STATEMENT,
    "sql.trace.log_statement_execute": "true",
}  # fmt: skip
_JOBS = {
    11: ("running", "changefeed", f"CREATE CHANGEFEED FOR TABLE \"Orders\" INTO 'kafka://h?p={URI}'"),
    12: ("paused", "changefeed", f"CREATE CHANGEFEED INTO '{URI}' AS SELECT cdc_prev() FROM t"),
    13: ("running", "backup", STATEMENT),
    14: ("succeeded", "backup", f"BACKUP TABLE t TO '{URI}'"),
    15: ("succeeded", "import", f"IMPORT TABLE t CREATE USING '{URI}'"),
    16: ("canceled", "changefeed", "CREATE CHANGEFEED FOR DATABASE d INTO 'pubsub://x'"),
}
_VIEW = f"SELECT '{URI}' FROM x.crdb_internal.jobs"
_BODY = f"SELECT TG_ARGV[1], '{STATEMENT}'"
_DESCRIPTORS: dict[int, dict[str, Any]] = {
    101: {"table": {"id": 101, "parentId": 100, "viewQuery": _VIEW}},
    102: {"function": {"id": 102, "parentId": 100, "functionBody": _BODY}},
    # 20.2 prints empty fields as well.
    103: {"table": {"id": 103, "parentId": 100, "viewQuery": "", "name": "selections"}},
    106: {"table": {"id": 106, "parentId": 1, "viewQuery": "SELECT * FROM crdb_internal.jobs"}},
}  # fmt: skip


def planted(fake: Fake) -> Recording:
    """A cluster with everything that a change can concern, and a secret in each text."""
    recording = load(FINAL).but("changes")
    if recording.name in fake._databases:
        return recording
    with fake.postgres.connect(fake.database(recording)) as connection:
        run = connection.execute
        run("CREATE DOMAIN compat.string AS text")
        run("ALTER TABLE crdb_internal.kv_node_status ADD args jsonb, ADD env jsonb")
        run(
            "UPDATE crdb_internal.kv_node_status SET args = %s, env = %s",
            [json.dumps(["cockroach", "start", "--storage-engine=rocksdb", f"--join={URI}"]),
             json.dumps([f"COCKROACH_MAX_BCRYPT_CONCURRENCY={LICENSE}"])],
        )  # fmt: skip
        run("CREATE TABLE system.settings (name text, value text)")
        run("CREATE TABLE system.role_options (username text, option text)")
        run("CREATE TABLE system.role_members (role text, member text)")
        run(
            "CREATE TABLE system.database_role_settings"
            " (database_id int8, role_name text, settings text[])"
        )
        run("CREATE TABLE system.statement_statistics (app_name text, metadata jsonb)")
        for name, value in _SETTINGS.items():
            run("INSERT INTO system.settings VALUES (%s, %s)", [name, value])
        run("INSERT INTO system.role_options VALUES ('parent', 'CREATEROLE'), ('x', 'CREATEROLE')")
        run("INSERT INTO system.role_members VALUES ('parent', 'child')")
        run(
            "INSERT INTO system.database_role_settings VALUES (0, 'app', %s)",
            [["default_transaction_isolation=read committed", f"application_name={URI}"]],
        )
        for app in ("shop", "$ cockroach sql", "guard"):
            query = {"query": f"SELECT '{URI}' FROM crdb_internal.jobs"}
            run("INSERT INTO system.statement_statistics VALUES (%s, %s)", [app, json.dumps(query)])
        run("DELETE FROM system.jobs")
        run("DELETE FROM crdb_internal.jobs")
        for number, (status, kind, text) in _JOBS.items():
            payload = f"payload {number}".encode()
            run(
                "INSERT INTO system.jobs (id, status, created, payload) VALUES (%s, %s, now(), %s)",
                [number, status, payload],
            )
            plain = {"description": text, kind: {"uri": URI}}
            _decodes(run, "cockroach.sql.jobs.jobspb.Payload", payload, plain)
            run(
                "INSERT INTO crdb_internal.jobs (job_id, job_type, status, description, created)"
                " VALUES (%s, %s, %s, %s, now())",
                [number, kind.upper(), status, text],
            )
        for number, descriptor in _DESCRIPTORS.items():
            stored = json.dumps(descriptor).encode() + bytes([number])
            run("INSERT INTO system.descriptor VALUES (%s, %s)", [number, stored])
            _decodes(run, "cockroach.sql.sqlbase.Descriptor", stored, descriptor)
        run(
            "UPDATE compat.show_schedules SET command = %s",
            [json.dumps({"backup_statement": STATEMENT})],
        )
        for schema in ("crdb_internal", "system", "compat"):
            run(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO PUBLIC")
    return recording


def _decodes(run: Any, kind: str, stored: bytes, plain: dict[str, Any]) -> None:
    run("INSERT INTO compat.decoded VALUES (%s, %s, %s)", [kind, stored, json.dumps(plain)])


def look(gateway: Proxy, user: str = "root") -> Snapshot:
    every = frozenset(CHANGE_SECTIONS)
    return collect(targets([gateway.url(user)], {}), 30, further=lambda _: every)


def announced(series: str) -> str:
    return load(FINAL).crdb_version.replace("v21.2.0", f"v{series}.3")


def found(snapshot: Snapshot, section: str) -> dict[str, int]:
    content = getattr(snapshot, section)
    assert isinstance(content, Collected), (section, content)
    [row] = content.rows
    assert isinstance(row, FeaturesRow)
    return {name: number for name, number in row.found.items() if number}


@pytest.mark.parametrize("series", ["21.2", "23.1", "24.3", "25.3", "26.1"])
def test_what_each_statement_finds(fake: Fake, series: str) -> None:
    with fake.gateway(planted(fake), crdb_version=announced(series)) as gateway:
        seen = look(gateway)
    assert set(gateway.statements) <= statements.ALL
    assert found(seen, "changefeed_features") == {
        "any": 2, "kafka": 1, "kafka-capitals": 1, "cdc-prev": 1, "expression": 1,
    }  # fmt: skip
    assert found(seen, "recent_job_features") == {"backup-to": 1, "import-table": 1}
    assert found(seen, "descriptor_features") == {
        "view": 1, "view-crdb-internal": 1, "function-tg-argv": 1,
    }  # fmt: skip
    assert found(seen, "role_features") == {"inherited-createrole": 1}
    assert found(seen, "role_default_features") == {"read-committed": 1, "any-isolation": 1}
    assert found(seen, "statement_features") == {"crdb-internal": 1}
    nodes = found(seen, "node_features")
    assert {"rocksdb", "bcrypt-variable", "single-port"} == set(nodes)
    assert isinstance(seen.set_settings, Collected)
    values = {row.name: row.value for row in seen.set_settings.rows}
    assert values == dict.fromkeys(_SETTINGS) | {"sql.trace.log_statement_execute": "true"}
    clean(encode(seen).decode())


@pytest.mark.parametrize("series", ["21.2", "23.1", "25.3"])
def test_no_answer_holds_a_secret(fake: Fake, series: str) -> None:
    """Not only the snapshot: nothing of it crosses the wire at all."""
    recording = planted(fake)
    with fake.postgres.connect(fake.database(recording)) as connection:
        from guard.versions import Series
        from tests.cluster.database import REWRITTEN

        for section, candidates in CHANGE_SECTIONS.items():
            for statement in candidates:
                if not statement.suits(Series.parse(series)) or "origin" in statement.sql:
                    continue
                text = REWRITTEN.get(statement.sql, statement.sql)
                rows = connection.execute(text.replace("%", "%%"), []).fetchall()
                assert rows, section
                clean(str(rows))


def test_no_secret_in_the_command(fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    with fake.gateway(planted(fake)) as gateway:
        run = guard("changes", "--url", gateway.url(), "--to", "v26.2", "-v", "--format", "json")
        kept = guard("collect", "--url", gateway.url(), "--changes-to", "v26.2", "-o", str(file))
        again = guard("changes", "--snapshot", str(file), "--to", "v26.2", "--format", "json")
    assert (run.code, kept.code, again.code) == (10, 0, 10), run
    clean(run.out, run.err, kept.err, file.read_text())
    assert run.json["counts"] == again.json["counts"]
    assert set(gateway.statements) <= statements.ALL


def test_only_the_first_restart_of_a_major_upgrade_asks_for_more(fake: Fake) -> None:
    """Later nodes, finalize, verify and a patch upgrade cost what they cost before."""
    extra = {s.sql for candidates in CHANGE_SECTIONS.values() for s in candidates}
    old = planted(fake)
    mixed = load("v21.1.11-to-v21.2.0/05-mixed-one-new-quiet-via-old")

    def more(recording: Recording, step: str, target: str) -> bool:
        with fake.gateway(recording) as gateway:
            guard("check", "--url", gateway.url(), "--step", step, "--target", target)
        assert gateway.statements
        return bool(extra & set(gateway.statements))

    assert more(old, "start", "v22.1.22")
    assert more(old, "next-node", "v22.1.22")
    assert not more(old, "start", "v21.2.17")
    assert not more(old, "finalize", "v22.1.22")
    assert not more(mixed, "next-node", "v21.2.0")


def test_a_user_without_privileges_could_not_look(fake: Fake) -> None:
    recording = planted(fake)
    with fake.postgres.connect(fake.database(recording)) as connection:
        connection.execute("REVOKE SELECT ON ALL TABLES IN SCHEMA system FROM PUBLIC")
    try:
        with fake.gateway(recording) as gateway:
            seen = look(gateway, "low")
    finally:
        with fake.postgres.connect(fake.database(recording)) as connection:
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA system TO PUBLIC")
    for section in ("set_settings", "descriptor_features", "role_features", "statement_features"):
        content = getattr(seen, section)
        assert isinstance(content, Unavailable)
        assert content.reason in (Reason.PRIVILEGE, Reason.NOT_IN_THIS_VERSION), section


def test_the_answers_are_counts_and_ids() -> None:
    """By the text of every statement: no column of its answer can hold a text of the cluster."""
    item = r"array_to_string\(array_agg\((?:id|username|role)\) FILTER \(WHERE .*?\), ','\)"
    column = (
        rf"(?:count\(\*\) FILTER \(WHERE .*?\) AS \"has [a-z0-9-]+\"|{item} AS \"items [a-z0-9-]+\")"
    )
    for section, candidates in CHANGE_SECTIONS.items():
        for statement in candidates:
            if section in ("set_settings", "object_count"):
                continue
            assert re.match(rf"SELECT count\(\*\) AS read(?:, {column})+ FROM ", statement.sql), section
            assert statement.limit is not None or section == "node_features", "bounded"


def test_values_are_read_of_switches_only() -> None:
    """And of every switch that a record compares."""
    compared = {
        name
        for each in load_catalog().changes.values()
        for change in each.changes
        for probe in (*change.settled_if, *change.concerned_if, *change.ask_if)
        if isinstance(probe, SetSettingProbe) and probe.equals
        for name in probe.names
    }
    assert compared <= set(READ_VALUES)
    assert all(
        probe.endswith((".enabled", "_enabled", "internals", "_execute")) for probe in READ_VALUES
    )
