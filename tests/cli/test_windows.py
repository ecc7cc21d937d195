"""guard windows on the command line: exit codes, text, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from guard.cli.commands.windows import app
from guard.snapshot.file import encode
from guard.snapshot.model import Snapshot
from tests import building as b


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("guard.cli.source.age_of", lambda _: b.minutes(0))


def run(seen: Snapshot, *arguments: str) -> tuple[int, str]:
    Path("snapshot.json").write_bytes(encode(seen))
    result = CliRunner().invoke(app, ["--snapshot", "snapshot.json", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def run_json(seen: Snapshot, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out = run(seen, *arguments, "--format", "json")
    found: dict[str, Any] = json.loads(out)
    return code, found


PAST = b.job(
    7,
    status="succeeded",
    created=b.NOW - b.minutes(700),
    finished=b.NOW - b.minutes(690),
    schedule_id=1,
)
HOURLY = b.snapshot(schedules=[b.schedule(1, b.NOW + b.minutes(60))], history=[PAST])
BLIND = msgspec.structs.replace(b.snapshot(), schedules=b.unavailable())


def test_quiet_windows_soonest_first() -> None:
    code, out = run(HOURLY, "--duration", "40m", "--within", "3h")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("Quiet windows (40 min without backups, 2026-11-22 02:00:00Z")
    assert lines[1].startswith(
        "  2026-11-22 02:00:00Z to 2026-11-22 03:00:00Z  60 min, until backup schedule 1"
    )
    assert lines[2].startswith("  2026-11-22 03:16:00Z to 2026-11-22 04:00:00Z")
    assert "Starting now: 40 min without a known backup" in lines


def test_the_risk_of_starting_now() -> None:
    code, out = run(HOURLY, "--duration", "70m", "--within", "3h")
    assert code == 10
    assert out.startswith("There is no quiet window")
    assert "Starting now: backups are expected for 10 min of 70 min" in out


def test_the_json_keys_are_frozen() -> None:
    code, found = run_json(HOURLY, "--duration", "70m")
    assert code == found["exit_code"] == 10
    assert set(found) == {
        "schema_version",
        "exit_code",
        "cluster_time",
        "duration_seconds",
        "until",
        "windows",
        "now",
        "busy",
        "unknown",
        "remedy",
        "notes",
        "snapshot_age_seconds",
    }
    assert set(found["now"]) == {"quiet", "overlap_seconds", "overlaps"}
    assert set(found["busy"][0]) == {
        "start",
        "end",
        "why",
        "schedule_id",
        "job_id",
        "assumed",
        "ends",
        "as_job_id",
    }
    _, quiet = run_json(HOURLY, "--duration", "30m")
    assert set(quiet["windows"][0]) == {"start", "end", "seconds", "until"}


def test_an_old_snapshot_says_how_old_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.cli.source.age_of", lambda _: b.minutes(125))
    _, out = run(HOURLY, "--duration", "40m", "--within", "3h")
    assert "Snapshot: taken 2 h 5 min ago" in out
    assert "  2026-11-22 04:16:00Z to 2026-11-22 05:00:00Z" in out.splitlines()[1]
    code, out = run(HOURLY, "--duration", "40m")
    assert code == 11
    assert "Unknown: the snapshot is 2 h 5 min old" in out
    assert run(HOURLY, "--duration", "40m", "--max-age", "3h")[0] == 0
    _, found = run_json(HOURLY, "--duration", "40m", "--max-age", "none")
    assert found["snapshot_age_seconds"] == 125 * 60


def test_missing_sight_is_unknown() -> None:
    code, out = run(BLIND, "--duration", "1h")
    assert code == 11
    assert out.startswith("UNKNOWN")
    assert "GRANT it;" in out
    assert run_json(BLIND, "--duration", "1h")[1]["exit_code"] == 11


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_running_backup_is_named(status: str) -> None:
    _, out = run(b.snapshot(jobs=[b.job(status=status)]), "--duration", "1h")
    assert f"backup job 1001 is {status}" in out


def test_long_lists_are_cut_in_text_and_whole_in_json() -> None:
    _, out = run(HOURLY, "--duration", "10m", "--within", "31d")
    assert len(out.splitlines()) < 30
    assert "  and 724 more" in out
    assert len(run_json(HOURLY, "--duration", "10m", "--within", "31d")[1]["windows"]) == 744


def test_texts_of_the_cluster_cannot_forge_lines() -> None:
    nasty = b.snapshot(schedules=[b.schedule(1, label="x\n::error::forged\x1b[2J")])
    _, out = run(nasty, "--duration", "1h")
    assert "\x1b" not in out
    assert not any(line.startswith("::") for line in out.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--duration", "0s"),
        ("--duration", "long"),
        ("--duration", "45"),
        ("--duration", "1h", "--within", "24"),
        ("--duration", "2h", "--within", "1h"),
        ("--duration", "1h", "--within", "32d"),
        ("--duration", "1h", "--url", "postgresql://x"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(HOURLY, *arguments) == (2, "")


def test_the_help_says_how_far_as_people_write_it() -> None:
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    assert "24h" in shown
    assert "1 day" not in shown


def test_markdown_tells_the_same() -> None:
    code, out = run(HOURLY, "--duration", "40m", "--within", "3h", "--format", "markdown")
    assert code == 0
    assert out.startswith("## guard windows: there is a time of 40 min without backups\n")
    quiet = [line for line in out.splitlines() if "| 44 min |" in line]
    assert quiet[0].startswith("| 2026-11-22 03:16:00Z | 2026-11-22 04:00:00Z |")
    assert "| 2026-11-22 03:00:00Z | 2026-11-22 03:16:00Z | backup schedule 1" in out
    code, out = run(HOURLY, "--duration", "70m", "--within", "3h", "--format", "markdown")
    assert code == 10
    assert out.startswith("## guard windows: no time of 70 min without backups\n")
    assert "| starting now | backups are expected for 10 min |" in out
    code, out = run(BLIND, "--duration", "1h", "--format", "markdown")
    assert code == 11
    assert out.startswith("## guard windows: UNKNOWN when there are 60 min without backups\n")
    assert "- `GRANT it;`" in out
