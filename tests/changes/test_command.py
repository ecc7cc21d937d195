"""guard changes at the edge of the process: exit codes, formats, explain."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from typer.testing import CliRunner

from guard.snapshot.file import encode
from guard.snapshot.model import Snapshot
from tests.building import features, put, set_settings, snapshot, unavailable
from tests.changes.probing import quiet


def run(command: str, *arguments: str) -> tuple[int, str]:
    app = import_module(f"guard.cli.commands.{command}").app
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def changes(tmp_path: Path, seen: Snapshot, *arguments: str) -> tuple[int, str]:
    file = tmp_path / "snapshot.json"
    file.write_bytes(encode(seen))
    return run("changes", "--snapshot", str(file), *arguments)


ALL_SET = {"kv__transaction__max_intents_bytes": None}


def test_nothing_that_would_break(tmp_path: Path) -> None:
    code, text = changes(tmp_path, quiet("21.1"), "--to", "v21.2")
    assert code == 0
    assert "C-21.2-mdy-timestamps" in text, "a person must look"
    code, _ = changes(tmp_path, put(quiet("21.1"), set_settings=set_settings(**ALL_SET)), "--to",
                      "v21.2", "--fail-on", "warn")  # fmt: skip
    assert code == 0, "questions alone are no warnings"


def test_a_new_default_is_what_only_changes(tmp_path: Path) -> None:
    assert changes(tmp_path, quiet("21.1"), "--to", "v21.2", "--fail-on", "warn")[0] == 12


def test_what_breaks(tmp_path: Path) -> None:
    seen = put(quiet("21.1"), set_settings=set_settings(cloudstorage__gs__default__key=None))
    code, text = changes(tmp_path, seen, "--to", "21.2.5")
    assert code == 10
    assert "C-21.2-gs-default-key [breaks]" in text


def test_what_is_hidden(tmp_path: Path) -> None:
    code, text = changes(tmp_path, put(quiet("21.1"), set_settings=unavailable()), "--to", "v21.2")
    assert code == 11
    assert "GRANT it;" in text


def test_an_old_snapshot_could_not_look(tmp_path: Path) -> None:
    """Files of schema 1 that were written before these sections existed."""
    file = tmp_path / "old.json"
    old = json.loads(encode(quiet("21.1")))
    for name in [n for n in old if n.endswith("_features") or n in ("set_settings", "object_count")]:
        del old[name]
    file.write_text(json.dumps(old))
    code, text = run("changes", "--snapshot", str(file), "--to", "v21.2")
    assert code == 11
    assert "does not hold it" in text


def test_usage_errors(tmp_path: Path) -> None:
    assert changes(tmp_path, quiet("21.2"), "--to", "v21.1")[0] == 2, "no downgrade"
    assert run("changes", "--to", "v21.2", "--from", "v21.1", "--url", "x")[0] == 2
    assert run("changes", "--to", "tomorrow", "--from", "v21.1")[0] == 2


def test_a_list_without_a_cluster() -> None:
    code, text = run("changes", "--from", "v25.4", "--to", "v26.2")
    assert code == 0
    assert "no cluster was looked at" in text
    assert "C-26.1-unsafe-internals" in text
    assert "C-26.2-tg-argv" in text
    assert "C-25.4-" not in text


def test_what_does_not_concern_is_one_line_for_a_series(tmp_path: Path) -> None:
    """The report of a quiet cluster over five series stays short enough to be read."""
    _, text = changes(tmp_path, quiet("24.1"), "--to", "v26.2")
    lines = text.splitlines()
    assert sum("not concern this cluster" in line for line in lines) <= 9
    assert len(lines) < 150
    assert max(map(len, lines)) <= 100


def test_json(tmp_path: Path) -> None:
    seen = put(
        quiet("25.4"),
        descriptor_features=features("descriptor_features", {"function-tg-argv": ("104",)}),
    )
    code, text = changes(tmp_path, seen, "--to", "v26.2", "--format", "json")
    report = json.loads(text)
    assert report["exit_code"] == code == 10
    jsonschema.validate(report, json.loads(run("schema", "changes")[1]))
    [found] = [
        change
        for series in report["series"]
        for change in series["changes"]
        if change["id"] == "C-26.2-tg-argv"
    ]
    assert found["concern"] == "concerns"
    assert "104" in found["evidence"]
    assert sum(report["counts"].values()) == sum(len(series["changes"]) for series in report["series"])


def test_junit_and_github(tmp_path: Path) -> None:
    seen = put(quiet("21.1"), set_settings=set_settings(cloudstorage__gs__default__key=None))
    suite = ElementTree.fromstring(changes(tmp_path, seen, "--to", "v21.2", "--format", "junit")[1])
    assert int(suite.get("failures", "0")) == 2, "the answer and the change"
    _, text = changes(tmp_path, seen, "--to", "v21.2", "--format", "github")
    assert all(line.startswith("::") for line in text.splitlines())
    assert "::error title=guard%3A C-21.2-gs-default-key::" in text


HOSTILE = "n1\n::error::forged\x1b[2J | </details> <b>"


@pytest.mark.parametrize("output", ["text", "json", "markdown", "github", "junit", "html"])
def test_no_text_of_the_cluster_forges_anything(tmp_path: Path, output: str) -> None:
    seen = put(
        quiet("20.1"),
        role_features=features("role_features", {"inherited-createrole": (HOSTILE,)}),
        set_settings=unavailable(message=HOSTILE),
    )
    _, text = changes(tmp_path, seen, "--to", "v20.2", "--format", output)
    assert "\x1b" not in text
    assert not any(line.lstrip().startswith("::error::forged") for line in text.splitlines())
    if output in ("markdown", "html"):
        assert "<b>" not in text


def test_markdown_has_boxes_to_tick(tmp_path: Path) -> None:
    _, text = changes(tmp_path, quiet("21.1"), "--to", "v21.2", "--format", "markdown")
    assert text.startswith("## Changes from v21&#46;1" if "&#46;" in text else "## Changes from v21.1")
    assert "- [ ] C-21.2-mdy-timestamps" in text


def test_html_is_one_page(tmp_path: Path) -> None:
    seen = put(quiet("21.1"), set_settings=set_settings(cloudstorage__gs__default__key=None))
    code, text = changes(tmp_path, seen, "--to", "v21.2", "--format", "html")
    assert code == 10
    assert text.startswith("<!DOCTYPE html>")
    assert "C-21.2-gs-default-key" in text
    assert "<script" not in text


def test_explain_prints_a_record() -> None:
    code, text = run("explain", "c-21.2-GS-default-key")
    assert code == 0
    assert "somebody has set cloudstorage.gs.default.key" in text
    assert "https://github.com/cockroachdb/cockroach/issues/64737" in text


def test_without_a_connection_nothing_is_known() -> None:
    code, _ = run("changes", "--url", "postgresql://root@127.0.0.1:1/?sslmode=disable", "--to", "v26.2",
                  "--timeout", "2s")  # fmt: skip
    assert code == 11


def test_check_and_changes_agree(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    file.write_bytes(encode(snapshot(set_settings=set_settings(cloudstorage__gs__default__key=None))))
    _, text = run(
        "check", "--snapshot", str(file), "--step", "start", "--target", "v21.2.17", "--format", "json"
    )
    [finding] = [each for each in json.loads(text)["findings"] if each["check"] == "changes"]
    assert finding["outcome"] == "warn"
    assert "C-21.2-gs-default-key" in finding["evidence"]["concerns"]
