"""Snapshots in which a probe of a change record answers yes, no, or cannot look."""

from __future__ import annotations

from typing import Any

import msgspec

from guard.catalog.change_records import (
    ActiveJobProbe,
    FeatureProbe,
    InterleavedProbe,
    LicenseProbe,
    Probe,
    SetSettingProbe,
    SixFieldCronProbe,
    UnsetSettingProbe,
)
from guard.changes.probes import sections_of
from guard.snapshot import model
from guard.snapshot.model import Snapshot
from tests.building import collected, features, job, put, schedule, set_settings, snapshot, unavailable

__all__ = ["hidden", "no", "quiet", "yes"]


def quiet(version: str) -> Snapshot:
    """A cluster of that version in which nothing was found, licensed, as an admin sees it."""
    return snapshot(
        version=version,
        gateway=f"v{version}.0",
        license=collected(model.LicenseRow(present=True, kind=None, seconds_left=10**7)),
    )


def yes(probe: Probe, seen: Snapshot) -> Snapshot:
    """The same cluster, in which the probe's answer is yes."""
    return put(seen, **_yes(probe))


def no(probe: Probe, seen: Snapshot) -> Snapshot:
    """The same cluster, in which the probe's answer is no."""
    if isinstance(probe, UnsetSettingProbe):
        return put(seen, set_settings=set_settings(**{probe.names[0].replace(".", "__"): None}))
    return seen


def hidden(probe: Probe, seen: Snapshot) -> Snapshot:
    """The same cluster, seen by a user who may not look at what the probe reads."""
    return put(seen, **dict.fromkeys(sections_of(probe), unavailable()))


def _yes(probe: Probe) -> dict[str, Any]:
    match probe:
        case SetSettingProbe(names=names, equals=equals):
            value = equals[0] if equals else None
            return {"set_settings": set_settings(**{names[-1].replace(".", "__"): value})}
        case UnsetSettingProbe():
            return {"set_settings": set_settings()}
        case FeatureProbe(section=section, feature=feature):
            return {section: features(section, {feature: ("7", "9")})}
        case ActiveJobProbe(types=types):
            return {"active_jobs": collected(job(77, types[0]))}
        case SixFieldCronProbe():
            row = msgspec.structs.replace(schedule(), recurrence="0 0 1 * * *")
            return {"schedules": collected(row)}
        case LicenseProbe():
            return {"license": collected(model.LicenseRow(present=False, kind=None, seconds_left=0))}
        case InterleavedProbe():
            return {"interleaved_tables": collected(model.CountRow(count=2))}
    raise AssertionError(probe)
