"""What is said of a fleet: one line for each cluster, the worst first, and the worst exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from guard.decision.result import Decision, ExitCode, FailOn, Outcome, Step, Verdict

__all__ = ["ClusterLine", "FleetReport", "fleet_report", "line_of", "line_without"]

_WORST_FIRST: Final = (ExitCode.BLOCK, ExitCode.UNKNOWN, ExitCode.WARNINGS, ExitCode.ALLOW)
_TELLING: Final = (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN)


class ClusterLine(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster of the fleet.

    Attributes:
        name: as the fleet's file calls it.
        exit_code: what ``guard check`` would have ended with.
        reason: the first of what stands in the way; empty if nothing does.
        builds: how many nodes run which build, e.g. ``v25.4.11 (3)``; empty if none was seen.
        decision: everything it rests on; None if the cluster could not even be asked.
        seconds: how long the look took.
    """

    name: str
    verdict: Verdict
    exit_code: int
    reason: str
    step: Step
    target: str | None = None
    active_version: str | None = None
    builds: str = ""
    seconds: float = 0.0
    decision: Decision | None = None


class FleetReport(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet: lines worst first, and the exit code, which is that of the worst."""

    clusters: tuple[ClusterLine, ...]
    exit_code: int
    guard_version: str

    def count(self, code: ExitCode) -> int:
        """How many clusters have this exit code."""
        return sum(line.exit_code == code for line in self.clusters)


def line_of(name: str, decision: Decision, seconds: float, fail_on: FailOn) -> ClusterLine:
    """The line of a cluster that was judged."""
    cluster = decision.cluster
    tags = Counter(
        node.build or "unknown build" for node in cluster.nodes if node.membership != "decommissioned"
    )
    return ClusterLine(
        name=name,
        verdict=decision.verdict,
        exit_code=int(decision.exit_code(fail_on)),
        reason=_reason(decision),
        step=decision.step,
        target=decision.target,
        active_version=cluster.active_version,
        builds=", ".join(f"{tag} ({count})" for tag, count in sorted(tags.items())),
        seconds=round(seconds, 2),
        decision=decision,
    )


def line_without(name: str, why: str, step: Step, target: str | None, seconds: float) -> ClusterLine:
    """The line of a cluster that could not be asked, which is no permission."""
    return ClusterLine(
        name=name,
        verdict=Verdict.UNKNOWN,
        exit_code=int(ExitCode.UNKNOWN),
        reason=why,
        step=step,
        target=target,
        seconds=round(seconds, 2),
    )


def _reason(decision: Decision) -> str:
    for outcome in _TELLING:
        findings = decision.of(outcome)
        if findings:
            first = findings[0]
            more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
            # Without a connection the title says that there is none, and only the detail says why.
            why = f": {first.detail}" if first.check == "visibility" and first.detail else ""
            return f"{first.check}: {first.title}{why}{more}"
    return ""


def fleet_report(lines: Iterable[ClusterLine], guard_version: str) -> FleetReport:
    """The report of a fleet of at least one cluster."""
    ordered = sorted(lines, key=lambda line: (_rank(line), line.name))
    worst = ordered[0].exit_code if ordered else int(ExitCode.UNKNOWN)
    return FleetReport(clusters=tuple(ordered), exit_code=worst, guard_version=guard_version)


def _rank(line: ClusterLine) -> int:
    codes = [int(code) for code in _WORST_FIRST]
    return codes.index(line.exit_code) if line.exit_code in codes else -1
