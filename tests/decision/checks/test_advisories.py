"""advisories: every record of the catalog, judged against a cluster."""

from __future__ import annotations

from typing import Any

import pytest

import guard
from guard.catalog import load
from guard.catalog.records import SettingCondition
from guard.connector.statements import ADVISORY_SETTINGS
from guard.decision.checks import advisories
from guard.decision.result import Finding, Outcome
from guard.snapshot.model import FeatureRow
from guard.versions import Series
from tests.building import collected, job, node, snapshot, three


def judge(
    step: str, target: str | None, nodes: list[str], version: str, **changes: Any
) -> dict[str, Finding]:
    taken = snapshot(
        [node(i, build) for i, build in enumerate(nodes, 1)],
        version=version,
        gateway=nodes[0],
        **changes,
    )
    decision = guard.evaluate(taken, step=step, target=target, checks=[advisories.CHECK])
    return {f.check: f for f in decision.findings}


OLD, MIXED = ["v21.2.10"] * 3, ["v22.1.0", "v21.2.10", "v21.2.10"]
CHANGEFEED = {"jobs": [job(5, "CHANGEFEED")]}


def feature(name: str, count: int | None) -> dict[str, Any]:
    """The cluster has so many of it; None: nobody could tell."""
    used = None if count is None else count > 0
    return {"features": collected(FeatureRow(name=name, used=used, count=count))}


SEQUENCES = feature("broken-sequence-references", 2)
NO_SEQUENCES = feature("broken-sequence-references", 0)
RESTORE = {"jobs": [job(6, "RESTORE")]}
ENCRYPTED = {"features": collected(FeatureRow(name="encryption-at-rest", used=True, count=3))}
PLAIN = {"features": collected(FeatureRow(name="encryption-at-rest", used=False, count=0))}
TTL = {"features": collected(FeatureRow(name="row-level-ttl", used=True))}
NO_TTL = {"features": collected(FeatureRow(name="row-level-ttl", used=False))}


