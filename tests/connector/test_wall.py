"""The deadline is a wall: whatever a server sends, a look ends, in bounded memory."""

from __future__ import annotations

import itertools
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from psycopg.pq.abc import PGconn

import guard as guard_api
from guard.cli import source
from guard.cli.source import within
from guard.connector import pipeline, statements
from guard.connector.collect import collect
from guard.connector.connect import connect
from guard.connector.deadline import Deadline
from guard.connector.errors import ConnectFailed
from guard.connector.hosts import targets
from guard.connector.pipeline import ConnectionLost, Rows, TimedOut, ask
from guard.decision.result import Verdict
from guard.snapshot.model import Unavailable
from tests.cluster.hostile import (
    AFTER_LOGIN,
    DURING_LOGIN,
    ODD_ANSWERS,
    ODD_LOGINS,
    Hostile,
    message,
    scram,
)
from tests.cluster.process import Run, environment
from tests.faults import fault, in_time

CHECK = ("check", "--step", "verify", "--format", "json")


def looks(count: int) -> Deadline:
    """A deadline that comes after so many looks at it, or after a second of silence."""
    clock = itertools.count()
    return Deadline.after(1, lambda: next(clock) / count + time.monotonic())


def logged_in(server: Hostile) -> PGconn:
    """A connection. Not by libpq's own connect(), which would keep the server's thread from running."""
    connection, _, _ = connect(targets([server.url], {}), Deadline.after(60))
    return connection


@pytest.mark.parametrize("how", AFTER_LOGIN)
def test_every_loop_looks_at_the_deadline(how: str) -> None:
    """A loop that does not look never ends."""
    with Hostile(AFTER_LOGIN[how]) as server:
        connection = logged_in(server)
        answers = ask(connection, [statements.SHOW_NODE_ID, statements.CLUSTER_ID], looks(2000))
        connection.finish()
    assert len(answers) == 2
    wrong = ("answers without end", "errors without end", "ready without an answer")
    if how not in wrong:
        assert all(isinstance(answer, (ConnectionLost, TimedOut)) for answer in answers), answers
    assert not any(isinstance(answer, Rows) and answer.rows for answer in answers)


@pytest.mark.parametrize("how", DURING_LOGIN)
def test_a_login_that_never_ends_is_unknown(how: str) -> None:
    with Hostile(DURING_LOGIN[how], login=False) as server:
        snapshot = collect(targets([server.url], {}), 0.5)
    assert isinstance(snapshot.connection, Unavailable)
    assert guard_api.evaluate(snapshot, step="verify").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("sslmode", ["disable", "require"])
@pytest.mark.parametrize("how", ODD_LOGINS)
def test_an_odd_login_is_unknown_and_said(how: str, sslmode: str) -> None:
    with Hostile(ODD_LOGINS[how], login=False) as server:
        snapshot = collect(targets([server.url.replace("disable", sslmode)], {"HOME": "/x"}), 0.6)
    assert isinstance(snapshot.connection, Unavailable)
    said = snapshot.connection.message.partition(": ")[2]
    assert len(said) > 5, "a reason that says nothing"
    assert not said.rstrip().endswith(":")
    assert guard_api.evaluate(snapshot, step="verify").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("number", "more"), [(2, b""), (4, b"ab"), (7, b""), (9, b""), (10, b"UNKNOWN\0\0")]
)
def test_a_way_to_log_in_that_guard_does_not_go_is_tried_once(number: int, more: bytes) -> None:
    """Kerberos, crypt, GSS and SSPI without a ticket, an unknown mechanism: waiting changes nothing."""
    asks = message(b"R", struct.pack("!i", number) + more)
    with Hostile(lambda _: iter([asks]), login=False) as server, pytest.raises(ConnectFailed) as failed:
        connect(targets([server.url], {"HOME": "/x"}), Deadline.after(60))
    assert failed.value.permanent


@pytest.mark.parametrize("how", ODD_ANSWERS)
def test_an_odd_answer_is_unknown_and_said(how: str) -> None:
    with Hostile(ODD_ANSWERS[how]) as server:
        snapshot = collect(targets([server.url], {}), 2.0)
    decision = guard_api.evaluate(snapshot, step="verify")
    assert decision.verdict is Verdict.UNKNOWN
    missing = [getattr(snapshot, name) for name in statements.SECTIONS]
    assert all(isinstance(section, Unavailable) and section.message for section in missing)
    assert isinstance(snapshot.identity, Unavailable)
    assert len(snapshot.identity.message) > 10, "a reason that says nothing"


@fault("errors, rows, columns and logins that are cut, doubled, misnamed or empty",
       "UNKNOWN, and says what was wrong", 11)  # fmt: skip
