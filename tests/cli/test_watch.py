"""guard watch: the loop with a clock that only moves when somebody sleeps, and the process's edge."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import pty
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import typer
from rich.console import Console

from guard.cli.options import duration
from guard.cli.watching import Seen, Until, keep_looking, read_until
from guard.report.live_table import LiveTable
from guard.snapshot.model import Snapshot
from guard.watch.compare import Change, Known, see
from guard.watch.look import Look
from tests import building as b
from tests.cluster.fake import Fake
from tests.cluster.process import GUARD, environment, guard, heard
from tests.cluster.proxy import Fault as TcpFault
from tests.cluster.proxy import What, When
from tests.watch.nights import LIMITS, LOST, NEW, OLD, at, look, mixed

BLOCKED = mixed(nodes=[b.node(1, NEW), b.node(2, OLD, state="dead"), b.node(3, OLD)])


class Night:
    """A cluster in a state for each look; a look takes a second."""

    def __init__(self, *states: Snapshot, verified: Sequence[bool] = ()) -> None:
        self.time = 1000.0
        self.states = states
        self.verified = verified
        self.begun: list[float] = []
        self.told: list[Change] = []

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time += seconds

    def look(self) -> Seen:
        number = len(self.begun)
        assert number < len(self.states), "looked more often than expected"
        self.begun.append(self.time - 1000)
        self.time += 1
        seen = look(at(self.states[number], self.begun[-1] / 60))
        return Seen(seen, bool(self.verified and self.verified[number]))

    def run(self, until: Until, every: float = 10) -> Look:
        def tell(known: Known, look: Look, changes: Sequence[Change]) -> None:
            assert known.last is not None or not look.connected
            self.told += changes

        return keep_looking(
            self.look, tell, every=every, until=until, limits=LIMITS, clock=self.clock, sleep=self.sleep
        )


def test_a_look_begins_every_ten_seconds_until_the_time_is_over() -> None:
    night = Night(*[mixed()] * 5)
    assert night.run(Until(seconds=35)).exit_code == 0
    assert night.begun == [0, 10, 20, 30, 35]
    assert len(night.told) == 1


def test_until_allow_ends_at_the_first_allow() -> None:
    night = Night(BLOCKED, LOST, BLOCKED, mixed())
    assert night.run(Until(allow=True)).exit_code == 0
    assert len(night.begun) == 4


def test_until_verify_asks_another_question() -> None:
    night = Night(mixed(), mixed(), verified=[False, True])
    night.run(Until(verify=True))
    assert len(night.begun) == 2


def test_the_exit_code_is_that_of_the_last_look() -> None:
    assert Night(mixed(), mixed(), BLOCKED).run(Until(seconds=15)).exit_code == 10
    assert Night(mixed(), mixed(), LOST).run(Until(seconds=15)).exit_code == 11


def test_a_look_that_takes_longer_than_the_pause_is_followed_by_the_next_at_once() -> None:
    night = Night(*[mixed()] * 3)
    night.run(Until(seconds=2.5), every=0.5)
    assert night.begun == [0, 1, 2]


NOON = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("texts", "until"),
    [
        ((), Until()),
        (("allow",), Until(allow=True)),
        (("verify", "2h"), Until(verify=True, seconds=7200)),
        (("12:30",), Until(seconds=1800)),
        (("06:00",), Until(seconds=18 * 3600)),
        (("12:00Z", "3h"), Until(seconds=3 * 3600)),
    ],
)
def test_what_until_takes(texts: Sequence[str], until: Until) -> None:
    assert read_until(texts, NOON, duration) == until


@pytest.mark.parametrize("text", ["", "block", "25:00", "12:60", "soon", "-1h"])
def test_what_until_refuses(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_until([text], NOON, duration)


# --- the table ----------------------------------------------------------------------------------


def drawn(*states: Snapshot, width: int = 100) -> str:
    """The last frame of the table, as a terminal of that width shows it."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None, height=60)
    known = Known()
    with LiveTable(stream, dt.timedelta(seconds=10), console) as table:
        for index, state in enumerate(states):
            seen = look(at(state, index))
            known, changes = see(known, seen, LIMITS)
            stream.seek(0)
            stream.truncate()
            table(known, seen, changes)
    return stream.getvalue()


def test_the_table_shows_nodes_what_stands_since_when_and_what_moved() -> None:
    frame = drawn(mixed(), BLOCKED, BLOCKED)
    assert "BLOCK at next-node to v22.2.19 (exit code 10), cluster version 22.1" in frame
    assert frame.index("n2") < frame.index("n1")  # what is down comes first
    assert "dead" in frame
    assert "node-liveness" in frame
    assert "02:01:00Z" in frame
    assert "n2 is dead (was live)" in frame


def test_the_table_says_that_nobody_answers_and_keeps_what_was_seen() -> None:
    frame = drawn(mixed(), LOST, LOST)
    assert "NO CONNECTION since 02:01:00Z: refused" in frame
    assert "n1" in frame


def test_the_table_stays_within_a_narrow_terminal_and_shows_no_markup() -> None:
    nasty = mixed(nodes=[b.node(1, "[bold red]v9[/]\x1b[2J"), b.node(2, OLD), b.node(3, OLD)])
    frame = drawn(nasty, width=60)
    assert "[bold red]v9[/]" in frame
    assert "\x1b[2J" not in frame


# --- the edge of the process --------------------------------------------------------------------


