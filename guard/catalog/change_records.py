"""The shape of the records of what a release series changes: one file per target series.

A record says what changes, what to do before and after, and how guard finds out whether it concerns
a cluster: by probes, which read a section of the snapshot and answer yes, no or unknown, or by a
question that only a person can answer, or by both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "ActiveJobProbe",
    "Change",
    "ChangeKind",
    "ChangesFile",
    "Effect",
    "FeatureProbe",
    "InterleavedProbe",
    "LicenseProbe",
    "Probe",
    "SetSettingProbe",
    "SettingChange",
    "SixFieldCronProbe",
    "UnsetSettingProbe",
]


class ChangeKind(StrEnum):
    """What sort of thing changes."""

    REMOVED_SETTING = "removed-setting"
    RENAMED_SETTING = "renamed-setting"
    CHANGED_DEFAULT = "changed-default"
    SYNTAX = "syntax"
    BEHAVIOUR = "behaviour"
    LIMIT = "limit"
    PRIVILEGE = "privilege"
    REMOVED_FEATURE = "removed-feature"
    TOOLS = "tools"


class Effect(StrEnum):
    """What it costs whom it concerns.

    REFUSES: the server refuses the upgrade, or data is lost. BREAKS: a statement, a job, a start-up
    script or a client fails. CHANGES: everything goes on, with another result, name or number.
    """

    REFUSES = "refuses"
    BREAKS = "breaks"
    CHANGES = "changes"


class _Record(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """Base of everything read from these files: an unknown key is an error."""


class SetSettingProbe(_Record, frozen=True, tag_field="kind", tag="set-setting"):
    """Yes if somebody has set one of the cluster settings, to one of the values if any are given."""

    names: tuple[str, ...]
    equals: tuple[str, ...] = ()


class UnsetSettingProbe(_Record, frozen=True, tag_field="kind", tag="unset-setting"):
    """Yes if nobody has set any of the cluster settings, so that their default counts."""

    names: tuple[str, ...]


class FeatureProbe(_Record, frozen=True, tag_field="kind", tag="feature"):
    """Yes if the section of the snapshot found at least one thing with the feature."""

    section: Literal[
        "changefeed_features",
        "recent_job_features",
        "schedule_features",
        "descriptor_features",
        "node_features",
        "role_features",
        "role_default_features",
        "statement_features",
        "object_count",
    ]
    feature: str


class ActiveJobProbe(_Record, frozen=True, tag_field="kind", tag="active-job"):
    """Yes if a job of one of the types is unfinished."""

    types: tuple[str, ...]


class SixFieldCronProbe(_Record, frozen=True, tag_field="kind", tag="six-field-cron"):
    """Yes if a BACKUP schedule recurs by a cron expression of more than five fields."""


class LicenseProbe(_Record, frozen=True, tag_field="kind", tag="no-license"):
    """Yes if the cluster has no license."""


class InterleavedProbe(_Record, frozen=True, tag_field="kind", tag="interleaved"):
    """Yes if a table is interleaved or has an interleaved index."""


Probe = (
    SetSettingProbe
    | UnsetSettingProbe
    | FeatureProbe
    | ActiveJobProbe
    | SixFieldCronProbe
    | LicenseProbe
    | InterleavedProbe
)


class Change(_Record, frozen=True):
    """One published change of a release series.

    Attributes:
        id: ``C-<series>-<slug>``, an API.
        sentence: what changes, in one sentence.
        before: what to do before the upgrade; after: what to do afterwards.
        source: the page; the file's own source unless the record names another.
        issue: number of the pull request or issue that the page names.
        settled_if: any yes means that it does not concern the cluster.
        concerned_if: any yes means that it does.
        ask_if: any yes means that a person must answer the question; with a question and no `ask_if`
            a person must answer whenever no other probe says yes.
        question: what a person should look at.
        judged_by: the check of ``guard check`` that judges the same, so that one cause blocks once.
    """

    id: str
    kind: ChangeKind
    effect: Effect
    sentence: str
    before: str = ""
    after: str = ""
    source: str = ""
    issue: int = 0
    settled_if: tuple[Probe, ...] = ()
    concerned_if: tuple[Probe, ...] = ()
    ask_if: tuple[Probe, ...] = ()
    question: str = ""
    judged_by: str = ""


class SettingChange(_Record, frozen=True):
    """A cluster setting that the series removes, renames or gives another default.

    Attributes:
        name: the setting's name in the series before; `key`: its name in system.settings where that
            is another one (23.2 and later show new names and keep the old keys).
        new_name: for a renamed one; the old name goes on being accepted.
        old, new: defaults, as the documentation prints them.
        source: where the change is published. Without one it was found by comparing the lists of
            public settings of the two series alone, which does not tell a removed setting from one
            that was taken off the list.
    """

    name: str
    change: Literal["removed", "renamed", "default"]
    key: str = ""
    new_name: str = ""
    old: str = ""
    new: str = ""
    note: str = ""
    source: str = ""


class ChangesFile(_Record, frozen=True):
    """Everything that one target series changes.

    `lists` is the page of the public settings of the series, the source of those settings that no
    release note names.
    """

    schema: Literal[1]
    series: str
    source: str
    lists: str = ""
    changes: tuple[Change, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    note: str = ""
