"""Real faults between guard and the cluster: never a false ALLOW, never a traceback, always in time."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg import sql

import guard as guard_api
from guard.connector import statements
from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.decision.result import Decision, Verdict
from guard.snapshot.model import Collected, Connection, Reason, Snapshot, Unavailable
from tests.cluster.fake import Fake
from tests.cluster.postgres import CannotRun, Postgres
from tests.cluster.process import GUARD, Run, environment, guard, heard
from tests.cluster.proxy import Fault, Proxy, What, When
from tests.cluster.recording import Error, load
from tests.connector.test_wire import FINAL
from tests.faults import GRACE, fault, in_time

UNIFORM = "v21.1.11-to-v21.2.0/04-uniform-old-one-decommissioned"
RUNNING = "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old"
CHECK = ("check", "--step", "verify", "--format", "json")

# Every statement that an admin on 21.2 is sent, in the order of sending.
SENT = (
    *statements.PREPARATION,
    *(v.show for v in statements.VARIABLES[:3]),
    *(s for s in statements.PRIVILEGES if s.name in ("is_admin", "has_controljob", "cluster_id")),
    *(
        candidates[0]
        for name, candidates in statements.SECTIONS.items()
        if name not in ("job_history", "active_jobs", "interleaved_tables")  # not on 21.2
    ),
    statements.ACTIVE_SYSTEM_JOBS,
    statements.HISTORY_SYSTEM_JOBS,
    *(s for s in statements.FEATURES if s.name in ("schema_features_21_2", "encryption_20_2")),
)


def check(*gateways: Proxy | str, seconds: float = 20) -> Run:
    urls = [w for g in gateways for w in ("--url", g if isinstance(g, str) else g.url())]
    return in_time(*CHECK, *urls, seconds=seconds)


def judged(gateway: Proxy, seconds: float = 5, **options: Any) -> tuple[Snapshot, Decision]:
    """A look in this process: for the long series of faults."""
    started = time.monotonic()
    snapshot = collect(targets([gateway.url()], {}), seconds, **options)
    assert time.monotonic() - started <= seconds + GRACE
    return snapshot, guard_api.evaluate(snapshot, step="verify")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def refusing() -> str:
    return f"postgresql://root@127.0.0.1:{closed_port()}/?sslmode=disable"


@contextlib.contextmanager
def listening(full: bool = False) -> Iterator[str]:
    """A server that never answers; with a full backlog it does not even accept."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        if full:
            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
        yield f"postgresql://root@127.0.0.1:{listener.getsockname()[1]}/?sslmode=disable"


def test_without_faults_the_answer_is_allow(fake: Fake) -> None:
    """What makes every UNKNOWN below mean something."""
    with fake.gateway(FINAL) as gateway:
        assert check(gateway).code == 0
        assert judged(gateway)[1].verdict is Verdict.ALLOW
        assert {s.sql for s in SENT} <= set(gateway.statements)


# Hosts.


@fault("every host refuses the connection", "UNKNOWN, names each host and keeps trying in time", 11)
def test_all_hosts_refuse() -> Run:
    urls = [refusing(), refusing()]
    run = check(*urls, seconds=3)
    for url in urls:
        assert url.split("@")[1].split("/")[0] in run.out
    return run


_SHORT_PATIENCE = """
import sys
from guard.connector import connect, retry
retry.LONGEST = connect.LONGEST = 0.3
import guard.cli
sys.argv[0] = "guard"
guard.cli.main()
"""


@pytest.mark.parametrize("url", ["closed", "unknown", "both"])
@fault("a closed port or an unknown name, and a time-out of 30 days",
       "UNKNOWN after a minute of tries: --wait is for more", 11)  # fmt: skip
