"""What a check is: one row of the step table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from guard.decision.result import Finding, Outcome, Step

if TYPE_CHECKING:
    from guard.decision.situation import Situation

__all__ = ["ALL_STEPS", "DOCS", "UPGRADE_DOCS", "Check"]

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
