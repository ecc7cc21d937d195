"""Two looks instead of one: an ALLOW that only held for a moment is no permission. Pure."""

from __future__ import annotations

import msgspec

from guard.decision.result import Decision, Finding, Outcome, Verdict

__all__ = ["settled", "unsettled"]


def settled(first: Decision, second: Decision) -> bool:
    """True if both looks allow the step and rest on the same state."""
    return (
        first.verdict is Verdict.ALLOW
        and second.verdict is Verdict.ALLOW
        and first.fingerprint == second.fingerprint
    )


def unsettled(first: Decision, second: Decision) -> Decision:
    """The verdict of two looks that both allow, over a state that moved in between: UNKNOWN."""
    finding = Finding(
        check="settle",
        outcome=Outcome.UNKNOWN,
        title="the state moved between two looks",
        detail="Each look alone would allow the step, but they did not see the same cluster.",
        evidence={"fingerprints": [first.fingerprint, second.fingerprint]},
        remedy=("Ask again, or let guard wait until it holds still: --wait 10m",),
        transient=True,
    )
    return msgspec.structs.replace(
        second, verdict=Verdict.UNKNOWN, findings=(*second.findings, finding)
    )
