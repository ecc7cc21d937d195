"""What a decision is made of: outcomes, findings, the verdict. Plain data, an API frozen by tests."""

from __future__ import annotations

import datetime as dt
from enum import IntEnum, StrEnum
from typing import Any, Final

import msgspec

from guard.cluster.liveness import Liveness
from guard.decision.timeline import Timeline

__all__ = [
    "REPORT_SCHEMA_VERSION",
    "ClusterSummary",
    "Decision",
    "ExitCode",
    "FailOn",
    "Finding",
    "Liveness",
    "NodeSummary",
    "Outcome",
    "Step",
    "Verdict",
    "Waiver",
]

REPORT_SCHEMA_VERSION: Final = "2"
"""2: `cluster.mixed` and `cluster.final` are null where nothing was seen."""


class Step(StrEnum):
    """A step of an upgrade that guard can be asked about. AUTO: guard infers which one is next."""

    START = "start"
    NEXT_NODE = "next-node"
    FINALIZE = "finalize"
    ROLLBACK = "rollback"
    VERIFY = "verify"
    AUTO = "auto"


class Outcome(StrEnum):
    """What one check found."""

    PASS = "pass"  # noqa: S105 - not a password
    WARN = "warn"
    BLOCK = "block"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Verdict(StrEnum):
    """May the step go ahead?"""

    ALLOW = "allow"
    BLOCK = "block"
    UNKNOWN = "unknown"


class FailOn(StrEnum):
    """Whether warnings change the exit code."""

    BLOCK = "block"
    WARN = "warn"


class ExitCode(IntEnum):
    """guard's exit codes. 1 is Python's own for a traceback: a bug, never a verdict."""

    ALLOW = 0
    USAGE = 2
    BLOCK = 10
    UNKNOWN = 11
    WARNINGS = 12


class _Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the result types."""


class Waiver(_Struct, frozen=True):
    """Who let a finding pass, why, and until when. The finding keeps its outcome."""

    reason: str
    owner: str
    expires: dt.date | None = None
    source: str = "policy"


class Finding(_Struct, frozen=True):
    """What one check says about one thing.

    Attributes:
        check: the check's id, or an advisory's.
        outcome: what was found.
        title: one line.
        detail: what it means here, in a few sentences.
        evidence: facts as JSON values: node and job ids, versions, times.
        remedy: what to do, in order; commands can be pasted as they are.
        docs: page to read.
        transient: True if waiting can clear it.
        waiver: set if the finding does not count, and by whom.
        nodes: ids of all the nodes it rests on.
        jobs: ids of the jobs it rests on, at most 50; `more` says how many were left out.
        schedules: ids of the schedules it rests on, likewise.
        more: how many further jobs and schedules it rests on.
        unseen: True if it is unknown because guard could not look; nothing can waive that.
        judged_as: the step whose column it is judged by, if that is not the step asked about.
    """

    check: str
    outcome: Outcome
    title: str
    detail: str = ""
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)
    remedy: tuple[str, ...] = ()
    docs: str = ""
    transient: bool = False
    waiver: Waiver | None = None
    nodes: tuple[int, ...] = ()
    jobs: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    more: int = 0
    unseen: bool = False
    judged_as: Step | None = None


class NodeSummary(_Struct, frozen=True):
    """A node as the report shows it. `build` and `server_version` are the server's own words."""

    node_id: int
    build: str | None
    server_version: str | None
    liveness: Liveness
    membership: str
    address: str | None = None
    locality: str | None = None
    started_at: dt.datetime | None = None


class ClusterSummary(_Struct, frozen=True):
    """The cluster as far as it was seen; None is what was not."""

    active_version: str | None
    final: bool | None
    mixed: bool | None
    nodes: tuple[NodeSummary, ...]
    gateway: str | None
    cluster_id: str | None = None


class Decision(_Struct, frozen=True):
    """The answer: a verdict, and everything it rests on.

    Attributes:
        step: the step that was judged; "auto" only if guard could not infer one.
        step_inferred: True if guard chose the step.
        step_reason: how it was chosen.
        target: the build being moved to, None if there is none.
        taken_at: when the snapshot was taken, UTC.
        catalog_date: day up to which the decision knows advisories and releases: the older of
        releases_until: day up to which it knows the releases, and
        advisories_until: day up to which it knows the advisories.
        notices: what concerns the run and not the cluster: unused waivers and the like.
        fingerprint: token of the state the verdict rests on.
        fingerprint_parts: that state itself: what the token was made of.
        looks: when the cluster was looked at: once, or twice under ``--settle``.
        timeline: past and near future, where the caller asked for it; not part of the JSON report.
    """

    verdict: Verdict
    step: Step
    step_inferred: bool
    step_reason: str
    target: str | None
    cluster: ClusterSummary
    findings: tuple[Finding, ...]
    taken_at: dt.datetime
    guard_version: str
    catalog_date: dt.date | None = None
    releases_until: dt.date | None = None
    advisories_until: dt.date | None = None
    notices: tuple[str, ...] = ()
    fingerprint: str = ""
    fingerprint_parts: dict[str, Any] = {}
    looks: tuple[dt.datetime, ...] = ()
    timeline: Timeline | None = None

    def of(self, outcome: Outcome) -> tuple[Finding, ...]:
        """The findings of one outcome that count, waived ones left out."""
        return tuple(f for f in self.findings if f.outcome is outcome and f.waiver is None)

    @property
    def waived(self) -> tuple[Finding, ...]:
        """The findings that a waiver let pass."""
        return tuple(f for f in self.findings if f.waiver is not None)

    def exit_code(self, fail_on: FailOn = FailOn.BLOCK) -> ExitCode:
        """The process exit code for this decision."""
        if self.verdict is Verdict.BLOCK:
            return ExitCode.BLOCK
        if self.verdict is Verdict.UNKNOWN:
            return ExitCode.UNKNOWN
        if fail_on is FailOn.WARN and self.of(Outcome.WARN):
            return ExitCode.WARNINGS
        return ExitCode.ALLOW

    @property
    def only_waiting_helps(self) -> bool:
        """True if the verdict is BLOCK and every finding behind it can clear by itself."""
        blocking = self.of(Outcome.BLOCK)
        return self.verdict is Verdict.BLOCK and all(f.transient for f in blocking)

    def worth_waiting(self, fail_on: FailOn = FailOn.BLOCK) -> bool:
        """True if the exit code is not 0 and nothing says that waiting cannot change that.

        A build that is in doubt while its node restarts is unknown for the moment only, so beside
        transient blocks an `unknown` ends the wait just when sight itself is missing.
        """
        if self.verdict is Verdict.BLOCK:
            blind = any(f.check == "visibility" and not f.transient for f in self.of(Outcome.UNKNOWN))
            return self.only_waiting_helps and not blind
        outcome = Outcome.UNKNOWN
        if self.verdict is Verdict.ALLOW:
            if fail_on is not FailOn.WARN:
                return False
            outcome = Outcome.WARN
        standing = self.of(outcome)
        return bool(standing) and all(f.transient for f in standing)
