"""An old look permits nothing, and still blocks what blocks."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

import guard
from guard.cli.commands.check import app
from guard.decision.result import Verdict
from guard.snapshot.file import encode
from guard.snapshot.model import Snapshot
from tests import building as b

START = ("--step", "start", "--target", "v21.1.12")
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def aged(seen: Snapshot, age: dt.timedelta) -> Snapshot:
    return msgspec.structs.replace(seen, taken_at=dt.datetime.now(dt.UTC) - age)


def check(seen: Snapshot, *options: str) -> tuple[int, dict[str, str]]:
    Path("snapshot.json").write_bytes(encode(seen))
    run = CliRunner().invoke(app, ["--snapshot", "snapshot.json", "--format", "json", *options])
    report = json.loads(run.stdout)
    return run.exit_code, {f["check"]: f["outcome"] for f in report["findings"]}


@pytest.mark.parametrize(
    ("age", "options", "code"),
    [
        (dt.timedelta(), (), 0),
        (HOUR / 2, (), 0),
        (HOUR * 2, (), 11),
        (HOUR * 24 * 365, (), 11),
        (HOUR * 2, ("--max-age", "3h"), 0),
        (HOUR / 2, ("--max-age", "5m"), 11),
        (HOUR * 24 * 365, ("--max-age", "none"), 0),
        (-HOUR, (), 11),
        (-dt.timedelta(minutes=1), (), 0),
    ],
)
def test_the_age_decides(age: dt.timedelta, options: tuple[str, ...], code: int) -> None:
    got, findings = check(aged(b.snapshot(), age), *START, *options)
    assert got == code
    assert ("snapshot-age" in findings) is (code == 11)


def test_what_blocks_still_blocks() -> None:
    dead = b.snapshot([b.node(1, state="dead"), b.node(2), b.node(3)])
    code, findings = check(aged(dead, HOUR * 9), *START)
    assert code == 10
    assert findings["snapshot-age"] == "unknown"


def test_verify_permits_nothing_and_asks_no_age() -> None:
    assert check(aged(b.snapshot(), HOUR * 9), "--step", "verify")[0] == 0


def test_a_policy_may_set_it() -> None:
    Path("guard.toml").write_text('[thresholds]\nmax-age = "1d"\n')
    old = aged(b.snapshot(), HOUR * 9)
    assert check(old, *START)[0] == 0
    assert check(old, *START, "--max-age", "1h")[0] == 11


def test_no_age_is_asked_of_the_library_unless_it_is_told_to() -> None:
    old = aged(b.snapshot(), HOUR * 9)
    asked = {"step": "start", "target": "v21.1.12"}
    assert guard.evaluate(old, **asked).verdict is Verdict.ALLOW  # type: ignore[arg-type]
    now = dt.datetime.now(dt.UTC)
    strict = guard.evaluate(old, **asked, now=now, max_age=HOUR)  # type: ignore[arg-type]
    assert strict.verdict is Verdict.UNKNOWN
    (finding,) = [f for f in strict.findings if f.check == "snapshot-age"]
    assert any("--max-age none" in step for step in finding.remedy)


def test_no_age_is_said_in_the_report() -> None:
    Path("snapshot.json").write_bytes(encode(b.snapshot()))
    run = CliRunner().invoke(app, ["--snapshot", "snapshot.json", *START, "--max-age", "none"])
    assert "--max-age none" in run.stdout