def test_a_closed_port_is_not_tried_for_thirty_days(url: str) -> Run:
    """The minute is shortened, so that nothing sleeps; without an end this would be killed."""
    unknown = "postgresql://root@no-such-host.invalid/?sslmode=disable"
    urls = {"closed": [refusing()], "unknown": [unknown], "both": [refusing(), unknown]}[url]
    words = [word for each in urls for word in ("--url", each)]
    done = subprocess.run(
        [sys.executable, "-c", _SHORT_PATIENCE, *CHECK, *words, "--timeout", "30d", "-v"],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    tries = done.stderr.count("host did not answer")
    assert tries >= 2 * urls.count(urls[0]) or url == "unknown", done.stderr
    return Run(done.returncode, done.stdout, done.stderr)


def test_a_node_that_restarts_is_waited_for(fake: Fake) -> None:
    """It refuses for a while; then it listens where it did before."""
    with fake.gateway(FINAL) as gateway:
        port = closed_port()
        looked: list[Snapshot] = []
        url = f"postgresql://root@127.0.0.1:{port}/?sslmode=disable"
        refused = threading.Event()
        log = _Told(refused)
        look = threading.Thread(
            target=lambda: looked.append(collect(targets([url], {}), 40, log=log)), daemon=True
        )
        look.start()
        assert refused.wait(30), "no try was refused"
        with _forwarding(port, gateway.port):
            look.join(60)
    assert isinstance(looked[0].connection, Connection)


class _Told:
    """A log that says when a host did not answer."""

    def __init__(self, refused: threading.Event) -> None:
        self._refused = refused

    def info(self, event: str, **_: Any) -> None:
        if event == "host did not answer":
            self._refused.set()

    debug = warning = info


@contextlib.contextmanager
def _forwarding(port: int, to: int) -> Iterator[None]:
    """Pass on what comes to a port."""
    closing = threading.Event()

    def pass_on(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", to)) as server:
            while not closing.is_set():
                for ready in select.select([client, server], [], [], 0.2)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)

    with socket.create_server(("127.0.0.1", port)) as listener:

        def accept() -> None:
            while not closing.is_set():
                if select.select([listener], [], [], 0.2)[0]:
                    threading.Thread(target=pass_on, args=(listener.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        closing.set()
        thread.join(10)


@fault("some hosts refuse", "moves on to the next and says which one answered", 0)
def test_some_hosts_refuse(fake: Fake) -> Run:
    with fake.gateway(FINAL) as gateway:
        run = check(refusing(), gateway)
        assert run.json["cluster"]["gateway"] == f"127.0.0.1:{gateway.port}"
    return run


@fault("a URL of several hosts, the first one down", "moves on to the next", 0)
def test_one_url_with_several_hosts(fake: Fake) -> Run:
    with fake.gateway(FINAL) as gateway:
        url = f"postgresql://root@127.0.0.1:{closed_port()},127.0.0.1:{gateway.port}/?sslmode=disable"
        return check(url)


@fault("a host name that does not exist", "UNKNOWN, says that the name cannot be resolved", 11)
def test_dns_failure() -> Run:
    run = check("postgresql://root@no-such-host.invalid/?sslmode=disable", seconds=3)
    assert "resolved" in run.out
    return run


def test_a_name_service_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60) and [])
    try:
        started = time.monotonic()
        snapshot = collect(targets(["postgresql://root@db.example/?sslmode=disable"], {}), 3)
        assert time.monotonic() - started <= 3 + GRACE
    finally:
        over.set()
    assert isinstance(snapshot.connection, Unavailable)
    assert "name service" in snapshot.connection.message
    assert guard_api.evaluate(snapshot, step="verify").verdict is Verdict.UNKNOWN


@fault("a host accepts and stays silent", "UNKNOWN in time", 11)
def test_silent_server() -> Run:
    with listening() as url:
        return check(url, seconds=3)


@fault("a black hole swallows the connection", "UNKNOWN in time", 11)
def test_black_hole() -> Run:
    with listening(full=True) as url:
        return check(url, seconds=3)


@pytest.mark.parametrize("full", [False, True], ids=["silent", "black-hole"])
@fault("the first host is silent or a black hole", "leaves time for the next one, which answers", 0)
def test_the_next_host_still_gets_its_time(fake: Fake, full: bool) -> Run:
    with listening(full=full) as url, fake.gateway(FINAL) as gateway:
        return check(url, gateway, seconds=10)


@pytest.mark.parametrize("what", [What.CUT, What.STALL], ids=lambda w: w.name)
@pytest.mark.parametrize("when", [When.ACCEPT, When.LOGIN], ids=lambda w: w.name)
@fault("the connection is cut, or stalls, during the login", "UNKNOWN in time", 11)
def test_a_login_that_breaks(fake: Fake, what: What, when: When) -> Run:
    with fake.gateway(FINAL, faults=[Fault(what, when)]) as gateway:
        return check(gateway, seconds=3)


# What answers is not what guard needs.


@fault("PostgreSQL, PgBouncer or another server at the other end", "UNKNOWN at once, says so", 11)
def test_not_a_cockroachdb(fake: Fake) -> Run:
    with fake.gateway(FINAL, crdb_version=None) as gateway:
        run = check(gateway)
        assert gateway.connections == 1, "tried again, although that cannot change"
        assert gateway.statements == []
    assert "not a CockroachDB server" in run.out
    return run


@fault("something that does not speak the protocol", "UNKNOWN in time", 11)
def test_an_http_server_at_the_other_end() -> Run:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(1024)
                        client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        run = check(
            f"postgresql://root@127.0.0.1:{listener.getsockname()[1]}/?sslmode=disable", seconds=3
        )
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    return run


@pytest.fixture(scope="module")
def secured(fake: Fake) -> str:
    """A user with a password."""
    with fake.postgres.connect() as connection:
        connection.execute("CREATE ROLE secured LOGIN PASSWORD 'correct-horse'")
    fake.postgres.login_rules("local all secured scram-sha-256")
    return "secured"


@pytest.mark.parametrize("password", ["wrong", ""], ids=["wrong", "none"])
@fault("the password is wrong or missing", "UNKNOWN at once, without another try", 11)
def test_a_wrong_password(fake: Fake, secured: str, password: str) -> Run:
    with fake.gateway(FINAL) as gateway:
        env = {"PGPASSWORD": password} if password else {}
        run = in_time(*CHECK, "--url", gateway.url(secured), seconds=20, env=env)
        assert gateway.connections == 1
    assert "password" in run.out
    return run


@fault("the right password (SCRAM)", "is accepted", 0)
def test_the_right_password(fake: Fake, secured: str) -> Run:
    with fake.gateway(load(FINAL)) as gateway:
        return in_time(
            *CHECK, "--url", gateway.url(secured), seconds=20, env={"PGPASSWORD": "correct-horse"}
        )


@pytest.fixture(scope="module")
def lapsed(fake: Fake) -> str:
    """A user whose password was good until some time ago."""
    with fake.postgres.connect() as connection:
        connection.execute(
            "CREATE ROLE lapsed LOGIN PASSWORD 'correct-horse' VALID UNTIL '2001-01-01 00:00:00'"
        )
    fake.postgres.login_rules("local all lapsed,secured,tls_user scram-sha-256")
    return "lapsed"


# CockroachDB names the reason, PostgreSQL takes it for a wrong password.
_EXPIRED = Error("28P01", "password is expired")


@pytest.mark.parametrize("login_error", [None, _EXPIRED], ids=["as PostgreSQL", "as CockroachDB"])
@fault("the password has expired", "UNKNOWN at once, without another try", 11)
def test_an_expired_password(fake: Fake, lapsed: str, login_error: Error | None) -> Run:
    with fake.gateway(FINAL, login_error=login_error) as gateway:
        run = in_time(
            *CHECK, "--url", gateway.url(lapsed), seconds=20, env={"PGPASSWORD": "correct-horse"}
        )
        assert gateway.connections == 1
    assert "password" in run.out
    assert "correct-horse" not in run.out + run.err
    return run


_NO_QUORUM = Error(
    "28000",
    "internal error while retrieving user account memberships: operation "
    '"get-user-timeout" timed out after 10s: context deadline exceeded',
)


@fault("the login fails for lack of quorum (28000)", "UNKNOWN, says quorum, not password", 11)
def test_a_login_without_quorum(fake: Fake) -> Run:
    with fake.gateway(FINAL, login_error=_NO_QUORUM) as gateway:
        run = check(gateway, seconds=3)
    assert "quorum" in run.out
    assert "the password (passfile" not in run.out
    return run


@fault("the login is refused for good (28000)", "UNKNOWN at once, without another try", 11)
def test_a_login_that_is_refused(fake: Fake) -> Run:
    refusal = Error("28000", "role is not permitted to log in")
    with fake.gateway(FINAL, login_error=refusal) as gateway:
        run = check(gateway)
        assert gateway.connections == 1
    assert "not permitted to log in" in run.out
    return run


# The connection breaks at each statement.

# Their sections decide nothing at `verify`: without them ALLOW stays right.
_DECIDE_NOTHING = {
    "variables", "migrations", "replication_stats", "critical_localities", "zone_replicas",
    "license", "features", "events", "invalid_objects", "virtual_clusters", "interleaved_tables",
}  # fmt: skip


def no_false_allow(snapshot: Snapshot, decision: Decision) -> None:
    """ALLOW only with every section collected that decides something."""
    missing = {
        name
        for name in ("identity", "variables", "privileges", *statements.SECTIONS, "features")
        if not isinstance(getattr(snapshot, name), Collected)
    }
    if missing - _DECIDE_NOTHING:
        assert decision.verdict is not Verdict.ALLOW, missing


_NO_ROWS = ("events", "invalid_objects", "virtual_clusters")
"""The stand-in has none to be cut in the middle of."""


def _series(*whens: When) -> list[Any]:
    return [
        pytest.param(s, when, id=f"{when.name.lower()}-{s.name}")
        for s in SENT
        for when in whens
        if not (when is When.DURING and s.name in _NO_ROWS)
    ]


@pytest.mark.parametrize(("statement", "when"), _series(When.BEFORE, When.DURING, When.AFTER))
def test_cut_at_every_statement_on_every_connection(
    fake: Fake, statement: statements.Statement, when: When
) -> None:
    with fake.gateway(FINAL, faults=[Fault(What.CUT, when, statement.sql)]) as gateway:
        snapshot, decision = judged(gateway)
        last = statement is SENT[-1] and when is When.AFTER
        assert gateway.connections > 1 or last, "no second try"
    lost = {
        name
        for name in (*statements.SECTIONS, "features")
        if isinstance(section := getattr(snapshot, name), Unavailable)
        and section.reason is Reason.CONNECTION
    }
    no_false_allow(snapshot, decision)
    if when is not When.AFTER and SENT.index(statement) >= SENT.index(statements.GOSSIP_LIVENESS):
        assert lost
        if lost - _DECIDE_NOTHING:
            assert decision.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("statement", "when"), _series(When.BEFORE, When.DURING))
