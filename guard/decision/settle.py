"""Two looks instead of one: an ALLOW that only held for a moment is no permission. Pure."""

from __future__ import annotations

import msgspec

from guard.decision.result import Decision, Finding, Outcome, Verdict

__all__ = ["OneCluster", "settled", "strayed", "unsettled"]


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


class OneCluster:
    """The cluster that the first look saw: what a look says of another one says nothing of this."""

    def __init__(self) -> None:
        self._first: str | None = None

    def stray(self, decision: Decision) -> str | None:
        """Why a look does not belong to those before; None if nothing says so."""
        now = decision.cluster.cluster_id
        if self._first is None:
            self._first = now
        if now in (None, self._first):
            return None
        return f"another cluster answers: {now}, and it was {self._first} before"


def strayed(why: str, decision: Decision) -> Decision:
    """The verdict of a look that found another cluster than the one before: no permission."""
    finding = Finding(
        check="visibility",
        outcome=Outcome.UNKNOWN,
        title="the looks did not see one cluster",
        detail=f"{why}. A load balancer or a name leads to both.",
        remedy=("Name hosts of one cluster in --url.",),
    )
    blocked = decision.verdict is Verdict.BLOCK
    return msgspec.structs.replace(
        decision,
        verdict=Verdict.BLOCK if blocked else Verdict.UNKNOWN,
        findings=(*decision.findings, finding),
    )
