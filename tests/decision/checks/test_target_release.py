"""target-release: what the catalog knows of the target."""

from __future__ import annotations

import pytest

import guard
from guard.decision.checks import target_release
from guard.decision.result import Outcome
from tests.building import snapshot, three


def outcomes(step: str, target: str, running: str = "v23.1.5", version: str = "23.1") -> list[Outcome]:
    decision = guard.evaluate(
        snapshot(three(running), version=version, gateway=running),
        step=step,
        target=target,
        checks=[target_release.CHECK],
    )
    return [f.outcome for f in decision.findings if f.check == "target-release"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("v23.1.0", Outcome.BLOCK),  # withdrawn
        ("v24.2.1", Outcome.BLOCK),  # withdrawn
        ("v26.1.1", Outcome.WARN),  # cloud-only
        ("v26.2.5", Outcome.WARN),  # known by its tag only
        ("v26.3.1", Outcome.WARN),  # known by its image only
        ("v26.2.0-rc.1", Outcome.WARN),  # testing
        ("v26.2.1-3-gabcdef0", Outcome.WARN),  # custom
        ("v26.2.1", Outcome.PASS),
        ("v24.1.0-alpha.99", Outcome.WARN),  # never published
    ],
)
@pytest.mark.parametrize("step", ["start", "next-node"])
def test_by_status(step: str, target: str, expected: Outcome) -> None:
    assert outcomes(step, target)[0] is expected


@pytest.mark.parametrize("step", ["finalize", "rollback", "verify"])
@pytest.mark.parametrize("target", ["v23.1.0", "v24.2.1"])
def test_what_runs_already_or_did_only_warns(step: str, target: str) -> None:
    assert outcomes(step, target)[0] is Outcome.WARN


def test_a_series_out_of_support_warns_besides() -> None:
    assert outcomes("start", "v21.2.17", "v21.1.12", "21.1") == [Outcome.PASS, Outcome.WARN]


def test_a_supported_series_does_not() -> None:
    assert outcomes("start", "v26.2.1", "v26.1.0", "26.1") == [Outcome.PASS]
