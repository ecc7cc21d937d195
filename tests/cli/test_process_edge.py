"""The edge of the process: whatever argv, environment and signals bring, no traceback, clean text."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.cli import process, terminal
from guard.cli.terminal import Laid, emit_lines, plain_line
from tests.cluster import snapshots
from tests.cluster.process import GUARD, Run, environment, guard
from tests.faults import fault

FINAL = snapshots.path_of("v21.1.11-to-v21.2.0/12-finalized")
_ROOT = Path(__file__).parents[2]
EVIL = "x\n::error::forged\r\x1b[2J\x1b]0;title\x07 \u202e##[error]y"


def clean(text: str) -> None:
    """No control character but the line ends, and no line that commands a runner."""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), repr(text)
    assert not any(line.lstrip().startswith(("::error", "##[")) for line in text.splitlines())
    assert "##[" not in text


def test_only_one_place_writes() -> None:
    """Everything that a command prints passes the place that cleans it."""
    writes = re.compile(r"typer\.echo|click\.echo|\bprint\(|sys\.std(?:out|err)\.write")
    own = {"terminal.py", "process.py", "watch.py"}  # these clean what they make
    for file in (_ROOT / "guard" / "cli").rglob("*.py"):
        assert file.name in own or not writes.search(file.read_text()), file


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--target", EVIL),
        ("check", "--step", EVIL),
        ("check", "--node", EVIL),
        ("check", "--timeout", EVIL),
        ("check", "--snapshot", EVIL),
        ("check", "--url", EVIL),
        ("check", "--policy", EVIL),
        ("check", "--catalog", EVIL),
        ("check", "--certs-dir", EVIL, "--url", "postgresql://h/"),
        ("check", "--accept", EVIL, "--reason", EVIL),
        ("check", "--" + EVIL),
        ("check", EVIL),
        (EVIL,),
        ("plan", "--from", EVIL, "--to", "v21.2"),
        ("plan", "--to", EVIL, "--from", "v21.1"),
        ("plan", "--to", "v21.2", "--snapshot", EVIL),
        ("restore", "--backup", EVIL, "--into", "v21.2"),
        ("restore", "--backup", "v21.2", "--snapshot", EVIL),
        ("advisories", "--affecting", EVIL),
        ("advisories", "--catalog", EVIL),
        ("advisories", "export", f"/dev/null/{EVIL}"),
        ("catalog", "lint", EVIL),
        ("catalog", "build", EVIL),
        ("catalog", "build", "--output", EVIL, EVIL),
        ("policy", "check", EVIL),
        ("policy", "init", f"/dev/null/{EVIL}"),
        ("collect", "-o", f"/dev/null/{EVIL}"),
        ("explain", EVIL),
        ("grants", "--version", EVIL),
        ("windows", "--duration", EVIL),
        ("windows", "--duration", "1h", "--snapshot", EVIL),
        ("changes", "--to", EVIL),
        ("schema", EVIL),
    ],
    ids=lambda words: " ".join(words[:2])[:30] if isinstance(words, tuple) else None,
)
@fault("escape sequences, line ends or CI commands in any argument or file name",
       "usage error, written out, on one line", 2, group="Process")  # fmt: skip
def test_what_is_printed_is_clean(arguments: tuple[str, ...]) -> Run:
    run = guard(*arguments, env={"COLUMNS": "200"})
    clean(run.out)
    clean(run.err)
    return run


def test_a_user_name_is_printed_clean() -> None:
    run = guard("grants", "--version", "v21.2", "--user", EVIL)
    assert run.code == 0
    clean(run.out)


@given(st.lists(st.text(max_size=30)))
def test_a_line_stays_a_line(lines: list[str]) -> None:
    for line in lines:
        assert plain_line(line).count("\n") == 0
        clean(plain_line(line))


def test_only_laid_out_text_has_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    emit_lines(["a\nb", Laid("c\nd\x1b[2J"), "::error::e"])
    assert capsys.readouterr().out == "a\\x0ab\nc\nd\\x1b[2J\n\\::error::e\n"


# No traceback.


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("check", "--url", "postgresql://h\udcff/"), {}),
        (("check",), {"GUARD_URL": "postgresql://h\udcff/"}),
        (("check",), {"PGHOST": "h\udcff"}),
        (("check", "--certs-dir", "\udcff", "--url", "postgresql://h/"), {}),
        (("check", "--certs-dir", "{closed}/certs", "--url", "postgresql://h/"), {}),
        (("check", "--certs-dir", "~nobody-has-this-name/certs", "--url", "postgresql://h/"), {}),
        (("check", "--snapshot", "\udcff"), {}),
        (("check", "--policy", "\udcff"), {}),
        (("explain", "\udcff"), {}),
        (("check", "--timeout", "9" * 5000), {}),
        (("check", "--node", "9" * 5000), {}),
        (("catalog", "lint", "--whole", "x" * 5000), {}),
        (("catalog", "import", "x" * 5000, "-o", "y"), {}),
        (("catalog", "import", "README.md", "-o", "x" * 5000), {}),
        (("check", "--target", "9" * 100_000), {}),
        (("check", "--url", "postgresql://h/", "--timeout", "1s"), {"PGSERVICE": "\udcff"}),
    ],
)
@fault("bytes that are not UTF-8, endless arguments, a directory one may not enter",
       "usage error, never a traceback", 2, group="Process")  # fmt: skip
def test_odd_arguments(arguments: tuple[str, ...], env: dict[str, str], tmp_path: Path) -> Run:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    words = (argument.replace("{closed}", str(closed)) for argument in arguments)
    done = subprocess.run(
        [*GUARD, *(os.fsencode(word) for word in words)],
        env={k: os.fsencode(v) for k, v in environment(env).items()},
        capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Run(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def _words() -> st.SearchStrategy[list[str]]:
    option = st.sampled_from(
        ["--step", "--target", "--node", "--window", "--timeout", "--snapshot", "--format", "--fail-on",
         "--accept", "--reason", "--policy", "--no-policy", "--wait", "--settle", "--max-age",
         "-v", "-q",
         "--to", "--from", "--into", "--backup", "--duration", "--within", "--version", "--affecting"]
    )  # fmt: skip
    value = st.one_of(
        st.text(st.characters(exclude_characters="\0"), max_size=12),
        st.sampled_from(
            ["auto", "start", "v21.2.1", "v21.2", "3", "n3", "1h30m", "none", str(FINAL), "-"]
        ),
    )
    command = st.sampled_from(
        [
            "check",
            "plan",
            "restore",
            "windows",
            "explain",
            "grants",
            "advisories",
            "checks",
            "schema",
            "help",
        ]
    )
    return st.builds(lambda c, rest: [c, *rest], command, st.lists(option | value, max_size=6))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=_words())
def test_argv_fuzzed(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    """Any arguments: one of guard's exit codes, and what is printed is clean. No cluster is asked."""
    from guard.cli import source

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "within", lambda *_, **__: _unreachable())
    monkeypatch.setattr(sys, "argv", ["guard", *words])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        process.run()
    printed = capsys.readouterr()
    assert ended.value.code in (0, 2, 10, 11, 12), (words, printed.err)
    assert "a bug in guard" not in printed.err, (words, printed.err)
    clean(printed.err)