def test_cut_once_at_every_statement(fake: Fake, statement: statements.Statement, when: When) -> None:
    """The gateway restarts under guard's hands and is back at once."""
    once = Fault(What.CUT, when, statement.sql, connections=1)
    with fake.gateway(FINAL, faults=[once]) as gateway:
        snapshot, decision = judged(gateway)
        assert gateway.connections == 2
    assert decision.verdict is Verdict.ALLOW
    assert isinstance(snapshot.features, Collected)


@pytest.mark.parametrize("what", [What.TRUNCATE, What.GARBLE, What.NOT_TEXT], ids=lambda w: w.name)
@pytest.mark.parametrize("statement", SENT, ids=lambda s: s.name)
def test_damaged_answers(fake: Fake, statement: statements.Statement, what: What) -> None:
    with fake.gateway(FINAL, faults=[Fault(what, When.DURING, statement.sql)]) as gateway:
        snapshot, decision = judged(gateway)
    no_false_allow(snapshot, decision)
    if what is What.NOT_TEXT:  # what may be any text is kept, what is a number or a time is not
        assert isinstance(snapshot.connection, Connection)


@fault("the connection is cut in the middle of an answer, each time", "UNKNOWN, after three tries", 11)
def test_cut_at_the_process_edge(fake: Fake) -> Run:
    cut = Fault(What.TRUNCATE, When.DURING, statements.ACTIVE_SYSTEM_JOBS.sql)
    with fake.gateway(FINAL, faults=[cut]) as gateway:
        run = check(gateway)
        assert gateway.connections == 3
    return run


