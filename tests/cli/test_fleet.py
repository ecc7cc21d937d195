"""guard fleet on the command line: fifty gateways with faults among them, files, formats."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from guard.cli.commands.fleet import app
from guard.connector import statements
from guard.snapshot.file import encode
from tests import building as b
from tests.cluster.fake import Fake
from tests.cluster.process import guard
from tests.cluster.proxy import Fault, What, When
from tests.cluster.recording import Error
from tests.debugzip.making import entries, pack, quiet

UNIFORM = "v21.1.11-to-v21.2.0/04-uniform-old-one-decommissioned"
RUNNING = "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
HOSTILE = "\x1b[2J|<script>alert(1)</script>`::error::`"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def write(text: str) -> str:
    Path("fleet.toml").write_text(text)
    return "fleet.toml"


def cluster(name: str, **values: object) -> str:
    rows = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    return f"[[cluster]]\nname = {json.dumps(name)}\n{rows}"


def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"postgresql://root@127.0.0.1:{listener.getsockname()[1]}/?sslmode=disable"


@contextlib.contextmanager
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://root@127.0.0.1:{listener.getsockname()[1]}/?sslmode=disable"


FAULTS: dict[str, dict[str, Any]] = {
    "cut at login": {"faults": [Fault(What.CUT, When.LOGIN)]},
    "stalls at login": {"faults": [Fault(What.STALL, When.LOGIN)]},
    "stalls at its version": {
        "faults": [Fault(What.STALL, When.BEFORE, statement=statements.SHOW_VERSION.sql)]
    },
    "garbles": {"faults": [Fault(What.GARBLE, When.DURING, statement=statements.GOSSIP_NODES.sql)]},
    "refuses the login": {
        "login_error": Error("28P01", "password authentication failed for user root")
    },
}


def test_fifty_gateways_with_faults_among_them(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        expected: dict[str, str] = {}
        parts = ['timeout = "6s"\nworkers = 12\n']

        def add(name: str, verdict: str, **values: object) -> None:
            expected[name] = verdict
            parts.append(cluster(name, **values))

        for number in range(21):
            url = stack.enter_context(fake.gateway(UNIFORM)).url()
            add(f"good-{number:02}", "allow", url=url, step="verify")
        for number in range(19):
            url = stack.enter_context(fake.gateway(RUNNING)).url()
            add(f"busy-{number:02}", "block", url=url, step="next-node", target="v21.2.0")
        for fault, options in FAULTS.items():
            url = stack.enter_context(fake.gateway(UNIFORM, **options)).url()
            add(fault, "unknown", url=url, step="verify")
        add("closed", "unknown", url=closed(), step="verify")
        add("silent", "unknown", url=stack.enter_context(silent()), step="verify")
        add("no variable", "unknown", url_env="GUARD_TEST_NOT_SET", step="verify")
        add("no policy", "unknown", url=closed(), policy="none.toml", step="verify")
        monkeypatch.setenv("GUARD_TEST_URL", stack.enter_context(fake.gateway(UNIFORM)).url())
        add("by variable", "allow", url_env="GUARD_TEST_URL", step="verify")
        assert len(expected) == 50

        code, out, _ = run(write("".join(parts)), "--format", "json")
    report = json.loads(out)
    found = {each["name"]: each["verdict"] for each in report["clusters"]}
    assert found == expected
    assert (code, report["exit_code"]) == (10, 10)
    assert [each["verdict"] for each in report["clusters"]] == (
        ["block"] * 19 + ["unknown"] * 9 + ["allow"] * 22
    )
    reasons = {each["name"]: each["reason"] for each in report["clusters"]}
    assert "Connection refused" in reasons["closed"]
    assert reasons["no variable"].endswith("the environment variable GUARD_TEST_NOT_SET is not set")
    assert "none.toml" in reasons["no policy"]
    assert all(reasons[name] for name, verdict in expected.items() if verdict != "allow")


def test_a_fleet_of_files(tmp_path: Path) -> None:
    """Relative names lie beside the fleet's file, and each cluster is asked its own question."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    (folder / "seen.json").write_bytes(encode(b.snapshot()))
    pack(folder / "debug.zip", entries(quiet()))
    (folder / "fleet.toml").write_text(
        'step = "start"\ntarget = "v21.1.21"\n'
        + cluster("zip", debug_zip="debug.zip")
        + cluster("file", snapshot="seen.json", step="verify")
    )
    code, out, _ = run(str(folder / "fleet.toml"))
    lines = out.splitlines()
    assert lines[0].startswith("2 clusters: ")
    assert any(line.startswith("ALLOW    zip   21.1; v21.1.12 (3)") for line in lines)
    assert any("verify" in line and "file" in line for line in lines)
    assert str(code) in lines[0]


