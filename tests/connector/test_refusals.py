"""What an error of the server means, and what is tried next; with a real server behind it."""

from __future__ import annotations

import pytest

from guard.connector import statements
from guard.connector.pipeline import ConnectionLost, Refused, Rows, TimedOut
from guard.connector.refusals import another_statement_may_work, is_unsafe_internals, unavailable
from guard.snapshot.model import Collected, Reason, Snapshot, Unavailable
from guard.versions import Build
from tests.cluster.fake import Fake
from tests.cluster.process import guard
from tests.cluster.recording import Error, Recording, Table, load
from tests.connector.test_wire import FINAL, look

GATE = "Access to crdb_internal and system is restricted."
NODES_ONLY_ADMIN = "only users with the admin role are allowed to read crdb_internal.gossip_nodes"


@pytest.mark.parametrize(
    ("sqlstate", "message", "reason"),
    [
        ("42501", NODES_ONLY_ADMIN, Reason.PRIVILEGE),
        ("42501", "user x does not have VIEWCLUSTERMETADATA system privilege", Reason.PRIVILEGE),
        ("42501", GATE, Reason.UNSAFE_INTERNALS),
        (
            "0A000",
            "unimplemented: operation is unsupported in multi-tenancy mode",
            Reason.VIRTUAL_CLUSTER,
        ),
        ("57014", "query execution canceled due to statement timeout", Reason.TIMEOUT),
        ("57P01", "server is shutting down", Reason.CONNECTION),
        ("08006", "connection failure", Reason.CONNECTION),
        ("42703", 'column "membership" does not exist', Reason.NOT_IN_THIS_VERSION),
        ("42P01", "relation does not exist", Reason.NOT_IN_THIS_VERSION),
        ("42883", "unknown function: crdb_internal.pb_to_json()", Reason.NOT_IN_THIS_VERSION),
        ("42601", "syntax error", Reason.NOT_IN_THIS_VERSION),
        ("42704", "unrecognized configuration parameter", Reason.NOT_IN_THIS_VERSION),
        ("XXUUU", "unrecognized role option", Reason.ERROR),
        ("", "the server sent no result", Reason.ERROR),
    ],
)
def test_the_reason_for_each_error(sqlstate: str, message: str, reason: Reason) -> None:
    section = unavailable("gossip_nodes", Refused(sqlstate, message), Build.parse("v26.1.0"), "x")
    assert section.reason is reason
    assert section.sqlstate == (sqlstate or None)
    if reason in (Reason.PRIVILEGE, Reason.UNSAFE_INTERNALS, Reason.VIRTUAL_CLUSTER, Reason.TIMEOUT):
        assert section.remedy


def test_privilege_and_gate_share_a_code_and_not_a_text() -> None:
    assert is_unsafe_internals(Refused("42501", GATE))
    assert not is_unsafe_internals(Refused("42501", NODES_ONLY_ADMIN))
    assert not is_unsafe_internals(Refused("42P01", GATE))


@pytest.mark.parametrize(
    ("answer", "worth"),
    [
        (Refused("42703", ""), True),
        (Refused("42501", ""), True),
        (Refused("57014", ""), False),
        (TimedOut(), False),
        (ConnectionLost(""), False),
        (Rows(()), False),
    ],
)
def test_what_is_worth_another_statement(answer: object, worth: bool) -> None:
    assert another_statement_may_work(answer) is worth  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "section", "remedy"),
    [
        ("v21.2.0", "gossip_nodes", 'GRANT admin TO "lo""w";'),
        ("v23.1.11", "gossip_nodes", 'GRANT admin TO "lo""w";'),
        ("v23.1.12", "gossip_nodes", 'GRANT SYSTEM VIEWCLUSTERMETADATA TO "lo""w";'),
        ("v22.1.0", "settings", 'ALTER ROLE "lo""w" VIEWCLUSTERSETTING;'),
        ("v22.2.0", "settings", 'GRANT SYSTEM VIEWCLUSTERSETTING TO "lo""w";'),
        ("v23.1.0", "active_jobs", 'GRANT SYSTEM VIEWJOB TO "lo""w";'),
        ("v23.1.11", "schedules", 'GRANT SYSTEM VIEWSYSTEMTABLE TO "lo""w";'),
    ],
)
def test_the_remedy_is_the_narrowest_grant(build: str, section: str, remedy: str) -> None:
    got = unavailable(section, Refused("42501", "no"), Build.parse(build), 'lo"w')
    assert got.remedy == (remedy,)


