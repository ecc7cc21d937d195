"""What guard really sends, watched on the wire, and the session it really gets."""

from __future__ import annotations

import re

import pytest

from guard.connector import statements
from guard.connector.collect import collect
from guard.connector.deadline import Deadline
from guard.connector.hosts import targets
from guard.connector.pipeline import ask
from guard.connector.statements import Statement
from guard.snapshot.model import Collected, Reason, Snapshot, Unavailable
from tests.cluster.fake import Fake
from tests.cluster.process import guard
from tests.cluster.proxy import Proxy
from tests.cluster.recording import NAMES, load

FINAL = "v21.1.11-to-v21.2.0/12-finalized"

# Releases whose statements no recording makes guard send.
_ANNOUNCED = {
    f"v{series}.3": load(FINAL).crdb_version.replace("v21.2.0", f"v{series}.3")
    for series in (
        "22.1",
        "22.2",
        "23.1",
        "23.2",
        "24.1",
        "24.3",
        "25.1",
        "25.3",
        "25.4",
        "26.1",
        "26.2",
    )
}


def look(gateway: Proxy, user: str = "root", seconds: float = 20) -> Snapshot:
    return collect(targets([gateway.url(user)], {}), seconds)


def _only_what_is_allowed(gateway: Proxy) -> None:
    assert gateway.statements, "nothing was recorded"
    assert set(gateway.statements) <= statements.ALL
    kinds = {message.kind for message in gateway.sent}
    assert kinds <= set("PBDESHX"), "only the extended protocol, a flush and the farewell"
    parsed = [message for message in gateway.sent if message.kind == "P"]
    assert {message.name for message in parsed} == {""}, "a named prepared statement"
    sequence = "".join(m.kind for m in gateway.sent if m.kind in "PS")
    assert sequence == "PS" * len(parsed), "one Sync for each statement"
    assert {startup["application_name"] for startup in gateway.startups} == {"guard"}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_the_list_is_sent(fake: Fake, name: str) -> None:
    recording = load(name)
    with fake.gateway(recording) as gateway:
        look(gateway, recording.user)
    _only_what_is_allowed(gateway)


@pytest.mark.parametrize("build", _ANNOUNCED)
@pytest.mark.parametrize("user", ["root", "low"])
def test_nothing_but_the_list_is_sent_to_later_releases(fake: Fake, build: str, user: str) -> None:
    with fake.gateway(FINAL, crdb_version=_ANNOUNCED[build]) as gateway:
        look(gateway, user)
    _only_what_is_allowed(gateway)


@pytest.mark.parametrize("command", [("check",), ("check", "-v"), ("collect", "-o", "-")])
def test_the_commands_send_nothing_else(fake: Fake, command: tuple[str, ...]) -> None:
    with fake.gateway(FINAL) as gateway:
        run = guard(*command, "--url", gateway.url(), "--timeout", "20s")
    assert run.code == 0, run
    _only_what_is_allowed(gateway)


def test_the_list_only_reads() -> None:
    changes = re.compile(
        r"\b(INSERT|UPDATE|UPSERT|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|CANCEL|PAUSE|RESUME|TRUNCATE"
        r"|RESET|BACKUP INTO|EXECUTE|CALL|COPY|IMPORT|EXPORT)\b"
    )
    for whole in statements.ALL:
        text = re.sub(r"'(?:[^']|'')*'", "''", whole)  # what is looked for is not what is done
        assert not changes.search(text), text
        assert ";" not in text, text
        assert text.startswith(("SELECT ", "WITH ", "SHOW ", "SET ")), text
        assert "*" not in text.replace("(*)", ""), f"columns are named: {text}"
    settings = {text.split("=")[0].strip() for text in statements.ALL if text.startswith("SET ")}
    assert settings == {
        "SET default_transaction_read_only",
        "SET statement_timeout",
        "SET allow_unsafe_internals",
        *(f"SET {variable.name}" for variable in statements.VARIABLES),
    }


