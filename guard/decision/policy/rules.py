"""What a team decides for itself: severities, thresholds, targets allowed, waivers. Plain data.

`Policy` is what a decision is given. `guard.decision.policy.shape` makes it of a file's content, and
`guard.decision.policy.apply` applies it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from guard.decision.result import Step
from guard.versions import Build, Series

__all__ = [
    "ALL_ADVISORIES",
    "NEVER",
    "OWN_IDS",
    "Policy",
    "PolicyError",
    "Scope",
    "Severity",
    "Table",
    "Text",
    "Thresholds",
    "Vouched",
    "WaiverRule",
    "nearest",
]

OWN_IDS: Final = frozenset({"policy-target"})
"""Findings that come from the policy itself and not from a check."""

NEVER: Final = frozenset({"visibility", "step", "fingerprint", "settle", "snapshot-age"})
"""Ids that no policy can waive or lower: without sight there is nothing to judge."""


ALL_ADVISORIES: Final = "advisories"
"""The id of the check that stands, in a policy, for every advisory that it reports by its own id."""


class PolicyError(ValueError):
    """A policy that cannot be used. The message says what is wrong and where, in one line.

    `key` is the place in the file, such as ``waivers[1].expires``; empty if there is none.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class Severity(StrEnum):
    """What a finding counts as when its check objects."""

    WARN = "warn"
    BLOCK = "block"


class Thresholds(msgspec.Struct, frozen=True):
    """Numbers that a policy file may change.

    Attributes:
        window: how far ahead a scheduled backup counts as due.
        capacity_free: the share of a store that must be free.
        backup_age: how old the newest good backup may be.
        settle: how long a restarted node must be back before the next one goes.
        mixed_for: how long a cluster may be of two series before guard warns.
        unfinalized_for: how long an upgrade may be under way before guard warns.
        max_age: how old a snapshot file may be to permit anything.
    """

    window: dt.timedelta = dt.timedelta(minutes=30)
    capacity_free: float = 0.15
    backup_age: dt.timedelta = dt.timedelta(hours=24)
    settle: dt.timedelta = dt.timedelta(seconds=60)
    mixed_for: dt.timedelta = dt.timedelta(hours=4)
    unfinalized_for: dt.timedelta = dt.timedelta(days=3)
    max_age: dt.timedelta = dt.timedelta(hours=1)


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the policy file: no unknown keys."""


Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")]
_Node = Annotated[int, msgspec.Meta(ge=1)]
_Nodes = Annotated[tuple[_Node, ...], msgspec.Meta(min_length=1)]
_Jobs = Annotated[tuple[int | str, ...], msgspec.Meta(min_length=1)]


class Scope(Table, frozen=True):
    """To what a waiver is limited; what is not given is not limited.

    Attributes:
        cluster: the cluster's id, a UUID in any case.
        step: the step.
        node: the node (or nodes) a finding names; for one that names none, the node of ``--node``, in
            the steps that restart it.
        job: the job (or jobs) a finding names; never covers one that names something else as well.
    """

    cluster: Text | None = None
    step: Step | None = None
    node: _Node | _Nodes | None = None
    job: int | str | _Jobs | None = None

    @property
    def nodes(self) -> frozenset[int] | None:
        """The nodes, None if not limited."""
        if self.node is None:
            return None
        return frozenset(self.node if isinstance(self.node, tuple) else (self.node,))

    @property
    def jobs(self) -> frozenset[str] | None:
        """The jobs' ids as text, None if not limited."""
        if self.job is None:
            return None
        return frozenset(str(job) for job in (self.job if isinstance(self.job, tuple) else (self.job,)))


class WaiverRule(msgspec.Struct, frozen=True):
    """A waiver as a decision takes it. `expires` is None for one that holds for this run only."""

    id: str
    reason: str
    owner: str
    expires: dt.date | None
    scope: Scope = msgspec.field(default_factory=Scope)
    source: str = "policy"


class Vouched(msgspec.Struct, frozen=True):
    """A release that the catalog does not hold and that somebody has looked at.

    It waives ``unlisted-release`` for this very build and nothing else.

    Attributes:
        build: the release.
        by: who looked.
        on: when.
        expires: the last day on which it counts.
    """

    build: Build
    by: str
    on: dt.date
    expires: dt.date


class Policy(msgspec.Struct, frozen=True):
    """What applies to a decision.

    Attributes:
        targets: series and builds an upgrade may go to; None allows every target.
        severity: per id (lower case) and step, what an objection counts as.
        vouched: releases beyond the catalog that somebody answers for.
        source: where it was read from, for the report.
    """

    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    targets: tuple[Series | Build, ...] | None = None
    severity: Mapping[str, Mapping[Step, Severity]] = msgspec.field(default_factory=dict)
    waivers: tuple[WaiverRule, ...] = ()
    vouched: tuple[Vouched, ...] = ()
    source: str = ""

    def allows(self, target: Build) -> bool:
        """True if an upgrade may go to this build; a custom build of a release goes by its name."""
        if self.targets is None:
            return True
        return any(
            target.series == allowed if isinstance(allowed, Series) else target.goes_by(allowed)
            for allowed in self.targets
        )


def nearest(word: str, choices: Collection[str]) -> str:
    """``; did you mean …?`` if one of the choices is near, else nothing."""
    import difflib

    by_lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(word.lower()[:100], list(by_lower), n=1, cutoff=0.5)
    return f"; did you mean {str(by_lower[found[0]])!r}?" if found else ""
