"""The words of a fleet that its formats share. Unescaped."""

from __future__ import annotations

from guard.decision.result import ExitCode, Step
from guard.fleet.result import ClusterLine, FleetReport

__all__ = ["asked", "summary", "verdict_word", "versions"]


def summary(report: FleetReport) -> str:
    """How many clusters there are of each kind."""
    parts = [
        f"{count} {word}"
        for code, word in (
            (ExitCode.BLOCK, "blocked"),
            (ExitCode.UNKNOWN, "unknown"),
            (ExitCode.WARNINGS, "with warnings"),
            (ExitCode.ALLOW, "may go ahead"),
        )
        if (count := report.count(code))
    ]
    number = len(report.clusters)
    return f"{number} cluster{'' if number == 1 else 's'}: {', '.join(parts)}"


def verdict_word(line: ClusterLine) -> str:
    """The verdict in one word, warnings included where they count."""
    return "WARN" if line.exit_code == ExitCode.WARNINGS else line.verdict.value.upper()


def versions(line: ClusterLine) -> str:
    """What the cluster runs."""
    return "; ".join(part for part in (line.active_version or "", line.builds) if part) or "not seen"


def asked(line: ClusterLine) -> str:
    """The step, and where it leads."""
    step = "not known" if line.step is Step.AUTO else line.step.value
    return step + (f" to {line.target}" if line.target else "")