@pytest.mark.parametrize(
    "statement",
    [statements.SHOW_READ_ONLY, statements.GOSSIP_NODES, statements.ACTIVE_SYSTEM_JOBS],
    ids=lambda s: s.name,
)
@pytest.mark.parametrize("when", [When.BEFORE, When.DURING], ids=lambda w: w.name)
@fault("the server falls silent at a statement", "UNKNOWN in time", 11)
def test_stalled(fake: Fake, statement: statements.Statement, when: When) -> Run:
    with fake.gateway(FINAL, faults=[Fault(What.STALL, when, statement.sql)]) as gateway:
        return check(gateway, seconds=2)


@fault("an answer is late, but in time", "waits for it", 0)
def test_late(fake: Fake) -> Run:
    late = Fault(What.DELAY, When.DURING, statements.GOSSIP_NODES.sql, seconds=0.5)
    with fake.gateway(FINAL, faults=[late]) as gateway:
        return check(gateway)


# The server process.


@pytest.fixture(scope="module")
def breakable() -> Iterator[Fake]:
    """A server of its own, to be killed and frozen."""
    try:
        server = Postgres()
    except CannotRun as reason:
        pytest.skip(f"no PostgreSQL server to break: {reason}")
    try:
        fake = Fake(server)
        fake.database(FINAL)
        with server.connect() as connection:
            connection.execute("CHECKPOINT")  # commits are not synchronous, and it will be killed
        yield fake
    finally:
        server.close()


