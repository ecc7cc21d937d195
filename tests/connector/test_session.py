"""The session: a pooler is noticed and left as it was, and a role's defaults change no answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from guard.connector import statements
from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.connector.session import startup_options
from guard.snapshot.model import Collected, Snapshot, Unavailable
from tests.cluster.fake import Fake
from tests.cluster.pgbouncer import CannotPool, PgBouncer
from tests.cluster.process import Run, guard
from tests.cluster.proxy import Proxy
from tests.cluster.recording import load
from tests.connector.test_wire import FINAL
from tests.faults import fault

CHECK = ("check", "--step", "verify", "--format", "json", "--timeout", "20s")
_20 = "v20.1.5-to-v20.2.0/01-uniform-old-quiet"


def pooled(gateway: Proxy, **options: Any) -> PgBouncer:
    try:
        return PgBouncer(gateway.port, **options).__enter__()
    except CannotPool as reason:
        pytest.skip(str(reason))


def settings_of(url: str) -> list[str]:
    """What an application finds in the pooled session afterwards."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        return [
            str(connection.execute(f"SHOW {name}").fetchone()[0])  # type: ignore[index]
            for name in ("default_transaction_read_only", "statement_timeout")
        ]


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("ignored", ["options", "search_path"], ids=["dropped", "refused"])
@fault("a real PgBouncer in between, which forwards CockroachDB's parameters",
       "UNKNOWN; the pooled session is left as it was", 11)  # fmt: skip
def test_a_real_pgbouncer(fake: Fake, mode: str, ignored: str) -> Run:
    with fake.gateway(FINAL) as gateway:
        pooler = pooled(gateway, mode=mode, ignored=ignored)
        try:
            before = settings_of(pooler.url)
            run = guard(*CHECK, "--url", pooler.url)
            assert settings_of(pooler.url) == before == ["off", "0"]
        finally:
            pooler.__exit__(None, None, None)
    assert "pooler" in run.out
    return run


def test_a_pooled_session_of_v20_1_is_left_as_it_was(fake: Fake) -> None:
    """Start-up options do nothing there, so guard has to set two variables, and takes them back."""
    with fake.gateway(_20) as gateway:
        pooler = pooled(gateway)
        try:
            guard(*CHECK, "--url", pooler.url)
            assert settings_of(pooler.url) == ["off", "0"]
            assert statements.SET_READ_ONLY.sql in gateway.statements
        finally:
            pooler.__exit__(None, None, None)


def test_a_backend_that_changes_is_a_pooler(fake: Fake) -> None:
    """v20.1 has no start-up options to tell by: its session's id does."""
    numbers = {
        statements.SHOW_SESSION_ID.sql: "SELECT clock_timestamp()::text || random() AS session_id"
    }
    with fake.gateway(_20, replaced=numbers) as gateway:
        snapshot = collect(targets([gateway.url()], {}), 20)
    assert isinstance(snapshot.gossip_nodes, Unavailable)
    assert "pooler" in snapshot.gossip_nodes.message


@pytest.mark.parametrize(
    "answer", ["SELECT 1/0", "SELECT ''", "SELECT NULL::text", "SELECT 1 WHERE false"]
)
@pytest.mark.parametrize("recording", [FINAL, _20])
def test_a_session_without_an_id_is_not_trusted(fake: Fake, recording: str, answer: str) -> None:
    """It could be another one at the end, and nothing would tell."""
    with fake.gateway(recording, replaced={statements.SHOW_SESSION_ID.sql: answer}) as gateway:
        snapshot = collect(targets([gateway.url()], {}), 20)
    sections = [getattr(snapshot, name) for name in (*statements.SECTIONS, "features")]
    assert all(isinstance(section, Unavailable) for section in sections)
    assert "session" in sections[0].message


def test_start_up_options_that_do_not_arrive(fake: Fake) -> None:
    with fake.gateway(FINAL, ignores_options=True) as gateway:
        snapshot = collect(targets([gateway.url()], {}), 20)
        assert not [text for text in gateway.statements if text.startswith("SET ")]
    assert isinstance(snapshot.gossip_nodes, Unavailable)
    assert "pooler" in snapshot.gossip_nodes.message


