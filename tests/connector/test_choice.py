"""Which statements a gateway gets, by its release and by what the user may see. No server needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guard.connector import collect as collect_module
from guard.connector import session as session_module
from guard.connector import statements
from guard.connector.collect import collect
from guard.connector.pipeline import Refused, Reply, Rows, TimedOut
from guard.connector.statements import FEATURES, SECTIONS, Statement
from guard.snapshot.model import Collected, Connection, Reason, Snapshot, Unavailable
from guard.versions import Series

SERIES = (
    "20.1", "20.2", "21.1", "21.2", "22.1", "22.2", "23.1", "23.2", "24.1", "24.2", "24.3",
    "25.1", "25.2", "25.3", "25.4", "26.1", "26.2",
)  # fmt: skip

Answers = Callable[[Statement], Reply | None]


class _Connection:
    def finish(self) -> None:
        pass


class Gateway:
    """Answers statements without a server, and remembers them by name, round by round."""

    def __init__(
        self,
        build: str,
        *,
        admin: bool = True,
        grants: Sequence[str] = (),
        controljob: bool = False,
        answers: Answers = lambda _: None,
    ) -> None:
        self.build = build
        self.admin = admin
        self.grants = grants
        self.controljob = controljob
        self.answers = answers
        self.rounds: list[list[str]] = []

    @property
    def asked(self) -> list[str]:
        return [name for names in self.rounds for name in names]

    def snapshot(self, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
        reached = Connection(
            host="localhost", port=1, server=f"CockroachDB CCL {self.build} (x)", build=None, tls="off"
        )
        monkeypatch.setattr(collect_module, "connect", lambda *_: (_Connection(), reached, 10000))
        for module in (collect_module, session_module):
            monkeypatch.setattr(module, "ask", self._ask)
        return collect([], 40)

    def _ask(self, _pgconn: Any, asked: Sequence[Statement], _deadline: Any) -> list[Reply]:
        self.rounds.append([statement.name for statement in asked])
        return [self._answer(statement) for statement in asked]

    def _answer(self, statement: Statement) -> Reply:
        special = self.answers(statement)
        if special is not None:
            return special
        one: dict[Statement, dict[str, str | None]] = {
            statements.SHOW_READ_ONLY: {"default_transaction_read_only": "on"},
            statements.SHOW_TIMEOUT: {"statement_timeout": "10000"},
            statements.SHOW_SESSION_ID: {"session_id": "1"},
            statements.SHOW_SUPERUSER: {"is_superuser": "on" if self.admin else "off"},
            statements.SHOW_NODE_ID: {"node_id": "1"},
            statements.IDENTITY: {
                "current_user": "root",
                "clock_timestamp": "2026-11-22 02:00:00+00:00",
            },
            statements.IS_ADMIN: {"is_admin": "t" if self.admin else "f"},
            statements.HAS_CONTROLJOB: {"has_role_option": "t" if self.controljob else "f"},
            statements.ROLE_OPTIONS: {"options": "{CONTROLJOB}" if self.controljob else "{}"},
        }
        if statement in one:
            return Rows((one[statement],))
        if statement is statements.SYSTEM_GRANTS:
            return Rows(tuple({"privilege_type": name} for name in self.grants))
        return Rows(())


def _span(first: str, last: str) -> set[str]:
    return set(SERIES[SERIES.index(first) : SERIES.index(last) + 1])


_ALWAYS = {
    "gossip_nodes", "cluster_settings", "kv_node_status", "show_version", "kv_store_status",
    "replication_stats", "critical_localities", "license", "zone_replicas",
    "events",
}  # fmt: skip
_BY_RELEASE = {
    "invalid_objects": _span("21.1", "26.2"),
    "virtual_clusters": _span("20.2", "26.2"),
    "interleaved_tables": _span("20.2", "21.1"),
    "gossip_liveness": _span("20.2", "26.2"),
    "gossip_liveness_20_1": {"20.1"},
    "kv_node_liveness": _span("21.1", "26.2"),
    "backup_schedules": _span("20.2", "26.2"),
    "migrations": _span("21.1", "26.2"),
    "row_level_ttl": _span("22.2", "23.1"),
    "schema_features_20_2": {"20.2"},
    "schema_features_21_1": {"21.1"},
    "schema_features_21_2": {"21.2"},
    "schema_features_22_1": {"22.1"},
    "schema_features_22_2": {"22.2"},
    "schema_features_23_1": {"23.1"},
    "schema_features_23_2": _span("23.2", "26.2"),
    "encryption_20_2": _span("20.2", "21.2"),
    "encryption_22_1": _span("22.1", "23.2"),
    "nosqllogin": _span("22.2", "23.1"),
}
_JOBS_BY_RELEASE = {
    "active_system_jobs": _span("20.2", "22.2"),
    "active_jobs": {"20.1"},
    "active_jobs_by_status": _span("23.1", "24.3"),
    "active_jobs_25_1": _span("25.1", "26.2"),
    "history_system_jobs": _span("20.2", "22.2"),
    "history_job_info": _span("23.1", "24.3"),
    "history_25_1": _span("25.1", "26.2"),
    "history_show_jobs": {"20.1"},
}
_SESSION_BY_RELEASE = {
    "set_unsafe_internals": _span("25.4", "26.2"),
    "show_virtual_cluster": _span("23.2", "26.2"),
    "system_grants": _span("22.2", "26.2"),
    "is_admin": _span("20.1", "25.4"),
    "has_controljob": _span("20.2", "25.4"),
    "role_options": _span("24.1", "26.2"),
    "can_view_jobs": _span("25.3", "26.2"),
    "show_default_transaction_use_follower_reads": _span("21.1", "26.2"),
    "show_disallow_full_table_scans": _span("21.1", "26.2"),
    "show_transaction_rows_read_err": _span("21.2", "26.2"),
    "show_transaction_timeout": _span("23.1", "26.2"),
}
_SESSION = {
    "show_session_id", "show_read_only", "show_timeout", "identity", "show_superuser", "show_node_id",
    "cluster_id",
}  # fmt: skip


def _those(table: dict[str, set[str]], series: str) -> set[str]:
    return {name for name, spans in table.items() if series in spans}


@pytest.mark.parametrize("series", SERIES)
def test_an_admin_gets_the_best_statement_for_each_section(
    series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(f"v{series}.3")
    gateway.snapshot(monkeypatch)
    first, second, sections, last = gateway.rounds
    assert set(first + second) == _SESSION | _those(_SESSION_BY_RELEASE, series)
    assert not [name for name in first if name.startswith("set_")], "set before it was looked at"
    assert last[-1] == "show_session_id"
    assert set(sections) == _ALWAYS | _those(_BY_RELEASE, series) | _those(_JOBS_BY_RELEASE, series)
    assert len(sections) == len(set(sections))


@pytest.mark.parametrize("series", SERIES)
def test_a_list_of_jobs_that_would_be_filtered_is_not_asked_for(
    series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(f"v{series}.3", admin=False)
    snapshot = gateway.snapshot(monkeypatch)
    assert set(gateway.rounds[2]) == (_ALWAYS | _those(_BY_RELEASE, series)) - {
        "nosqllogin",
        "interleaved_tables",
    }
    for section in (snapshot.active_jobs, snapshot.job_history):
        assert isinstance(section, Unavailable)
        assert section.reason is Reason.PRIVILEGE
        assert section.remedy


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("proof", ["VIEWJOB", "CONTROLJOB", "role option"])
def test_a_privilege_that_shows_every_job_opens_the_lists_from_23_1(
    series: str, proof: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(
        f"v{series}.3",
        admin=False,
        grants=[proof] if proof != "role option" else [],
        controljob=proof == "role option",
    )
    snapshot = gateway.snapshot(monkeypatch)
    enough = Series.parse(series) >= Series(23, 1)
    assert isinstance(snapshot.active_jobs, Collected) is enough
    expected = _those(_JOBS_BY_RELEASE, series) if enough else set()
    assert set(gateway.rounds[2]) & set(_JOBS_BY_RELEASE) == expected


@pytest.mark.parametrize("series", SERIES)
def test_the_gate_is_opened_before_anything_is_asked(
    series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(f"v{series}.3")
    snapshot = gateway.snapshot(monkeypatch)
    assert isinstance(snapshot.variables, Collected)
    told = {row.name: row.value for row in snapshot.variables.rows}
    opened = series in _span("25.4", "26.2")
    assert told.get("allow_unsafe_internals") == ("on" if opened else None)
    if opened:
        asked = gateway.rounds[1]
        assert asked.index("set_unsafe_internals") < asked.index("cluster_id")


_DRIFT = ("42703", "42P01", "42883", "42601", "42704")


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("sqlstate", [*_DRIFT, "42501", "0A000", "XXUUU", "22023"])
def test_every_statement_of_a_section_is_tried_before_it_is_given_up(
    series: str, sqlstate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_sections = {s for candidates in SECTIONS.values() for s in candidates} | {*FEATURES}
    gateway = Gateway(
        f"v{series}.3", answers=lambda s: Refused(sqlstate, "no") if s in in_sections else None
    )
    snapshot = gateway.snapshot(monkeypatch)
    wanted = [
        s.name
        for candidates in (*SECTIONS.values(), FEATURES)
        for s in candidates
        if s.suits(Series.parse(series))
    ]
    asked = [name for names in gateway.rounds[2:-1] for name in names]
    assert sorted(asked) == sorted(wanted), "each once"
    for name in (*SECTIONS, "features"):
        assert isinstance(getattr(snapshot, name), Unavailable)


@pytest.mark.parametrize("sqlstate", ["40001", "XX000", "53200", "58030"])
def test_what_may_pass_is_asked_once_more(sqlstate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_sections = {s for candidates in SECTIONS.values() for s in candidates} | {*FEATURES}
    gateway = Gateway(
        "v21.2.3", answers=lambda s: Refused(sqlstate, "no") if s in in_sections else None
    )
    gateway.snapshot(monkeypatch)
    asked = Counter(name for names in gateway.rounds[2:-1] for name in names)
    assert {*asked.values()} == {2}


def test_what_is_told_of_a_session_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Rows(({"default_transaction_read_only": "x" * 1_000_000},))
    gateway = Gateway("v20.1.3", answers=lambda s: endless if s is statements.SHOW_READ_ONLY else None)
    settings = gateway.snapshot(monkeypatch).settings
    assert isinstance(settings, Unavailable)
    assert "read-only session" in settings.message
    assert len(settings.message) < 500


def test_the_next_statement_fills_the_section(monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, str | None] = {
        "job_id": "7", "job_type": "BACKUP", "status": "running", "user_name": "root",
        "created": "2026-11-22 01:00:00", "finished": None, "running_status": None,
        "fraction_completed": "0.5", "coordinator_id": None,
    }  # fmt: skip

    def answers(statement: Statement) -> Reply | None:
        if statement is statements.ACTIVE_SYSTEM_JOBS:
            return Refused("42703", 'column "created_by_type" does not exist')
        return Rows((row,)) if statement is statements.ACTIVE_JOBS else None

    gateway = Gateway("v21.1.11", answers=answers)
    snapshot = gateway.snapshot(monkeypatch)
    assert isinstance(snapshot.active_jobs, Collected)
    assert snapshot.active_jobs.statement == "active_jobs"
    assert [job.job_id for job in snapshot.active_jobs.rows] == [7]
    assert gateway.rounds[3] == ["active_jobs"], "only what was refused is asked again"


@pytest.mark.parametrize("answer", [Refused("57014", "statement timeout"), TimedOut()])
def test_after_a_timeout_the_section_is_given_up(
    answer: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next statement would wait for the same lock or range."""
    gateway = Gateway(
        "v21.1.11", answers=lambda s: answer if s is statements.ACTIVE_SYSTEM_JOBS else None
    )
    snapshot = gateway.snapshot(monkeypatch)
    assert isinstance(snapshot.active_jobs, Unavailable)
    assert snapshot.active_jobs.reason is Reason.TIMEOUT
    assert "active_jobs" not in gateway.asked
    assert isinstance(snapshot.gossip_nodes, Collected)