@fault("the server process is killed between two statements", "UNKNOWN", 11)
def test_killed(breakable: Fake) -> Run:
    kill = Fault(What.CALL, When.BEFORE, statements.KV_NODE_STATUS.sql, 1, call=breakable.postgres.kill)
    try:
        with breakable.gateway(FINAL, faults=[kill]) as gateway:
            return check(gateway, seconds=5)
    finally:
        breakable.postgres.start()


@fault("the server restarts between two statements", "looks again from the start", 0)
def test_restarted(breakable: Fake) -> Run:
    def restart() -> None:
        breakable.postgres.kill()
        breakable.postgres.start()

    once = Fault(What.CALL, When.BEFORE, statements.KV_NODE_STATUS.sql, 1, call=restart)
    with breakable.gateway(FINAL, faults=[once]) as gateway:
        run = check(gateway, seconds=15)
        assert gateway.connections == 2
        assert gateway.statements.count(statements.GOSSIP_NODES.sql) == 2
    return run


@fault("the gateway is killed, another host is there", "starts again there, names it", 0)
def test_killed_with_another_host(fake: Fake, breakable: Fake) -> Run:
    kill = Fault(What.CALL, When.BEFORE, statements.KV_NODE_STATUS.sql, 1, call=breakable.postgres.kill)
    try:
        with breakable.gateway(FINAL, faults=[kill]) as dying, fake.gateway(FINAL) as other:
            run = check(dying, other, seconds=15)
            assert run.json["cluster"]["gateway"] == f"127.0.0.1:{other.port}"
    finally:
        breakable.postgres.start()
    return run


@fault("the server process is frozen", "UNKNOWN in time", 11)
def test_frozen(breakable: Fake) -> Run:
    freeze = Fault(What.CALL, When.BEFORE, statements.GOSSIP_NODES.sql, call=breakable.postgres.freeze)
    try:
        with breakable.gateway(FINAL, faults=[freeze]) as gateway:
            return check(gateway, seconds=3)
    finally:
        breakable.postgres.thaw()


# One statement alone.


@fault("the jobs table is locked (57014)", "UNKNOWN for what needs it; the other checks report", 11)
def test_locked(fake: Fake) -> Run:
    with (
        fake.postgres.connect(fake.database(FINAL)) as other,
        other.transaction(),
        fake.gateway(FINAL) as gateway,
    ):
        other.execute("LOCK TABLE system.jobs IN ACCESS EXCLUSIVE MODE")
        run = check(gateway, seconds=6)
    outcomes = {(c, o) for c, o, _ in run.findings()}
    assert {("running-backups", "unknown"), ("mixed-version", "pass")} <= outcomes
    assert "statement timeout" in run.out
    return run


