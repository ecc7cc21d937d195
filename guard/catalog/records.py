"""The shape of the catalog's TOML records: one advisory, one release series.

An unknown key is an error everywhere, so that a typo can never switch a rule off.
"""

# Annotations are evaluated here: msgspec would else compile each of them anew at every start.

import datetime as dt
from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "About",
    "Advisory",
    "AffectedRange",
    "ArchivedCommit",
    "CatalogRecords",
    "Category",
    "Condition",
    "Edge",
    "FeatureCondition",
    "FeatureName",
    "JobCondition",
    "LicenseCondition",
    "Mitigation",
    "PublicList",
    "Release",
    "RestoreException",
    "ScheduleCondition",
    "SeriesRecord",
    "SettingCondition",
    "SettingMitigation",
    "Support",
    "Trigger",
    "UnfinalizedCondition",
    "UnreadableCondition",
]


class Category(StrEnum):
    """What an advisory costs whoever is hit by it; the worst that its page names."""

    DATA_LOSS = "data-loss"
    CORRUPTION = "corruption"
    WRONG_RESULTS = "wrong-results"
    AVAILABILITY = "availability"
    BACKUP = "backup"
    UPGRADE = "upgrade"
    SECURITY = "security"
    PERFORMANCE = "performance"
    OTHER = "other"


class Trigger(StrEnum):
    """When the defect shows: by merely running the build, by upgrading, or by using a feature."""

    ALWAYS = "always"
    UPGRADE = "upgrade"
    FEATURE = "feature"