def test_odd_servers_at_the_process_edge() -> list[Run]:
    runs = []
    for behaviour, login in (
        (ODD_ANSWERS["an error without fields"], True),
        (ODD_ANSWERS["columns of other names"], True),
        (ODD_LOGINS["an error of bytes"], False),
    ):
        with Hostile(behaviour, login=login) as server:
            runs.append(in_time(*CHECK, "--url", server.url, seconds=1))
            assert "\x1b" not in runs[-1].out
    return runs


@pytest.mark.parametrize("how", AFTER_LOGIN)
@fault(
    "after the login the server sends noise, COPY, a message of 2 GiB, rows or notices without end",
    "UNKNOWN in time, in bounded memory", 11,
)  # fmt: skip
def test_a_server_that_never_stops(how: str) -> Run:
    with Hostile(AFTER_LOGIN[how]) as server:
        return in_time(*CHECK, "--url", server.url, seconds=2)


def test_memory_is_bounded() -> None:
    """libpq keeps what it receives until the answer is whole: the process's own peak is the measure."""
    peaks = itertools.chain([10 * 2**20] * 5, itertools.repeat(10 * 2**20 + pipeline.MOST_GROWTH + 1))
    with Hostile(AFTER_LOGIN["rows without end"]) as server:
        connection = logged_in(server)
        (answer,) = ask(
            connection, [statements.SHOW_NODE_ID], Deadline.after(60), peak=lambda: next(peaks)
        )
        connection.finish()
    assert isinstance(answer, ConnectionLost)
    assert "larger than" in answer.message


def test_rows_and_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Result:
        nfields = 1
        ntuples = 10

        def fname(self, _: int) -> bytes:
            return b"a"

        def get_value(self, *_: int) -> bytes:
            return b"x" * 100

    result: Any = Result()
    assert isinstance(pipeline._rows(result, Deadline.after(60)), Rows)
    assert isinstance(pipeline._rows(result, Deadline.after(0)), TimedOut)
    monkeypatch.setattr(pipeline, "MOST_BYTES", 999)
    with pytest.raises(pipeline._Broken, match="larger"):
        pipeline._rows(result, Deadline.after(60))
    monkeypatch.setattr(pipeline, "MOST_ROWS", 9)
    with pytest.raises(pipeline._Broken, match="rows"):
        pipeline._rows(result, Deadline.after(60))


def test_two_columns_of_one_name_are_no_answer() -> None:
    """Which of them would count?"""

    class Result:
        nfields = 2
        ntuples = 1

        def fname(self, _: int) -> bytes:
            return b"node_id"

        def get_value(self, _: int, column: int) -> bytes:
            return b"%d" % column

    result: Any = Result()
    with pytest.raises(pipeline._Broken, match="two columns"):
        pipeline._rows(result, Deadline.after(60))


def test_the_last_line() -> None:
    """A look that does not end by itself is left behind, and what is not seen is unknown."""
    over = threading.Event()

    def stuck() -> Any:
        over.wait(60)

    try:
        snapshot = within(stuck, 0.0, grace=0.05)
    finally:
        over.set()
    assert isinstance(snapshot.connection, Unavailable)
    assert guard_api.evaluate(snapshot, step="verify").verdict is Verdict.UNKNOWN


def test_looks_that_are_left_behind_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each computes on: whoever watches all night must not end up with a thousand of them."""
    monkeypatch.setattr(source, "_left_behind", [])
    over = threading.Event()
    begun: list[int] = []

    def stuck() -> Any:
        begun.append(1)
        over.wait(60)

    try:
        looks = [within(stuck, 0.0, grace=0.01) for _ in range(9)]
    finally:
        over.set()
    assert len(begun) == source._MOST_LEFT_BEHIND
    assert all(isinstance(look.connection, Unavailable) for look in looks)
    for thread in source._left_behind:
        thread.join(60)
    assert within(lambda: looks[0], 60) is looks[0], "they have ended: there is room for another"


@fault(
    "a server that has the password hashed two thousand million times (SCRAM)", "UNKNOWN in time", 11
)
def test_a_password_that_is_hashed_without_end() -> Run:
    with Hostile(scram(2_000_000_000), login=False) as server:
        return in_time(*CHECK, "--url", server.url, seconds=1, env={"PGPASSWORD": "correct-horse"})


def test_the_alarm_does_not_count_the_time_of_others() -> None:
    """A guard that was stopped (^Z) for longer than its look may take goes on afterwards."""
    waits = (
        "import select\nfrom guard.cli.source import _alarm\n"
        "with _alarm(0.05): select.select([], [], [], 0.3)\n"
    )
    computes = waits.replace("select.select([], [], [], 0.3)", "\n  while True: pass")
    codes = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment(), timeout=60, check=False
        ).returncode
        for code in (waits, computes)
    ]
    assert codes == [0, -signal.SIGPROF]


def test_what_a_look_raises_comes_through() -> None:
    def fails() -> Any:
        raise KeyError("x")

    with pytest.raises(KeyError):
        within(fails, 1.0)