_QUORUM_LOST = (
    statements.KV_NODE_STATUS,
    statements.KV_NODE_LIVENESS,
    statements.KV_STORE_STATUS,
    statements.SHOW_VERSION,
    statements.ACTIVE_SYSTEM_JOBS,
    statements.HISTORY_SYSTEM_JOBS,
    statements.BACKUP_SCHEDULES,
)


@fault("quorum of the system ranges is lost", "UNKNOWN in time, from what memory still tells", 11)
def test_quorum_lost(fake: Fake) -> Run:
    """What is read from KV waits for the statement timeout; gossip and settings answer at once."""
    waits = dict.fromkeys((s.sql for s in _QUORUM_LOST), "SELECT pg_sleep(600)")
    with fake.gateway(FINAL, replaced=waits) as gateway:
        run = check(gateway, seconds=5)
    assert run.json["cluster"]["nodes"], "what gossip knows was thrown away"
    return run


_REFUSED = ("gossip_nodes", "gossip_liveness", "kv_node_status", "show_schedules")


@pytest.mark.parametrize("sqlstate", ["XX000", "42501", "42P01"])
@pytest.mark.parametrize(
    "query", ["gossip_nodes", "gossip_liveness", "kv_node_status", "show_schedules"]
)
@fault("one statement is refused while the others answer", "UNKNOWN; the other checks report", 11)
def test_one_statement_refused(fake: Fake, query: str, sqlstate: str) -> Run:
    refusal = Error(sqlstate, "no, for a reason of its own")
    if query == "kv_node_status" and sqlstate == "42P01":
        refusal = Error("42703", 'column "tag" does not exist')
    recording = load(FINAL).but(f"refused-{query}-{refusal.sqlstate}", **{query: refusal})
    with fake.gateway(recording) as gateway:
        run = check(gateway)
    other = "mixed-version" if query == "show_schedules" else "restores"
    assert (other, "pass") in {(c, o) for c, o, _ in run.findings()}
    return run


_ONCE = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}', MESSAGE = 'descriptor not found'; END $$"


@pytest.mark.parametrize("sqlstate", ["40001", "XX000", "53200"])
@fault("statements fail once in a way that passes", "answers, for they are asked again, once", 0)
def test_an_error_that_passes(fake: Fake, sqlstate: str) -> Run:
    asked = [statements.GOSSIP_NODES, statements.ACTIVE_SYSTEM_JOBS, *statements.FEATURES]
    once = [Fault(What.INSTEAD, When.ASKED, s.sql, sql=_ONCE.format(sqlstate)) for s in asked]
    with fake.gateway(FINAL) as gateway:
        well = check(gateway)
    with fake.gateway(FINAL, faults=once) as gateway:
        run = check(gateway)
        again = [sql for sql in gateway.statements if sql == statements.GOSSIP_NODES.sql]
    assert len(again) == 2
    assert run.findings() == well.findings()
    return run


# Clusters that are odd.


@fault("the gateway changes between two looks", "judges one whole look, never two halves", 0)
def test_another_gateway_of_another_version(fake: Fake) -> Run:
    old = load(FINAL).crdb_version.replace("v21.2.0", "v21.1.11")
    cut = Fault(What.CUT, When.BEFORE, statements.ACTIVE_SYSTEM_JOBS.sql)
    with fake.gateway(UNIFORM, faults=[cut]) as first, fake.gateway(FINAL) as second:
        snapshot = collect(targets([first.url(), second.url()], {}), 15)
        run = check(first, second, seconds=15)
    assert old
    assert isinstance(snapshot.connection, Connection)
    assert snapshot.connection.build == "v21.2.0"
    assert isinstance(snapshot.settings, Collected)
    assert {s.value for s in snapshot.settings.rows if s.name == "version"} == {"21.2"}
    assert run.json["cluster"]["active_version"] == "21.2"
    return run