def test_a_list_that_reached_its_limit_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, str | None] = {"id": "1", "status": "succeeded", "payload_keys": "backup"}
    rows = Rows((row,) * statements.HISTORY_LIMIT)
    gateway = Gateway(
        "v22.1.3", answers=lambda s: rows if s is statements.HISTORY_SYSTEM_JOBS else None
    )
    snapshot = gateway.snapshot(monkeypatch)
    assert isinstance(snapshot.job_history, Collected)
    assert snapshot.job_history.truncated
    assert isinstance(snapshot.active_jobs, Collected)
    assert not snapshot.active_jobs.truncated


@pytest.mark.parametrize("build", ["unknown", "", "22.1--1", "DEV"])
def test_a_gateway_of_an_unknown_build_is_asked_everything_and_never_fails(
    build: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(build)
    snapshot = gateway.snapshot(monkeypatch)
    assert "gossip_nodes" in gateway.asked
    assert isinstance(snapshot.gossip_nodes, Collected)


def test_one_row_that_cannot_be_read_makes_the_section_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good: dict[str, str | None] = {"id": "1", "next_run": "2026-11-22 02:00:00+00"}
    bad: dict[str, str | None] = {"id": "2", "next_run": "tomorrow"}
    gateway = Gateway(
        "v21.2.3",
        answers=lambda s: Rows((good, bad)) if s is statements.BACKUP_SCHEDULES else None,
    )
    snapshot = gateway.snapshot(monkeypatch)
    assert isinstance(snapshot.schedules, Unavailable)
    assert snapshot.schedules.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "identity",
    [
        Rows(()),
        Rows(({"current_user": None, "clock_timestamp": "2026-11-22 02:00:00+00"},)),
        Rows(({"current_user": "root", "clock_timestamp": None},)),
        Rows(({"current_user": "root", "clock_timestamp": "noon"},)),
        Rows(({"user": "root"},)),
        Refused("XXUUU", "no"),
    ],
)
def test_without_the_clusters_clock_the_identity_is_unavailable(
    identity: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway("v21.2.3", answers=lambda s: identity if s is statements.IDENTITY else None)
    assert isinstance(gateway.snapshot(monkeypatch).identity, Unavailable)
