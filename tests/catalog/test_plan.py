"""Plans: the chain, the release of each hop, what comes before, during and after."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer, ReleaseStatus
from guard.catalog.records import Category
from guard.plan.difference import Change, difference
from guard.plan.road import Plan, make_plan
from guard.versions import Build, Series, VersionError
from tests.catalog.test_hops import SERIES

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = load()


def version(text: str) -> Build | Series:
    try:
        return Series.parse(text)
    except VersionError:
        return Build.parse(text)


def plan(source: str, target: str) -> Plan:
    return make_plan(CATALOG, version(source), version(target))


def chain(made: Plan) -> str:
    return " ".join(str(series) for series in (made.hops[0].source, *(h.target for h in made.hops)))


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("v21.1.12", "v21.2.17", "21.1 21.2"),
        ("v20.1.17", "v22.1.22", "20.1 20.2 21.1 21.2 22.1"),
        ("v24.1.3", "v26.2.1", "24.1 24.3 25.2 25.4 26.2"),
        ("v24.1.3", "v24.2.5", "24.1 24.2"),
        ("v24.2.5", "v25.1.3", "24.2 24.3 25.1"),
        ("v24.2.5", "v25.2", "24.2 24.3 25.2"),
        ("v25.1.3", "v25.3", "25.1 25.2 25.3"),
        ("v23.2", "v24.3", "23.2 24.1 24.3"),
        ("v2.1.11", "v19.2", "2.1 19.1 19.2"),
        ("v21.1.3", "v21.1.21", "21.1 21.1"),
        ("v21.1.3", "v21.1", "21.1 21.1"),
    ],
)
def test_the_shortest_chain(source: str, target: str, expected: str) -> None:
    made = plan(source, target)
    assert made.supported is (Answer.YES if made.instead is None else Answer.NO)
    assert chain(made) == expected


def test_every_pair_of_series_has_a_chain_forwards_and_none_backwards() -> None:
    for source, target in product(SERIES, SERIES):
        made = plan(f"v{source}", f"v{target}")
        if Series.parse(target) < Series.parse(source):
            assert made.supported is Answer.NO
            assert "downgrade" in made.reason
        else:
            assert made.supported is Answer.YES
            for hop in made.hops:
                assert CATALOG.upgrade_allowed(hop.source, hop.target).supported is Answer.YES


@pytest.mark.parametrize(
    ("source", "target", "answer", "reason"),
    [
        ("v21.2.0", "v21.1.12", Answer.NO, "downgrade"),
        ("v21.1.12", "v21.1.9", Answer.NO, "downgrade"),
        ("v21.2.0", "v21.2.0-rc.1", Answer.NO, "downgrade"),
        ("v21.1.7", "v21.1.8", Answer.NO, "withdrawn; choose v21.1.21"),
        ("v26.2.9", "v26.2", Answer.UNKNOWN, "releases are complete until 2026-07-30"),
        ("v26.3.9", "v26.3", Answer.UNKNOWN, "releases are complete until 2026-07-30"),
        ("v23.1.0-alpha.1", "v23.1.5", Answer.NO, "alpha"),
        ("v26.2.1", "v26.4", Answer.UNKNOWN, "does not hold series v26.4"),
        ("v26.2.1", "v26.4.0", Answer.UNKNOWN, "does not hold series v26.4"),
        ("v21.1.12", "v21.2.18", Answer.UNKNOWN, "newer than the catalog"),
        ("v21.1.12", "v21.2.0-5-gabc", Answer.UNKNOWN, "not a build that Cockroach Labs published"),
        ("v23.2.9", "v24.1.0-beta.9", Answer.UNKNOWN, "not in the list of releases"),
        ("v1.1.9", "v19.1", Answer.UNKNOWN, "does not hold series v1.1"),
        ("v26.4.0", "v26.4.1", Answer.UNKNOWN, "does not hold series v26.4"),
    ],
)
def test_requests_without_a_plan(source: str, target: str, answer: Answer, reason: str) -> None:
    made = plan(source, target)
    assert (made.supported, made.hops) == (answer, ())
    assert reason in made.reason


def test_a_cluster_that_is_there_already_has_nothing_to_do() -> None:
    assert plan("v21.2.17", "v21.2.17") == plan("v21.2.17", "v21.2.17")
    for target in ("v21.2.17", "v21.2"):
        made = plan("v21.2.17", target)
        assert (made.supported, made.hops) == (Answer.YES, ())
        assert "already" in made.reason


def test_the_newest_release_that_is_neither_withdrawn_nor_for_the_cloud() -> None:
    for hop in plan("v19.1", "v26.2").hops:
        status = CATALOG.release(hop.build).status
        assert status is ReleaseStatus.PRODUCTION
        assert hop.build == CATALOG.newest_release(hop.target).build
    assert str(plan("v25.1.2", "v25.2").hops[-1].build) == "v25.2.19"


def test_a_release_that_only_its_tag_shows_comes_last_and_is_told() -> None:
    (hop,) = plan("v26.1.2", "v26.2").hops
    assert str(hop.build) == "v26.2.2"
    assert any("v26.2.7 is newer, but only its public tag" in reason for reason in hop.reasons)
    (hop,) = plan("v26.2.4", "v26.2").hops  # the listed ones are older than what runs
    assert str(hop.build) == "v26.2.7"
    assert any("whether it was withdrawn" in reason for reason in hop.reasons)
    (hop,) = plan("v26.2.1", "v26.3").hops
    assert any("advisories are known until" in reason for reason in hop.reasons)


def test_a_series_without_a_release_is_unknown_unless_another_came_after_it(tmp_path: Path) -> None:
    record = """