def _changed(suffix: str, **queries: Table | Error) -> Recording:
    return load(FINAL).but(suffix, **queries)


def _active(snapshot: Snapshot) -> Collected[object]:
    assert isinstance(snapshot.active_jobs, Collected), snapshot.active_jobs
    return snapshot.active_jobs  # type: ignore[return-value]


def test_a_server_that_cannot_decode_payloads_is_asked_in_the_old_way(fake: Fake) -> None:
    recording = load("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old").but(
        "no-decoder",
        system_jobs_decoded=Error("42883", "unknown function: crdb_internal.pb_to_json()"),
    )
    with fake.gateway(recording) as gateway:
        snapshot = look(gateway)
    jobs = _active(snapshot)
    assert jobs.statement == "active_jobs"
    best = look_at_it(fake, "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old")
    assert {j.job_id for j in jobs.rows} == {j.job_id for j in _active(best).rows}  # type: ignore[attr-defined]


def look_at_it(fake: Fake, name: str) -> Snapshot:
    with fake.gateway(name) as gateway:
        return look(gateway)


def test_a_payload_that_cannot_be_decoded_is_a_possible_backup(fake: Fake) -> None:
    """system.jobs fails as a whole; crdb_internal.jobs then shows the row without a type."""
    base = load(FINAL)
    bad = 4242
    encoded = [*base.table("system_jobs").dicts(), {
        "id": bad, "status": "running", "created": base.clock, "payload": "\\xdeadbeef",
        "progress": "\\xdeadbeef",
    }]  # fmt: skip
    jobs = [*base.table("jobs").dicts(), {
        "job_id": bad, "status": "running", "created": base.clock,
        "error": "error decoding payload: unexpected EOF",
    }]  # fmt: skip
    recording = base.but(
        "undecodable",
        system_jobs=base.table("system_jobs").with_rows(encoded),
        jobs=base.table("jobs").with_rows(jobs),
    )
    with fake.gateway(recording) as gateway:
        run = guard("check", "--url", gateway.url(), "--step", "finalize", "--format", "json")
    assert run.code != 0
    (finding,) = [f for f in run.json["findings"] if f["check"] == "running-backups"]
    assert finding["outcome"] in ("warn", "block")
    assert str(bad) in str(finding["evidence"])


def test_a_column_that_is_gone_makes_the_section_unavailable_and_no_other(fake: Fake) -> None:
    table = load(FINAL).table("gossip_liveness").without_column("membership")
    with fake.gateway(_changed("no-membership", gossip_liveness=table)) as gateway:
        snapshot = look(gateway)
    assert isinstance(snapshot.gossip_liveness, Unavailable)
    assert snapshot.gossip_liveness.sqlstate == "42703"
    assert isinstance(snapshot.kv_node_liveness, Collected)


def test_a_column_more_changes_nothing(fake: Fake) -> None:
    table = load(FINAL).table("gossip_nodes").with_column("zz", "text", "new")
    with fake.gateway(_changed("more", gossip_nodes=table)) as gateway:
        snapshot = look(gateway)
    assert isinstance(snapshot.gossip_nodes, Collected)
    assert len(snapshot.gossip_nodes.rows) == 4


_26_1 = load(FINAL).crdb_version.replace("v21.2.0", "v26.1.0")