@pytest.mark.parametrize(
    ("advisory", "step", "target", "nodes", "version", "changes", "expected"),
    [
        ("A-82309", "start", "v22.1.0", OLD, "21.2", CHANGEFEED, Outcome.BLOCK),
        ("A-82309", "next-node", "v22.1.0", MIXED, "21.2", CHANGEFEED, Outcome.BLOCK),
        ("A-82309", "start", "v22.1.0", OLD, "21.2", {}, Outcome.NOT_APPLICABLE),
        ("A-82309", "start", "v22.1.5", OLD, "21.2", CHANGEFEED, Outcome.NOT_APPLICABLE),
        ("A-82576", "start", "v22.1.2", OLD, "21.2", SEQUENCES, Outcome.BLOCK),
        ("A-82576", "start", "v22.1.2", OLD, "21.2", NO_SEQUENCES, Outcome.NOT_APPLICABLE),
        ("A-82576", "start", "v22.1.2", OLD, "21.2", {}, Outcome.UNKNOWN),
        ("A-82576", "start", "v22.1.3", OLD, "21.2", SEQUENCES, Outcome.NOT_APPLICABLE),
        ("A-97178", "start", "v22.2.4", ["v22.1.10"] * 3, "22.1", {}, Outcome.BLOCK),
        ("A-97178", "start", "v22.2.5", ["v22.1.10"] * 3, "22.1", {}, Outcome.NOT_APPLICABLE),
        ("A-97178", "start", "v22.2.4", ["v22.2.3"] * 3, "22.2", {}, Outcome.NOT_APPLICABLE),
        ("A-110363", "start", "v23.1.9", ["v22.2.10"] * 3, "22.2", TTL, Outcome.BLOCK),
        ("A-110363", "start", "v23.1.9", ["v22.2.10"] * 3, "22.2", NO_TTL, Outcome.NOT_APPLICABLE),
        ("A-110363", "start", "v23.1.9", ["v22.2.10"] * 3, "22.2", {}, Outcome.UNKNOWN),
        ("A-110363", "start", "v23.1.10", ["v22.2.10"] * 3, "22.2", TTL, Outcome.NOT_APPLICABLE),
        (
            "A-98779", "start", "v22.2.6", ["v22.1.10"] * 3, "22.1",
            {"jobs": [job(6, "RESTORE")]}, Outcome.BLOCK,
        ),
        # without a RESTORE that runs now it is a build that loses data later
        ("A-98779", "start", "v22.2.6", ["v22.1.10"] * 3, "22.1", {}, Outcome.BLOCK),
        ("A-98779", "start", "v22.2.6", ["v22.2.5"] * 3, "22.2", {}, Outcome.BLOCK),
        ("A-98779", "start", "v22.2.7", ["v22.2.6"] * 3, "22.2", RESTORE, Outcome.BLOCK),
        ("A-98779", "start", "v23.1.30", ["v22.2.6"] * 3, "22.2", RESTORE, Outcome.BLOCK),
        ("A-98779", "rollback", "v22.2.5", ["v22.2.6"] * 3, "22.2", RESTORE, Outcome.BLOCK),
        ("A-98779", "start", "v22.2.7", ["v22.2.6"] * 3, "22.2", {}, Outcome.NOT_APPLICABLE),
        ("A-98779", "start", "v22.2.19", ["v22.2.7"] * 3, "22.2", RESTORE, None),
        (
            "A-98779", "start", "v22.2.6", ["v22.2.6"] * 3, "22.2",
            {
                "jobs": [job(6, "RESTORE")],
                "settings": {"bulkio.restore.use_simple_import_spans": "true"},
            },
            Outcome.WARN,
        ),
        # A restart of a node that runs an affected build does the harm, wherever it goes.
        ("A-106617", "start", "v22.2.13", ["v22.1.5"] * 3, "22.1", ENCRYPTED, Outcome.WARN),
        ("A-106617", "start", "v22.1.22", ["v21.2.17"] * 3, "21.2", {}, Outcome.WARN),
        ("A-106617", "start", "v22.2.19", ["v22.1.20"] * 3, "22.1", {}, Outcome.WARN),
        ("A-106617", "start", "v23.1.30", ["v22.2.10"] * 3, "22.2", {}, Outcome.WARN),
        ("A-106617", "next-node", "v23.1.30", ["v23.1.30", "v22.2.10"], "22.2", {}, Outcome.WARN),
        ("A-106617", "next-node", "v23.1.30", ["v23.1.30", "v22.2.13"], "22.2", {}, None),
        ("A-106617", "rollback", "v22.1.22", ["v22.2.5", "v22.1.22"], "22.1", {}, Outcome.WARN),
        (
            "A-106617", "start", "v22.2.13", ["v22.1.5"] * 3, "22.1", PLAIN, Outcome.NOT_APPLICABLE,
        ),
        ("A-106617", "start", "v22.2.19", ["v22.2.13"] * 3, "22.2", ENCRYPTED, None),
        # And going to one is a defect of the target.
        ("A-106617", "start", "v22.2.5", ["v22.1.22"] * 3, "22.1", ENCRYPTED, Outcome.BLOCK),
        ("A-106617", "start", "v22.2.5", ["v22.1.22"] * 3, "22.1", {}, Outcome.BLOCK),
        ("A-106617", "start", "v22.2.5", ["v22.1.22"] * 3, "22.1", PLAIN, Outcome.WARN),
        # A newer patch repairs it: said whatever runs now.
        ("S-26052016", "start", "v24.3.27", ["v24.1.26"] * 3, "24.1", {}, Outcome.WARN),
        ("S-26052016", "start", "v24.3.30", ["v24.1.26"] * 3, "24.1", {}, None),
        ("S-26052016", "start", "v24.3.27", ["v24.1.27"] * 3, "24.1", {}, Outcome.WARN),
        ("S-26052016", "start", "v24.2.10", ["v24.1.27"] * 3, "24.1", {}, Outcome.WARN),
        # No release of the target's series repairs it and nothing changes: no noise.
        (
            "S-26052016", "start", "v22.2.19", ["v22.1.22"] * 3, "22.1", {}, Outcome.NOT_APPLICABLE,
        ),
        (
            "A-68005", "start", "v21.1.6", ["v20.2.19"] * 3, "20.2",
            {"settings": {"sql.trace.txn.enable_threshold": "100ms"}}, Outcome.BLOCK,
        ),
        (
            "A-68005", "start", "v21.1.6", ["v20.2.19"] * 3, "20.2",
            {"settings": {"sql.trace.txn.enable_threshold": "0s"}}, Outcome.NOT_APPLICABLE,
        ),
        ("A-68005", "start", "v21.1.6", ["v20.2.19"] * 3, "20.2", {}, Outcome.UNKNOWN),
        ("A-69874", "rollback", "v21.1.7", ["v21.1.8"] * 3, "21.1", {}, Outcome.BLOCK),
        ("A-69874", "rollback", "v21.1.7", ["v21.1.9"] * 3, "21.1", {}, Outcome.NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_on_the_edge(
    advisory: str,
    step: str,
    target: str,
    nodes: list[str],
    version: str,
    changes: dict[str, Any],
    expected: Outcome | None,
) -> None:
    """`expected` None: the advisory has nothing to do with this step."""
    found = judge(step, target, nodes, version, **changes)
    assert (found[advisory].outcome if advisory in found else None) is expected


def test_a_node_on_the_bad_build_does_not_hold_up_the_cure() -> None:
    nodes = ["v22.2.4", "v22.2.4", "v22.2.5"]
    found = judge("next-node", "v22.2.5", nodes, "22.1")
    assert found["A-97178"].outcome is Outcome.NOT_APPLICABLE


def test_data_loss_in_the_target_blocks_and_names_the_fix() -> None:
    found = judge("start", "v23.2.5", ["v23.1.30"] * 3, "23.1")
    blocked = found["A-131639"]
    assert blocked.outcome is Outcome.BLOCK
    assert "v23.2.11" in blocked.remedy[0]


def test_data_loss_without_a_fix_in_the_series_warns() -> None:
    # A-144650 was never repaired in v24.2.
    found = judge("start", "v24.2.10", ["v24.1.20"] * 3, "24.1")
    assert found["A-144650"].outcome is Outcome.WARN


def test_a_patch_that_makes_nothing_worse_is_not_blocked() -> None:
    found = judge("start", "v23.1.20", ["v23.1.10"] * 3, "23.1")
    assert found["A-131639"].outcome is Outcome.WARN
    assert Outcome.BLOCK not in {f.outcome for f in found.values()}


def test_what_the_target_cures_is_said_and_does_not_block() -> None:
    found = judge("start", "v26.2.1", ["v25.4.0"] * 3, "25.4")
    assert Outcome.BLOCK not in {f.outcome for f in found.values()}


@pytest.mark.parametrize("step", ["next-node", "finalize", "rollback", "verify"])
def test_what_the_target_has_is_asked_at_start_only(step: str) -> None:
    found = judge(step, "v23.2.5", ["v23.2.5", "v23.1.30", "v23.1.30"], "23.1")
    assert "A-131639" not in found


def test_an_unreadable_section_makes_only_its_advisories_unknown() -> None:
    found = judge("start", "v22.1.0", OLD, "21.2", admin=False, **SEQUENCES)
    assert found["A-82309"].outcome is Outcome.UNKNOWN
    assert found["A-82576"].outcome is Outcome.BLOCK


def test_a_quiet_cluster_gets_one_line() -> None:
    assert [f.outcome for f in judge("verify", None, ["v26.2.1"] * 3, "26.2").values()] == [
        Outcome.PASS
    ]


def test_every_setting_that_a_record_asks_for_is_read_from_the_cluster() -> None:
    asked = {
        condition.name
        for record in load().advisories.values()
        for condition in record.conditions
        if isinstance(condition, SettingCondition)
    }
    assert asked <= {*ADVISORY_SETTINGS, "diagnostics.reporting.enabled"}


def test_every_record_is_judged_without_a_crash_in_every_step() -> None:
    for record in load().advisories.values():
        for affected in record.affected[:2]:
            try:
                Series.parse(affected.series)
            except ValueError:
                continue
            for step in ("start", "next-node", "finalize", "rollback", "verify"):
                decision = guard.evaluate(
                    snapshot(three(affected.introduced), version=affected.series),
                    step=step,
                    target=affected.introduced,
                    checks=[advisories.CHECK],
                )
                assert not any(f.evidence.get("crashed") for f in decision.findings), record.id


BARRED = [
    (advisory.id, edge.source, edge.target, affected.introduced)
    for advisory in load().advisories.values()
    for edge in advisory.edges
    if "start" in edge.steps and edge.effect == "block" and edge.bites == "target"
    for affected in advisory.affected
    if affected.series == edge.target and edge.source != "any"
]


@pytest.mark.parametrize(("advisory", "source", "series", "target"), BARRED)
def test_beginning_with_next_node_is_asked_what_start_is(
    advisory: str, source: str, series: str, target: str
) -> None:
    nodes = [str(load().newest_release(source).build)] * 3
    begun = [str(load().newest_release(series).build), *nodes[1:]]

    def said(step: str, nodes: list[str]) -> Outcome | None:
        found = judge(step, target, nodes, source)
        return found[advisory].outcome if advisory in found else None

    assert said("next-node", nodes) == said("start", nodes)
    assert said("next-node", begun) == said("start", nodes)  # another patch than that it began with
