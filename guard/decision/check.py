"""What a check is, and the words checks are written in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from guard.decision.result import Finding, Outcome, Step

if TYPE_CHECKING:
    from guard.decision.situation import Situation

__all__ = ["ALL_STEPS", "DOCS", "UPGRADE_DOCS", "Check", "age", "listed"]

ALL_STEPS: Final = (Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.ROLLBACK, Step.VERIFY)
DOCS: Final = "https://www.cockroachlabs.com/docs"
UPGRADE_DOCS: Final = f"{DOCS}/stable/upgrade-cockroach-version"


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the step table.

    Attributes:
        id: stable id, an API.
        title: one line for lists.
        reads: sections of the snapshot it needs.
        docs: page to read.
        explain: the page that ``guard explain ID`` prints: the docstring of the check's module.
        run: the check itself; must yield at least one finding for each of its steps.
        steps: the steps it has a say in.
        with_finalize: True if it applies as well when a restart will finalize by itself.
        waivable: False for what no policy may switch off.
        aliases: former ids.
    """

    id: str
    title: str
    reads: tuple[str, ...]
    docs: str
    explain: str
    run: Callable[[Situation], Iterator[Finding]]
    steps: tuple[Step, ...] = ALL_STEPS
    with_finalize: bool = False
    waivable: bool = True
    aliases: tuple[str, ...] = ()

    def finding(
        self,
        outcome: Outcome,
        title: str,
        detail: str = "",
        *,
        evidence: dict[str, Any] | None = None,
        remedy: Iterable[str] = (),
        transient: bool = False,
    ) -> Finding:
        """A finding of this check."""
        return Finding(
            check=self.id,
            outcome=outcome,
            title=title,
            detail=detail,
            evidence=evidence or {},
            remedy=tuple(remedy),
            docs=self.docs,
            transient=transient,
        )


def age(then: dt.datetime | None, now: dt.datetime) -> str:
    """How long ago, for people: ``42 s ago``, ``2 h 5 min ago``; the future is ``just now``."""
    if then is None:
        return "at an unknown time"
    seconds = int((now - then).total_seconds())
    if seconds <= 0:
        return "just now"
    return f"{span(dt.timedelta(seconds=seconds))} ago"


def span(duration: dt.timedelta) -> str:
    """A length of time for people."""
    seconds = int(duration.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    if seconds < 172800:
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{seconds // 86400} d"


def listed(items: Iterable[object], limit: int = 8) -> str:
    """``n1, n2 and 3 more``: enumerations that stay readable on a cluster of any size."""
    texts = [str(item) for item in items]
    if len(texts) <= limit:
        return ", ".join(texts)
    return f"{', '.join(texts[:limit])} and {len(texts) - limit} more"
