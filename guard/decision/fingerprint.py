"""A short token of the state a verdict rests on: check, approve and act without a gap. Pure.

What always moves (times of status records and liveness, a job's progress, jobs that the cluster
starts for itself) is left out, so the token of a quiet cluster stays the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from guard.cluster.jobs import is_possible_backup
from guard.cluster.missing import NotCollected
from guard.cluster.schedules import due_schedules
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, JobRow, Snapshot, Unavailable

__all__ = ["fingerprint", "is_fingerprint", "moved", "parts_of"]

_LENGTH: Final = 16
_SHOWN: Final = 300  # characters of one side of a change
_LISTED: Final = 500  # jobs or schedules that a report carries one by one
_TOKEN: Final = rf"[0-9a-f]{{{_LENGTH}}}"

_COUNTED_JOBS: Final = frozenset(
    {"RESTORE", "IMPORT", "SCHEMA CHANGE", "TYPEDESC SCHEMA CHANGE", "NEW SCHEMA CHANGE", "MIGRATION"}
)
"""Jobs that count beside backups. The others come and go by themselves."""


def is_fingerprint(text: str) -> bool:
    """True if the text looks like a token that `fingerprint` gives."""
    return re.fullmatch(_TOKEN, text, re.ASCII) is not None


def fingerprint(parts: Mapping[str, Any]) -> str:
    """The token of a state: 16 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:_LENGTH]


def parts_of(situation: Situation) -> dict[str, Any]:
    """The state itself, in values that JSON has. What could not be seen is a part of it as well."""
    cluster = situation.cluster
    snapshot = cluster.snapshot
    parts = {
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
        "jobs": _listed(
            sorted((job.job_id, job.status) for job in _rows(snapshot.active_jobs) if _counts(job))
        ),
        "due": _listed(_due(situation)),
        "sections": _sight(snapshot),
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(parts))
    return plain


def moved(
    expected: str, actual: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> Finding:
    """The finding that answers ``--expect-fingerprint``.

    Args:
        expected: the token that was approved.
        actual: the token of the state as it is.
        before: the parts of the state that was approved, None if only the token was given.
        after: the parts of the state as it is.
    """
    same = expected == actual
    changes = _changes(before, after) if before is not None and not same else {}
    return Finding(
        check="fingerprint",
        outcome=Outcome.PASS if same else Outcome.BLOCK,
        title="the state is the one that was approved"
        if same
        else "the state has moved since the fingerprint was taken",
        detail="" if same else f"Expected {expected}, found {actual}. {_what_moved(before, changes)}",
        evidence={"expected": expected, "found": actual} | ({"moved": changes} if changes else {}),
        remedy=() if same else ("Read this report, and approve its fingerprint if it is right.",),
    )


_NAMES: Final = {
    "members": "nodes",
    "version": "cluster version",
    "jobs": "active jobs",
    "due": "schedules due",
    "sections": "what guard could see",
    "cluster": "cluster id",
}


def _what_moved(before: Mapping[str, Any] | None, changes: Mapping[str, Any]) -> str:
    if before is None:
        return (
            "Nodes, versions, settings, jobs or schedules are not what they were, or the question is "
            "another one (step, target, node). To be told which, give the JSON report that was "
            "approved in place of its token: --expect-fingerprint FILE."
        )
    told = [
        f"{_NAMES.get(name, name)}: {_shown(change['before'])} became {_shown(change['after'])}"
        for name, change in changes.items()
    ]
    return "; ".join(told) + "." if told else "The report's own parts do not say what."


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The parts that differ; of a list or a table only what it had or has alone."""
    found: dict[str, dict[str, Any]] = {}
    for name in (*after, *(each for each in before if each not in after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list):
            old, new = [x for x in old if x not in new], [x for x in new if x not in old]
        elif isinstance(old, dict) and isinstance(new, dict):
            keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            old, new = ({key: each.get(key) for key in keys} for each in (old, new))
        found[name] = {"before": old, "after": new}
    return found


def _listed(entries: list[Any]) -> list[Any]:
    """All of a short list; of a long one its beginning, and a digest that stands for the rest."""
    rest = entries[_LISTED:]
    if not rest:
        return entries
    return [*entries[:_LISTED], f"and {len(rest)} more, digest {fingerprint({'rest': rest})}"]


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