def _unreachable() -> Any:
    import datetime as dt

    from guard.connector.collect import without_connection
    from guard.snapshot.model import Reason, Unavailable

    return without_connection(Unavailable(reason=Reason.TIMEOUT, message="x"), dt.datetime.now(dt.UTC))


def test_a_bug_is_no_verdict_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from guard.cli import app

    def broken() -> Any:
        raise RuntimeError("postgresql://root:secret@h/")

    monkeypatch.setattr(app, "build", broken)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        process.run()
    assert ended.value.code == 1
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    assert "secret" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_a_signal_at_any_moment(number: signal.Signals, code: int) -> None:
    """From guard's first line to its last: a verdict whole with its code, or none and the signal's."""
    chance = random.Random(number)
    start = (
        "import sys, guard.cli\nsys.stderr.write('.')\nsys.stderr.flush()\n"
        f"sys.argv = ['guard', 'check', '--snapshot', {str(FINAL)!r}, '--step', 'verify']\n"
        "guard.cli.main()\n"
    )
    for _ in range(8):
        running = subprocess.Popen(
            [sys.executable, "-c", f"import guard.cli, signal, os\n{_EARLY}{start}"], env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert running.stderr is not None
        running.stderr.read(1)
        time.sleep(chance.uniform(0, 0.4))  # the moment is what is tried, not what is waited for
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
        assert b"Traceback" not in err
        assert running.returncode in (0, code)
        assert (running.returncode == 0) == bool(out), (running.returncode, out[:100])


# What main() does first, done before the dot that tells the test to go.
_EARLY = (
    "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
    "    signal.signal(number, lambda n, _: os._exit(128 + n))\n"
)


def test_a_result_that_is_being_written_is_written() -> None:
    before = dict(terminal._state)
    try:
        terminal._state["committed"] = True
        process._interrupted = 0
        process._on_signal(signal.SIGINT, None)  # the first one changes nothing any more
    finally:
        terminal._state.update(before)
        process._interrupted = 0


def _started(words: str, env: dict[str, str] | None = None, **streams: Any) -> Run:
    """A guard that is really started, by a shell that does with its streams what `words` say."""
    command = ["sh", "-c", f'{words} exec "$@"' if words.endswith(";") else f'exec "$@" {words}', "sh"]
    done = subprocess.run(
        [*command, *GUARD, "check", "--max-age", "none", "--snapshot", *streams.pop("more")],
        env=environment(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return Run(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())


@fault("standard input is closed, or cannot be read", "usage error where it is asked for", 2,
       group="Process")  # fmt: skip
def test_no_standard_input() -> list[Run]:
    return [_started(words, more=["-"]) for words in ("<&-", "0>/dev/null")]


@fault("standard streams are closed, in every combination", "the verdict's exit code", 10,
       group="Process")  # fmt: skip
def test_no_streams() -> list[Run]:
    blocked = snapshots.path_of("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old")
    words = ("<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-")
    return [_started(each, more=[str(blocked)]) for each in words]


@fault("PYTHONINSPECT, PYTHONOPTIMIZE, PYTHONWARNINGS=error or PYTHONDEVMODE is set",
       "the verdict's exit code, and no traceback", 10, group="Process")  # fmt: skip
def test_variables_of_python() -> list[Run]:
    blocked = str(snapshots.path_of("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old"))
    variables = ("PYTHONINSPECT", "1"), ("PYTHONOPTIMIZE", "2"), ("PYTHONWARNINGS", "error")
    return [_started("", {name: value}, more=[blocked]) for name, value in variables]


@fault("there is room for a part of the result only, and Python does not buffer",
       "says so; usage error: the result is lost", 2, group="Process")  # fmt: skip
def test_a_part_of_a_result_is_none(tmp_path: Path) -> list[Run]:
    """PYTHONUNBUFFERED is usual in containers, and Python then forgets what the disk did not take."""
    measured = "unset COVERAGE_PROCESS_CONFIG COVERAGE_PROCESS_START;"  # that writes a file as well
    limit = f"{measured} ulimit -f 1; exec > {tmp_path}/report;"
    more = [str(FINAL), "--step", "verify", "--format", "html"]
    env = {"PYTHONDONTWRITEBYTECODE": "1"}  # the limit holds for what Python compiles as well
    return [_started(limit, env | own, more=more) for own in ({}, {"PYTHONUNBUFFERED": "1"})]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_does_not_block_gets_all(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    running = subprocess.Popen(
        [*GUARD, "schema", "snapshot"],
        env=environment({"PYTHONUNBUFFERED": unbuffered}),
        stdout=writing,
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    assert running.wait(60) == 0
    assert json.loads(told)["title"] == "guard snapshot"
    assert len(told) > 65_536  # more than a pipe holds


def code_of_a_command_that_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> object:
    from guard.cli import app

    def failing(*_: object) -> Any:
        raise error

    monkeypatch.setattr(app, "import_module", failing)
    monkeypatch.setattr(sys, "argv", ["guard", "check"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        process.run()
    return ended.value.code


def test_a_file_that_somebody_named_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever a command forgot that the system may refuse it."""
    error = OSError(errno.ENAMETOOLONG, "File name too long", "x\x1b[2J\ny")
    assert code_of_a_command_that_raises(error, monkeypatch) == 2
    assert capsys.readouterr().err == "guard: x\\x1b[2J\\x0ay: File name too long\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.EMFILE, "too many open files"),
        EOFError("marshal data too short"),  # a file that Python compiled while the disk was full
    ],
)
def test_want_of_memory_is_no_bug(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of_a_command_that_raises(error, monkeypatch) == 11
    assert "a bug" not in capsys.readouterr().err


@fault("a library that cannot be loaded, on a machine it was not installed for",
       "UNKNOWN, says which", 11, group="Process")  # fmt: skip
def test_a_library_that_cannot_be_loaded() -> Run:
    env = {"PSYCOPG_IMPL": "nonsense"}
    run = guard("check", "--url", "postgresql://h/", env=env | {"PYTHONASYNCIODEBUG": ""})
    assert "psycopg" in run.err
    return run


@fault("shell completion is exported to all programs", "a command looks all the same", 10,
       group="Process")  # fmt: skip
@pytest.mark.parametrize("how", ["source_bash", "complete_bash", "complete_zsh", "complete_fish"])
def test_a_variable_of_shell_completion_is_no_permission(how: str) -> Run:
    blocked = str(snapshots.path_of("v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old"))
    return guard("check", "--snapshot", blocked, env={"_GUARD_COMPLETE": how})


def test_shells_are_told_how_to_complete() -> None:
    env = {"_GUARD_COMPLETE": "complete_bash", "COMP_WORDS": "guard ch", "COMP_CWORD": "1"}
    assert guard(env=env).out.split() == ["check", "changes", "checks"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check"], 2),
        (["check", "--reason", "--help"], 2),
        (["check", "--help", "--url", "postgresql://h/"], 2),
        (["check", "--help"], 0),
        (["-h"], 0),
    ],
)
def test_a_pipe_that_breaks_in_the_midst_of_a_command_is_no_permission(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library takes it for a reader of help that went away, and it may have been a connection."""
    from guard.cli import app

    def broken(*_: object) -> Any:
        raise BrokenPipeError(errno.EPIPE, "broken pipe")

    monkeypatch.setattr(app, "import_module", broken)
    monkeypatch.setattr(app._LazyGroup, "get_help", broken)
    monkeypatch.setattr(sys, "argv", ["guard", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        process.run()
    assert ended.value.code == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@fault("the disk is full at standard output, in any command",
       "says so; usage error: the result is lost", 2, group="Process")  # fmt: skip
def test_a_full_disk_at_every_write() -> list[Run]:
    runs = []
    for arguments in (
        ["plan", "--from", "v21.1", "--to", "v22.1"],
        ["advisories"],
        ["checks"],
        ["explain", "A-72839"],
        ["--version"],
        ["check", "--snapshot", str(FINAL), "--step", "verify"],
        ["check", "--step", "nonsense"],
        ["check", "-v", "--url", "postgresql://root@127.0.0.1:1/", "--timeout", "300ms"],
        ["watch", "--url", "postgresql://root@127.0.0.1:1/", "--timeout", "300ms", "--until", "0s"],
        ["--help"],
        ["check", "--help"],
    ):
        for stream in ("stdout", "stderr"):
            with Path("/dev/full").open("wb") as full:
                streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
                done = subprocess.run(
                    [*GUARD, *arguments], env=environment(), timeout=60, check=False,
                    **(streams | {stream: full}),
                )  # fmt: skip
            run = Run(done.returncode, "", (done.stderr or b"").decode())
            if stream == "stdout":
                runs.append(run)
            else:
                expected = 2 if "nonsense" in arguments else 11 if "--url" in arguments else 0
                assert run.code == expected
    return runs


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--snapshot", str(FINAL), "--format", "json"),
        ("check", "--snapshot", "-"),
        ("check", "--no-such-option"),
        ("--version",),
    ],
)
def test_a_guard_that_is_forked_does_what_one_that_is_started_does(arguments: tuple[str, ...]) -> None:
    """What most of these tests rest on: see tests/cluster/forked.py."""
    half = FINAL.read_bytes()[:5000]
    forked = guard(*arguments, stdin=half)
    started = guard(*arguments, stdin=half, env={"PYTHONASYNCIODEBUG": ""})
    assert forked == started
