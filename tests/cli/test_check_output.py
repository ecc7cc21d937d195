"""``guard check -o FILE``: the report in several formats, from one look."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from guard.cli.commands.check import app
from tests.cluster.process import guard
from tests.debugzip.making import entries, pack, quiet

SNAPSHOT = Path(__file__).parents[2] / "examples" / "snapshots" / "mixed-backup-running.json"


def check(*options: str) -> tuple[int, str]:
    run = CliRunner().invoke(app, ["--snapshot", str(SNAPSHOT), "--no-policy", *options])
    return run.exit_code, run.output


def test_several_formats_beside_the_text(tmp_path: Path) -> None:
    files = [tmp_path / f"guard{suffix}" for suffix in (".json", ".xml", ".md", ".txt", ".html")]
    code, printed = check(*(word for file in files for word in ("-o", str(file))))
    assert code == 10
    assert printed.startswith("BLOCK")
    report, junit, markdown, text, page = (file.read_text() for file in files)
    assert json.loads(report)["exit_code"] == 10
    assert ElementTree.fromstring(junit).tag == "testsuite"
    assert "BLOCK" in markdown
    assert text.startswith("BLOCK")
    assert "\x1b" not in text
    assert page.lstrip().lower().startswith("<!doctype html")
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


@pytest.mark.parametrize("name", ["guard", "guard.csv", "nowhere/guard.xml", "folder.xml"])
def test_an_impossible_file_is_wrong_usage_before_the_look(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.xml").mkdir()
    code, printed = check("-o", str(tmp_path / name))
    assert code == 2
    assert "-o" in printed
    assert "BLOCK" not in printed


@pytest.mark.parametrize("how", ["itself", "a link to it", "another way to it"])
@pytest.mark.parametrize("read", ["--snapshot", "--policy", "--expect-fingerprint"])
def test_no_report_takes_the_place_of_a_file_that_is_read(tmp_path: Path, read: str, how: str) -> None:
    """What was approved would be approved anew by the very run that refuses it."""
    file = tmp_path / "file.json"
    link = tmp_path / "link.json"
    link.symlink_to(file)
    text = check("--format", "json")[1] if read == "--expect-fingerprint" else SNAPSHOT.read_text()
    file.write_text(text)
    (tmp_path / "folder").mkdir()
    output = {"itself": file, "a link to it": link}.get(how, tmp_path / "folder" / ".." / file.name)
    others = [] if read == "--snapshot" else ["--snapshot", str(SNAPSHOT)]
    run = CliRunner().invoke(app, [*others, read, str(file), "-o", str(output)])
    assert run.exit_code == 2
    assert "reads that file" in " ".join(run.output.split())
    assert file.read_text() == text


def test_a_debug_zip_is_not_replaced_by_what_is_read_from_it(tmp_path: Path) -> None:
    archive = pack(tmp_path / "debug.zip", entries(quiet()))
    before = archive.read_bytes()
    run = guard("collect", "--debug-zip", str(archive), "-o", str(archive))
    assert run.code == 2
    assert archive.read_bytes() == before


def test_two_reports_in_one_file_are_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    code, printed = check(
        "-o", str(tmp_path / "a.json"), "-o", str(tmp_path / "folder" / ".." / "a.json")
    )
    assert code == 2
    assert "two reports" in printed


def test_a_file_that_cannot_be_written_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("guard.files.write", full)
    code, printed = check("-o", str(tmp_path / "guard.xml"))
    assert code == 2
    assert printed.startswith("BLOCK")
