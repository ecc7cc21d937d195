"""A short token of the state a verdict rests on: check, approve and act without a gap. Pure.

What always moves (times of status records and liveness, a job's progress, jobs that the cluster
starts for itself) is left out, so the token of a quiet cluster stays the same.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec

from guard.cluster.jobs import is_possible_backup
from guard.cluster.missing import NotCollected
from guard.cluster.schedules import due_schedules
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, JobRow, Snapshot, Unavailable

__all__ = ["fingerprint", "is_fingerprint", "moved"]

_LENGTH: Final = 16
_TOKEN: Final = re.compile(rf"[0-9a-f]{{{_LENGTH}}}", re.ASCII)

_COUNTED_JOBS: Final = frozenset(
    {"RESTORE", "IMPORT", "SCHEMA CHANGE", "TYPEDESC SCHEMA CHANGE", "NEW SCHEMA CHANGE", "MIGRATION"}
)
"""Jobs that count beside backups. The others come and go by themselves."""


def is_fingerprint(text: str) -> bool:
    """True if the text looks like a token that `fingerprint` gives."""
    return _TOKEN.fullmatch(text) is not None


def fingerprint(situation: Situation) -> str:
    """The token: 16 hexadecimal digits. Whatever could not be seen is a part of the state as well."""
    cluster = situation.cluster
    snapshot = cluster.snapshot
    state = {
        "step": situation.step.value,
        "target": str(situation.target),
        "node": situation.node_id,
        "cluster": _values(snapshot.variables, "cluster_id"),
        "members": [
            [
                each.node_id,
                each.build_tag,
                each.membership,
                each.liveness.value,
                each.started_at.isoformat() if each.started_at else None,
            ]
            for each in sorted(cluster.nodes, key=lambda each: each.node_id)
            if each.membership != "decommissioned"
        ],
        "settings": sorted((row.name, row.value or "") for row in _rows(snapshot.settings)),
        "version": sorted(row.version for row in _rows(snapshot.kv_version)),
        "jobs": sorted((job.job_id, job.status) for job in _rows(snapshot.active_jobs) if _counts(job)),
        "due": _due(situation),
        "sections": _sight(snapshot),
    }
    return hashlib.sha256(msgspec.json.encode(state, order="deterministic")).hexdigest()[:_LENGTH]


def moved(expected: str, actual: str) -> Finding:
    """The finding that answers ``--expect-fingerprint``."""
    same = expected == actual
    return Finding(
        check="fingerprint",
        outcome=Outcome.PASS if same else Outcome.BLOCK,
        title="the state is the one that was approved"
        if same
        else "the state has moved since the fingerprint was taken",
        detail=""
        if same
        else f"Expected {expected}, found {actual}: nodes, versions, settings, jobs or schedules are "
        "not what they were, or the question is another one (step, target, node).",
        evidence={"expected": expected, "found": actual},
        remedy=() if same else ("Read this report, and approve its fingerprint if it is right.",),
    )


def _counts(job: JobRow) -> bool:
    return is_possible_backup(job) or (job.job_type or "").upper() in _COUNTED_JOBS


def _rows(section: Collected[Any] | Unavailable) -> tuple[Any, ...]:
    return section.rows if isinstance(section, Collected) else ()


def _values(section: Collected[Any] | Unavailable, name: str) -> list[str]:
    return sorted(row.value for row in _rows(section) if row.name == name)


def _due(situation: Situation) -> list[int]:
    try:
        return sorted(
            schedule.schedule_id for schedule in due_schedules(situation.cluster, situation.window)
        )
    except (NotCollected, OverflowError):
        return []  # not seen, which is among the sections; or a clock at the end of the calendar


def _sight(snapshot: Snapshot) -> dict[str, str]:
    """Which sections were seen; the reason for each that was not."""
    found: dict[str, str] = {}
    for name in snapshot.__struct_fields__:
        section = getattr(snapshot, name)
        if isinstance(section, Collected):
            found[name] = "collected"
        elif isinstance(section, Unavailable):
            found[name] = section.reason.value
    return found
