"""What must be right within one record before any question may be asked of it.

The linter asks far more; these are the mistakes that would turn an answer into a wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.catalog.edges import ANY
from guard.catalog.records import About, Advisory, SeriesRecord
from guard.versions import Build, Series, VersionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.loader import Record
    from guard.catalog.records import AffectedRange, Condition

__all__ = ["all_conditions", "problems_of"]


def problems_of(record: Record) -> Iterator[str]:
    """Yield what is wrong within a record, in words; nothing for a well-formed one."""
    if isinstance(record, Advisory):
        yield from _advisory(record)
    elif isinstance(record, SeriesRecord):
        yield from _series(record)
    elif not isinstance(record, About):
        yield from _bad_series("series", record.series)


def _advisory(record: Advisory) -> Iterator[str]:
    if not record.id.strip():
        yield "id is empty"
    for affected in record.affected:
        yield from _range(affected)
    yield from _edges(record)
    for condition in all_conditions(record):
        if hasattr(condition, "series"):
            yield from _bad_series("conditions.series", condition.series)
    for tag in record.withdrawn:
        yield from _bad_build("withdrawn", tag)
    for tag in record.mitigation.upgrade_to:
        yield from _bad_build("mitigation.upgrade_to", tag)
    for setting in record.mitigation.settings:
        for tag in setting.since:
            yield from _bad_build("mitigation.settings.since", tag)


def _edges(record: Advisory) -> Iterator[str]:
    for edge in record.edges:
        for where, text in (("edges.source", edge.source), ("edges.target", edge.target)):
            if text != ANY:
                yield from _bad_series(where, text)


def all_conditions(record: Advisory) -> Iterator[Condition]:
    """Yield every condition of a record, those of its edges and ranges included."""
    yield from record.conditions
    for edge in record.edges:
        yield from edge.conditions
    for affected in record.affected:
        yield from affected.conditions


def _range(affected: AffectedRange) -> Iterator[str]:
    """Check one range: its versions, its end, its order, its series."""
    yield from _bad_series("affected.series", affected.series)
    if affected.fixed is None and affected.last_affected is None and affected.conditions:
        yield from _bad_build("affected.introduced", affected.introduced)
        return
    if (affected.fixed is None) == (affected.last_affected is None):
        yield f"the v{affected.series} range needs either fixed or last_affected"
        return
    end = affected.fixed if affected.fixed is not None else affected.last_affected
    bad = [
        *_bad_build("affected.introduced", affected.introduced),
        *_bad_build("affected.fixed" if affected.fixed else "affected.last_affected", end or ""),
    ]
    if bad:
        yield from bad
        return
    first, last = Build.parse(affected.introduced), Build.parse(end or "")
    for build in (first, last):
        if str(build.series) != affected.series:
            yield f"{build} is no build of series v{affected.series}"
    if last < first or (affected.fixed is not None and last == first):
        yield f"the range {first} to {last} is empty"


def _series(record: SeriesRecord) -> Iterator[str]:
    yield from _bad_series("series", record.series)
    for text in (*record.upgrade_from, *record.restorable_into):
        yield from _bad_series("upgrade_from or restorable_into", text)
    for release in record.releases:
        bad = list(_bad_build("releases.build", release.build))
        yield from bad
        if not bad and str(Build.parse(release.build).series) != record.series:
            yield f"{release.build} is no build of series v{record.series}"
    for exception in record.restore_exceptions:
        if exception.backup is not None:
            yield from _bad_series("restore_exceptions.backup", exception.backup)
        if exception.repaired_in is not None:
            yield from _bad_build("restore_exceptions.repaired_in", exception.repaired_in)
    if record.support.lts_since_build is not None:
        yield from _bad_build("support.lts_since_build", record.support.lts_since_build)


def _bad_build(where: str, tag: str) -> Iterator[str]:
    try:
        Build.parse(tag)
    except VersionError as error:
        yield f"{where}: {error}"


def _bad_series(where: str, text: str) -> Iterator[str]:
    try:
        parsed = Series.parse(text)
    except VersionError as error:
        yield f"{where}: {error}"
        return
    if str(parsed) != text:
        yield f"{where}: write {parsed}, not {text}"
