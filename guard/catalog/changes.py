"""The changes of each series as the rest of guard asks for them: settings written out as records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from guard.catalog.change_records import (
    Change,
    ChangeKind,
    ChangesFile,
    Effect,
    SetSettingProbe,
    SettingChange,
    UnsetSettingProbe,
)
from guard.versions import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SAMPLES", "Changes", "SeriesChanges", "between", "setting_id", "written_out"]

SAMPLES: Final = frozenset({"recent_job_features", "statement_features"})
"""Sections that hold the newest or the first rows only. Finding nothing in them proves nothing, so
that a record that reads one has a question as well."""

_NO_SLUG: Final = re.compile(r"[^a-z0-9]+")


class SeriesChanges(msgspec.Struct, frozen=True):
    """All changes of one series, in the order of its file, those of settings last."""

    series: Series
    source: str
    changes: tuple[Change, ...]


def written_out(file: ChangesFile) -> SeriesChanges:
    """The changes of a file, each with its source, and each setting as a record of its own."""
    records = [
        record if record.source else msgspec.structs.replace(record, source=file.source)
        for record in file.changes
    ]
    records += [_of_setting(file, setting) for setting in file.settings]
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


def setting_id(series: str, name: str) -> str:
    """The id of the record of a setting: ``C-25.1-kv-rangefeed-scheduler-enabled``."""
    return f"C-{series}-{_NO_SLUG.sub('-', name).strip('-')}"


def _of_setting(file: ChangesFile, setting: SettingChange) -> Change:
    names = tuple(name for name in (setting.name, setting.key) if name)
    make = {"removed": _removed, "renamed": _renamed, "default": _default}[setting.change]
    return msgspec.structs.replace(
        make(file.series, setting, names), source=setting.source or file.lists or file.source
    )


def _removed(series: str, setting: SettingChange, names: tuple[str, ...]) -> Change:
    certain = bool(setting.source)
    is_set = (SetSettingProbe(names=names),)
    fate = "is removed" if certain else f"is no longer among the public settings of v{series}"
    return Change(
        id=setting_id(series, setting.name),
        kind=ChangeKind.REMOVED_SETTING,
        effect=Effect.CHANGES,
        sentence=f"Cluster setting {setting.name} {fate}{_note(setting)}.",
        before="Find out why it was set; take it out of scripts, which fail to set it afterwards.",
        concerned_if=is_set if certain else (),
        ask_if=() if certain else is_set,
        question=""
        if certain
        else f"It is set here. Does {setting.name} still have an effect in v{series}?",
    )


def _renamed(series: str, setting: SettingChange, names: tuple[str, ...]) -> Change:
    return Change(
        id=setting_id(series, setting.name),
        kind=ChangeKind.RENAMED_SETTING,
        effect=Effect.CHANGES,
        sentence=f"Cluster setting {setting.name} is now called {setting.new_name}{_note(setting)}.",
        after="Use the new name in scripts; its value stays.",
        concerned_if=(SetSettingProbe(names=names),),
    )


def _default(series: str, setting: SettingChange, names: tuple[str, ...]) -> Change:
    return Change(
        id=setting_id(series, setting.name),
        kind=ChangeKind.CHANGED_DEFAULT,
        effect=Effect.CHANGES,
        sentence=(
            f"The default of cluster setting {setting.name} changes from {setting.old or 'empty'} "
            f"to {setting.new or 'empty'}{_note(setting)}."
        ),
        before=""
        if " each " in setting.old
        else f"To keep the old value: SET CLUSTER SETTING {setting.name} = '{setting.old}';",
        concerned_if=(UnsetSettingProbe(names=names),),
    )


def _note(setting: SettingChange) -> str:
    return f": {setting.note.rstrip('.')}" if setting.note else ""
