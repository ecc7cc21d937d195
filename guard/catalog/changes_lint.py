"""The linter's part for what a series changes: a record nobody can act on, or that nothing judges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from guard.catalog.change_records import (
    ActiveJobProbe,
    FeatureProbe,
    SetSettingProbe,
    UnsetSettingProbe,
)
from guard.catalog.changes import SAMPLES, written_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.change_records import Change, ChangesFile, Probe, SettingChange

__all__ = ["changes_problems"]

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_SETTING: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", re.ASCII)


def changes_problems(file: ChangesFile) -> Iterator[str]:
    """Yield what is wrong in a file of changes, in words."""
    if not file.changes and not file.settings and not file.note.strip():
        yield "there is no change and no note says why"
    if not _https(file.source):
        yield "source is missing or not an https address"
    for setting in file.settings:
        yield from (f"{setting.name}: {text}" for text in _setting(setting))
    seen: set[str] = set()
    for change in written_out(file).changes:
        yield from (f"{change.id}: {text}" for text in _change(change, file.series))
        if change.id.lower() in seen:
            yield f"{change.id} stands there twice"
        seen.add(change.id.lower())


def _https(address: str) -> bool:
    return address.startswith("https://")


def _change(change: Change, series: str) -> Iterator[str]:
    prefix = f"C-{series}-"
    if not change.id.startswith(prefix) or not _SLUG.fullmatch(change.id.removeprefix(prefix)):
        yield f"the id is not of the form {prefix}some-words"
    if not change.sentence.strip():
        yield "sentence is empty"
    if not _https(change.source):
        yield "source is missing or not an https address"
    probes = (*change.settled_if, *change.concerned_if, *change.ask_if)
    if not (change.concerned_if or change.question.strip()):
        yield "it has neither a probe nor a question"
    if change.ask_if and not change.question.strip():
        yield "ask_if needs a question"
    sampled = any(isinstance(p, FeatureProbe) and p.section in SAMPLES for p in probes)
    if sampled and (change.ask_if or not change.question.strip()):
        yield "it reads a sample, which proves nothing when it is empty: it needs a question, no ask_if"
    for probe in probes:
        yield from _probe(probe)


def _probe(probe: Probe) -> Iterator[str]:
    if isinstance(probe, (SetSettingProbe, UnsetSettingProbe)):
        if not probe.names:
            yield "a probe names no setting"
        yield from (f"not a cluster setting: {n!r}" for n in probe.names if not _SETTING.fullmatch(n))
    if isinstance(probe, ActiveJobProbe) and not probe.types:
        yield "a probe names no type of job"


def _setting(setting: SettingChange) -> Iterator[str]:
    for name in (setting.name, setting.key, setting.new_name):
        if name and not _SETTING.fullmatch(name):
            yield f"not a cluster setting: {name!r}"
    if (setting.change == "renamed") != bool(setting.new_name):
        yield "new_name and renamed go together"
    if setting.change == "default" and setting.old == setting.new:
        yield "the default does not change"
