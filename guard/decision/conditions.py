"""Do the conditions of a catalog record hold on this cluster? Yes, no, or nobody could look.

Each kind of condition is answered from one section of the snapshot. What is hidden, truncated or was
not asked is UNKNOWN; a no is one that was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from guard.catalog.answers import Answer
from guard.catalog.records import (
    Condition,
    FeatureCondition,
    JobCondition,
    LicenseCondition,
    ScheduleCondition,
    SettingCondition,
    UnfinalizedCondition,
    UnreadableCondition,
)
from guard.cluster.jobs import is_one_of, is_paused, is_unnamed
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.phrases import listed
from guard.snapshot.model import Collected, JobRow
from guard.versions import Series

__all__ = ["Holds", "feature_found", "holds", "unfinished_jobs"]


class Holds(msgspec.Struct):
    """Whether all conditions hold: YES, NO (one provably does not) or UNKNOWN.

    Attributes:
        why: the reason in sentences.
        evidence: what was read.
        jobs: ids of all the jobs it rests on.
        conclusive: the one that does not hold cannot come to hold on the affected builds either.
    """

    answer: Answer = Answer.YES
    why: str = ""
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)
    jobs: list[str] = msgspec.field(default_factory=list)
    conclusive: bool = False


def holds(cluster: Cluster, conditions: Iterable[Condition]) -> Holds:
    """Judge conditions that must all hold. Never raises for a section that is missing."""
    reasons: list[str] = []
    judged = Holds()
    for condition in conditions:
        try:
            answer, why = _holds(cluster, condition, judged)
        except NotCollected as missing:
            answer = Answer.UNKNOWN
            why = f"{missing.section} could not be read: {missing.why.message}"
        if answer is Answer.NO:
            judged.answer, judged.why = answer, why
            judged.conclusive = isinstance(condition, FeatureCondition) and condition.conclusive
            return judged
        if answer is Answer.UNKNOWN:
            judged.answer = answer
        reasons.append(why)
    judged.why = " ".join(_sentence(reason) for reason in dict.fromkeys(reasons) if reason)
    return judged


_BEGINNINGS = ("the ", "there ", "this ", "whether ", "guard ", "no ", "a ")


def _sentence(text: str) -> str:
    begun = text[0].upper() + text[1:] if text.startswith(_BEGINNINGS) else text
    return begun if begun.endswith((".", "?")) else f"{begun}."


def _holds(cluster: Cluster, condition: Condition, judged: Holds) -> tuple[Answer, str]:
    evidence = judged.evidence
    match condition:
        case SettingCondition():
            return _setting(cluster, condition, evidence)
        case JobCondition():
            return _job(cluster, condition, judged)
        case ScheduleCondition(label_prefix=prefix):
            return _feature(cluster, prefix, prefix, evidence)
        case FeatureCondition(name=name, what=what):
            return _feature(cluster, name, what or name, evidence)
        case LicenseCondition():
            return _license(cluster, condition, evidence)
        case UnfinalizedCondition(series=series):
            return _unfinalized(cluster, Series.parse(series), evidence)
        case UnreadableCondition(ask=ask):
            return Answer.UNKNOWN, f"guard cannot read this from the cluster: {' '.join(ask.split())}"


def _unfinalized(cluster: Cluster, wanted: Series, evidence: dict[str, Any]) -> tuple[Answer, str]:
    version = cluster.version
    evidence["active_version"] = version.active.text
    if version.series >= wanted and not version.migrating:
        return Answer.NO, f"the cluster version is final: {version.active}"
    return Answer.YES, f"the cluster version {version.active} is not yet {wanted}"


def _setting(
    cluster: Cluster, condition: SettingCondition, evidence: dict[str, Any]
) -> tuple[Answer, str]:
    value = cluster.setting(condition.name)
    evidence[condition.name] = value
    if value is None:
        absent = {
            "applies": Answer.YES,
            "not-applicable": Answer.NO,
            "unknown": Answer.UNKNOWN,
        }[condition.absent]
        return absent, f"{condition.name} does not exist on this gateway"
    applies = value in condition.equals if condition.equals else value not in condition.differs
    return (Answer.YES if applies else Answer.NO), f"{condition.name} is {value!r}"


def _job(cluster: Cluster, condition: JobCondition, judged: Holds) -> tuple[Answer, str]:
    if not condition.types:
        return _job_count(cluster, condition, judged.evidence)
    wanted = set(condition.types)
    names = listed(sorted(wanted))
    if condition.high_water == "absent":
        names += " (initial scan)"
    jobs = unfinished_jobs(cluster, condition)
    if condition.state == "any":
        jobs += [j for j in cluster.job_history if is_one_of(j, wanted)]
        if not jobs and _history_is_cut(cluster):
            return Answer.UNKNOWN, f"no {names} job among the newest, older ones were not looked at"
    if not jobs:
        return Answer.NO, f"there is no {names} job"
    ids = [str(job.job_id) for job in jobs]
    if condition.state != "any" or not _history_is_cut(cluster):  # else there may be more of them
        judged.jobs += [each for each in ids if each not in judged.jobs]
    judged.evidence["jobs"] = ids[:50]
    certain = [job for job in jobs if _is_it(job, condition)]
    if certain:
        return Answer.YES, f"{names} job {listed((job.job_id for job in certain), 5)}"
    return Answer.UNKNOWN, f"maybe a {names} job: {listed((job.job_id for job in jobs), 5)}"


def unfinished_jobs(cluster: Cluster, condition: JobCondition) -> list[JobRow]:
    """The jobs that have not ended and that the condition may be about. Raises `NotCollected`."""
    wanted = set(condition.types)
    jobs = [j for j in cluster.active_jobs if not wanted or is_one_of(j, wanted) or is_unnamed(j)]
    if condition.state == "running":
        jobs = [j for j in jobs if not is_paused(j)]
    if condition.high_water == "absent":
        jobs = [j for j in jobs if j.has_high_water is not True]
    return jobs


def _job_count(
    cluster: Cluster, condition: JobCondition, evidence: dict[str, Any]
) -> tuple[Answer, str]:
    count = len(unfinished_jobs(cluster, condition))
    evidence["unfinished_jobs"] = count
    section = cluster.snapshot.active_jobs
    if count >= condition.at_least:
        return Answer.YES, f"there are {count} unfinished jobs"
    if isinstance(section, Collected) and section.truncated:
        return Answer.UNKNOWN, f"there are {count} unfinished jobs among those that were read"
    return Answer.NO, f"there are {count} unfinished jobs, fewer than {condition.at_least}"


def _is_it(job: JobRow, condition: JobCondition) -> bool:
    if condition.high_water == "absent" and job.has_high_water is not False:
        return False
    return is_one_of(job, condition.types)


def _history_is_cut(cluster: Cluster) -> bool:
    section = cluster.snapshot.job_history
    return isinstance(section, Collected) and section.truncated


def feature_found(cluster: Cluster, name: str) -> tuple[bool | None, int | None]:
    """Say whether the cluster has a feature, and how many times: None where nobody could tell."""
    section = cluster.snapshot.features
    if not isinstance(section, Collected):
        return None, None
    row = next((row for row in section.rows if row.name == name), None)
    return (None, None) if row is None else (row.used, row.count)


def _feature(cluster: Cluster, name: str, what: str, evidence: dict[str, Any]) -> tuple[Answer, str]:
    row = next((row for row in cluster.rows("features") if row.name == name), None)
    if row is None:
        return Answer.UNKNOWN, f"this gateway was not asked for {what}"
    evidence[name] = row.used
    if row.used is None:
        return Answer.UNKNOWN, f"whether the cluster has {what} could not be read: {row.why}"
    if not row.used:
        return Answer.NO, f"the cluster has no {what}"
    if row.count is not None:
        evidence[name] = row.count
        return Answer.YES, f"the cluster has {what}: {row.count}"
    return Answer.YES, f"the cluster has {what}"


def _license(
    cluster: Cluster, condition: LicenseCondition, evidence: dict[str, Any]
) -> tuple[Answer, str]:
    rows = cluster.rows("license")
    if len(rows) != 1:
        return Answer.UNKNOWN, "whether a license is set could not be read"
    present = rows[0].present
    evidence["license"] = present
    text = "a license is set" if present else "no license is set"
    return (Answer.YES if present is condition.present else Answer.NO), text
