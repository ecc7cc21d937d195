"""What ``guard windows``, ``plan`` and ``restore`` print as JSON, as types: their published schemas."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

__all__ = ["PlanAnswer", "RestoreAnswer", "plan_schema", "restore_schema", "windows_schema"]

_Answer = Literal["yes", "no", "unknown"]


class AdvisoryOnTheWay(msgspec.Struct, frozen=True, kw_only=True):
    """An advisory that counts on a hop. `effect` is "block" or "warn"; `steps` where it bites."""

    id: str
    title: str
    category: str
    effect: str
    steps: tuple[str, ...]
    affected_before: bool
    reason: str
    conditions: str
    mitigation: dict[str, Any]
    docs: str


class PatchBefore(msgspec.Struct, frozen=True, kw_only=True):
    """A patch upgrade that comes before a hop."""

    release: str
    reason: str
    advisories: tuple[AdvisoryOnTheWay, ...]


class HopAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """One hop. `state` is "to-come", or how far it is: "rolling", "not-final", "finalizing"."""

    source: str
    target: str
    release: str
    skips: tuple[str, ...]
    reasons: tuple[str, ...]
    before: tuple[PatchBefore, ...]
    advisories: tuple[AdvisoryOnTheWay, ...]
    keep_way_back: tuple[str, ...]
    finalize: tuple[str, ...]
    restorable: tuple[str, ...]
    no_longer_restorable: tuple[str, ...]
    archive: tuple[str, ...]
    state: Literal["to-come", "rolling", "not-final", "finalizing"]
    nodes_left: tuple[str, ...]


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """What ``guard plan --format json`` prints.

    `instead` is the build the hops lead to, where it is not the one that was asked for; `standing`
    where the cluster is, in words, with an upgrade under way.
    """

    source: str
    standing: str | None
    target: str
    supported: bool
    answer: _Answer
    exit_code: int
    reason: str
    instead: str | None
    hops: tuple[HopAnswer, ...]
    catalog_date: dt.date
    releases_until: dt.date
    advisories_until: dt.date


class RestoreAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``guard restore --format json`` prints. `allowed` is null where it cannot be told."""

    backup: str
    into: str
    full_cluster: bool
    allowed: bool | None
    answer: _Answer
    basis: str
    reason: str
    into_build: str | None
    exceptions: tuple[str, ...]
    advisories: tuple[str, ...]
    docs: str
    catalog_date: dt.date
    exit_code: int


def _schema(title: str, of: Any) -> dict[str, Any]:  # noqa: ANN401 - a type
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": title, **msgspec.json.schema(of)}


def plan_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a plan."""
    return _schema("guard plan", PlanAnswer)


def restore_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of an answer about a restore."""
    return _schema("guard restore", RestoreAnswer)


def windows_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the quiet windows."""
    from guard.decision.quiet_windows import WindowsAnswer

    return _schema("guard windows", WindowsAnswer)
