"""The catalog as the rest of guard asks it. Pure: no file, no clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import msgspec

from guard.catalog import affected, hops, releases, restore
from guard.catalog.answers import AdvisoriesAnswer, AgeAnswer, Answer, ReleaseStatus
from guard.catalog.changes import Changes
from guard.catalog.restore_defects import restore_defects
from guard.versions import Build, Series

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from guard.catalog.answers import (
        AffectedAnswer,
        NewestAnswer,
        ReleaseAnswer,
        RestoreAnswer,
        SupportAnswer,
        UpgradeAnswer,
    )
    from guard.catalog.records import About, Advisory, SeriesRecord

__all__ = ["STALE_AFTER_DAYS", "Catalog"]

STALE_AFTER_DAYS: Final = 120
"""Releases or advisories older than this are a warning in every report."""


class Catalog(msgspec.Struct, frozen=True):
    """Everything published that guard knows, and the questions it can answer.

    Versions may be given parsed or as text.

    Attributes:
        about: where and when the facts were read.
        advisories: advisory records by id.
        series: series records by series.
        changes: what each series changes, by series.

    Raises:
        VersionError: from every method, if a text is not a version of the kind asked for.
    """

    about: About
    advisories: Mapping[str, Advisory]
    series: Mapping[Series, SeriesRecord]
    changes: Changes = msgspec.field(default_factory=Changes)

    @property
    def releases_until(self) -> dt.date:
        """The day up to which the catalog knows what builds were published."""
        return self.about.releases_until or self.about.catalog_date or dt.date.min

    @property
    def advisories_until(self) -> dt.date:
        """The day up to which the catalog knows what advisories were published."""
        return self.about.advisories_until or self.about.catalog_date or dt.date.min

    @property
    def date(self) -> dt.date:
        """The day up to which the catalog knows everything: the older of the two."""
        return min(self.releases_until, self.advisories_until)

    @property
    def extent(self) -> str:
        """Both days in words."""
        return (
            f"releases known until {self.releases_until}, advisories known until "
            f"{self.advisories_until}"
        )

    def ages(self, now: dt.datetime | dt.date) -> tuple[AgeAnswer, AgeAnswer]:
        """Say how old the releases and the advisories are at `now`, and whether that is too old."""
        today = now.date() if isinstance(now, dt.datetime) else now
        return (
            _age("releases", self.releases_until, today),
            _age("advisories", self.advisories_until, today),
        )

    def release(self, build: Build | str) -> ReleaseAnswer:
        """Say what is known of a build: published when, withdrawn, cloud-only, testing, unknown."""
        return releases.find_release(self.series, _build(build), self.releases_until)

    def newest_release(self, series: Series | str) -> NewestAnswer:
        """Give the newest production release of a series, no withdrawn and no cloud-only one."""
        return releases.newest_release(self.series, _series(series))

    def support(self, build: Build | str, today: dt.date) -> SupportAnswer:
        """Say in which support phase a build is on a day."""
        return releases.support_of(self.series, _build(build), today)

    def upgrade_allowed(self, from_series: Series | str, to_series: Series | str) -> UpgradeAnswer:
        """Say whether a cluster may go from one series straight to the other."""
        return hops.upgrade_allowed(self.series, _series(from_series), _series(to_series))

    def restore_allowed(
        self,
        backup_series: Series | str,
        into_series: Series | str,
        *,
        full_cluster: bool = False,
        into_mixed: bool | None = False,
        into_builds: Sequence[Build] = (),
        made_with: Collection[str] | None = None,
        made_on: Sequence[Build] = (),
    ) -> RestoreAnswer:
        """Say whether a backup of one series may be restored into a cluster of the other.

        Both are *cluster* versions. The other arguments are those of `restore.restore_allowed` and of
        `restore_defects.restore_defects`, which finds the answer's advisories.
        """
        backup, into = _series(backup_series), _series(into_series)
        answer = restore.restore_allowed(
            self.series,
            backup,
            into,
            full_cluster=full_cluster,
            into_mixed=into_mixed,
            into_builds=into_builds,
            made_with=made_with,
        )
        if answer.allowed is Answer.NO:
            return answer
        defects = restore_defects(
            self.series,
            self.advisories.values(),
            backup,
            into,
            made_on=made_on,
            into_builds=into_builds,
        )
        return msgspec.structs.replace(answer, advisories=tuple(defects))

    def affects(self, advisory: Advisory | str, build: Build | str) -> AffectedAnswer:
        """Say whether one advisory (or the one of that id) affects a build.

        Raises:
            KeyError: no advisory has this id.
        """
        record = self.advisories[advisory] if isinstance(advisory, str) else advisory
        return affected.affects(self.series, record, _build(build))

    def advisories_affecting(self, build: Build | str) -> AdvisoriesAnswer:
        """List the advisories that affect a build, and those the catalog cannot tell of."""
        wanted = _build(build)
        answers = (affected.affects(self.series, each, wanted) for each in self.advisories.values())
        hits = tuple(answer for answer in answers if answer.affected is not Answer.NO)
        missing = self.advisories_missing(wanted)
        reason = f"{len(hits)} of {len(self.advisories)} advisories up to {self.advisories_until}"
        if missing:
            reason += f"; the list may be incomplete: {missing}"
        return AdvisoriesAnswer(wanted, hits, not missing, reason)

    def advisories_missing(self, build: Build | str) -> str:
        """Say why the catalog's advisories on a build may be incomplete; empty if they are not.

        They may be for a build that the catalog does not know, and for one that came out later than
        the newest advisory the catalog could hold.
        """
        answer = self.release(build)
        if answer.release is None:
            return answer.reason
        day = answer.release.date
        if day is not None and day <= self.advisories_until:
            return ""
        published = f"is of {day}" if day is not None else "came out later"
        return f"advisories are known until {self.advisories_until}, and {answer.build} {published}"

    def is_newer(self, build: Build | str) -> bool:
        """True for a build that may have been published after the catalog was made."""
        wanted = _build(build)
        if wanted.series not in self.series:
            return wanted.series > max(self.series)
        return self.release(wanted).status is ReleaseStatus.NEWER_THAN_CATALOG


def _age(what: str, until: dt.date, today: dt.date) -> AgeAnswer:
    days = (today - until).days
    known = f"the catalog's {what} are known until {until}"
    if days < 0:
        return AgeAnswer(what, until, days, True, f"{known}, which lies in the future")
    if days > STALE_AFTER_DAYS:
        return AgeAnswer(what, until, days, True, f"{known}, {days} days ago, over {STALE_AFTER_DAYS}")
    return AgeAnswer(what, until, days, False, f"{known}, {days} days ago")


def _build(value: Build | str) -> Build:
    return value if isinstance(value, Build) else Build.parse(value)


def _series(value: Series | str) -> Series:
    return value if isinstance(value, Series) else Series.parse(value)
