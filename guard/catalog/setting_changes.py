"""The changes of settings, written out as records like all others."""

from __future__ import annotations

import re
from typing import Final

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

__all__ = ["of_setting", "setting_id"]

_NO_SLUG: Final = re.compile(r"[^a-z0-9]+")


def setting_id(series: str, name: str) -> str:
    """The id of the record of a setting: ``C-25.1-kv-rangefeed-scheduler-enabled``."""
    return f"C-{series}-{_NO_SLUG.sub('-', name).strip('-')}"


def of_setting(file: ChangesFile, setting: SettingChange) -> Change:
    """A setting's change as a record: its sentence, its probe, its source."""
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
