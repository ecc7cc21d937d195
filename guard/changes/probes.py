"""Ask a snapshot one question of a change record: yes, no or unknown, with what was read.

An empty list is a no only where it is proved that everything was seen: the settings list must hold
`version`, the jobs must provably be all jobs, and a section says how many things it has read.
"""

from __future__ import annotations

from typing import Any, Final, assert_never

import msgspec

from guard.catalog.answers import Answer
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
from guard.catalog.changes import SAMPLES
from guard.cluster.job_sight import jobs_problem
from guard.cluster.jobs import is_one_of, is_unnamed
from guard.cluster.picture import Cluster
from guard.snapshot.model import FeaturesRow, Reason, SetSettingRow, Unavailable
from guard.versions import Series

__all__ = ["Found", "answer", "sections_of"]

_LISTED: Final = 8

_CAME_WITH: Final = {
    "schedule_features": Series(20, 2),
    "schedules": Series(20, 2),
    "role_default_features": Series(21, 2),
}
"""What a release before these cannot have, so that having nothing to ask is a no."""

_THINGS: Final = {
    "changefeed_features": ("unfinished job", "unfinished jobs"),
    "recent_job_features": ("job", "jobs"),
    "schedule_features": ("schedule", "schedules"),
    "descriptor_features": ("descriptor", "descriptors"),
    "node_features": ("node", "nodes"),
    "role_features": ("role", "roles"),
    "role_default_features": ("role or database default", "role and database defaults"),
    "statement_features": ("statement fingerprint", "statement fingerprints"),
    "object_count": ("object", "objects"),
}


class Found(msgspec.Struct, frozen=True):
    """The answer to a probe, the evidence in words, and what lets guard look where it could not."""

    answer: Answer
    evidence: str
    remedy: tuple[str, ...] = ()


def sections_of(probe: Probe) -> tuple[str, ...]:
    """The sections of the snapshot that a probe reads."""
    match probe:
        case FeatureProbe(section=section):
            return (section,)
        case SetSettingProbe() | UnsetSettingProbe():
            return ("set_settings",)
        case ActiveJobProbe():
            return ("active_jobs",)
        case SixFieldCronProbe():
            return ("schedules",)
        case LicenseProbe():
            return ("license",)
        case InterleavedProbe():
            return ("interleaved_tables",)
    assert_never(probe)


def answer(probe: Probe, cluster: Cluster) -> Found:
    """Put a probe to a cluster."""
    match probe:
        case SetSettingProbe():
            return _set(probe, cluster)
        case UnsetSettingProbe():
            return _unset(probe, cluster)
        case FeatureProbe():
            return _feature(probe, cluster)
        case ActiveJobProbe():
            return _active_job(probe, cluster)
        case SixFieldCronProbe():
            return _six_field_cron(cluster)
        case LicenseProbe():
            return _no_license(cluster)
        case InterleavedProbe():
            return _interleaved(cluster)
    assert_never(probe)


def _could_not(why: Unavailable, section: str) -> Found:
    return Found(Answer.UNKNOWN, f"{section}: {why.message}", why.remedy)


def _rows(section: str, cluster: Cluster) -> tuple[Any, ...] | Found:
    """The rows of a section; no rows where the release cannot have any; or why nobody could look."""
    content = getattr(cluster.snapshot, section)
    if not isinstance(content, Unavailable):
        return tuple(content.rows)
    if section in SAMPLES and content.reason is Reason.NOT_IN_THIS_VERSION:
        return Found(Answer.NO, f"{section}: this release has nothing that guard could read")
    since = _CAME_WITH.get(section)
    if content.reason is Reason.NOT_IN_THIS_VERSION and since is not None:
        build = cluster.gateway
        if build is not None and build.series < since:
            return Found(Answer.NO, f"v{build.series} has none: they came with v{since}")
    return _could_not(content, section)


# --- settings -----------------------------------------------------------------------------------


def _settings(cluster: Cluster) -> dict[str, SetSettingRow] | Found:
    """The settings that somebody has set, by name. `version` is always among them if all are seen."""
    section = cluster.snapshot.set_settings
    if isinstance(section, Unavailable):
        return _could_not(section, "set_settings")
    by_name = {row.name: row for row in section.rows}
    if "version" not in by_name:
        return Found(Answer.UNKNOWN, "set_settings: some settings are hidden from this user")
    if section.truncated:
        return Found(Answer.UNKNOWN, "set_settings: there are more than guard reads")
    return by_name


