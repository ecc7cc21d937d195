"""upgrade-path: which hops may be taken."""

from __future__ import annotations

import pytest

import guard
from guard.decision.checks import upgrade_path
from guard.decision.result import Outcome
from tests.building import node, snapshot, three


def outcome(step: str, target: str | None, nodes: list[str], version: str) -> tuple[Outcome, str]:
    taken = snapshot([node(i, build) for i, build in enumerate(nodes, 1)], version=version)
    decision = guard.evaluate(taken, step=step, target=target, checks=[upgrade_path.CHECK])
    finding = next(f for f in decision.findings if f.check == "upgrade-path")
    return finding.outcome, finding.title


@pytest.mark.parametrize(
    ("version", "running", "target", "expected"),
    [
        ("21.1", "v21.1.12", "v21.2.17", Outcome.PASS),
        ("21.1", "v21.1.11", "v21.1.13", Outcome.PASS),  # a patch
        ("21.1", "v21.1.11", "v22.1.5", Outcome.BLOCK),  # skips a regular release
        ("24.1", "v24.1.5", "v24.2.3", Outcome.PASS),
        ("24.1", "v24.1.5", "v24.3.5", Outcome.PASS),  # over an innovation release
        ("24.2", "v24.2.5", "v24.3.5", Outcome.PASS),
        ("24.2", "v24.2.5", "v25.1.5", Outcome.BLOCK),  # from an innovation release only to the next
        ("25.4", "v25.4.1", "v26.2.1", Outcome.PASS),
        ("23.2", "v23.2.5", "v24.3.5", Outcome.BLOCK),
        ("21.2", "v21.2.5", "v21.1.12", Outcome.BLOCK),  # a downgrade
        ("21.1", "v21.1.12", "v21.1.11", Outcome.BLOCK),
    ],
)
def test_start(version: str, running: str, target: str, expected: Outcome) -> None:
    assert outcome("start", target, [running] * 3, version)[0] is expected


def test_the_series_that_counts_is_the_cluster_versions() -> None:
    # Binaries on 21.2, never finalized: 22.1 would skip 21.2.
    assert outcome("next-node", "v22.1.5", ["v21.2.5"] * 3, "21.1")[0] is Outcome.BLOCK


@pytest.mark.parametrize("step", ["start", "next-node"])
@pytest.mark.parametrize(
    ("running", "version", "target", "expected"),
    [
        ("v24.3.0-rc.1", "24.3", "v24.3.0", Outcome.PASS),
        ("v24.3.0-rc.1", "24.3", "v25.1.5", Outcome.BLOCK),  # first a production release
        ("v24.3.0-alpha.2", "24.3", "v24.3.0", Outcome.BLOCK),  # no way out, not even here
        ("v24.3.0-alpha.2", "24.3", "v25.1.5", Outcome.BLOCK),
        ("v24.3.0-alpha.1", "24.3", "v24.3.0-alpha.2", Outcome.PASS),
        ("v24.3.0-alpha.1", "24.1-upgrading-to-24.3-step-010", "v24.3.0", Outcome.BLOCK),
        ("v22.1.0-alpha.1", "22.1", "v22.1.5", Outcome.PASS),  # said of v22.2 and later
    ],
)
def test_a_testing_release_goes_to_its_own_series_and_an_alpha_nowhere(
    step: str, running: str, version: str, target: str, expected: Outcome
) -> None:
    assert outcome(step, target, [running] * 3, version)[0] is expected


def test_next_node_without_any_target_is_unknown() -> None:
    taken = snapshot(three("unknown"))
    decision = guard.evaluate(taken, step="next-node", checks=[upgrade_path.CHECK])
    assert decision.findings[0].outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("target", "nodes", "version", "expected"),
    [
        ("v21.1.11", ["v21.2.0", "v21.1.11", "v21.1.11"], "21.1", Outcome.PASS),
        (None, ["v21.2.0", "v21.1.11", "v21.1.11"], "21.1", Outcome.PASS),
        ("v20.2.19", ["v21.2.0", "v21.1.11", "v21.1.11"], "21.1", Outcome.BLOCK),
        (None, ["v21.2.0"] * 3, "21.1", Outcome.WARN),  # back to v21.1, but to which build?
        (None, ["v21.2.0"] * 3, "21.2", Outcome.BLOCK),  # nothing older runs
        ("v21.1.11", ["v21.2.0"] * 3, "21.2", Outcome.BLOCK),  # final: too late
        ("v23.2.5", ["v24.1.0"] * 3, "24.1-upgrading-final-step", Outcome.NOT_APPLICABLE),
    ],
)
def test_rollback(target: str | None, nodes: list[str], version: str, expected: Outcome) -> None:
    assert outcome("rollback", target, nodes, version)[0] is expected


def test_no_build_is_asked_for_where_there_is_no_way_back() -> None:
    taken = snapshot([node(i, "v21.2.0") for i in (1, 2, 3)], version="21.2")
    decision = guard.evaluate(taken, step="rollback", target="v21.1.11", checks=[upgrade_path.CHECK])
    [finding] = [f for f in decision.findings if f.check == "upgrade-path"]
    assert "no way back" in finding.title
    assert "--target" not in " ".join(finding.remedy)
