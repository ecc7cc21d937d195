"""guard plan on a cluster: it starts from the cluster version and the builds together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from guard.cli.commands.plan import app
from guard.snapshot.file import encode
from tests.building import node, snapshot

RESET = "RESET CLUSTER SETTING cluster.preserve_downgrade_option;"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(builds: list[str], version: str, to: str, *arguments: str, **settings: str) -> tuple[int, str]:
    seen = snapshot(
        [node(i, tag) for i, tag in enumerate(builds, 1)],
        version=version,
        settings={"version": version, **{k.replace("__", "."): v for k, v in settings.items()}},
    )
    Path("snapshot.json").write_bytes(encode(seen))
    result = CliRunner().invoke(app, ["--snapshot", "snapshot.json", "--to", to, *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.stdout.split())


def run_json(builds: list[str], version: str, to: str, **settings: str) -> dict[str, Any]:
    seen = snapshot(
        [node(i, tag) for i, tag in enumerate(builds, 1)],
        version=version,
        settings={"version": version, **{k.replace("__", "."): v for k, v in settings.items()}},
    )
    Path("snapshot.json").write_bytes(encode(seen))
    arguments = ["--snapshot", "snapshot.json", "--to", to, "--format", "json"]
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


ALL_NEW = ["v22.1.0"] * 3
HELD: dict[str, str] = {"cluster__preserve_downgrade_option": "21.2"}


def chain(made: dict[str, Any]) -> str:
    hops = made["hops"]
    return " ".join([hops[0]["from"], *(hop["to"] for hop in hops)])


def test_every_node_new_and_nothing_final_to_the_next_series() -> None:
    made = run_json(ALL_NEW, "21.2", "v22.2", **HELD)
    assert (made["answer"], chain(made)) == ("yes", "v21.2 v22.1 v22.2")
    first, second = made["hops"]
    assert (first["state"], first["release"], first["nodes_left"]) == ("not-final", "v22.1.0", [])
    assert (first["keep_way_back"], first["finalize"]) == ([], [RESET])
    assert second["keep_way_back"] == [
        "SET CLUSTER SETTING cluster.preserve_downgrade_option = '22.1';"
    ]
    assert second["state"] == "to-come"
    _, text = run(ALL_NEW, "21.2", "v22.2", **HELD)
    assert "1. v21.2 to v22.1: under way: every node runs v22.1.0, finalize it" in text
    assert text.startswith("YES: from v22.1.0 at cluster version 21.2 to v22.2: first finish")


def test_every_node_new_and_nothing_final_to_where_they_are() -> None:
    made = run_json(ALL_NEW, "21.2", "v22.1.0", **HELD)
    assert (made["exit_code"], chain(made)) == (0, "v21.2 v22.1")
    assert made["hops"][0]["finalize"] == [RESET]
    assert "already" not in made["reason"]


def test_to_the_series_they_are_at_finishes_first_and_patches_then() -> None:
    made = run_json(ALL_NEW, "21.2", "v22.1", **HELD)
    assert chain(made) == "v21.2 v22.1 v22.1"
    assert [hop["release"] for hop in made["hops"]] == ["v22.1.0", "v22.1.22"]


def test_back_to_where_they_came_from_is_a_rollback() -> None:
    code, text = run(ALL_NEW, "21.2", "v21.2.17", **HELD)
    assert code == 0
    assert "put every node back on v21.2.17" in text
    assert "guard check --step rollback --target v21.2.17" in text
    code, text = run(["v21.2.16", "v22.1.0"], "21.2", "v21.2", **HELD)
    assert code == 0
    assert "put n2 back on v21.2.16" in text


def test_between_two_series_the_nodes_left_are_named() -> None:
    made = run_json(["v21.2.17", "v22.1.22", "v21.2.17"], "21.2", "v22.2", **HELD)
    first = made["hops"][0]
    assert (first["state"], first["release"]) == ("rolling", "v22.1.22")
    assert first["nodes_left"] == ["n1", "n3"]
    assert first["before"] == [], "it is too late for that"
    _, text = run(["v21.2.17", "v22.1.22", "v21.2.17"], "21.2", "v22.2", **HELD)
    assert "under way: restart n1, n3 on v22.1.22, then finalize" in text


def test_what_holds_the_cluster_decides_on_the_commands() -> None:
    nodes = ["v23.2.9", "v24.1.5"]
    free = run_json(nodes, "23.2", "v24.1.5", cluster__auto_upgrade__enabled="true")["hops"][0]
    assert free["keep_way_back"] == ["SET CLUSTER SETTING cluster.auto_upgrade.enabled = false;"]
    off = run_json(nodes, "23.2", "v24.1.5", cluster__auto_upgrade__enabled="false")["hops"][0]
    assert off["keep_way_back"] == []
    assert off["finalize"] == ["SET CLUSTER SETTING version = '24.1';"]
    both = run_json(
        nodes, "23.2", "v24.1.5",
        cluster__auto_upgrade__enabled="false", cluster__preserve_downgrade_option="23.2",
    )["hops"][0]  # fmt: skip
    assert both["finalize"] == [RESET, "SET CLUSTER SETTING version = '24.1';"]


@pytest.mark.parametrize("version", ["21.2-48", "21.2-60"])
def test_while_it_is_finalized_there_is_only_waiting(version: str) -> None:
    made = run_json(ALL_NEW, version, "v22.2")
    first = made["hops"][0]
    assert (first["state"], first["finalize"], first["keep_way_back"]) == ("finalizing", [], [])
    code, text = run(ALL_NEW, version, "v22.1.0")
    assert (code, "wait until SHOW CLUSTER SETTING version prints 22.1" in text) == (0, True)
    code, text = run(ALL_NEW, version, "v21.2.17")
    assert (code, "ends the way back" in text) == (10, True)


@pytest.mark.parametrize(
    ("builds", "version", "to", "reason"),
    [
        (["v24.1.3", "v24.3.5"], "24.1", "v24.2.5", "under way"),
        (["v22.1.5", "v22.1.5"], "21.2", "v22.1.2", "older than v22.1.5"),
        (["v21.2.17", "v22.1.5"], "21.2", "v21.1.9", "no downgrade"),
        (["v24.3.33", "v24.2.10", "v24.1.29"], "24.1", "v24.3", "put n2 back on v24.1 first"),
        (["v24.3.33", "v24.2.10", "v24.1.29"], "24.1", "v25.2", "put n2 back on v24.1 first"),
        (["v21.2.17", "v22.2.19", "v21.2.17"], "21.2", "v22.2", "put n2 back on v21.2 first"),
        (["v22.2.19"] * 3, "21.2", "v23.1", "only from v22.1, not from v21.2"),
        (["v25.4.0-rc.1", "v26.1.5"], "25.4", "v26.1.5", "put every node on v25.4.11 first"),
        (["v26.1.3", "v26.1.5"], "26.1", "v26.1.4", "v26.1.4 is older than v26.1.5, which a node runs"),
    ],
)
def test_where_there_is_no_way(builds: list[str], version: str, to: str, reason: str) -> None:
    code, text = run(builds, version, to)
    assert (code, reason in text) == (10, True)


def test_the_way_back_takes_every_newer_node() -> None:
    code, text = run(["v24.3.33", "v24.2.10", "v24.1.29"], "24.1", "v24.1")
    assert (code, "put n1, n2 back on v24.1.29" in text) == (0, True)


def test_a_newer_patch_that_was_asked_for_goes_on_every_node() -> None:
    made = run_json(ALL_NEW, "21.2", "v22.1.22", **HELD)
    assert (made["answer"], chain(made)) == ("yes", "v21.2 v22.1")
    [hop] = made["hops"]
    assert (hop["state"], hop["release"], len(hop["nodes_left"])) == ("rolling", "v22.1.22", 3)


def test_a_cluster_at_rest_is_planned_from_its_oldest_build() -> None:
    made = run_json(["v21.2.16", "v21.2.17"], "21.2", "v22.1.22")
    assert (made["from"], chain(made)) == ("v21.2.16", "v21.2 v22.1")
    assert run_json(["v21.2.17"], "21.2", "v21.2.17")["reason"].endswith("already")


def test_a_patch_upgrade_that_was_left_halfway_is_ended_first() -> None:
    ends = "before it bring every node to v23.1.30"
    half = ["v23.1.29", "v23.1.30"]
    made = run_json(half, "23.1", "v23.2.30")
    assert (made["answer"], ends in made["reason"]) == ("yes", True)
    assert "--step next-node --target v23.1.30" in made["reason"]
    assert ends not in run_json(half, "23.1", "v23.1.30")["reason"]
    assert ends not in run_json(["v23.1.30", "v23.1.30"], "23.1", "v23.2.30")["reason"]
    # The patch that the hop needs first makes them one.
    first = run_json(["v21.2.16", "v21.2.17"], "21.2", "v22.1.22")
    assert bool(first["hops"][0]["before"]) is ("bring every node" not in first["reason"])


@pytest.mark.parametrize(
    ("builds", "to", "reason"),
    [
        (["v26.1.4", "v26.1.5"], "v26.1.4", "guard check --step rollback --target v26.1.4"),
        (["v26.1.5", "v26.1.5-dirty"], "v26.1.5", "guard check --step next-node --target v26.1.5"),
        (["v26.1.5-dirty"] * 2, "v26.1.5", "is where the cluster is already"),
    ],
)
def test_a_target_that_nodes_run_already(builds: list[str], to: str, reason: str) -> None:
    made = run_json(builds, "26.1", to)
    assert (made["answer"], reason in made["reason"], made["hops"]) == ("yes", True, [])


def test_a_release_is_not_older_than_a_custom_build_of_it() -> None:
    made = run_json(["v25.4.11", "v26.1.5-custom"], "25.4", "v26.1.5")
    assert (made["answer"], made["hops"][0]["nodes_left"]) == ("yes", ["n1", "n2"])


def test_a_way_that_leads_elsewhere_is_headed_so_and_is_no_success() -> None:
    made = run_json(["v21.1.12"] * 3, "21.1", "v21.2.0")
    assert (made["exit_code"], made["answer"], made["instead"]) == (10, "no", "v21.2.17")
    assert made["hops"][-1]["release"] == "v21.2.17"
    _, text = run(["v21.1.12"] * 3, "21.1", "v21.2.0")
    assert text.startswith("NOT v21.2.0, BUT v21.2.17: from v21.1.12: these hops lead to v21.2.17")
    assert "A-72839" in text.split("1. ")[0]


def test_a_node_older_than_the_cluster_version_is_no_position() -> None:
    code, text = run(["v21.1.12", "v21.2.17"], "21.2", "v22.1")
    assert (code, text) == (11, "")
