"""Put one check's question to a built snapshot."""

from __future__ import annotations

from typing import Any

from guard.decision.checks import by_id
from guard.decision.engine import evaluate
from guard.decision.result import Finding, Outcome
from guard.snapshot.model import Snapshot

__all__ = [
    "ALL_STEPS",
    "BLOCK",
    "NOT_APPLICABLE",
    "PASS",
    "UNKNOWN",
    "WARN",
    "judge",
    "one",
    "outcomes",
]

PASS, WARN, BLOCK = Outcome.PASS, Outcome.WARN, Outcome.BLOCK
UNKNOWN, NOT_APPLICABLE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
ALL_STEPS = ("start", "next-node", "finalize", "rollback", "verify")


def judge(
    check: str, seen: Snapshot, step: str, target: str | None = None, **asked: Any
) -> tuple[Finding, ...]:
    """What one check says of a snapshot in a step."""
    found = by_id(check)
    assert found is not None
    decision = evaluate(seen, step=step, target=target, checks=[found], **asked)
    return tuple(f for f in decision.findings if f.check.lower() == check.lower())


def outcomes(
    check: str, seen: Snapshot, step: str, target: str | None = None, **asked: Any
) -> list[Outcome]:
    """The outcomes of its findings."""
    return [finding.outcome for finding in judge(check, seen, step, target, **asked)]


def one(check: str, seen: Snapshot, step: str, target: str | None = None, **asked: Any) -> Finding:
    """Its only finding."""
    [finding] = judge(check, seen, step, target, **asked)
    return finding
