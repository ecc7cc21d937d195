"""guard explain, grants and advisories: said well, and not to be misread."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.bites import repaired_in
from guard.catalog.records import Trigger
from guard.catalog.releases import installable
from guard.decision.checks import ALL, advisories
from guard.decision.engine import evaluate
from guard.decision.own_findings import OWN
from guard.decision.result import Outcome
from guard.versions import Build
from tests.building import snapshot, three, unavailable
from tests.cluster.process import guard

CATALOG = load()


def run(command: str, *arguments: str) -> tuple[int, str]:
    module = importlib.import_module(f"guard.cli.commands.{command}")
    result = CliRunner().invoke(module.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("name", [check.id for check in ALL] + list(OWN) + list(CATALOG.advisories))
def test_a_page_has_its_title_once_and_no_marks(name: str) -> None:
    code, page = run("explain", name)
    lines = page.splitlines()
    assert code == 0
    assert lines[0].lower().startswith(f"{name.lower()}: ")
    assert not any(line.startswith(f"{name}: ") for line in lines[1:])
    assert "`" not in page
    assert not re.search(r"(?<![\w*])\*\w+\*(?![\w*])", page)


@pytest.mark.parametrize("name", list(CATALOG.advisories))
def test_every_advisory_has_its_date_builds_remedy_and_commands(name: str) -> None:
    record = CATALOG.advisories[name]
    _, page = run("explain", name)
    assert f"{record.date}" in page
    assert all(f"v{each.series}: {each.introduced}" in page for each in record.affected)
    assert record.mitigation.text.strip()[:60] in page
    assert all(command.strip().splitlines()[-1] in page for command in record.mitigation.commands)


def _moves() -> Iterator[tuple[str, Build, Build]]:
    """Of each record a build with the defect that a later one lacks, and one of the series before."""
    for name, record in CATALOG.advisories.items():
        for series, before in pairwise(sorted(CATALOG.series, reverse=True)):
            builds = sorted(build for build, _ in installable(CATALOG.series[series]))
            here = CATALOG.newest_release(before).build
            hit = [b for b in builds if CATALOG.affects(record, b).affected is Answer.YES]
            if here is None or not hit or repaired_in(CATALOG.series, record, hit[-1]) is None:
                continue
            if CATALOG.upgrade_allowed(before, series).supported is Answer.YES:
                yield name, here, hit[-1]
                break


@pytest.mark.parametrize(("name", "here", "target"), list(_moves()))
def test_what_a_page_says_of_an_affected_target_is_what_check_does(
    name: str, here: Build, target: Build
) -> None:
    _, page = run("explain", name)
    told = re.search(r"^Target: +an affected one (\w+) at start", page, re.MULTILINE)
    hidden = unavailable()
    seen = snapshot(
        three(str(here)), version=str(here.series), gateway=str(here),
        features=hidden, license=hidden, active_jobs=hidden, job_history=hidden,
    )  # fmt: skip
    decision = evaluate(seen, step="start", target=target, checks=[advisories.CHECK])
    said = next((f.outcome for f in decision.findings if f.check == name), None)
    edges = {edge.effect for edge in CATALOG.advisories[name].edges if "start" in edge.steps}
    if told is None:
        assert name == "A-72839" or CATALOG.advisories[name].trigger is Trigger.UPGRADE
    elif not edges and said is not Outcome.NOT_APPLICABLE:
        assert said is {"blocks": Outcome.BLOCK, "warns": Outcome.WARN}[told[1]]


def test_a_statement_that_writes_cannot_be_taken_for_one_that_looks() -> None:
    writing = re.compile(r"crdb_internal\.(?:unsafe_|force_)")
    long = [
        command
        for record in CATALOG.advisories.values()
        for command in record.mitigation.commands
        if command.strip().count("\n") > 5
    ]
    assert len(long) >= 4
    for command in long:
        first = command.strip().splitlines()[0]
        assert first.startswith(
            "-- CHANGES THE CLUSTER" if writing.search(command) else "-- LOOKS ONLY"
        )


def test_a_hint_names_an_id_once() -> None:
    code, out = run("explain", "A-7283")
    assert code == 2
    assert out.count("A-72839") == 1


@pytest.mark.parametrize(
    ("version", "writes"), [("v21.2", True), ("v23.1.5", True), ("v23.1.12", False)]
)
def test_grants_say_who_may_write_and_how_the_user_logs_in(version: str, writes: bool) -> None:
    _, out = run("grants", "--version", version, "--user", "deploy")
    assert ("may WRITE" in out) is writes
    assert ('REVOKE admin FROM "deploy";' in out) is writes
    assert "cockroach cert create-client deploy" in out
    assert "WITH PASSWORD" in out


@pytest.mark.parametrize("user", ["", " "])
def test_nobody_is_granted_nothing(user: str) -> None:
    run = guard("grants", "--version", "v22.2", "--user", user)
    assert (run.code, run.out) == (2, "")


def test_no_name_of_a_user_gets_out_of_a_comment() -> None:
    _, out = run("grants", "--version", "v21.2", "--user", "x\nDROP DATABASE d; --")
    for line in out.splitlines():
        assert not line.startswith("DROP") or line.endswith('";'), "inside the quotes of CREATE USER"
    assert sum(line.startswith("DROP") for line in out.splitlines()) == 2  # CREATE USER, GRANT


def test_advisories_on_the_way_to_a_build_are_pointed_to() -> None:
    _, out = run("advisories", "--affecting", "v21.2.17")
    assert "On the way from v21.1 to v21.2 there counts: A-72839" in out
    assert "guard plan --from vX.Y.Z --to v21.2.17" in out
    assert "A-72839" in run("advisories", "--affecting", "v21.2.0")[1].split("On the way")[0]
