"""plan, advisories, restore and catalog on the command line: exit codes, JSON, standard output."""

from __future__ import annotations

import importlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from guard.catalog import load
from guard.catalog.lint import SHIPPED
from guard.cli.position import Unreadable, position_of
from guard.versions import Build, Series
from tests.building import node, snapshot, unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from guard.snapshot import Snapshot


def run(command: str, *arguments: str) -> Result:
    module = importlib.import_module(f"guard.cli.commands.{command}")
    app: typer.Typer = module.app
    return CliRunner().invoke(app, list(arguments))


def run_json(command: str, *arguments: str) -> tuple[int, Any]:
    result = run(command, *arguments, "--format", "json")
    return result.exit_code, json.loads(result.stdout)


def saved(directory: Path, seen: Snapshot) -> str:
    file = directory / "snapshot.json"
    file.write_bytes(msgspec.json.encode(seen))
    return str(file)


# --- plan ---------------------------------------------------------------------------------------


def test_plan_as_json() -> None:
    code, made = run_json("plan", "--from", "v24.1.3", "--to", "v25.2")
    assert code == 0
    assert (made["supported"], made["exit_code"]) == (True, 0)
    assert [(hop["from"], hop["to"]) for hop in made["hops"]] == [
        ("v24.1", "v24.3"),
        ("v24.3", "v25.2"),
    ]
    for hop in made["hops"]:
        assert {"from", "to", "release", "skips", "reasons"} <= set(hop)
        assert hop["reasons"]
    assert made["hops"][0]["skips"] == ["v24.2"]
    assert made["hops"][0]["release"] == str(load().newest_release("24.3").build)
    assert made["reason"]


def test_plan_names_the_setting_for_21_2() -> None:
    _, made = run_json("plan", "--from", "v21.1.7", "--to", "v21.2")
    (hop,) = made["hops"]
    assert hop["before"][0]["release"] == "v21.1.21"
    (met,) = [each for each in hop["advisories"] if each["id"] == "A-72839"]
    assert met["effect"] == "block"
    setting = "bulkio.backup.experimental_21_2_mode.enabled"
    assert setting in met["mitigation"]["commands"][0]


@pytest.mark.parametrize(
    ("source", "target", "code", "supported"),
    [
        ("v21.1.12", "v21.2.17", 0, True),
        ("21.1.12", "21.2", 0, True),
        ("v21.2.0", "v21.1.12", 10, False),
        ("v21.1.7", "v21.1.8", 10, False),
        ("v26.2.1", "v26.4.0", 11, False),
    ],
)
def test_plan_exit_codes(source: str, target: str, code: int, supported: bool) -> None:
    got, made = run_json("plan", "--from", source, "--to", target)
    assert (got, made["exit_code"], made["supported"]) == (code, code, supported)
    text = run("plan", "--from", source, "--to", target)
    assert text.exit_code == code
    assert made["reason"] in text.stdout


def test_plan_as_text_has_commands_on_one_line() -> None:
    lines = run("plan", "--from", "v21.1.12", "--to", "v21.2").stdout.splitlines()
    assert lines[0].startswith("YES: from v21.1.12 to v21.2")
    commands = [line.strip() for line in lines if "SET CLUSTER SETTING" in line]
    assert any(line.endswith("experimental_21_2_mode.enabled = true;") for line in commands)
    assert any("RESET CLUSTER SETTING cluster.preserve_downgrade_option;" in c for c in commands)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "v21.2"),
        ("--from", "v21.1.12"),
        ("--from", "v21.1.12", "--to", "next"),
        ("--from", "21.1.12.4", "--to", "v21.2"),
        ("--from", "v21.1.12", "--to", "v21.2", "--snapshot", "x"),
        ("--from", "v21.1.12", "--to", "v21.2", "--catalog", "/nonexistent"),
        ("--to", "v21.2", "--snapshot", "/nonexistent"),
        ("--from", "v21.1.12", "--to", "v21.2", "--format", "yaml"),
    ],
)
def test_plan_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run("plan", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr


def test_plan_from_a_snapshot(tmp_path: Path) -> None:
    mixed = snapshot([node(1, "v24.1.3"), node(2, "v24.2.1")], version="24.1")
    code, made = run_json("plan", "--to", "v25.2", "--snapshot", saved(tmp_path, mixed))
    assert code == 0
    assert made["from"] == "v24.1.3"
    assert [hop["to"] for hop in made["hops"]] == ["v24.2", "v24.3", "v25.2"]


def test_plan_from_a_snapshot_that_nobody_could_take(tmp_path: Path) -> None:
    blind = snapshot(gossip_nodes=unavailable())
    result = run("plan", "--to", "v21.2", "--snapshot", saved(tmp_path, blind))
    assert (result.exit_code, result.stdout) == (11, "")
    assert "not for this user" in result.stderr


# --- restore ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backup", "into", "code", "basis"),
    [
        ("v24.1", "v24.3", 0, "documented"),
        ("24.1.9", "24.3.2", 0, "documented"),
        ("v25.2", "v25.4", 0, "inferred"),
        ("v24.3", "v24.1", 10, "documented"),
        ("v21.1", "v22.1", 10, "documented"),
        ("v26.2", "v26.4", 11, "inferred"),
    ],
)
def test_restore(backup: str, into: str, code: int, basis: str) -> None:
    got, answer = run_json("restore", "--backup", backup, "--into", into)
    assert (got, answer["exit_code"], answer["basis"]) == (code, code, basis)
    assert answer["allowed"] is {0: True, 10: False, 11: None}[code]
    text = run("restore", "--backup", backup, "--into", into)
    assert text.exit_code == code
    assert text.stdout.split(":")[0] == {0: "YES", 10: "NO", 11: "UNKNOWN"}[code]


