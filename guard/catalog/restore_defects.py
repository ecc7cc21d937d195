"""Advisories that spoil what is restored: by RESTORE on an affected build, or by a backup made on one.

Whether a backup may be restored is a matter of series; whether its data come back whole is one of
builds. What an advisory makes depend on more (revision history, column families, an IMPORT at the
time) nobody but the caller knows, so these are said and forbid nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guard.catalog.affected import affects
from guard.catalog.answers import Answer
from guard.catalog.bites import repaired_in
from guard.catalog.releases import build_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from guard.catalog.records import Advisory, SeriesRecord
    from guard.versions import Build, Series

__all__ = ["restore_defects"]

_INTO: Final = "into"
_MADE_ON: Final = "made-on"


def restore_defects(
    catalog: Mapping[Series, SeriesRecord],
    advisories: Iterable[Advisory],
    backup: Series,
    into: Series,
    *,
    made_on: Sequence[Build] = (),
    into_builds: Sequence[Build] = (),
) -> Iterator[str]:
    """Say what to mind about a restore, one text for each advisory.

    Args:
        catalog: the series records.
        advisories: the records; those that do not speak of restores are passed over.
        backup: the cluster version when the backup was taken.
        into: the cluster version of the cluster that is to receive it.
        made_on: the builds that took the backup, empty if they are not known.
        into_builds: the builds that the receiving cluster's nodes run, empty if they are not known.
    """
    for advisory in advisories:
        if _INTO in advisory.restores:
            yield from _of(catalog, advisory, "into", into, into_builds)
        if _MADE_ON in advisory.restores:
            yield from _of(catalog, advisory, "made on", backup, made_on)


def _of(
    catalog: Mapping[Series, SeriesRecord],
    advisory: Advisory,
    how: str,
    series: Series,
    builds: Sequence[Build],
) -> Iterator[str]:
    text = f"{advisory.id}: {advisory.title}"
    if not builds:
        ranges = [each for each in advisory.affected if each.series == str(series)]
        if ranges:
            fixed = ranges[-1].fixed
            if fixed is None:
                yield text
            elif not build_of(fixed).is_prerelease:  # else no production release has it
                yield f"{how} {fixed} or later: before it, {text}"
        return
    for build in sorted(builds):
        answer = affects(catalog, advisory, build)
        if answer.affected is Answer.NO:
            continue
        free = repaired_in(catalog, advisory, build)
        yield f"{text}: {answer.reason}" + (f"; {free} is free of it" if free is not None else "")
        return
