"""What one statement of the fixed list is, and for which releases it is meant."""

from __future__ import annotations

import msgspec

from guard.versions import Series

__all__ = ["Statement"]


class Statement(msgspec.Struct, frozen=True):
    """One statement of the fixed list.

    Attributes:
        name: stable name; snapshots record which statement filled a section.
        sql: the text, sent as it is, without parameters.
        since: first gateway series it is meant for, None for all.
        before: first gateway series it is no longer meant for, None for all.
        admin: True if it only works (or only tells the truth) for members of the admin role.
        all_jobs: True if its answer can only be believed from a user who sees every job.
        limit: how many rows it reads at most; a section that reaches it is truncated.
        limit_per_status: True if the limit holds for the jobs of each status, not for all rows.
        oldest: the column that tells, on each row, when the oldest row was written that was looked at.
        tells: for a statement of `FEATURES`, the features that its answer counts.
    """

    name: str
    sql: str
    since: Series | None = None
    before: Series | None = None
    admin: bool = False
    all_jobs: bool = False
    limit: int | None = None
    limit_per_status: bool = False
    oldest: str | None = None
    tells: tuple[str, ...] = ()

    def suits(self, gateway: Series | None) -> bool:
        """True if the gateway's release is in the span. An unknown gateway suits every statement."""
        if gateway is None:
            return True
        return (self.since is None or gateway >= self.since) and (
            self.before is None or gateway < self.before
        )