@pytest.mark.parametrize(
    ("members", "version", "full", "code"),
    [
        (("v21.2.3", "v21.2.3"), "21.2", True, 0),
        (("v21.1.12", "v21.2.3"), "21.1", True, 10),
        (("v21.1.12", "v21.2.3"), "21.1", False, 0),
        (("v21.2.3", "v21.2.3"), "21.1", True, 10),  # not finalized
        (("v21.2.3", "v21.2.3"), "21.1-14", True, 10),
        (("v22.1.3", "v22.1.3"), "22.1", False, 10),
    ],
)
def test_restore_into_a_cluster(
    tmp_path: Path, members: tuple[str, str], version: str, full: bool, code: int
) -> None:
    seen = snapshot([node(i, tag) for i, tag in enumerate(members, 1)], version=version)
    arguments = ["--backup", "v21.1", "--snapshot", saved(tmp_path, seen)]
    got, answer = run_json("restore", *arguments, *(["--full-cluster"] if full else []))
    assert got == code
    assert answer["full_cluster"] is full


@pytest.mark.parametrize(("build", "code"), [("v22.1.4", 10), ("v22.1.5", 0)])
def test_restore_learns_the_build_of_the_cluster(tmp_path: Path, build: str, code: int) -> None:
    newer = node(2, "v22.1.22")
    seen = snapshot([node(1, build), newer], version="22.1", gateway=build)
    full = ("--backup", "v21.2", "--full-cluster")
    got, answer = run_json("restore", *full, "--snapshot", saved(tmp_path, seen))
    assert (got, answer["into_build"]) == (code, build)  # the oldest of them decides
    assert run_json("restore", *full, "--into", build)[0] == code
    got, answer = run_json("restore", *full, "--into", "v22.1")
    assert (got, answer["into_build"], len(answer["exceptions"])) == (0, None, 1)


def test_restore_says_which_builds_lose_data(tmp_path: Path) -> None:
    builds = ("v22.2.5", "v22.2.6", "v22.2.19")  # RESTORE runs on all of them, not on the oldest only
    nodes = [node(i, build) for i, build in enumerate(builds, 1)]
    seen = snapshot(nodes, version="22.2", gateway="v22.2.19")
    code, answer = run_json("restore", "--backup", "v22.1", "--snapshot", saved(tmp_path, seen))
    assert code == 0
    assert any("A-98779" in text and "v22.2.7" in text for text in answer["advisories"])
    said = run("restore", "--backup", "v24.3.16", "--into", "v25.2.19").stdout
    assert "A-151050" in said
    assert "v24.3.17 is free of it" in " ".join(said.split())