@fault("the gateway runs another version than the rest", "sees what every other gateway sees", 10)
def test_a_gateway_of_another_version(fake: Fake) -> list[Run]:
    """A cluster of v21.2.0 and v21.1.11 nodes, looked at through either kind."""
    runs = []
    for kind, build in (("old", "v21.1.11"), ("new", "v21.2.0")):
        recording = load(f"v21.1.11-to-v21.2.0/06-mixed-backup-running-via-{kind}")
        assert build in recording.crdb_version
        with fake.gateway(recording) as gateway:
            runs.append(check(gateway))
    told = [{(f["check"], f["outcome"]) for f in run.json["findings"]} for run in runs]
    assert told[0] == told[1]
    assert ("mixed-version", "block") in told[0]
    builds = [{n["node_id"]: n["build"] for n in run.json["cluster"]["nodes"]} for run in runs]
    assert builds[0] == builds[1]
    assert set(builds[0].values()) == {"v21.1.11", "v21.2.0"}
    return runs


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_clock_that_is_wrong_changes_nothing(fake: Fake, days: int) -> None:
    """Ages are computed from the cluster's clock."""
    clock = dt.datetime.now(dt.UTC)

    def findings(skew: dt.timedelta) -> list[Any]:
        with fake.gateway(RUNNING) as gateway:
            snapshot = collect(targets([gateway.url()], {}), 20, utcnow=lambda: clock + skew)
        return [
            (f.check, f.outcome, f.title, f.detail)
            for f in guard_api.evaluate(snapshot, step="next-node").findings
        ]

    assert findings(dt.timedelta(days=days)) == findings(dt.timedelta())


def _many_nodes(count: int) -> dict[str, Any]:
    base = load(FINAL)
    tables = {}
    for query in ("gossip_nodes", "gossip_liveness", "kv_node_liveness", "kv_node_status"):
        table = base.table(query)
        first = table.dicts()[0]
        tables[query] = table.with_rows(first | {"node_id": number} for number in range(1, count + 1))
    store = base.table("kv_store_status")
    tables["kv_store_status"] = store.with_rows(
        store.dicts()[0] | {"node_id": number, "store_id": number} for number in range(1, count + 1)
    )
    return tables


@fault("a cluster of 1,000 nodes", "is judged as any other", 0, group="Cluster")
def test_a_thousand_nodes(fake: Fake) -> Run:
    with fake.gateway(load(FINAL).but("many-nodes", **_many_nodes(1000))) as gateway:
        run = check(gateway)
    assert len(run.json["cluster"]["nodes"]) == 1000
    return run


@fault("1,000 nodes, one of them on the old build", "BLOCK, names it", 10, group="Cluster")
def test_one_among_a_thousand(fake: Fake) -> Run:
    tables = _many_nodes(1000)
    old = {"gossip_nodes": {"build_tag": "v21.1.11"}, "kv_node_status": {"tag": "v21.1.11"}}
    for query, values in old.items():
        tables[query] = tables[query].update({"node_id": 777}, server_version="21.1", **values)
    with fake.gateway(load(FINAL).but("one-old", **tables)) as gateway:
        run = check(gateway)
    assert "777" in str([f for f in run.json["findings"] if f["check"] == "mixed-version"])
    return run


@fault("10,000 running backups", "BLOCK, in a report of readable size", 10, group="Cluster")
def test_ten_thousand_running_jobs(fake: Fake) -> Run:
    base = load(RUNNING)
    encoded, decoded = base.table("system_jobs"), base.table("system_jobs_decoded")
    (backup,) = (
        r for r in encoded.dicts() if r["status"] == "running" and r["claim_instance_id"] is None
    )
    recording = base.but(
        "many-jobs",
        system_jobs=encoded.with_rows(
            [*encoded.dicts(), *({**backup, "id": n} for n in range(10_000))]
        ),
        system_jobs_decoded=decoded,
    )
    with fake.gateway(recording) as gateway:
        run = in_time(
            "check", "--url", gateway.url(), "--step", "next-node", "--format", "json", seconds=20
        )
    assert "10001" in run.out or "10,001" in run.out
    assert len(run.out) < 300_000
    return run


_ODD = (
    "22.1--1", "24.1-upgrading-final-step", "21.2-upgrading-to-22.1-step-008", "unknown", "",
    "21.2.0", "v21.2", " 21.2", "21.2\n",
)  # fmt: skip


