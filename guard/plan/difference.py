"""What going from one build to another changes: advisories cured, brought in, met on the way."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from guard.catalog.answers import Answer
from guard.catalog.edges import decides, edges_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.catalog import Catalog
    from guard.catalog.records import Advisory
    from guard.versions import Build

__all__ = ["Change", "Changed", "difference"]


class Change(StrEnum):
    """What happens to an advisory between two builds."""

    CURED = "cured"
    INTRODUCED = "introduced"
    ON_THE_WAY = "on-the-way"
    UNKNOWN = "unknown"


class Changed(msgspec.Struct, frozen=True):
    """One advisory, what happens to it, and why."""

    advisory: Advisory
    change: Change
    reason: str


def difference(catalog: Catalog, old: Build, new: Build) -> Iterator[Changed]:
    """Yield the advisories that differ between two builds or bite on the upgrade between them.

    An advisory that affects both or neither and names no edge between their series is left out.
    """
    if old == new:
        return
    for advisory in catalog.advisories.values():
        before, after = catalog.affects(advisory, old), catalog.affects(advisory, new)
        edges = list(edges_of(advisory, old.series, new.series))
        pair = (before.affected, after.affected)
        if Answer.UNKNOWN in pair:
            unsure = before if before.affected is Answer.UNKNOWN else after
            yield Changed(advisory, Change.UNKNOWN, unsure.reason)
        elif pair == (Answer.YES, Answer.NO):
            yield Changed(advisory, Change.CURED, f"{before.reason}; {after.reason}")
        elif pair == (Answer.NO, Answer.YES):
            yield Changed(advisory, Change.INTRODUCED, f"{before.reason}; {after.reason}")
        elif edges := [edge for edge in edges if Answer.YES in pair or decides(edge) == "edge"]:
            steps = ", ".join(dict.fromkeys(step for edge in edges for step in edge.steps))
            yield Changed(advisory, Change.ON_THE_WAY, f"bites during this upgrade, at: {steps}")
