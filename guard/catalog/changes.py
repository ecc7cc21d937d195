"""The changes of each series as the rest of guard asks for them: settings written out as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from guard.versions import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.change_records import Change, ChangesFile

__all__ = ["SAMPLES", "Changes", "SeriesChanges", "between", "written_out"]

SAMPLES: Final = frozenset({"recent_job_features", "statement_features"})
"""Sections that hold the newest or the first rows only. Finding nothing in them proves nothing, so
that a record that reads one has a question as well."""


class SeriesChanges(msgspec.Struct, frozen=True):
    """All changes of one series, in the order of its file, those of settings last."""

    series: Series
    source: str
    changes: tuple[Change, ...]


def written_out(file: ChangesFile) -> SeriesChanges:
    """The changes of a file, each with its source, and each setting as a record of its own."""
    from guard.catalog.setting_changes import of_setting

    records = [
        record if record.source else msgspec.structs.replace(record, source=file.source)
        for record in file.changes
    ]
    records += [of_setting(file, setting) for setting in file.settings]
    return SeriesChanges(Series.parse(file.series), file.source, tuple(records))


class Changes(Mapping[Series, SeriesChanges]):
    """The changes by series. Decoded when first asked for: most runs of guard never do.

    Args:
        compiled: the list of `ChangesFile` as JSON.
        extra: files of a user's own, each in the place of the shipped one of its series.
    """

    def __init__(
        self, compiled: bytes | msgspec.Raw = b"[]", extra: tuple[ChangesFile, ...] = ()
    ) -> None:
        self._compiled = compiled
        self._extra = extra
        self._decoded: dict[Series, SeriesChanges] | None = None

    def _all(self) -> dict[Series, SeriesChanges]:
        if self._decoded is None:
            from guard.catalog.change_records import ChangesFile

            files = msgspec.json.decode(self._compiled, type=tuple[ChangesFile, ...])
            found = (written_out(file) for file in (*files, *self._extra))
            self._decoded = {changes.series: changes for changes in found}
        return self._decoded

    def __getitem__(self, series: Series) -> SeriesChanges:
        return self._all()[series]

    def __iter__(self) -> Iterator[Series]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def find(self, name: str) -> Change | None:
        """The change of that id, whatever its case; None if there is none."""
        wanted = name.lower()
        records = (record for each in self.values() for record in each.changes)
        return next((record for record in records if record.id.lower() == wanted), None)


def between(
    known: Mapping[Series, SeriesChanges], source: Series, target: Series
) -> tuple[SeriesChanges, ...]:
    """The changes that a cluster meets on its way from one series to another.

    Those of a series that is left out on the way are met as well: the next one has them too.
    """
    return tuple(known[series] for series in sorted(known) if source < series <= target)
