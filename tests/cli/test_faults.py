"""Faults around the process: files, streams, locale, terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import resource
import stat
import struct
import subprocess
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guard import files
from guard.snapshot.file import MAX_BYTES, encode, load_snapshot
from guard.snapshot.model import Unavailable
from tests.building import job, node, schedule, snapshot
from tests.cluster import snapshots
from tests.cluster.process import GUARD, Run, environment, guard
from tests.connector.test_faults import closed_port
from tests.faults import fault

RUNNING = snapshots.path_of("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old")
FINAL = snapshots.path_of("v21.1.11-to-v21.2.0/12-finalized")
NOWHERE = f"postgresql://root@127.0.0.1:{closed_port()}/?sslmode=disable"


def check(path: Path | str, *options: str, **more: bytes) -> Run:
    return guard("check", "--snapshot", str(path), *options, killed_after=30, **more)  # type: ignore[arg-type]


# Snapshots that are none.

_BAD: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "only white space": lambda _: b" \n\n",
    "truncated": lambda good: good[: len(good) // 2],
    "not JSON": lambda _: b"verdict: allow\n",
    "not UTF-8": lambda good: good.replace(b"root", b"\xff\xfe\xfd"),
    "another JSON": lambda _: b'{"verdict": "allow", "exit_code": 0}',
    "a list": lambda _: b"[]",
    "null": lambda _: b"null",
    "of a newer schema": lambda good: good.replace(
        b'"schema_version": "1"', b'"schema_version": "2"', 1
    ),
    "with an unknown field": lambda good: good.replace(
        b'"taken_at"', b'"verdict": "allow", "taken_at"', 1
    ),
    "nested without end": lambda _: b'{"schema_version": "1", "identity": ' + b"[" * 200_000,
    "with a section twice": lambda good: (
        good.rstrip()[:-1] + b', "active_jobs": {"state": "collected",'
        b' "rows": [], "read_at": "2026-11-22T04:07:34Z", "statement": "x"}}'
    ),
    "with a field twice": lambda good: good.replace(
        b'"node_id": 1,', b'"node_id": 2, "node_id": 1,', 1
    ),
    "with a wrong type": lambda good: good.replace(b'"node_id": 1,', b'"node_id": "one",', 1),
}


@pytest.mark.parametrize("how", _BAD)
@fault(
    "a snapshot that is empty, truncated, not JSON, of a newer schema or with foreign fields",
    "usage error that says why, in one line", 2, group="Files",
)  # fmt: skip
def test_a_file_that_is_no_snapshot(tmp_path: Path, how: str) -> Run:
    file = tmp_path / "snapshot.json"
    good = FINAL.read_bytes()
    bad = _BAD[how](good)
    assert bad != good
    file.write_bytes(bad)
    run = check(file)
    assert run.out == ""
    assert "snapshot" in run.err
    return run


@fault("a snapshot of 200 MB", "usage error, without reading it all", 2, group="Files")
def test_a_huge_snapshot(tmp_path: Path) -> Run:
    file = tmp_path / "snapshot.json"
    with file.open("wb") as sparse:
        sparse.truncate(200 * 2**20)
        sparse.write(b'{"schema_version": "1", "a": "')
    assert file.stat().st_size > MAX_BYTES
    return check(file)


@fault("a directory, a missing or an unreadable file in place of the snapshot", "usage error", 2,
       group="Files")  # fmt: skip
def test_a_directory_and_a_missing_file(tmp_path: Path) -> list[Run]:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    return [check(tmp_path), check(tmp_path / "none.json"), check(loop), check("/dev/null")]


@fault("a FIFO that nobody writes to", "usage error after ten seconds, no hanging", 2, group="Files")
def test_a_fifo_without_a_writer(tmp_path: Path) -> Run:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # A writer that opens it and writes nothing: without any, reading ends at once.
    silent = os.open(fifo, os.O_RDWR)
    try:
        return check(fifo)
    finally:
        os.close(silent)


def test_a_fifo_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is always a little more, so that no single wait for it is a long one."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setattr(files, "_FIFO_WHOLE_SECONDS", 0.2)

    def drip() -> None:
        with contextlib.suppress(BrokenPipeError), fifo.open("wb", buffering=0) as writer:
            while True:
                writer.write(b" ")

    def sip() -> None:
        with fifo.open("rb", buffering=0) as reader:
            while reader.read(1):
                pass

    # Held open, so that neither end waits for the other to be opened.
    held = os.open(fifo, os.O_RDWR)
    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(files.NotRegular, match="did not end"):
        files.read_whole(fifo, 1 << 40)
    os.close(held)
    thread.join(60)
    thread = threading.Thread(target=sip)
    thread.start()
    with pytest.raises(files.NotRegular, match="was not read"):
        files.write(fifo, b"x" * (1 << 26))
    thread.join(60)


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_a_fifo_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Nobody has opened it; or somebody has, and takes less than there is."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setattr(files, "_FIFO_PATIENCE_SECONDS", 0.1)
    with pytest.raises(files.NotRegular, match="nobody reads"):
        files.write(fifo, b"x")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if size < 1000:
            files.write(fifo, b"x" * size)
            assert os.read(reader, 100) == b"x" * size
        else:
            with pytest.raises(files.NotRegular, match="nobody reads"):
                files.write(fifo, b"x" * size)
    finally:
        os.close(reader)


def test_a_fifo_whose_reader_comes_late(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Timer(0.2, lambda: read.append(fifo.read_bytes()))
    reader.start()
    files.write(fifo, b"x" * 200_000)
    reader.join(10)
    assert read == [b"x" * 200_000]


@fault("`-o` into a FIFO that nobody reads", "usage error after ten seconds, no hanging", 2,
       group="Files")  # fmt: skip
def test_a_report_for_nobody(tmp_path: Path) -> Run:
    fifo = tmp_path / "report.json"
    os.mkfifo(fifo)
    run = check(FINAL, "--step", "verify", "-o", str(fifo))
    assert "nobody reads" in run.err
    return run


@fault("a FIFO or standard input with a snapshot", "is read like a file", 0, group="Files")
def test_a_fifo_and_standard_input(tmp_path: Path) -> list[Run]:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(FINAL.read_bytes()), daemon=True)
    holder = os.open(fifo, os.O_RDWR)  # so that neither end waits for the other
    writer.start()
    process = threading.Timer(3, lambda: os.close(holder))
    process.start()
    run = check(fifo)
    process.join()
    writer.join(10)
    assert not writer.is_alive()
    return [run, check("-", stdin=FINAL.read_bytes())]


# Where guard writes.


@fault("standard output is closed early (`| head -1`)", "the verdict's exit code all the same", 10,
       group="Process")  # fmt: skip
def test_standard_output_closed_early() -> list[Run]:
    runs = []
    for output in ("text", "json"):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                [*GUARD, "check", "--snapshot", str(RUNNING), "--format", output],
                env=environment(), stdout=writing, stderr=subprocess.PIPE, timeout=30, check=False,
            )  # fmt: skip
        finally:
            os.close(writing)
        assert done.stderr == b""
        runs.append(Run(done.returncode, "", ""))
    return runs


def test_help_that_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run([*GUARD, "--help"], env=environment(), stdout=nobody, check=False)
    assert done.returncode == 0


@fault("standard error is closed", "no traceback, the verdict's exit code", 10, group="Process")
def test_standard_error_closed() -> Run:
    done = subprocess.run(
        [*GUARD, "check", "--snapshot", str(RUNNING), "-v"],
        env=environment(), stdout=subprocess.PIPE, timeout=30, check=False,
        preexec_fn=lambda: os.close(2),
    )  # fmt: skip
    return Run(done.returncode, done.stdout.decode(), "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@fault("the disk is full for the report or the snapshot", "says so; usage error", 2, group="Process")
def test_a_full_disk() -> list[Run]:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*GUARD, "check", "--snapshot", str(RUNNING)],
            env=environment(), stdout=full, stderr=subprocess.PIPE, timeout=30, check=False,
        )  # fmt: skip
    collected = guard("collect", "--url", NOWHERE, "--timeout", "1s", "-o", "/dev/full")
    runs = [Run(done.returncode, "", done.stderr.decode()), collected]
    assert all("No space left" in run.err for run in runs)
    return runs


@fault("the disk is full in the middle of `-o`", "usage error; the old file is untouched", 2,
       group="Process")  # fmt: skip
def test_the_old_file_survives(tmp_path: Path) -> Run:
    file = tmp_path / "snapshot.json"
    file.write_bytes(FINAL.read_bytes())
    # No file may grow, so nobody measures coverage here.
    env = {k: v for k, v in environment().items() if not k.startswith("COVERAGE")}
    done = subprocess.run(
        [*GUARD, "collect", "--url", NOWHERE, "--timeout", "1s", "-o", str(file)],
        env=env | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, timeout=30, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )  # fmt: skip
    assert file.read_bytes() == FINAL.read_bytes()
    assert [found.name for found in tmp_path.iterdir()] == ["snapshot.json"], (
        "a temporary file was left behind"
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


@fault("`-o` into a directory that does not exist or is a directory", "usage error", 2, group="Process")
def test_a_bad_output(tmp_path: Path) -> list[Run]:
    return [
        guard("collect", "--url", NOWHERE, "--timeout", "1s", "-o", str(path))
        for path in (tmp_path / "none" / "snapshot.json", tmp_path)
    ]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_files_are_for_the_owner_alone(tmp_path: Path, mask: int) -> None:
    file = tmp_path / "snapshot.json"
    file.write_bytes(b"old")
    file.chmod(0o644)
    previous = os.umask(mask)
    try:
        run = guard("collect", "--url", NOWHERE, "--timeout", "1s", "-o", str(file))
    finally:
        os.umask(previous)
    assert run.code == 11
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert isinstance(load_snapshot(file).connection, Unavailable)
    assert check(file).code == 11, "what could not be collected is never an ALLOW when replayed"


# Surroundings.


def _foreign() -> bytes:
    """A snapshot with letters that ASCII does not have."""
    return encode(
        snapshot(
            nodes=[node(1, "v21.1.11"), node(2, "v21.2.0"), node(3, "v21.1.11")],
            jobs=[job(owner="jürgen-日本")],
            schedules=[schedule(label="nächtlich 夜")],
        )
    )


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=["ascii", "posix", "latin-1"],
)
@pytest.mark.parametrize("output", ["text", "json"])
@fault("a locale that is not UTF-8", "characters it lacks are written out", 10, group="Process")
def test_a_foreign_locale(tmp_path: Path, env: dict[str, str], output: str) -> Run:
    file = tmp_path / "snapshot.json"
    file.write_bytes(_foreign())
    run = guard(
        "check", "--snapshot", str(file), "--step", "next-node", "--format", output, "-v", env=env
    )
    if output == "json":
        assert "-日本" in str(run.json["findings"])
    return run


def _on_a_terminal(columns: int, *arguments: str, env: dict[str, str] | None = None) -> Run:
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*GUARD, *arguments], env=environment({"TERM": "xterm"} | (env or {})), stdin=secondary,
        stdout=secondary, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    os.close(secondary)
    written = b""
    try:
        while chunk := os.read(primary, 1 << 16):
            written += chunk
    except OSError:  # the terminal's other end was closed
        pass
    finally:
        os.close(primary)
    _, err = process.communicate(timeout=30)
    return Run(process.returncode, written.decode().replace("\r\n", "\n"), err.decode())


@fault("a terminal 40 columns wide", "text is wrapped; commands stay in one piece", 10, group="Process")
def test_a_narrow_terminal() -> Run:
    run = _on_a_terminal(40, "check", "--snapshot", str(RUNNING))
    assert "\x1b[" in run.out, "no colour on a terminal"
    plain = re.sub(r"\x1b\[[0-9;]*m", "", run.out)
    prose = [
        line
        for line in plain.splitlines()[1:]
        if not line.lstrip().startswith((">", "https://", "n1 ", "n2 ", "n3 ", "n4 ", "node "))
    ]
    too_long = [line for line in prose if len(line) > 40 and " " in line.strip()]
    assert too_long == []
    return run


@fault("NO_COLOR, or no terminal at all", "no colour, no control sequence", 10, group="Process")
def test_no_colour() -> list[Run]:
    runs = [
        _on_a_terminal(80, "check", "--snapshot", str(RUNNING), env={"NO_COLOR": "1"}),
        _on_a_terminal(80, "check", "--snapshot", str(RUNNING), env={"TERM": "dumb"}),
        check(RUNNING),
    ]
    assert all("\x1b" not in run.out for run in runs)
    return runs
