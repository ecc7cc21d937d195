"""What a check is: one row of the step table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from guard.decision.result import Finding, Outcome, Step
from guard.decision.table import TABLE
from guard.snapshot.model import JobRow, ScheduleRow

if TYPE_CHECKING:
    from guard.cluster.members import Node
    from guard.decision.situation import Situation

__all__ = ["ALL_STEPS", "DOCS", "NAMED", "UPGRADE_DOCS", "Check"]

ALL_STEPS: Final = (Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.ROLLBACK, Step.VERIFY)
DOCS: Final = "https://www.cockroachlabs.com/docs"
UPGRADE_DOCS: Final = f"{DOCS}/stable/upgrade-cockroach-version"
NAMED: Final = 50
"""How many jobs, and how many schedules, a finding names one by one."""


class Check(msgspec.Struct, frozen=True):
    """One row of the step table.

    Attributes:
        id: stable id, an API.
        title: one line for lists.
        reads: sections of the snapshot it needs.
        docs: page to read.
        explain: the page that ``guard explain ID`` prints: the docstring of the check's module.
        run: the check itself; must yield at least one finding for each of its steps.
        waivable: False for what no policy may switch off.
        aliases: former ids.
    """

    id: str
    title: str
    reads: tuple[str, ...]
    docs: str
    explain: str
    run: Callable[[Situation], Iterator[Finding]]
    waivable: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps it has a say in, by the step table."""
        return tuple(TABLE.get(self.id, dict.fromkeys(ALL_STEPS, "")))

    def finding(
        self,
        outcome: Outcome,
        title: str,
        detail: str = "",
        *,
        evidence: dict[str, Any] | None = None,
        remedy: Iterable[str] = (),
        transient: bool = False,
        nodes: Iterable[Node] = (),
        jobs: Iterable[JobRow] = (),
        schedules: Iterable[ScheduleRow] = (),
        unseen: bool = False,
    ) -> Finding:
        """A finding of this check; `nodes`, `jobs` and `schedules` are all that it rests on."""
        job_ids = [str(job.job_id) for job in jobs]
        schedule_ids = [str(schedule.schedule_id) for schedule in schedules]
        return Finding(
            check=self.id,
            outcome=outcome,
            title=title,
            detail=detail,
            evidence=evidence or {},
            remedy=tuple(remedy),
            docs=self.docs,
            transient=transient,
            nodes=tuple(sorted(node.node_id for node in nodes)),
            jobs=tuple(job_ids[:NAMED]),
            schedules=tuple(schedule_ids[:NAMED]),
            more=len(job_ids[NAMED:]) + len(schedule_ids[NAMED:]),
            unseen=unseen,
        )
