"""guard check at the edge of the process: exit codes, standard output, usage errors, policy files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from typer.testing import CliRunner

from guard import catalog
from guard.cli.commands.check import app
from guard.cli.policy_file import MAX_BYTES
from guard.decision.result import ExitCode
from guard.snapshot.file import encode
from guard.snapshot.model import LicenseRow, Snapshot
from tests import building as b
from tests.cluster.process import GUARD, heard

START = ("--step", "start", "--target", "v21.1.12")


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a policy, and no address of a cluster in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("GUARD_", "COCKROACH_", "PG")):
            monkeypatch.delenv(name)
    return tmp_path


def saved(seen: Snapshot, name: str = "snapshot.json") -> str:
    Path(name).write_bytes(encode(seen))
    return name


def run(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    if "--snapshot" in arguments and "--max-age" not in arguments:
        arguments = (*arguments, "--max-age", "none")  # the snapshots of these tests are old
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


ALLOWED = b.snapshot()
WARNED = b.snapshot(schedules=[b.schedule()])
BLOCKED = b.snapshot([b.node(1, state="dead"), b.node(2), b.node(3)])
BLIND = msgspec.structs.replace(b.snapshot(), schedules=b.unavailable())
EMPTY = msgspec.structs.replace(b.snapshot(), gossip_liveness=b.collected())


# Exit codes


def test_the_exit_codes_are_frozen() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "ALLOW": 0,
        "USAGE": 2,
        "BLOCK": 10,
        "UNKNOWN": 11,
        "WARNINGS": 12,
    }


@pytest.mark.parametrize(
    ("seen", "options", "code", "verdict"),
    [
        (ALLOWED, (), 0, "allow"),
        (WARNED, (), 0, "allow"),
        (WARNED, ("--fail-on", "warn"), 12, "allow"),
        (WARNED, ("--fail-on", "block"), 0, "allow"),
        (BLOCKED, (), 10, "block"),
        (BLOCKED, ("--fail-on", "warn"), 10, "block"),
        (BLIND, (), 11, "unknown"),
        (BLIND, ("--fail-on", "warn"), 11, "unknown"),
        (EMPTY, (), 11, "unknown"),
    ],
)
def test_the_verdict_is_the_exit_code(
    seen: Snapshot, options: tuple[str, ...], code: int, verdict: str
) -> None:
    accept = ("--accept", "target-release", "--reason", "v21.1 is out of support")
    arguments = ("--snapshot", saved(seen), *START, *accept, *options)
    got, out, _ = run(*arguments, "--format", "json")
    assert got == code
    assert json.loads(out)["verdict"] == verdict
    assert json.loads(out)["exit_code"] == code
    for other in ("text", "github", "junit"):
        assert run(*arguments, "--format", other)[0] == code
        assert run(*arguments, "--format", other, "--quiet")[0] == code


def test_waived_warnings_do_not_fail_on_warn() -> None:
    arguments = ("--snapshot", saved(WARNED), *START, "--fail-on", "warn")
    first = ("--accept", "target-release", "--reason", "x")
    second = ("--accept", "scheduled-backups", "--reason", "y")
    assert run(*arguments, *first)[0] == 12
    standing = json.loads(run(*arguments, *first, *second, "--format", "json")[1])["findings"]
    left = [f["check"] for f in standing if f["outcome"] == "warn" and f["waiver"] is None]
    assert run(*arguments, *first, *second)[0] == (12 if left else 0)


def test_no_cluster_is_unknown_and_no_usage_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        url = f"postgresql://root@127.0.0.1:{taken.getsockname()[1]}/?sslmode=disable"
        code, out, _ = run("--url", url, "--timeout", "2s")
    assert code == 11
    assert "could not connect" in out


# Standard output


def test_the_report_fits_its_schema() -> None:
    from guard.cli.commands.schema import app as schema

    published = json.loads(CliRunner().invoke(schema, ["report"]).stdout)
    for seen in (ALLOWED, WARNED, BLOCKED, BLIND, EMPTY):
        _, out, _ = run("--snapshot", saved(seen), *START, "--format", "json")
        jsonschema.Draft202012Validator(published).validate(json.loads(out))


def test_quiet_is_one_line() -> None:
    _, out, _ = run("--snapshot", saved(BLOCKED), *START, "--quiet")
    assert out.startswith("BLOCK: ")
    assert out.count("\n") == 1


def test_the_same_snapshot_gives_the_same_report() -> None:
    name = saved(WARNED)
    first = run("--snapshot", name, *START, "--format", "json")
    assert run("--snapshot", name, *START, "--format", "json") == first


def test_a_snapshot_from_standard_input() -> None:
    code, out, _ = run("--snapshot", "-", *START, "--format", "json", stdin=encode(BLOCKED))
    assert (code, json.loads(out)["verdict"]) == (10, "block")


def test_no_file_and_no_terminal_gets_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in run("--snapshot", saved(BLOCKED), *START)[1]


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),  # no-color.org: only if not empty
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_gets_colours_unless_it_says_no(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guard.cli.commands import check

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert check._colour() is coloured


# Usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--step", "begin"), "begin"),
        (("--step", "start"), "--target"),
        (("--target", "21"), "v21.2.1"),
        (("--target", "latest"), "v21.2.1"),
        (("--node", "0"), "--node"),
        (("--node", "nn1"), "--node"),
        (("--node", "n0"), "--node"),
        (("--target", "21.2"), "patch release is missing"),
        (("--max-age", "5m"), "--snapshot"),
        (("--timeout", "99999999d"), "ten years"),
        (("--timeout", "1h30x"), "duration"),
        (("--window", "soon"), "duration"),
        (("--window", "-5m"), "duration"),
        (("--timeout", "0s"), "positive"),
        (("--format", "xml"), "xml"),
        (("--fail-on", "never"), "never"),
        (("--unknown",), "--unknown"),
        (("stray",), "stray"),
        (("--snapshot", "missing.json"), "cannot read"),
        (("--snapshot", "."), "directory"),
        (("--snapshot", "s.json", "--url", "postgresql://x"), "exclude"),
        (("--snapshot", "s.json", "--wait", "5m"), "--wait"),
        (("--snapshot", "s.json", "--settle", "5s"), "--settle"),
        (("--url", "postgresql://127.0.0.1:1/", "--settle", "2h"), "at most 1h"),
        (("--url", "postgresql://127.0.0.1:1/", "--wait", "99d"), "at most 31d"),
        (("--snapshot", "s.json", "--expect-fingerprint", ""), "16 hexadecimal"),
        (("--snapshot", "s.json", "--expect-fingerprint", "0123"), "16 hexadecimal"),
        (("--snapshot", "s.json", "--accept", "capacity"), "--reason"),
        (("--snapshot", "s.json", "--reason", "x"), "--accept"),
        (("--snapshot", "s.json", "--accept", "capactiy", "--reason", "x"), "'capacity'"),
        (("--snapshot", "s.json", "--accept", "capacity", "--reason", " "), "empty"),
        (("--snapshot", "s.json", "--accept", "visibility", "--reason", "x"), "never"),
        (("--snapshot", "s.json", "--policy", "p.toml", "--no-policy"), "exclude"),
        (("--snapshot", "s.json", "--policy", "missing.toml"), "missing.toml"),
        (("--snapshot", "s.json", "--policy", "."), "regular file"),
        (("--snapshot", "s.json", "--policy", ""), "regular file"),
        (("--snapshot", "s.json", "--policy", "a\x00b"), "file name"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_why(arguments: tuple[str, ...], words: str) -> None:
    saved(ALLOWED, "s.json")
    given_url = any(each in ("--snapshot", "--url") for each in arguments)
    code, out, err = run(*arguments, *(() if given_url else ("--url", "postgresql://127.0.0.1:1/")))
    assert (code, out) == (2, "")
    assert words in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


# Times that no healthy cluster has


def with_time(section: str, field: str, value: str) -> bytes:
    seen = json.loads(encode(b.snapshot(jobs=[b.job()], schedules=[b.schedule()])))
    seen[section]["rows"][0][field] = value
    return json.dumps(seen).encode()


TIMES = [
    ("identity", "cluster_time"),
    ("schedules", "next_run"),
    ("active_jobs", "created"),
    ("gossip_liveness", "expiration"),
    ("gossip_nodes", "started_at"),
    ("node_status", "updated_at"),
]


@pytest.mark.parametrize(("section", "field"), TIMES)
def test_a_time_without_an_offset_is_no_snapshot(section: str, field: str) -> None:
    data = with_time(section, field, "2026-11-22T02:00:00")
    code, out, err = run("--snapshot", "-", *START, stdin=data)
    assert (code, out) == (2, "")
    assert "timezone" in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize(("section", "field"), TIMES)
def test_the_ends_of_the_calendar_are_no_traceback(section: str, field: str, value: str) -> None:
    code, out, _ = run("--snapshot", "-", *START, "-q", stdin=with_time(section, field, value))
    assert code in (0, 10, 11)
    assert out.startswith(("ALLOW", "BLOCK", "UNKNOWN"))


# The policy file


def policy(text: str | bytes, name: str = "guard.toml") -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


def findings(*arguments: str, seen: Snapshot = WARNED) -> tuple[dict[str, Any], dict[str, str]]:
    """The report and the outcome of each check."""
    _, out, _ = run("--snapshot", saved(seen), *START, "--format", "json", *arguments)
    report = json.loads(out)
    return report, {f["check"]: f["outcome"] for f in report["findings"]}


RAISE = 'scheduled-backups = "block"\n'


def test_guard_toml_is_found_and_named() -> None:
    policy("[severity]\n" + RAISE)
    report, outcomes = findings()
    assert outcomes["scheduled-backups"] == "block"
    assert "policy read from guard.toml" in report["notices"]


def test_tool_guard_in_pyproject_is_found_and_named() -> None:
    policy("[tool.other]\nx = 1\n[tool.guard.severity]\n" + RAISE, "pyproject.toml")
    report, outcomes = findings()
    assert outcomes["scheduled-backups"] == "block"
    assert "policy read from pyproject.toml" in report["notices"]


def test_guard_toml_comes_before_pyproject() -> None:
    policy("# nothing but a comment\n")
    policy("[tool.guard.severity]\n" + RAISE, "pyproject.toml")
    assert findings()[1]["scheduled-backups"] == "warn"


@pytest.mark.parametrize("text", ["", "[tool.ruff]\n", "# tool.guard\n", "tool = 1 # guard\n"])
def test_a_pyproject_without_a_policy_is_none(text: str) -> None:
    policy(text, "pyproject.toml")
    report, outcomes = findings()
    assert outcomes["scheduled-backups"] == "warn"
    assert not [notice for notice in report["notices"] if "policy" in notice]


def test_a_named_policy_replaces_the_found_one_and_no_policy_ignores_it() -> None:
    policy("[severity]\n" + RAISE)
    policy('targets = ["v21.1"]\n', "other.toml")
    report, outcomes = findings("--policy", "other.toml")
    assert outcomes["scheduled-backups"] == "warn"
    assert outcomes["policy-target"] == "pass"
    assert "policy read from other.toml" in report["notices"]
    report, outcomes = findings("--no-policy")
    assert outcomes["scheduled-backups"] == "warn"
    assert not [notice for notice in report["notices"] if "policy" in notice]


WAIVER = '[[waivers]]\nid = "scheduled-backups"\nreason = "CHG-1"\nowner = "alex"\nexpires = {}\n'


def test_waivers_of_the_file_and_of_the_command_line() -> None:
    policy(WAIVER.format("9999-12-31"))
    report, _ = findings("--accept", "target-release", "--reason", "known")
    waived = {f["check"]: f["waiver"] for f in report["findings"] if f["waiver"]}
    assert waived == {
        "scheduled-backups": {
            "reason": "CHG-1",
            "owner": "alex",
            "expires": "9999-12-31",
            "source": "policy",
        },
        "target-release": {
            "reason": "known",
            "owner": "the command line",
            "expires": None,
            "source": "--accept",
        },
    }


def test_an_expired_waiver_no_longer_counts_by_guards_own_clock() -> None:
    policy(WAIVER.format("2001-01-01"))
    report, _ = findings()
    assert not [f for f in report["findings"] if f["waiver"]]
    assert [n for n in report["notices"] if "expired on 2001-01-01" in n]


def test_reasons_belong_to_ids_in_order() -> None:
    pairs = (
        "--accept",
        "target-release",
        "--reason",
        "one",
        "--accept",
        "scheduled-backups",
        "--reason",
        "two",
    )
    report, _ = findings(*pairs)
    assert {f["check"]: f["waiver"]["reason"] for f in report["findings"] if f["waiver"]} == {
        "target-release": "one",
        "scheduled-backups": "two",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("[severity", "not TOML"),
        ("[[waivers]]\nid = ", "not TOML"),
        ("[[waivers]]\nid = 'capacity'\n", "'reason'"),
        ('{"targets": []}', "not TOML"),
        (b"\xff\xfe[\x00", "UTF-8"),
        (b"\x00" * 100, "not TOML"),
        ("x = " + "[" * 50_000, "not TOML"),
        ("window = 1\n", "'window'"),
        ("[wavers]\n", "'waivers'"),
        ("[thresholds]\nwindow = " + "9" * 5000 + "\n", "TOML"),
        (b"#" * (MAX_BYTES + 1), "larger than"),
        ("[severity]\n\"\\u001b[2J\" = 'warn'\n", "no check or advisory"),
    ],
)
@pytest.mark.parametrize("how", ["named", "found"])
def test_a_bad_policy_is_exit_code_2_and_one_line(text: str | bytes, words: str, how: str) -> None:
    policy(text)
    options = ("--policy", "guard.toml") if how == "named" else ()
    code, out, err = run("--snapshot", saved(ALLOWED), *START, *options)
    assert (code, out) == (2, "")
    assert words in " ".join(err.replace("│", " ").split())
    assert "\x1b" not in err
    assert "Traceback" not in err


def test_a_directory_a_fifo_and_a_dangling_link_are_no_policy() -> None:
    made = {"directory": Path.mkdir, "fifo": os.mkfifo, "link": lambda p: p.symlink_to("nowhere")}
    for make in made.values():
        path = Path("guard.toml")
        make(path)  # type: ignore[operator]
        code, out, err = run("--snapshot", saved(ALLOWED), *START)
        assert (code, out) == (2, "")
        assert "guard.toml" in err
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_pyproject_that_cannot_be_read_may_hold_a_policy() -> None:
    policy("[tool.guard\n", "pyproject.toml")
    assert run("--snapshot", saved(ALLOWED), *START)[0] == 2
    assert run("--snapshot", saved(ALLOWED), *START, "--no-policy")[0] == 0


def test_a_pyproject_named_without_the_table_is_a_mistake() -> None:
    policy("[tool.other]\n", "pyproject.toml")
    code, _, err = run("--snapshot", saved(ALLOWED), *START, "--policy", "pyproject.toml")
    assert code == 2
    assert "[tool.guard]" in err


# Fingerprints


def test_a_block_by_fingerprint_says_what_moved() -> None:
    report, _ = findings()
    Path("approved.json").write_text(json.dumps(report))
    assert findings("--expect-fingerprint", "approved.json")[1]["fingerprint"] == "pass"
    moved, outcomes = findings("--expect-fingerprint", "approved.json", seen=ALLOWED)
    assert outcomes["fingerprint"] == "block"
    [finding] = [f for f in moved["findings"] if f["check"] == "fingerprint"]
    parts = report["fingerprint_parts"], moved["fingerprint_parts"]
    differing = {name for name in parts[0] if parts[0][name] != parts[1][name]}
    assert set(finding["evidence"]["moved"]) == differing != set()
    assert " became " in finding["detail"]
    token = findings("--expect-fingerprint", report["fingerprint"], seen=ALLOWED)[0]
    [finding] = [f for f in token["findings"] if f["check"] == "fingerprint"]
    assert "--expect-fingerprint FILE" in finding["detail"]


@pytest.mark.parametrize("content", ["", "{}", '{"fingerprint": "no"}', "[]", "\x00", None])
def test_what_is_no_report_is_no_fingerprint(content: str | None) -> None:
    if content is not None:
        Path("approved.json").write_text(content)
    arguments = ("--snapshot", saved(ALLOWED), *START, "--expect-fingerprint", "approved.json")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "16 hexadecimal" in " ".join(err.replace("│", " ").split())


def test_check_approve_and_act_without_a_gap() -> None:
    report, _ = findings()
    token = report["fingerprint"]
    assert findings("--expect-fingerprint", token)[1]["fingerprint"] == "pass"
    moved, outcomes = findings("--expect-fingerprint", token, seen=ALLOWED)
    assert (moved["exit_code"], outcomes["fingerprint"]) == (10, "block")


# The process


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupt_while_waiting_leaves_no_output(number: int, code: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        url = f"postgresql://root@127.0.0.1:{taken.getsockname()[1]}/?sslmode=disable"
        with heard():
            process = subprocess.Popen(
                [*GUARD, "check", "--url", url, "--timeout", "1s", "--wait", "1h"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert process.stdout is not None
        assert process.stderr is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            waiting = process.stderr.readline()
            process.send_signal(number)
            out, err = process.communicate()
        finally:
            watchdog.cancel()
    assert waiting.startswith("guard: ")
    assert "waiting for visibility" in waiting
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err


def test_an_interrupt_while_looking_leaves_no_output(silent: int) -> None:
    url = f"postgresql://root@127.0.0.1:{silent}/?sslmode=disable"
    arguments = ["check", "--url", url, "--timeout", "1h", "-v", "--log-format", "json"]
    code = (
        "import os, signal, sys, threading\n"
        "import guard.connector.collect as collect\n"
        "def connect(*_, **__):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    threading.Event().wait()\n"
        "collect.connect = connect\n"
        f"sys.argv = ['guard', *{arguments!r}]\n"
        "from guard.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 143
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_does_not_change_the_exit_code() -> None:
    name = saved(BLOCKED)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "guard", "check", "--snapshot", name, *START],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.returncode == 10
    assert "Traceback" not in done.stderr


def test_a_locale_without_unicode_changes_nothing() -> None:
    name = saved(BLOCKED)
    done = subprocess.run(
        [sys.executable, "-m", "guard", "check", "--snapshot", name, *START],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        timeout=60,
    )
    assert done.returncode == 10
    assert done.stdout.decode("ascii").startswith("BLOCK")


def test_a_catalog_directory_adds_what_guard_does_not_know_yet() -> None:
    record = (Path(catalog.__file__).parent / "data" / "series" / "26.2.toml").read_text()
    newer = '{ build = "v26.2.99", date = 2026-11-01, kind = "production" },'
    Path("more/series").mkdir(parents=True)
    Path("more/series/26.2.toml").write_text(
        record.replace("releases = [", f"releases = [\n  {newer}", 1)
    )
    file = saved(b.snapshot(b.three("v26.2.1"), version="26.2", license=LICENSED))
    question = ("--snapshot", file, "--target", "v26.2.99", "--step", "start")
    code, out, _ = run(*question)
    assert code == ExitCode.ALLOW
    assert "unlisted-release: v26.2.99 is newer" in out
    code, out, _ = run(*question, "--catalog", "more")
    assert code == ExitCode.ALLOW
    assert "unlisted-release: v26.2.99 is newer" not in out
    assert run(*question, "--catalog", "missing")[0] == ExitCode.USAGE


LICENSED = b.collected(LicenseRow(present=True, kind=None, seconds_left=90 * 86400))


def test_annotations_reach_the_runner_as_they_are() -> None:
    _, out, _ = run("--snapshot", saved(ALLOWED), *START, "--format", "github", "--no-policy")
    assert out
    assert all(line.startswith("::") for line in out.splitlines())