def test_the_closed_gate_is_unknown_and_says_how_to_open_it(fake: Fake) -> None:
    closed = {
        query: Error("42501", GATE)
        for query in ("gossip_nodes", "gossip_liveness", "kv_node_status", "kv_node_liveness")
    }
    cannot = {statements.SET_UNSAFE_INTERNALS.sql: "SET compat.allow_unsafe_internals = 1 / 0"}
    with fake.gateway(_changed("gate", **closed), crdb_version=_26_1, replaced=cannot) as gateway:
        snapshot = look(gateway)
        run = guard("check", "--url", gateway.url(), "--step", "verify")
    assert isinstance(snapshot.gossip_nodes, Unavailable)
    assert snapshot.gossip_nodes.reason is Reason.UNSAFE_INTERNALS
    assert isinstance(snapshot.variables, Collected)
    assert "allow_unsafe_internals" not in {row.name for row in snapshot.variables.rows}
    assert run.code == 11
    assert "allow_unsafe_internals" in run.out


def test_a_virtual_cluster_is_unknown_and_no_lack_of_privilege(fake: Fake) -> None:
    text = "unimplemented: operation is unsupported within a virtual cluster"
    tenant = {
        query: Error("0A000", text)
        for query in (
            "gossip_nodes", "gossip_liveness", "kv_node_status", "kv_node_liveness", "kv_store_status",
        )
    }  # fmt: skip
    with fake.gateway(_changed("tenant", **tenant)) as gateway:
        run = guard("check", "--url", gateway.url(), "--step", "verify")
    assert run.code == 11
    assert "virtual cluster" in run.out
    assert "?options=-ccluster%3Dsystem" in run.out
    assert "GRANT" not in run.out


_EACH = {
    "gossip_nodes": "gossip_nodes",
    "gossip_liveness": "gossip_liveness",
    "kv_node_status": "node_status",
    "kv_node_liveness": "kv_node_liveness",
    "kv_store_status": "store_status",
    "show_cluster_setting_version": "kv_version",
    "replication_stats": "replication_stats",
    "system_migrations": "migrations",
}


@pytest.mark.parametrize("query", _EACH)
def test_without_a_single_privilege_its_section_alone_is_unavailable(fake: Fake, query: str) -> None:
    refusal = Error("42501", f"user x does not have the privilege for {query}")
    with fake.gateway(_changed(f"without-{query}", **{query: refusal})) as gateway:
        snapshot = look(gateway)
    hidden = {
        section
        for section in statements.SECTIONS
        if isinstance(got := getattr(snapshot, section), Unavailable) and got.reason is Reason.PRIVILEGE
    }
    assert hidden == {_EACH[query]}


def test_without_schedules_the_verdict_is_unknown(fake: Fake) -> None:
    refusal = Error("42501", "user x does not have SELECT privilege on relation scheduled_jobs")
    with fake.gateway(_changed("no-schedules", show_schedules=refusal)) as gateway:
        run = guard("check", "--url", gateway.url(), "--format", "json")
    assert run.code == 11
    assert ("visibility", "unknown") in {(c, o) for c, o, _ in run.findings()}


def test_system_grants_prove_sight_from_23_1(fake: Fake) -> None:
    """VIEWJOB of a user who is no admin: the lists are asked for and believed."""
    base = load("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old")
    grants = Table(
        (("grantee", "text"), ("privilege_type", "text")),
        (("low", "VIEWJOB"), ("somebody", "VIEWCLUSTERMETADATA")),
    )
    not_admin = {
        "is_admin": base.table("is_admin").with_rows([{"crdb_internal.is_admin": False}]),
        "show_is_superuser": base.table("show_is_superuser").with_rows([{"is_superuser": "off"}]),
    }
    recording = base.but("viewjob", show_system_grants=grants, **not_admin)
    announced = recording.crdb_version.replace("v21.1.11", "v23.1.14")
    with fake.gateway(recording, crdb_version=announced) as gateway:
        snapshot = look(gateway, "low")
    assert isinstance(snapshot.privileges, Collected)
    assert {p.name for p in snapshot.privileges.rows if p.granted} == {"VIEWJOB"}
    assert _active(snapshot).statement == "active_jobs_by_status"
    assert any(job.job_type == "BACKUP" for job in _active(snapshot).rows)  # type: ignore[attr-defined]
