"""Is the snapshot young enough to permit anything? An old look is no permission.

Its finding is guard's own: ``guard explain snapshot-age``.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from guard.decision.phrases import span
from guard.decision.result import Finding, Outcome, Step
from guard.snapshot.model import Snapshot

__all__ = ["GATING", "too_old"]

GATING: Final = (Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.ROLLBACK)
"""The steps that change the cluster. `verify` says what was so when it was looked at."""

_SKEW: Final = dt.timedelta(minutes=5)  # between the clocks of two machines


def too_old(
    snapshot: Snapshot, step: Step, now: dt.datetime | None, max_age: dt.timedelta | None
) -> tuple[Finding, ...]:
    """The finding that withholds permission, if the snapshot is older than allowed, or from the future.

    Args:
        snapshot: what is judged.
        step: the step in question.
        now: guard's own clock; None asks no age.
        max_age: how old it may be; None for any age.
    """
    if now is None or max_age is None or step not in GATING:
        return ()
    age = now - snapshot.taken_at
    if -_SKEW <= age <= max_age:
        return ()
    title = (
        f"the snapshot is {span(age)} old, and the cluster has gone on since"
        if age > dt.timedelta()
        else f"the snapshot was taken {span(-age)} in the future: a clock is wrong"
    )
    return (
        Finding(
            check="snapshot-age",
            outcome=Outcome.UNKNOWN,
            title=title,
            detail=f"It permits nothing once it is older than {span(max_age)}; what blocks still does.",
            evidence={
                "taken_at": snapshot.taken_at.isoformat(),
                "age_seconds": int(age.total_seconds()),
                "max_age_seconds": int(max_age.total_seconds()),
            },
            remedy=(
                "Look again: guard check without --snapshot, or guard collect -o FILE",
                "To study an old snapshot: --max-age none",
            ),
        ),
    )