def test_no_secret_leaves_the_server() -> None:
    counting = {s.sql for candidates in statements.CHANGE_SECTIONS.values() for s in candidates}
    for text in statements.ALL - counting:  # those answer with counts: test_change_statements
        for column in ("description", "env", "args", "execution_args", "command", "statement,"):
            assert not re.search(rf"(?<![\w'.]){re.escape(column)}(?!\w)", text), (column, text)
        assert "enterprise.license'" not in text or "value <> ''" in text


def test_a_statement_that_is_not_on_the_list_is_not_sent(fake: Fake) -> None:
    import psycopg

    stray = Statement("stray", "SELECT 1")
    with (
        fake.gateway(FINAL) as gateway,
        psycopg.connect(gateway.url(dbname="system"), autocommit=True) as connection,
        pytest.raises(ValueError, match="stray"),
    ):
        ask(connection.pgconn, [stray], Deadline.after(5))
    assert gateway.statements == []


def test_the_session_is_really_read_only(fake: Fake) -> None:
    """The server itself refuses to write in guard's session."""
    writes = {statements.GOSSIP_NODES.sql: "CREATE TABLE compat.written ()"}
    with fake.gateway(FINAL, replaced=writes) as gateway:
        snapshot = look(gateway)
    assert isinstance(snapshot.gossip_nodes, Unavailable)
    assert snapshot.gossip_nodes.sqlstate == "25006"
    assert isinstance(snapshot.node_status, Collected)


def test_the_statement_timeout_is_really_set(fake: Fake) -> None:
    """The server itself gives up a statement that does not end, and the others still answer."""
    sleeps = {statements.KV_NODE_STATUS.sql: "SELECT pg_sleep(120)"}
    with fake.gateway(FINAL, replaced=sleeps) as gateway:
        snapshot = look(gateway, seconds=8)
    assert isinstance(snapshot.node_status, Unavailable)
    assert (snapshot.node_status.reason, snapshot.node_status.sqlstate) == (Reason.TIMEOUT, "57014")
    assert isinstance(snapshot.active_jobs, Collected)
    assert isinstance(snapshot.license, Collected)


# v20.1 and v20.2 know no start-up options, so guard sets what it needs there and reads it back.
_IGNORED = {
    "read-only": {statements.SET_READ_ONLY.sql: "SELECT 'ignored'"},
    "timeout": {s.sql: "SELECT 'ignored'" for s in statements.SET_TIMEOUT.values()},
    "timeout-shortened": {s.sql: "SET statement_timeout = 7" for s in statements.SET_TIMEOUT.values()},
}
_20 = "v20.1.5-to-v20.2.0/01-uniform-old-quiet"


@pytest.mark.parametrize("ignored", _IGNORED)
def test_a_server_that_ignores_set_is_unknown(fake: Fake, ignored: str) -> None:
    with fake.gateway(_20, replaced=_IGNORED[ignored]) as gateway:
        run = guard("check", "--url", gateway.url(), "--format", "json", "--timeout", "20s")
    assert run.code == 11
    assert "read-only session with a statement timeout" in run.out
    assert statements.GOSSIP_NODES.sql not in gateway.statements, (
        "the cluster was looked at all the same"
    )


def test_what_was_set_is_taken_back(fake: Fake) -> None:
    """Where start-up options do nothing, the session may be somebody else's afterwards."""
    with fake.gateway(_20) as gateway:
        snapshot = look(gateway)
        sent = gateway.statements
    assert isinstance(snapshot.gossip_nodes, Collected)
    settings = [text for text in sent if text.startswith("SET ")]
    taken_back = {text.split(" = ")[0] for text in settings if text.endswith(" = DEFAULT")}
    assert {text.split(" = ")[0] for text in settings} == taken_back != set()


def test_nothing_is_set_where_the_start_up_options_do(fake: Fake) -> None:
    with fake.gateway(FINAL) as gateway:
        look(gateway)
        sent = gateway.statements
        (startup,) = gateway.startups
    assert not [text for text in sent if text.startswith("SET ")]
    assert "default_transaction_read_only=on" in startup["options"]
