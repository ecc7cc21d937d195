"""unlisted-release: what guard's catalog does not hold."""

from __future__ import annotations

import pytest

from tests.building import snapshot, three
from tests.decision.judging import NOT_APPLICABLE, PASS, UNKNOWN, WARN, judge, outcomes


def ask(step: str, target: str, running: str = "v25.4.5", version: str = "25.4") -> list[str]:
    seen = snapshot(three(running), version=version, gateway=running)
    return [str(each) for each in outcomes("unlisted-release", seen, step, target)]


@pytest.mark.parametrize("step", ["start", "next-node"])
def test_a_patch_of_a_supported_series_warns_and_an_unknown_series_is_unknown(step: str) -> None:
    assert ask(step, "v25.4.999") == [WARN]
    assert ask(step, "v29.1.0") == [UNKNOWN]
    assert ask(step, "v2.1.3") == [UNKNOWN]
    assert ask(step, "v22.1.999") == [UNKNOWN]  # out of support
    assert ask(step, "v25.4.6") == [PASS]


@pytest.mark.parametrize("step", ["finalize", "rollback"])
def test_what_runs_already_only_warns(step: str) -> None:
    assert ask(step, "v29.1.0") == [WARN]


@pytest.mark.parametrize(
    ("target", "expected"),
    [("v25.4.5", [WARN, PASS]), ("v25.4.999", [WARN, WARN]), (None, [WARN, NOT_APPLICABLE])],
)
def test_a_rollback_warns_of_what_it_leaves_behind(target: str | None, expected: list[str]) -> None:
    """What a build that guard does not know has done to the way back, it does not know either."""
    for running in ("v26.1.99", "v29.1.0"):
        seen = snapshot(three(running), version="25.4", gateway=running)
        findings = judge("unlisted-release", seen, "rollback", target)
        assert [f.outcome for f in findings] == expected
        assert f"{running}, which n1, n2, n3 leave" in findings[0].title
    assert ask("rollback", "v25.4.5", running="v26.1.5") == [PASS]