def test_pages(tmp_path: Path) -> None:
    pack(Path("debug.zip"), entries(quiet()))
    write(
        cluster("One", debug_zip="debug.zip", step="verify")
        + cluster("one", url=closed(), timeout="1s")
    )
    code, out, _ = run("fleet.toml", "--format", "html", "--pages", "out")
    assert code == 11
    index = Path("out/index.html").read_text()
    links = re.findall(r'<a href="(cluster[^"]+)"', index)
    assert sorted(links) == ["cluster-one-2.html", "cluster-one.html"]
    assert all(Path("out", link).read_text().startswith("<!DOCTYPE html>") for link in links)
    assert '<a href="cluster' not in out
    assert "Content-Security-Policy" in out


@pytest.mark.parametrize("how", ["text", "json", "markdown", "html"])
def test_no_text_of_a_cluster_forges_anything(how: str) -> None:
    tables = quiet()
    for n in (1, 2, 3):
        tables[f"nodes/{n}/crdb_internal.gossip_nodes"][1][0][5] = HOSTILE
    tables["crdb_internal.kv_node_status"][1][0][4] = HOSTILE
    pack(Path("debug.zip"), entries(tables))
    write(cluster(HOSTILE.replace("\x1b", ""), debug_zip="debug.zip", step="verify"))
    code, out, _ = run("fleet.toml", "--format", how)
    assert code in (10, 11)
    assert "\x1b" not in out
    assert "\n::error" not in out
    if how in ("markdown", "html"):
        assert "<script" not in out
    if how == "markdown":
        assert all(line.count("|") in (0, 6) for line in out.splitlines())


def test_an_old_file_permits_nothing_unless_its_age_does_not_matter() -> None:
    old = b.snapshot()  # of 2026-11-22, by the clock of the tests
    Path("old.json").write_bytes(encode(msgspec.structs.replace(old, taken_at=LONG_AGO)))
    asked = {"snapshot": "old.json", "step": "start", "target": "v21.1.21"}
    write(cluster("a", **asked) + cluster("b", **asked, max_age="none"))
    ages = {
        line["name"]: [f["check"] for f in line["report"]["findings"] if f["check"] == "snapshot-age"]
        for line in json.loads(run("fleet.toml", "--format", "json")[1])["clusters"]
    }
    assert {name: bool(found) for name, found in ages.items()} == {"a": True, "b": False}


def test_quiet_prints_one_line() -> None:
    pack(Path("debug.zip"), entries(quiet()))
    write(cluster("a", debug_zip="debug.zip", step="verify"))
    assert run("fleet.toml", "-q")[1] == "1 cluster: 1 may go ahead (exit code 0)\n"


def test_fail_on_warn() -> None:
    pack(Path("debug.zip"), entries(quiet(jobs=[(7, "BACKUP", "running")])))
    write(cluster("a", debug_zip="debug.zip", step="start", target="v21.1.21"))
    assert run("fleet.toml")[0] == 0
    code, out, _ = run("fleet.toml", "--fail-on", "warn")
    assert (code, out.splitlines()[1][:4]) == (12, "WARN")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no [[cluster]]"),
        ("cluster = 1", "$.cluster"),
        ("x", "not TOML"),
        ("a" + ".a" * 100_000 + " = 1", "not TOML: a key has a hundred parts"),
        ("workers = 0\n" + cluster("a", url="u"), "workers"),
        ("typo = 1\n" + cluster("a", url="u"), "typo"),
        (cluster("a", url="u", typo=1), "typo"),
        (cluster("a"), "exactly one of"),
        (cluster("a", url="u", snapshot="s"), "url and snapshot"),
        (cluster("a", url="u") * 2, "two clusters are called 'a'"),
        (cluster("a", url="u", step="start"), "step start needs a target"),
        (cluster("a", url="u", step="up"), "$.cluster"),
        (cluster("a", url="u", target="new"), "is not a build"),
        (cluster("a", url="u", timeout="soon"), "is not a duration"),
        (cluster("a", url="u", timeout="0s"), "no time to wait"),
        (cluster("", url="u"), "$.cluster"),
    ],
)
def test_a_file_that_is_wrong_ends_the_run(text: str, words: str) -> None:
    code, _, err = run(write(text))
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())


def test_no_file_at_all() -> None:
    code, _, err = run("none.toml")
    assert code == 2
    assert "No such file" in err


def test_at_the_process_edge() -> None:
    pack(Path("debug.zip"), entries(quiet()))
    write(cluster("a", debug_zip="debug.zip", step="verify"))
    done = guard("fleet", str(Path("fleet.toml").resolve()))
    assert (done.code, done.err) == (0, "")
    schema = json.loads(guard("schema", "fleet").out)
    assert schema["title"] == "guard fleet"
