"""The words of a decision that several report formats share: verdict, version, age, waiver. Unescaped.

Texts of the cluster are in them as they came, so each format still makes them safe in its own way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

from guard.decision.result import (
    ClusterSummary,
    Decision,
    ExitCode,
    FailOn,
    Finding,
    Outcome,
    Step,
    Verdict,
)

__all__ = [
    "ago",
    "cluster_name",
    "exit_reason",
    "facts",
    "not_judged",
    "utc",
    "verdict_meaning",
    "version_state",
    "waived_by",
    "waived_count",
]

_ALLOW: Final = {
    Step.START: "the upgrade may start",
    Step.NEXT_NODE: "the next node may be restarted",
    Step.FINALIZE: "the upgrade may be finalized, which cannot be undone",
    Step.ROLLBACK: "the nodes may be put back on the old build",
    Step.VERIFY: "the cluster is settled on what it runs",
    Step.AUTO: "",
}
_STOPS_A_NODE: Final = (Step.START, Step.NEXT_NODE, Step.ROLLBACK)
_BLOCK: Final = {
    Step.START: "do not start the upgrade",
    Step.NEXT_NODE: "do not restart the next node",
    Step.FINALIZE: "do not finalize",
    Step.ROLLBACK: "do not roll back",
    Step.VERIFY: "the cluster is not settled",
    Step.AUTO: "",
}
_LONGEST_NAME: Final = 12
_UNKNOWN: Final = "guard could not establish what it needs, so this is no permission"


def verdict_meaning(decision: Decision) -> str:
    """What the verdict means for this step, in words."""
    if decision.verdict is Verdict.UNKNOWN:
        return _UNKNOWN
    return (_ALLOW if decision.verdict is Verdict.ALLOW else _BLOCK)[decision.step]


def cluster_name(cluster: ClusterSummary) -> str:
    """The cluster by the first part of its id, as ``cluster 22280ea9``; empty if it is not known."""
    first = (cluster.cluster_id or "").strip().partition("-")[0]
    return f"cluster {first[:_LONGEST_NAME]}" if first else ""


def exit_reason(decision: Decision, fail_on: FailOn) -> str:
    """Why the exit code is not 0, or an empty text."""
    if decision.verdict is Verdict.BLOCK:
        count = len(decision.of(Outcome.BLOCK))
        why = f"{count} finding blocks" if count == 1 else f"{count} findings block"
        return why + (", and waiting can clear that" if decision.only_waiting_helps else "")
    if decision.verdict is Verdict.UNKNOWN:
        number = len(decision.of(Outcome.UNKNOWN))
        return f"{number} finding unknown" if number == 1 else f"{number} findings unknown"
    if decision.exit_code(fail_on) is ExitCode.WARNINGS:
        return "warnings, and --fail-on warn is set"
    return ""


def facts(decision: Decision, now: dt.datetime | None) -> list[tuple[str, str]]:
    """What was asked and what was looked at, as names and values.

    Args:
        decision: the decision.
        now: guard's clock, to say how old the snapshot is; None leaves the age out.
    """
    cluster = decision.cluster
    step = decision.step.value
    if decision.step_inferred:
        step += f" (inferred: {decision.step_reason})"
    rows = [
        ("step", step if decision.step is not Step.AUTO else "not known"),
        ("target", decision.target or "none"),
        ("cluster version", version_state(cluster)),
        (
            "seen",
            utc(decision.taken_at)
            + (f", {ago(now - decision.taken_at)}" if now else "")
            + (f", through {cluster.gateway}" if cluster.gateway else ""),
        ),
    ]
    if len(decision.looks) > 1:
        rows.append(("looked twice", " and ".join(utc(moment) for moment in decision.looks)))
    elif decision.verdict is Verdict.ALLOW and decision.step in _STOPS_A_NODE:
        rows.append(("looked once", "a node that died just now passes for live; --settle 15s tells"))
    if decision.fingerprint:
        rows.append(("fingerprint", decision.fingerprint))
    return rows


def version_state(cluster: ClusterSummary) -> str:
    """The cluster version and whether it is final."""
    if cluster.active_version is None:
        return "unknown"
    if not cluster.final:
        state = "migrating"
    elif any(
        n.server_version not in (None, cluster.active_version)
        for n in cluster.nodes
        if n.membership != "decommissioned"
    ):
        state = "upgrade not finalized"
    else:
        state = "final"
    return f"{cluster.active_version} ({state})"


def utc(moment: dt.datetime) -> str:
    """A moment to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def ago(duration: dt.timedelta) -> str:
    """How long ago."""
    seconds = int(duration.total_seconds())
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def not_judged(decision: Decision, findings: Iterable[Finding]) -> tuple[list[Finding], list[str]]:
    """Part the findings that have their own story from those that only follow from missing sight.

    Returns:
        The findings to tell, and the ids of the checks that could not look for the same reason that
        `visibility` has told already.
    """
    hidden = any(f.check == "visibility" for f in decision.of(Outcome.UNKNOWN))
    told: list[Finding] = []
    following: list[str] = []
    for finding in findings:
        if hidden and finding.outcome is Outcome.UNKNOWN and "section" in finding.evidence:
            following.append(finding.check)
        else:
            told.append(finding)
    return told, list(dict.fromkeys(following))


def waived_by(finding: Finding) -> str:
    """Who waived the finding, until when and why; empty if nobody did."""
    if finding.waiver is None:
        return ""
    until = f", until {finding.waiver.expires}" if finding.waiver.expires else ""
    return f"waived by {finding.waiver.owner}{until}: {finding.waiver.reason}"


def waived_count(decision: Decision) -> str:
    """How many findings a waiver let pass, for beside the verdict; empty if none."""
    count = len(decision.waived)
    return "" if not count else f"{count} finding{'' if count == 1 else 's'} waived"