def test_the_options_of_the_user_come_first() -> None:
    words = startup_options("-ccluster=system -c default_transaction_read_only=off", 1000)
    assert words.startswith("-ccluster=system ")
    assert words.index("read_only=off") < words.index("read_only=on")


# What ALTER ROLE … SET can do.

_ROLE = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "off",
    "statement_timeout": "1ms",
    "datestyle": "German",
    "timezone": "Asia/Tokyo",
    "intervalstyle": "iso_8601",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "lock_timeout": "1h",
    "compat.default_transaction_use_follower_reads": "on",
    "compat.disallow_full_table_scans": "on",
    "compat.transaction_rows_read_err": "1",
}


@pytest.fixture(params=_ROLE)
def role(fake: Fake, request: pytest.FixtureRequest) -> Iterator[str]:
    """A role with one default of its own."""
    name = "defaults"
    with fake.postgres.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(name),
                sql.Identifier(*request.param.split(".")),
                sql.Literal(_ROLE[request.param]),
            )
        )
    yield name
    with fake.postgres.connect() as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _comparable(snapshot: Snapshot) -> list[Any]:
    sections = [getattr(snapshot, name) for name in (*statements.SECTIONS, "privileges")]
    return [section.rows if isinstance(section, Collected) else section for section in sections]


def test_a_default_of_the_role_changes_no_answer(fake: Fake, role: str) -> None:
    with fake.gateway(FINAL) as gateway:
        plain = collect(targets([gateway.url()], {}), 20)
        odd = collect(targets([gateway.url(role)], {}), 20)
    assert _comparable(odd) == _comparable(plain)


@pytest.mark.parametrize("variables", [
    {"PGDATESTYLE": "German", "PGTZ": "Asia/Tokyo", "PGGEQO": "off"},
    {"PGDATESTYLE": "nonsense"}, {"PGTZ": "nonsense"}, {"PGGEQO": "nonsense"},
    {"PGOPTIONS": "-c datestyle=German -c timezone=Asia/Tokyo -c extra_float_digits=-15"},
    {"PGCLIENTENCODING": "LATIN1", "PGAPPNAME": "x\ny", "PGTARGETSESSIONATTRS": "standby"},
])  # fmt: skip
def test_a_variable_of_libpq_changes_no_answer(fake: Fake, variables: dict[str, str]) -> None:
    with fake.gateway(FINAL) as gateway:
        plain = guard(*CHECK, "--url", gateway.url())
        odd = guard(*CHECK, "--url", gateway.url(), env=variables)
    assert odd.code == plain.code == 0, odd
    assert odd.findings() == plain.findings()


@pytest.mark.parametrize("options", ["-c nonsense=1", "-c datestyle=nonsense", "garbage", "-c"])
@fault("start-up options of the user that the server refuses", "UNKNOWN at once, says where to look",
       11)  # fmt: skip
def test_options_that_the_server_refuses(fake: Fake, options: str) -> Run:
    with fake.gateway(FINAL) as gateway:
        run = guard(*CHECK, "--url", gateway.url(), env={"PGOPTIONS": options})
        assert gateway.connections <= 2, "tried again, although that cannot change"  # libpq itself may
    assert "PGOPTIONS" in run.out
    return run


@pytest.mark.parametrize("variable", statements.VARIABLES, ids=lambda v: v.name)
def test_a_default_that_cannot_be_changed_is_unknown(fake: Fake, variable: statements.Variable) -> None:
    build = "v25.4.1" if variable.since > load_series(FINAL) else "v21.2.0"
    announced = load(FINAL).crdb_version.replace("v21.2.0", build)
    stuck = {variable.show.sql: f"SELECT 'stuck' AS {variable.name}"}
    with fake.gateway(FINAL, crdb_version=announced, replaced=stuck) as gateway:
        snapshot = collect(targets([gateway.url()], {}), 20)
    assert isinstance(snapshot.gossip_nodes, Unavailable)
    assert variable.name in snapshot.gossip_nodes.message


def load_series(name: str) -> Any:
    from guard.connector.connect import announced_build

    build = announced_build(load(name).crdb_version)
    assert build is not None
    return build.series
