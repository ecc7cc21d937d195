"""Records on top of a catalog, made of what files held.

A series record of an overlay replaces the shipped one as a whole, so that it is written with all the
builds the catalog knows and keeps what is known of them: a tag never makes a withdrawn release good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from guard.catalog.importing.affected import draft_ranges
from guard.catalog.records import (
    About,
    Advisory,
    Category,
    Mitigation,
    Release,
    SeriesRecord,
    Support,
    Trigger,
)
from guard.catalog.releases import build_of
from guard.versions import Build, Series

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from guard.catalog.catalog import Catalog
    from guard.catalog.importing.found import Found, FoundAdvisory, FoundRelease
    from guard.catalog.loader import Record

__all__ = ["Overlay", "make_overlay"]


@dataclass(frozen=True, slots=True)
class Overlay:
    """Files to write, by their names below the overlay's directory, and what was done in words."""

    files: dict[str, Record]
    said: tuple[str, ...]


def make_overlay(
    catalog: Catalog, found: Sequence[Found], about: About | None, today: dt.date
) -> Overlay:
    """Make the records that are new or changed.

    Args:
        catalog: the shipped catalog with the overlay as it is now.
        found: what the files held.
        about: the overlay's own ``about.toml`` as it is now.
        today: the day of reading.
    """
    files: dict[str, Record] = {}
    said: list[str] = []
    by_series: dict[Series, list[FoundRelease]] = {}
    for each in found:
        for release in each.releases:
            by_series.setdefault(Build.parse(release.build).series, []).append(release)
    first = min(catalog.series)
    for series in sorted(by_series):
        if series < first:
            continue
        record, news = _series(catalog.series.get(series), series, by_series[series])
        if news:
            files[f"series/{series}.toml"] = record
            said.append(f"v{series}: {', '.join(news)}")
            if record.kind == "unknown":
                said.append(
                    f"v{series} is a new series: complete series/{series}.toml with its kind and "
                    "upgrade_from; until then every way to it is unknown"
                )
    for advisory in (one for each in found for one in each.advisories):
        known = catalog.advisories.get(advisory.id)
        if known is not None and not known.draft:
            said.append(f"{advisory.id} is in the catalog already")
            continue
        files[f"advisories/{advisory.id}.toml"] = _draft(catalog, advisory)
        said.append(f"{advisory.id}: a draft, UNKNOWN for the builds it may concern: complete it")
    until = _until(catalog, found)
    if until is not None:
        base = about or About(schema=1, read=today)
        files["about.toml"] = msgspec.structs.replace(base, releases_until=until, read=today)
        said.append(f"releases are known until {until}")
    return Overlay(files, tuple(said))


def _until(catalog: Catalog, found: Sequence[Found]) -> dt.date | None:
    """The day to claim: that of the newest release of a complete list, if that is news."""
    days = [release.date for each in found if each.complete for release in each.releases]
    newest = max(days, default=None)
    return newest if newest is not None and newest > catalog.releases_until else None


def _series(
    record: SeriesRecord | None, series: Series, found: Iterable[FoundRelease]
) -> tuple[SeriesRecord, list[str]]:
    if record is None:
        record = SeriesRecord(
            schema=1,
            series=str(series),
            kind="unknown",
            upgrade_from=(),
            source=f"https://www.cockroachlabs.com/docs/releases/v{series}",
            support=Support(),
            releases=(),
        )
    releases = {build_of(each.build): each for each in record.releases}
    news: dict[str, None] = {}
    for each in found:
        old = releases.get(Build.parse(each.build))
        new = _release(each)
        if old is None or (not old.listed and (new.listed or old.date is None)):
            releases[Build.parse(each.build)] = new
            news[each.build] = None
    return _with_releases(record, list(_sorted(releases))), list(news)


def _sorted(releases: dict[Build, Release]) -> Iterator[Release]:
    for build in sorted(releases):
        yield releases[build]


def _with_releases(record: SeriesRecord, releases: list[Release]) -> SeriesRecord:
    first = next(
        (
            each.date
            for each in releases
            if each.listed and each.kind == "production" and build_of(each.build).patch == 0
        ),
        None,
    )
    return msgspec.structs.replace(record, releases=tuple(releases), released=record.released or first)


def _release(found: FoundRelease) -> Release:
    return Release(
        build=found.build,
        kind="production" if Build.parse(found.build).is_production else "testing",
        date=found.date,
        withdrawn=found.withdrawn,
        cloud_only=found.cloud_only,
        known_by=found.by,
    )


def _draft(catalog: Catalog, found: FoundAdvisory) -> Advisory:
    note = f"The page says of its versions: {found.versions}" if found.versions else ""
    return Advisory(
        schema=1,
        id=found.id,
        title=found.title,
        date=found.date,
        category=Category.OTHER,
        trigger=Trigger.ALWAYS,
        summary="Imported from its page; nobody has completed it yet.",
        source=found.source,
        affected=draft_ranges(catalog.series, found.versions) if found.versions else (),
        mitigation=Mitigation(text="Read the page."),
        note=note,
        draft=True,
    )
