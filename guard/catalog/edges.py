"""What an edge of a record says by itself: on which hop it lies, which build decides, what it bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.records import Advisory, Edge
    from guard.versions import Series

__all__ = ["ANY", "decides", "edges_of", "forbids"]

ANY: Final = "any"
"""An edge's source or target that stands for every series."""


def edges_of(advisory: Advisory, source: Series, target: Series) -> Iterator[Edge]:
    """Yield the edges of an advisory that lie on this hop; a patch upgrade is a hop within a series."""
    for edge in advisory.edges:
        if edge.source in (ANY, str(source)) and edge.target in (ANY, str(target)):
            yield edge


def decides(edge: Edge) -> Literal["target", "running", "edge"]:
    """Which build makes an edge bite."""
    return "edge" if edge.target_affected_only is False else edge.bites


def forbids(edge: Edge) -> bool:
    """True for an edge that blocks a step of the way forward, and that another target avoids."""
    forward = not {"start", "next-node", "finalize"}.isdisjoint(edge.steps)
    return forward and edge.effect == "block" and decides(edge) != "running"


def avoids(advisory: Advisory, edge: Edge) -> bool:
    """True for an edge of a hazard that a plan avoids, where a patch repairs it, even if it warns."""
    if not advisory.is_hazard:
        return False
    forward = not {"start", "next-node", "finalize"}.isdisjoint(edge.steps)
    return forward and decides(edge) == "target"


def prepares(advisory: Advisory, edge: Edge) -> bool:
    """True for an edge for whose sake the old series is patched first."""
    if not advisory.is_hazard:
        return forbids(edge)
    return decides(edge) == "running" and "start" in edge.steps