class _Record(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """Base of everything read from the catalog's files."""


class SettingCondition(_Record, frozen=True, tag_field="kind", tag="setting"):
    """Holds when a cluster setting has one of the values (``equals``) or none (``differs``).

    `absent` says what a missing setting means: the text is one of the three answers.
    """

    name: str
    equals: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    absent: Literal["applies", "not-applicable", "unknown"] = "unknown"


class JobCondition(_Record, frozen=True, tag_field="kind", tag="job"):
    """Holds when a job of one of the types is unfinished (``active``) or in the history (``any``).

    ``running`` leaves out the paused ones. `high_water` ``absent`` means only jobs that have no
    high-water mark yet: changefeeds in their initial scan. Without types every type counts.
    `at_least`: how many such jobs it takes.
    """

    types: tuple[str, ...]
    state: Literal["active", "running", "any"] = "active"
    high_water: Literal["absent"] | None = None
    at_least: int = 1


class ScheduleCondition(_Record, frozen=True, tag_field="kind", tag="schedule"):
    """Holds when a schedule exists whose label begins with the prefix (such as ``row-level-ttl``)."""

    label_prefix: str


FeatureName = Literal[
    "broken-sequence-references",
    "column-families",
    "dangling-back-references",
    "encryption-at-rest",
    "indexes-older-than-primary",
    "nosqllogin",
    "partial-indexes-on-families",
    "partitioned-inverted-indexes",
    "primary-encoded-secondary-indexes",
    "regional-by-row",
    "row-level-ttl",
    "same-predicate-partial-indexes",
    "sequences",
    "unique-across-regions",
]
"""What guard can look up in a cluster: the names under which the snapshot's features stand."""


class FeatureCondition(_Record, frozen=True, tag_field="kind", tag="feature"):
    """Holds when the cluster uses, or holds, something that guard can look up.

    `conclusive`: a no is one for good, because nothing on the affected builds brings it about.
    `what` says it in words for people, after "the cluster has".
    """

    name: FeatureName
    what: str = ""
    conclusive: bool = False


class LicenseCondition(_Record, frozen=True, tag_field="kind", tag="license"):
    """Holds when the cluster has a license (``present``) or has none."""

    present: bool


class UnfinalizedCondition(_Record, frozen=True, tag_field="kind", tag="unfinalized"):
    """Holds while the cluster version is below the given series, final."""

    series: str


class UnreadableCondition(_Record, frozen=True, tag_field="kind", tag="unreadable"):
    """A condition no SQL statement of guard can read: why, and what a person should look at."""

    why: str
    ask: str


Condition = (
    SettingCondition
    | JobCondition
    | ScheduleCondition
    | FeatureCondition
    | LicenseCondition
    | UnfinalizedCondition
    | UnreadableCondition
)


class AffectedRange(_Record, frozen=True):
    """The affected builds of one series: from `introduced` on, until before `fixed`.

    `introduced` is the first affected published build, testing releases included. Exactly one of
    `fixed` (first repaired build of the series) and `last_affected` (only where the series never
    got a repair: the series' last build, or the last one that the page names) is given; neither where
    every later build of the series is affected as long as `conditions` hold.
    `conditions` must hold besides those of the record for these builds: a repair that has to be
    switched on. `defect` says what these builds do where it is not what the record's summary says.
    """

    series: str
    introduced: str
    fixed: str | None = None
    last_affected: str | None = None
    conditions: tuple[Condition, ...] = ()
    defect: str = ""


class Edge(_Record, frozen=True):
    """The upgrade during or after which an advisory bites, and the steps where guard must act.

    `source` and `target` are series, or ``any``. `bites` says which build decides:

    * ``target``: the edge counts if the build being moved to is affected (while finalizing and
      afterwards: a build that a member runs);
    * ``running``: it counts if a node that the step restarts runs an affected build, whatever it is
      restarted on;
    * ``edge``: it counts on the upgrade itself, whatever the patches are.

    `conditions` must hold besides those of the record. `target_affected_only` is the older name of
    two of the three: true is ``target``, false is ``edge``.
    """

    source: str
    target: str
    steps: tuple[Literal["start", "next-node", "finalize", "rollback", "verify"], ...]
    effect: Literal["block", "warn"] = "block"
    bites: Literal["target", "running", "edge"] = "target"
    conditions: tuple[Condition, ...] = ()
    target_affected_only: bool | None = None


class SettingMitigation(_Record, frozen=True):
    """A cluster setting that prevents or lessens the defect, and since which build it exists."""

    name: str
    value: str
    since: tuple[str, ...] = ()


class Mitigation(_Record, frozen=True):
    """What the page tells operators to do. `commands` can be pasted as they are."""

    text: str
    upgrade_to: tuple[str, ...] = ()
    settings: tuple[SettingMitigation, ...] = ()
    commands: tuple[str, ...] = ()


class Advisory(_Record, frozen=True):
    """One published advisory, or a hazard: what the release notes know and no advisory says.

    Hazards have ids such as H-104798, by the pull request or the issue, and stand in a folder of
    their own. A `draft` was made by a program from a page and asks for a person's completion: it
    blocks nothing and is UNKNOWN for the builds it may concern.

    `conditions` must all hold for the advisory to apply. `affected` may be empty only when a note
    says why. `checked` names the release notes or other pages the record was compared with.

    A record of trigger ``upgrade`` concerns its edges alone; any other is a defect of the builds it
    names as well, wherever they come from. `damage` names what a statement finds when the harm is
    done already, which no upgrade undoes. `restores` says that it spoils restored data: RESTORE does on
    an affected build (``into``), or a backup that was made on one does (``made-on``).
    """

    schema: Literal[1]
    id: str
    title: str
    date: dt.date
    category: Category
    trigger: Trigger
    summary: str
    source: str
    affected: tuple[AffectedRange, ...]
    mitigation: Mitigation
    issues: tuple[int, ...] = ()
    withdrawn: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()
    conditions: tuple[Condition, ...] = ()
    damage: FeatureCondition | None = None
    restores: tuple[Literal["into", "made-on"], ...] = ()
    checked: tuple[str, ...] = ()
    note: str = ""
    draft: bool = False

    @property
    def is_hazard(self) -> bool:
        """True for what the release notes say and no advisory."""
        return self.id.startswith("H-")


class Support(_Record, frozen=True):
    """Ends of support of a series; None where Cockroach Labs publishes none."""

    maintenance_ends: dt.date | None = None
    assistance_ends: dt.date | None = None
    lts_since_build: str | None = None
    lts_maintenance_ends: dt.date | None = None
    lts_assistance_ends: dt.date | None = None


class Release(_Record, frozen=True):
    """One published build.

    `known_by` says what shows that it exists: the documentation's list of releases, which also
    says whether it was withdrawn or is for CockroachDB Cloud only, or no more than a public tag or
    a public container image. Of those, nobody knows either, and `date` is the tag's day, or None.
    """

    build: str
    kind: Literal["production", "testing"]
    date: dt.date | None = None
    withdrawn: bool = False
    cloud_only: bool = False
    known_by: Literal["list", "tag", "image"] = "list"

    @property
    def listed(self) -> bool:
        """True if the list of releases has it, so that withdrawn and cloud-only are known."""
        return self.known_by == "list"


class RestoreException(_Record, frozen=True):
    """A documented exception to what may be restored into a series.

    Attributes:
        backup: only backups of this series; of all that the rule allows if None.
        full_cluster: only a RESTORE of the whole cluster.
        repaired_in: the first build of the receiving series that restores them; None if none does.
        made_with: only backups that were made with this option of BACKUP.
        text: what happens.
        source: the page that says so.
    """

    text: str
    source: str
    backup: str | None = None
    full_cluster: bool = False
    repaired_in: str | None = None
    made_with: Literal["incremental_location"] | None = None


class SeriesRecord(_Record, frozen=True):
    """A release series, its support dates, the series it can be reached from, and its builds.

    `restorable_into` is the row of the restore page for backups of this series, empty where no page
    has one; `restore_source` is that page. `kind` is unknown until a person says it: then every way to
    the series is unknown as well. `restore_exceptions` are about backups that are restored
    *into* this series. `released` is the day of the first production build.
    """

    schema: Literal[1]
    series: str
    kind: Literal["regular", "innovation", "unknown"]
    upgrade_from: tuple[str, ...]
    source: str
    support: Support
    releases: tuple[Release, ...]
    released: dt.date | None = None
    restorable_into: tuple[str, ...] = ()
    restore_source: str = ""
    restore_exceptions: tuple[RestoreException, ...] = ()
    note: str = ""


class ArchivedCommit(_Record, frozen=True):
    """An older commit of the documentation, for pages that were removed later."""

    commit: str
    used_for: str


class PublicList(_Record, frozen=True):
    """A public list of builds other than the documentation's, and where it was read."""

    source: str
    used_for: str
    commit: str = ""


class About(_Record, frozen=True):
    """Where the catalog's facts were read, and until when it knows what was published.

    `releases_until` and `advisories_until` are two days, because the two come from different
    places: the day of the newest list of builds, the day of `docs_commit`. Neither is the day of
    reading (`read`). `catalog_date` is the older of them, and the only one in files of guard's
    earlier versions, where it stands for both.
    """

    schema: Literal[1]
    read: dt.date
    releases_until: dt.date | None = None
    advisories_until: dt.date | None = None
    catalog_date: dt.date | None = None
    docs_repository: str = ""
    docs_commit: str = ""
    archived: tuple[ArchivedCommit, ...] = ()
    lists: tuple[PublicList, ...] = ()


class CatalogRecords(_Record, frozen=True):
    """Everything the catalog holds: what the compiled file contains.

    `changes` is left as it is until somebody asks for it: a list of `change_records.ChangesFile`.
    """

    schema: Literal[1]
    about: About
    series: tuple[SeriesRecord, ...]
    advisories: tuple[Advisory, ...]
    changes: msgspec.Raw = msgspec.Raw(b"[]")