@pytest.mark.parametrize("version", _ODD, ids=repr)
@pytest.mark.parametrize("step", ["verify", "finalize"])
@fault(
    "a cluster version such as `22.1--1`, `24.1-upgrading-final-step`, `unknown` or none",
    "BLOCK or UNKNOWN, never taken for final", 10, 11, group="Cluster",
)  # fmt: skip
def test_odd_cluster_versions(fake: Fake, version: str, step: str) -> Run:
    base = load(FINAL)
    recording = base.but(
        f"version-{version!r}",
        cluster_settings=base.table("cluster_settings").update({"variable": "version"}, value=version),
        show_cluster_setting_version=base.table("show_cluster_setting_version").with_rows(
            [{"version": version}]
        ),
    )
    with fake.gateway(recording) as gateway:
        run = guard("check", "--url", gateway.url(), "--step", step, "--format", "json")
    assert run.json["cluster"]["final"] is not True
    return run


@pytest.mark.parametrize("tag", ["unknown", "", None, "v21.2.0-dirty", "sha256:abc:latest-v21.2-build"])
@fault("a node whose build is unknown or unreadable", "never ALLOW", 10, 11, group="Cluster")
def test_odd_builds(fake: Fake, tag: str | None) -> Run:
    base = load(FINAL)
    recording = base.but(
        f"build-{tag!r}",
        gossip_nodes=base.table("gossip_nodes").update({"node_id": 2}, build_tag=tag),
        kv_node_status=base.table("kv_node_status").update({"node_id": 2}, tag=tag),
    )
    with fake.gateway(recording) as gateway:
        return check(gateway)


@pytest.mark.parametrize(
    "query", ["gossip_nodes", "gossip_liveness", "cluster_settings", "kv_node_status"]
)
def test_a_list_that_cannot_be_empty(fake: Fake, query: str) -> None:
    base = load(FINAL)
    empty = {query: base.table(query).with_rows([])}
    if query == "gossip_liveness":
        empty["kv_node_liveness"] = base.table("kv_node_liveness").with_rows([])
    with fake.gateway(base.but(f"empty-{query}", **empty)) as gateway:
        _, decision = judged(gateway)
    if query == "kv_node_status":
        # gossip knows every build, but nothing confirms it
        assert decision.verdict is not Verdict.BLOCK or decision.findings
    else:
        assert decision.verdict is Verdict.UNKNOWN


# Signals and company.


def _waiting(condition: Callable[[], bool], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.01)  # between two looks at the condition


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["SIGHUP", "SIGINT", "SIGTERM"],
)
@pytest.mark.parametrize("when", [When.LOGIN, When.BEFORE], ids=lambda w: w.name)
@fault("SIGHUP, SIGINT or SIGTERM", "ends at once with 129, 130 or 143, no verdict on standard output",
       129, 130, 143, group="Process")  # fmt: skip
def test_signals(fake: Fake, number: signal.Signals, code: int, when: When) -> Run:
    text = statements.GOSSIP_NODES.sql if when is When.BEFORE else ""
    with fake.gateway(FINAL, faults=[Fault(What.STALL, when, text)]) as gateway:
        with heard():
            process = subprocess.Popen(
                [*GUARD, *CHECK, "--url", gateway.url(), "--timeout", "50s"],
                env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        try:
            _waiting(lambda: bool(gateway.startups if not text else len(gateway.sent) > 20))
            os.kill(process.pid, number)
            out, err = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == code
    assert out == ""
    return Run(process.returncode, out, err)


@fault("two guards at once", "do not disturb each other", 10, group="Process")
def test_two_at_once(fake: Fake) -> list[Run]:
    runs: list[Run] = []
    with fake.gateway(RUNNING) as gateway:
        arguments = ("check", "--url", gateway.url(), "--step", "next-node", "--format", "json")
        threads = [
            threading.Thread(target=lambda: runs.append(guard(*arguments, "--timeout", "30s")))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(runs) == 2
    assert runs[0].findings() == runs[1].findings()
    return runs


def test_nothing_is_left_behind(fake: Fake) -> None:
    """guard closes its connection: no session stays on the server."""
    with fake.gateway(FINAL) as gateway:
        check(gateway)
    with fake.postgres.connect() as connection:
        query = sql.SQL("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'guard'")

        def gone() -> bool:
            row = connection.execute(query).fetchone()
            return row is not None and row[0] == 0

        _waiting(gone)
