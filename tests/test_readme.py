"""The README tells the truth: its sample is what is printed, and each of its commands can be given."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import README, ROOT, sample, snippet

TEXT = README.read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines()]
GUARD = [line for line in LINES if line.startswith("guard ")]


def test_the_sample_is_what_the_first_command_prints() -> None:
    assert snippet(TEXT, "sample") == sample()


def test_the_first_command_is_the_one_that_was_sampled() -> None:
    assert (
        "guard check --snapshot examples/snapshots/mixed-backup-running.json --max-age none" in LINES[0]
    )


def test_there_are_commands_to_try() -> None:
    assert len(GUARD) > 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the README's commands name."""
    made = tmp_path_factory.mktemp("readme")
    shutil.copy(ROOT / "examples" / "snapshots" / "ready-to-finalize.json", made / "snapshot.json")
    zips = sorted((ROOT / "tests" / "data").rglob("*.zip"))
    shutil.copy(zips[-1], made / "debug.zip")
    (made / "fleet.toml").write_text(
        '[[cluster]]\nname = "one"\nsnapshot = "snapshot.json"\nstep = "verify"\nmax_age = "none"\n'
    )
    (made / "releases.json").write_text(
        '{"versions": {"26.3.3": {"name": "26.3.3", "date": "2026-08-20"}}}'
    )
    return made


@pytest.mark.parametrize("line", GUARD)
def test_each_command_can_be_given(line: str, folder: Path) -> None:
    """With nobody at the other end: a verdict or an answer, never wrong usage and never a traceback."""
    words = shlex.split(line)[1:]
    if words[0] == "watch":
        words += ["--until", "1s"]
    if words[0] in ("check", "watch") and "--debug-zip" not in words:
        words += ["--timeout", "2s"]
    environment = {
        **os.environ,
        "GUARD_URL": "postgresql://guard@127.0.0.1:1/?sslmode=disable",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "guard", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=120,
    )
    assert done.returncode in (0, 10, 11, 12), done.stderr
    assert "Traceback" not in done.stderr