def test_restore_of_a_backup_made_with_incremental_location() -> None:
    asked = ("restore", "--backup", "v25.4", "--into", "v26.2")
    assert run_json(*asked, "--incremental-location")[0] == 10
    assert run_json(*asked, "--no-incremental-location")[1]["exceptions"] == []
    assert "incremental_location" in run(*asked).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--into", "v21.2"),
        ("--backup", "v21.1"),
        ("--backup", "v21", "--into", "v21.2"),
        ("--backup", "v21.1", "--into", "v21.2", "--snapshot", "x"),
    ],
)
def test_restore_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run("restore", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


# --- where a cluster stands ---------------------------------------------------------------------


def test_position_of_a_cluster_at_rest() -> None:
    position = position_of(snapshot([node(1, "v21.1.9"), node(2, "v21.1.12")]))
    assert position.build == Build.parse("v21.1.9")
    assert (position.series, position.under_way, position.mixed) == (Series(21, 1), None, False)


@pytest.mark.parametrize(
    ("members", "version", "under_way"),
    [
        (("v21.1.9", "v21.2.3"), "21.1", "21.2"),
        (("v21.2.3", "v21.2.3"), "21.1", "21.2"),
        (("v21.2.3", "v21.2.3"), "21.1-14", "21.2"),
        (("v24.1.3", "v24.1.3"), "23.2-upgrading-to-24.1-step-008", "24.1"),
    ],
)
def test_position_during_an_upgrade(members: tuple[str, str], version: str, under_way: str) -> None:
    position = position_of(
        snapshot([node(i, tag) for i, tag in enumerate(members, 1)], version=version)
    )
    assert str(position.under_way) == under_way
    assert str(position.series) == version.split("-")[0]


@pytest.mark.parametrize(
    "seen",
    [
        snapshot(settings={"version": "soon"}, version="soon"),
        snapshot([]),
        snapshot([node(1, "unknown")]),
        snapshot(gossip_liveness=unavailable()),
        snapshot(kv_version="soon"),
    ],
)
def test_a_position_that_cannot_be_told(seen: Snapshot) -> None:
    with pytest.raises(Unreadable):
        position_of(seen)


# --- advisories ---------------------------------------------------------------------------------


def test_advisories_as_json() -> None:
    code, rows = run_json("advisories")
    assert code == 0
    assert len(rows) == len(load().advisories)
    for row in rows:
        assert {"id", "title", "category", "affected", "docs"} <= set(row)
        assert row["docs"].startswith("https://")


def test_advisories_affecting_a_build() -> None:
    code, rows = run_json("advisories", "--affecting", "v21.2.0")
    assert code == 0
    assert "A-72839" in {row["id"] for row in rows}
    assert {row["applies"] for row in rows} == {"yes"}
    text = run("advisories", "--affecting", "v21.2.0").stdout
    assert text.startswith(
        f"{len(rows)} of {len(load().advisories)} advisories and hazards affect v21.2.0"
    )
    assert "A-72839" in text


def test_advisories_affecting_a_build_the_catalog_does_not_know() -> None:
    result = run("advisories", "--affecting", "v26.4.0", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (11, [])
    assert "incomplete" in result.stderr


def test_advisories_between_two_builds() -> None:
    code, rows = run_json("advisories", "--between", "v21.1.11", "v21.2.0")
    changes = {row["id"]: row["change"] for row in rows}
    assert code == 0
    assert (changes["A-72839"], changes["A-71553"]) == ("introduced", "cured")
    assert "[introduced]" in run("advisories", "--between", "v21.1.11", "v21.2.0").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--affecting", "v21.2"),
        ("--between", "v21.2.0"),
        ("--affecting", "v21.2.0", "--between", "v21.2.0", "v21.2.1"),
        ("export",),
        ("export", "--format", "csv", "x"),
    ],
)
def test_advisories_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run("advisories", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_export(tmp_path: Path) -> None:
    result = run("advisories", "export", "--format", "osv", str(tmp_path / "new" / "osv"))
    assert result.exit_code == 0
    files = sorted((tmp_path / "new" / "osv").iterdir())
    assert len(files) == len(load().advisories)
    assert {json.loads(file.read_text("utf-8"))["id"] for file in files} == {
        file.stem for file in files
    }


def test_export_into_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("advisories", "export", str(tmp_path / "file"))
    assert (result.exit_code, result.stdout) == (2, "")


# --- catalog ------------------------------------------------------------------------------------


def test_lint(tmp_path: Path) -> None:
    assert run("catalog", "lint").exit_code == 0
    (tmp_path / "A-1.toml").write_text("schema = 1")
    result = run("catalog", "lint", str(tmp_path))
    assert result.exit_code == 10
    assert "A-1.toml: Object missing required field" in result.stdout
    code, rows = run_json("catalog", "lint", str(tmp_path))
    assert (code, len(rows)) == (10, 1)
    assert "no about.toml" in run("catalog", "lint", "--whole", str(tmp_path)).stdout
    assert run("catalog", "lint", str(tmp_path / "nowhere")).exit_code == 2


def test_build(tmp_path: Path) -> None:
    assert run("catalog", "build", "--check").exit_code == 0
    for part in ("series", "advisories", "hazards"):
        shutil.copytree(SHIPPED / part, tmp_path / part)
    shutil.copy(SHIPPED / "about.toml", tmp_path)
    assert run("catalog", "build", "--check", str(tmp_path)).exit_code == 2  # nothing to check
    assert run("catalog", "build", str(tmp_path)).exit_code == 0
    assert run("catalog", "build", "--check", str(tmp_path)).exit_code == 0
    built, shipped = load(compiled=tmp_path / "compiled.json"), load()
    assert (built.series, built.advisories) == (shipped.series, shipped.advisories)
    assert run("catalog", "lint", "--whole", str(tmp_path)).exit_code == 0
    record = tmp_path / "advisories" / "A-72839.toml"
    good = record.read_text("utf-8")
    record.write_text(good.replace('id = "A-72839"', 'id = "A-72838"'), encoding="utf-8")
    for command in (("lint", "--whole"), ("build",)):
        result = run("catalog", *command, str(tmp_path))
        assert (result.exit_code, "differs from the file's name" in result.stdout) == (10, True)
    record.unlink()
    assert run("catalog", "build", "--check", str(tmp_path)).exit_code == 10
    (tmp_path / "plain").write_text("")
    assert run("catalog", "build", str(tmp_path), "-o", str(tmp_path / "plain" / "x")).exit_code == 2


def test_a_users_records_count(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "advisories" / "A-72839.toml", tmp_path)
    file = tmp_path / "A-72839.toml"
    file.write_text(file.read_text("utf-8").replace("v21.2.1", "v21.2.2"), encoding="utf-8")
    _, rows = run_json("advisories", "--affecting", "v21.2.1", "--catalog", str(tmp_path))
    assert "A-72839" in {row["id"] for row in rows}


def test_an_old_catalog_is_a_warning_on_standard_error(tmp_path: Path) -> None:
    # a day in the future; the shipped catalog itself is old some day
    (tmp_path / "about.toml").write_text("schema = 1\nread = 2999-01-02\nreleases_until = 2999-01-01\n")
    (tmp_path / "26.4.toml").write_text(
        'schema = 1\nseries = "26.4"\nkind = "regular"\nupgrade_from = ["26.2", "26.3"]\nsupport = {}\n'
        'source = "https://example.com"\nreleased = 2999-01-01\n'
        'releases = [{ build = "v26.4.0", date = 2999-01-01, kind = "production" }]\n'
    )
    result = run("advisories", "--affecting", "v21.2.0", "--catalog", str(tmp_path))
    assert "warning: the catalog's releases are known until 2999-01-01" in result.stderr
    assert "warning" not in result.stdout


def test_a_plan_as_markdown_tells_the_same() -> None:
    asked = ("plan", "--from", "v21.1.9", "--to", "v22.1")
    code, told = run_json(*asked)
    result = run(*asked, "--format", "markdown")
    assert result.exit_code == code
    text = result.stdout
    assert text.startswith("## guard plan: there is a way\n")
    for number, hop in enumerate(told["hops"], start=1):
        assert f"<summary>{number}. {hop['from']} to {hop['to']}: {hop['release']}</summary>" in text
        assert f"- before: `{hop['keep_way_back'][0]}`" in text
        assert f"- finalize: `{hop['finalize'][0]}`" in text
    assert "- first: patch v21.1 to v21.1.21:" in text
    assert "- advisory: A-72839: " in text
    assert "  - `SET CLUSTER SETTING bulkio.backup.experimental_21_2_mode.enabled = true;`" in text
    refused = run("plan", "--from", "v22.2.19", "--to", "v22.2.5", "--format", "markdown")
    assert refused.exit_code == 10
    assert refused.stdout.startswith("## guard plan: there is no way\n")
    other = run("plan", "--from", "v21.1.21", "--to", "v21.2.0", "--format", "markdown")
    assert other.exit_code == 10
    assert other.stdout.startswith("## guard plan: the way leads to v21.2.17, not to what was asked\n")