def _set(probe: SetSettingProbe, cluster: Cluster) -> Found:
    settings = _settings(cluster)
    if isinstance(settings, Found):
        return settings
    rows = [settings[name] for name in probe.names if name in settings]
    if not rows:
        return Found(Answer.NO, f"{' and '.join(probe.names)}: not set")
    if not probe.equals:
        return Found(Answer.YES, f"{', '.join(row.name for row in rows)}: set")
    for row in rows:
        if row.value is None:
            return Found(Answer.UNKNOWN, f"{row.name}: set, to a value that guard does not read")
        if row.value in probe.equals:
            return Found(Answer.YES, f"{row.name} = {row.value}")
    return Found(Answer.NO, "; ".join(f"{row.name} = {row.value}" for row in rows))


def _unset(probe: UnsetSettingProbe, cluster: Cluster) -> Found:
    settings = _settings(cluster)
    if isinstance(settings, Found):
        return settings
    rows = [name for name in probe.names if name in settings]
    if rows:
        return Found(Answer.NO, f"{', '.join(rows)}: set, so its value stays")
    return Found(Answer.YES, f"{probe.names[0]}: nobody has set it")


# --- features that a statement looked for on the server ------------------------------------------


def _feature(probe: FeatureProbe, cluster: Cluster) -> Found:
    rows = _rows(probe.section, cluster)
    if isinstance(rows, Found):
        return rows
    if len(rows) != 1:
        return Found(Answer.UNKNOWN, f"{probe.section}: the answer could not be read")
    row: FeaturesRow = rows[0]
    one, many = _THINGS[probe.section]
    number = row.found.get(probe.feature)
    if number is None:
        return Found(Answer.UNKNOWN, f"{probe.section}: {probe.feature} was not looked for")
    if number:
        names = row.items.get(probe.feature, ())[:_LISTED]
        more = f" and {number - len(names)} more" if len(names) < number else ""
        listed = f": {', '.join(names)}{more}" if names else ""
        return Found(Answer.YES, f"{number} {one if number == 1 else many}{listed}")
    if getattr(cluster.snapshot, probe.section).truncated and probe.section not in SAMPLES:
        return Found(Answer.UNKNOWN, f"none among the {row.read} {many} that guard reads at most")
    return Found(Answer.NO, f"none of {row.read} {one if row.read == 1 else many}")


# --- what guard check reads as well ---------------------------------------------------------------


def _active_job(probe: ActiveJobProbe, cluster: Cluster) -> Found:
    problem = jobs_problem(cluster.snapshot)
    if problem is not None:
        return _could_not(problem, "active_jobs")
    rows = _rows("active_jobs", cluster)
    if isinstance(rows, Found):
        return rows
    ids = [str(row.job_id) for row in rows if is_one_of(row, probe.types)]
    nameless = [str(row.job_id) for row in rows if is_unnamed(row)]
    kinds = " or ".join(probe.types)
    if ids:
        more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
        return Found(Answer.YES, f"unfinished {kinds} jobs: {', '.join(ids[:_LISTED])}{more}")
    if nameless:
        return Found(Answer.UNKNOWN, f"job {nameless[0]} has no type and may be a {kinds} job")
    return Found(Answer.NO, f"no unfinished {kinds} job")


def _six_field_cron(cluster: Cluster) -> Found:
    rows = _rows("schedules", cluster)
    if isinstance(rows, Found):
        return rows
    found = [str(row.schedule_id) for row in rows if len((row.recurrence or "").split()) > 5]
    if found:
        return Found(Answer.YES, f"BACKUP schedules {', '.join(found[:_LISTED])}")
    return Found(Answer.NO, f"none of {len(rows)} BACKUP schedules")


def _no_license(cluster: Cluster) -> Found:
    rows = _rows("license", cluster)
    if isinstance(rows, Found):
        return rows
    if len(rows) != 1:
        return Found(Answer.UNKNOWN, "license: the answer could not be read")
    if rows[0].present:
        return Found(Answer.NO, "a license is installed")
    return Found(Answer.YES, "no license is installed")


def _interleaved(cluster: Cluster) -> Found:
    rows = _rows("interleaved_tables", cluster)
    if isinstance(rows, Found):
        return rows
    if len(rows) != 1:
        return Found(Answer.UNKNOWN, "interleaved_tables: the answer could not be read")
    count = rows[0].count
    return Found(Answer.YES if count else Answer.NO, f"{count or 'no'} interleaved tables")