@contextlib.contextmanager
def refused() -> Iterator[str]:
    """A URL that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://root@127.0.0.1:{taken.getsockname()[1]}/?sslmode=disable"


def test_piped_it_prints_a_line_per_change_and_leaves_with_the_last_code(fake: Fake) -> None:
    with fake.gateway("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-new") as gateway:
        run = guard("watch", "--url", gateway.url(), "--every", "1s", "--until", "1s", "--no-policy")
    assert run.code == 10
    lines = run.out.splitlines()
    assert len(lines) == 1
    assert "first-look           BLOCK at next-node to v21.2.0: " in lines[0]
    assert "A-72839" in lines[0]
    assert run.err == ""


def test_json_is_an_object_per_line(fake: Fake) -> None:
    with fake.gateway("v21.1.11-to-v21.2.0/12-finalized") as gateway:
        run = guard(
            "watch", "--url", gateway.url(), "--until", "verify", "--format", "json", "--no-policy"
        )
    [change] = [json.loads(line) for line in run.out.splitlines()]
    assert (change["schema_version"], change["kind"], change["exit_code"]) == (
        "1",
        "first-look",
        run.code,
    )
    assert change["step"] == "verify"


def test_no_connection_is_a_line_and_no_end() -> None:
    with refused() as url:
        run = guard("watch", "--url", url, "--timeout", "1s", "--every", "1s", "--until", "4s")
    assert run.code == 11
    [line] = run.out.splitlines()
    assert "connection-lost" in line


def test_a_warning_is_given_once_and_not_at_every_look() -> None:
    with refused() as url:
        url = url.replace("root@", "root:correct-horse@")
        run = guard("watch", "--url", url, "--timeout", "300ms", "--every", "1s", "--until", "3s")
    assert run.err.count("--url holds a password") == 1


def test_another_cluster_is_not_the_one_that_is_watched(fake: Fake) -> None:
    """A load balancer before two clusters: the second is quiet, and says nothing about the first."""
    late = [TcpFault(What.CUT, When.ACCEPT, connections=1)]
    with (
        fake.gateway("v20.1.5-to-v20.2.0/01-uniform-old-quiet", faults=late) as other,
        fake.gateway("v21.1.11-to-v21.2.0/12-finalized") as watched,
    ):
        url = f"postgresql://root@127.0.0.1:{other.port},127.0.0.1:{watched.port}/?sslmode=disable"
        run = guard("watch", "--url", url, "--every", "1s", "--until", "1s", "--no-policy")
    assert run.code == 11
    first, last = run.out.splitlines()
    assert "first-look" in first
    assert "connection-lost" in last
    assert "another cluster answers" in last


@pytest.mark.parametrize(
    "arguments",
    [
        ("--every", "0.5s"),
        ("--until", "soon"),
        ("--step", "start"),
        ("--target", "x"),
        ("--policy", "a", "--no-policy"),
        ("--policy", "/nonexistent/guard.toml"),
    ],
    ids=lambda a: a[1],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    with refused() as url:
        assert guard("watch", "--url", url, *arguments).code == 2


def started(*arguments: str, **streams: Any) -> subprocess.Popen[str]:
    with heard():
        return subprocess.Popen(
            [*GUARD, "watch", "--timeout", "1s", "--every", "1s", "--no-policy", *arguments],
            env=environment(),
            text=True,
            **streams,
        )


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """A process that hangs must not hang the tests."""
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_without_a_word(number: int, code: int) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with refused() as url, started("--url", url, **pipes) as process, ended(process):
        assert process.stdout is not None
        assert "connection-lost" in process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate()
        assert (process.returncode, out, err) == (code, "", "")


def test_it_ends_when_nobody_reads_any_more(fake: Fake) -> None:
    """A line per change: the pipe's end shows at the next change, and the exit code is the look's."""
    reading, writing = os.pipe()
    os.close(reading)
    with refused() as url, started("--url", url, stdout=writing) as process, ended(process):
        os.close(writing)
        assert process.wait() == 11


def until_shown(terminal: int, wanted: str, finished: Callable[[], bool]) -> str:
    """What a terminal has been sent, up to a text."""
    shown = ""
    while wanted not in shown and not finished():
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


def test_on_a_terminal_it_is_a_table_and_the_cursor_comes_back(fake: Fake) -> None:
    terminal, inside = pty.openpty()
    recording = "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-new"
    with fake.gateway(recording) as gateway:
        process = started("--url", gateway.url(), stdout=inside, stderr=inside, stdin=inside)
        with process, ended(process):
            os.close(inside)
            shown = until_shown(terminal, "what moved", lambda: process.poll() is not None)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):  # the terminal's end
                while True:
                    shown += os.read(terminal, 65536).decode(errors="replace")
            assert process.wait() == 130
    os.close(terminal)
    assert "BLOCK at next-node to v21.2.0" in shown
    assert "running-backups" in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0
    assert "Traceback" not in shown


def test_a_terminal_without_abilities_gets_lines() -> None:
    terminal, inside = pty.openpty()
    with refused() as url:
        process = subprocess.Popen(
            [*GUARD, "watch", "--url", url, "--timeout", "1s", "--every", "1s", "--until", "2s"],
            env=environment({"TERM": "dumb"}),
            stdout=inside,
        )
        os.close(inside)
        shown = ""
        with contextlib.suppress(OSError):
            while piece := os.read(terminal, 65536):
                shown += piece.decode()
        assert process.wait(timeout=60) == 11
    os.close(terminal)
    assert "connection-lost" in shown
    assert "\x1b" not in shown
