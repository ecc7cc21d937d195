"""``--debug-zip`` on the command line, for every command that has it."""

from __future__ import annotations

import datetime as dt
import json
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from guard.snapshot.file import load_snapshot
from tests.debugzip.making import NOW, entries, pack, quiet

ZIPS = Path(__file__).parent.parent / "data" / "debug-zips"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(command: str, *arguments: str) -> tuple[int, str, str]:
    if command == "check" and {"--snapshot", "--debug-zip"} & set(arguments):
        arguments = (*arguments, "--max-age", "none")  # the zips are old, and say so
    app = import_module(f"guard.cli.commands.{command}").app
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def good() -> str:
    return str(pack(Path("debug.zip"), entries(quiet())))


def test_check(good: str) -> None:
    asked = ("--debug-zip", good, "--step", "start", "--target", "v21.1.21")
    code, out, _ = run("check", *asked)
    assert code == 0
    assert f"Note: a debug.zip was judged: the cluster as it was at {NOW:%Y-%m-%d %H:%M:%SZ}" in out
    code, out, _ = run("check", *asked, "--format", "json")
    report = json.loads(out)
    assert (code, report["verdict"]) == (0, "allow")
    assert dt.datetime.fromisoformat(report["taken_at"]) == NOW


def test_collect_writes_a_snapshot_that_check_judges_the_same(good: str) -> None:
    assert run("collect", "--debug-zip", good, "-o", "seen.json")[0] == 0
    assert load_snapshot("seen.json").connection.source == "debug-zip"  # type: ignore[union-attr]
    asked = ("--step", "start", "--target", "v21.1.21", "--format", "json")
    of_file = json.loads(run("check", "--snapshot", "seen.json", *asked)[1])
    of_zip = json.loads(run("check", "--debug-zip", good, *asked)[1])
    assert of_file == of_zip


@pytest.mark.parametrize(
    ("command", "arguments", "code"),
    [
        ("plan", ("--to", "v21.2"), 0),
        ("restore", ("--backup", "v20.2"), 0),
        ("restore", ("--backup", "v21.2"), 10),
        ("windows", ("--duration", "1h"), 0),
        ("changes", ("--to", "v21.2"), 11),
    ],
)
def test_the_other_commands(
    good: str,
    command: str,
    arguments: tuple[str, ...],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # windows leaves out what has passed since, and this archive only gets older.
    monkeypatch.setattr("guard.cli.source.age_of", lambda _: dt.timedelta())
    assert run(command, "--debug-zip", good, *arguments)[0] == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--debug-zip", "none.zip"), "cannot read the zip"),
        (("--debug-zip", "text.zip"), "not a zip file"),
        (("--debug-zip", "debug.zip", "--snapshot", "s.json"), "exclude each other"),
        (("--debug-zip", "debug.zip", "--url", "postgresql://h/"), "exclude each other"),
        (("--debug-zip", "debug.zip", "--wait", "5m"), "one look"),
        (("--debug-zip", "debug.zip", "--settle", "5s"), "one look"),
    ],
)
def test_wrong_usage(good: str, arguments: tuple[str, ...], words: str) -> None:
    Path("text.zip").write_text("no zip")
    code, _, err = run("check", *arguments, "--step", "verify")
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())


def test_a_real_archive_end_to_end() -> None:
    zip_file = str(ZIPS / "v21.1-03-mixed-backup-running.zip")
    code, out, _ = run("check", "--debug-zip", zip_file, "--target", "v21.2.0", "--step", "next-node")
    assert code == 10
    assert "A-72839: a backup is running" in out