schema = 1
series = "26.4"
kind = "regular"
upgrade_from = ["26.2", "26.3"]
source = "https://example.com/26.4"
releases = [{ build = "v26.4.0-alpha.1", date = 2026-10-02, kind = "testing" }]
support = {}
"""
    (tmp_path / "26.4.toml").write_text(record)
    made = make_plan(load(tmp_path), version("v26.3"), version("v26.4"))
    assert made.supported is Answer.UNKNOWN
    assert "releases known until 2026-07-30, advisories known until 2026-06-12" in made.reason
    (tmp_path / "25.3.toml").write_text(
        record.replace("26.4", "25.3").replace('"26.2", "26.3"', '"25.2"').replace("2026-", "2025-")
    )
    made = make_plan(load(tmp_path), version("v25.2"), version("v25.3"))
    assert made.supported is Answer.NO


def test_no_blocking_advisory_affects_the_release_of_any_hop() -> None:
    for hop in plan("v19.1", "v26.2").hops:
        for advisory in CATALOG.advisories.values():
            on_edge = [
                edge
                for edge in advisory.edges
                if (edge.source, edge.target) == (str(hop.source), str(hop.target))
                and edge.effect == "block"
                and set(edge.steps) & {"start", "next-node", "finalize"}
            ]
            if on_edge:
                assert CATALOG.affects(advisory, hop.build).affected is Answer.NO


def test_a_release_that_was_asked_for_is_taken_if_nothing_speaks_against_it() -> None:
    made = plan("v25.4.11", "v26.2.0")
    assert str(made.hops[-1].build) == "v26.2.0"
    assert any("v26.2.2 is newer" in reason for reason in made.hops[-1].reasons)


@pytest.mark.parametrize(
    ("source", "target", "advisory", "build"),
    [
        ("v21.1.12", "v21.2.0", "A-72839", "v21.2.17"),
        ("v21.2.17", "v22.1.0", "A-82309", "v22.1.22"),
        ("v21.2.17", "v22.1.2", "A-82576", "v22.1.22"),
        ("v22.2.19", "v23.1.9", "A-110363", "v23.1.30"),
        ("v20.2.19", "v21.1.3", "A-68005", "v21.1.21"),
    ],
)
def test_a_release_with_a_blocking_advisory_is_replaced(
    source: str, target: str, advisory: str, build: str
) -> None:
    (hop,) = plan(source, target).hops
    assert str(hop.build) == build
    assert any(f"not {target}" in reason and advisory in reason for reason in hop.reasons)


def test_data_loss_that_a_later_patch_repairs_is_avoided() -> None:
    severe = (Category.DATA_LOSS, Category.CORRUPTION)
    assert CATALOG.advisories["A-73024"].category in severe
    (hop,) = plan("v21.2.0", "v21.2.17").hops
    assert str(hop.build) == "v21.2.17"
    (replaced,) = plan("v20.1.3", "v20.1.9").hops
    hits = [
        answer.advisory
        for answer in CATALOG.advisories_affecting(replaced.build).affected
        if answer.advisory.category in severe
    ]
    for advisory in hits:  # only what no v20.1 release repairs
        newest = CATALOG.newest_release("20.1").build
        assert newest is not None
        assert CATALOG.affects(advisory, newest).affected is Answer.YES


def test_a_release_for_the_cloud_is_replaced() -> None:
    (hop,) = plan("v25.4.5", "v26.1.1").hops
    assert str(hop.build) == "v26.1.5"
    assert any("CockroachDB Cloud" in reason for reason in hop.reasons)
    (older,) = plan("v26.1.0", "v26.1.1").hops
    assert str(older.build) == "v26.1.5"


def test_21_1_goes_to_21_2_through_a_patch_and_the_setting() -> None:
    made = plan("v21.1.7", "v21.2")
    (hop,) = made.hops
    (before,) = hop.before
    assert before.build >= Build.parse("v21.1.12")
    assert "A-72839" in before.reason
    met = {each.advisory.id: each for each in hop.advisories}
    commands = met["A-72839"].advisory.mitigation.commands
    assert commands == ("SET CLUSTER SETTING bulkio.backup.experimental_21_2_mode.enabled = true;",)
    assert hop.advisories[0].edge is not None or met["A-72839"].edge is not None


@pytest.mark.parametrize("source", ["v21.1.12", "v21.1.21"])
def test_no_patch_comes_first_where_none_is_needed(source: str) -> None:
    (hop,) = plan(source, "v21.2").hops
    assert hop.before == ()
    assert "A-72839" in {each.advisory.id for each in hop.advisories}


def test_a_cluster_of_an_unknown_patch_is_patched_first() -> None:
    (hop,) = plan("v21.1", "v21.2").hops
    assert [str(each.build) for each in hop.before] == ["v21.1.21"]


def test_a_testing_release_is_patched_to_a_production_release_first() -> None:
    (hop,) = plan("v24.1.0-rc.1", "v24.2").hops
    assert "production release" in hop.before[0].reason


def test_commands_before_and_after_23_2() -> None:
    old, new = plan("v23.1.30", "v23.2").hops[0], plan("v23.2.30", "v24.1").hops[0]
    assert old.keep_way_back == ("SET CLUSTER SETTING cluster.preserve_downgrade_option = '23.1';",)
    assert old.finalize == ("RESET CLUSTER SETTING cluster.preserve_downgrade_option;",)
    assert new.keep_way_back == ("SET CLUSTER SETTING cluster.auto_upgrade.enabled = false;",)
    assert new.finalize == ("SET CLUSTER SETTING version = '24.1';",)


def test_a_patch_upgrade_finalizes_nothing_and_loses_no_backup() -> None:
    (hop,) = plan("v21.1.3", "v21.1.21").hops
    assert (hop.finalize, hop.keep_way_back, hop.lost, hop.archive) == ((), (), (), ())
    assert "A-72839" not in {each.advisory.id for each in hop.advisories}


def test_which_backups_stay_restorable() -> None:
    over = plan("v24.1.29", "v24.3").hops[0]
    assert [str(series) for series in over.restorable] == ["24.1", "24.2", "24.3"]
    assert [str(series) for series in over.lost] == ["23.2"]
    assert len(over.archive) == 1
    assert "v23.2 binary" in over.archive[0]
    assert [str(series) for series in over.skips] == ["24.2"]


@pytest.mark.parametrize(("target", "needed"), [("24.3", True), ("24.2", False)])
def test_a_license_is_needed_from_24_3_on(target: str, needed: bool) -> None:
    (hop,) = plan("v24.1.29", f"v{target}").hops
    assert any("license" in reason for reason in hop.reasons) == needed


def test_the_plan_follows_a_users_records(tmp_path: Path) -> None:
    (tmp_path / "A-1.toml").write_text(
        'schema = 1\nid = "A-1"\ntitle = "Bad"\ndate = 2022-01-01\ncategory = "data-loss"\n'
        'trigger = "always"\nsummary = "Bad."\nsource = "https://example.com"\n'
        'affected = [{series = "24.3", introduced = "v24.3.33", last_affected = "v24.3.33"}]\n'
        'edges = [{source = "24.1", target = "24.3", steps = ["start"]}]\n'
        'mitigation = {text = "Wait."}\n'
    )
    extended = load(tmp_path)
    (hop,) = make_plan(extended, Build.parse("v24.1.29"), Series(24, 3)).hops
    assert str(hop.build) == "v24.3.32"


def test_difference_between_two_builds() -> None:
    def changes(old: str, new: str) -> dict[str, Change]:
        found = difference(CATALOG, Build.parse(old), Build.parse(new))
        return {each.advisory.id: each.change for each in found}

    hop = changes("v21.1.11", "v21.2.0")
    assert hop["A-72839"] is Change.INTRODUCED
    assert hop["A-71553"] is Change.CURED
    later = changes("v21.1.12", "v21.2.1")
    assert later["A-72839"] is Change.ON_THE_WAY
    assert "A-74385" not in later  # affects both
    assert changes("v21.2.0", "v21.2.1")["A-72839"] is Change.CURED
    assert Change.UNKNOWN in set(changes("v21.2.17", "v21.2.18").values())
    assert changes("v21.2.17", "v21.2.17") == {}


def test_a_warning_on_the_edge_asks_for_no_extra_rollout() -> None:
    met = CATALOG.advisories["A-106617"]
    assert {edge.effect for edge in met.edges} == {"warn"}
    (hop,) = plan("v22.2.11", "v23.1").hops
    assert all("A-106617" not in each.reason for each in hop.before)
