"""What the catalog answers: three-valued, frozen, and always with the reason in words."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from guard.catalog.records import Advisory, AffectedRange, Release
    from guard.versions import Build, Series

__all__ = [
    "AdvisoriesAnswer",
    "AffectedAnswer",
    "AgeAnswer",
    "Answer",
    "Basis",
    "NewestAnswer",
    "ReleaseAnswer",
    "ReleaseStatus",
    "RestoreAnswer",
    "SupportAnswer",
    "SupportPhase",
    "UpgradeAnswer",
]


class Answer(StrEnum):
    """Yes, no, or the catalog cannot tell. UNKNOWN is never permission."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """Whether a page says so for this very pair, or it follows from the page's general rule."""

    DOCUMENTED = "documented"
    INFERRED = "inferred"


class ReleaseStatus(StrEnum):
    """What the catalog knows of a build."""

    PRODUCTION = "production"
    PRODUCTION_BY_TAG = "production-by-tag"
    TESTING = "testing"
    WITHDRAWN = "withdrawn"
    CLOUD_ONLY = "cloud-only"
    CUSTOM = "custom"
    NEWER_THAN_CATALOG = "newer-than-catalog"
    NOT_PUBLISHED = "not-published"
    OUTSIDE_CATALOG = "outside-catalog"


class SupportPhase(StrEnum):
    """Support phases of the release support policy."""

    MAINTENANCE = "maintenance"
    ASSISTANCE = "assistance"
    ENDED = "ended"
    UNKNOWN = "unknown"


class UpgradeAnswer(msgspec.Struct, frozen=True):
    """May a cluster go from one series straight to another? `skips`: series left out on the way.

    True in a condition only if the answer is YES: UNKNOWN is no permission.
    """

    source: Series
    target: Series
    supported: Answer
    skips: tuple[Series, ...]
    reason: str
    docs: str

    def __bool__(self) -> bool:
        return self.supported is Answer.YES


class RestoreAnswer(msgspec.Struct, frozen=True):
    """May a backup of one series be restored into a cluster of another?

    True in a condition only if the answer is YES: UNKNOWN is no permission. `exceptions` are documented
    ones that may concern this restore, as far as was told: what a YES does not cover, in words.
    `advisories` are those of the builds on either side after which data may be missing, in words.
    """

    backup: Series
    into: Series
    full_cluster: bool
    allowed: Answer
    basis: Basis
    reason: str
    docs: str
    exceptions: tuple[str, ...] = ()
    advisories: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed is Answer.YES


class ReleaseAnswer(msgspec.Struct, frozen=True):
    """What the catalog knows of a build; `release` is None unless it was published."""

    build: Build
    status: ReleaseStatus
    release: Release | None
    reason: str

    @property
    def known(self) -> bool:
        """True if Cockroach Labs published the build, as far as the catalog knows."""
        return self.release is not None

    @property
    def is_production(self) -> bool:
        """True for a production release, be it one that only its tag shows."""
        return self.status in (ReleaseStatus.PRODUCTION, ReleaseStatus.PRODUCTION_BY_TAG)


class NewestAnswer(msgspec.Struct, frozen=True):
    """The newest release of a series anybody may install, None with the reason if there is none."""

    series: Series
    build: Build | None
    release: Release | None
    reason: str


class SupportAnswer(msgspec.Struct, frozen=True):
    """The support phase of a build on a day, and until when it lasts."""

    build: Build
    phase: SupportPhase
    long_term: bool
    until: dt.date | None
    reason: str


class AffectedAnswer(msgspec.Struct, frozen=True):
    """Does one advisory affect one build? `range` is the range that decided, if one did."""

    advisory: Advisory
    build: Build
    affected: Answer
    range: AffectedRange | None
    reason: str


class AdvisoriesAnswer(msgspec.Struct, frozen=True):
    """The advisories that affect a build, and those of which the catalog cannot tell.

    `complete` is False when the catalog does not know the build, so that an empty list says
    nothing; `reason` says why.
    """

    build: Build
    affected: tuple[AffectedAnswer, ...]
    complete: bool
    reason: str

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the advisories, in the catalog's order."""
        return tuple(answer.advisory.id for answer in self.affected)

    def __iter__(self) -> Iterator[AffectedAnswer]:
        return iter(self.affected)

    def __len__(self) -> int:
        return len(self.affected)


class AgeAnswer(msgspec.Struct, frozen=True):
    """How old the catalog's releases or advisories are. `stale`: over 120 days, or in the future."""

    what: str
    date: dt.date
    days: int
    stale: bool
    reason: str
