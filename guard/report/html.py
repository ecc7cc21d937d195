"""The report as one HTML page: for the change ticket, the CI artifact, and the person who approves."""

from __future__ import annotations

from collections import Counter
from typing import Final

from guard.decision.result import Decision, NodeSummary, Outcome
from guard.report.html_page import page, timeline_values
from guard.report.interface import Options
from guard.report.words import exit_reason, facts, not_judged, verdict_meaning

__all__ = ["render"]

_SECTIONS: Final = (
    ("What blocks", Outcome.BLOCK),
    ("What guard could not establish", Outcome.UNKNOWN),
    ("Warnings", Outcome.WARN),
)
_FOLDED: Final = (("Passed", Outcome.PASS), ("Not applicable", Outcome.NOT_APPLICABLE))
_MAX_NODES: Final = 1000
_MAX_PLACES: Final = 100


def render(decision: Decision, options: Options) -> str:
    """The decision as a page that needs no other file, no script and no network."""
    sections = []
    following: list[str] = []
    for heading, outcome in _SECTIONS:
        told, silent = not_judged(decision, decision.of(outcome))
        sections.append((heading, outcome.value, told))
        following += silent
    sections.append(("Waived (would count otherwise)", "waived", list(decision.waived)))
    nodes = decision.cluster.nodes
    full = not options.quiet
    return page(
        "check.html",
        verdict=decision.verdict.value.upper(),
        verdict_class=decision.verdict.value,
        meaning=verdict_meaning(decision),
        code=int(decision.exit_code(options.fail_on)),
        why=exit_reason(decision, options.fail_on),
        facts=[*facts(decision, options.now), *_cluster(decision)] if full else [],
        sections=sections if full else [],
        following=", ".join(following),
        nodes=nodes[:_MAX_NODES] if full else (),
        more_nodes=max(len(nodes) - _MAX_NODES, 0),
        builds=_builds(nodes),
        folded=[(heading, decision.of(outcome)) for heading, outcome in _FOLDED] if full else [],
        notices=decision.notices if full else (),
        guard_version=decision.guard_version,
        catalog_date=decision.catalog_date,
        localities=_localities(nodes),
        **timeline_values(decision.timeline if full else None),
    )


def _cluster(decision: Decision) -> list[tuple[str, str]]:
    return [("cluster", decision.cluster.cluster_id)] if decision.cluster.cluster_id else []


def _localities(nodes: tuple[NodeSummary, ...]) -> list[tuple[str, str]]:
    """Member nodes by locality, where there is more than one: how many of each build."""
    members = [node for node in nodes if node.membership != "decommissioned"]
    places = sorted({node.locality or "no locality" for node in members})
    if not 1 < len(places) <= _MAX_PLACES:
        return []
    found = []
    for place in places:
        here = Counter(
            n.build or "unknown build" for n in members if (n.locality or "no locality") == place
        )
        found.append((place, ", ".join(f"{count} on {build}" for build, count in sorted(here.items()))))
    return found


def _builds(nodes: tuple[NodeSummary, ...]) -> list[tuple[str, int, str]]:
    """Member nodes by build: the build, how many, and how many of them are live or not."""
    members = [node for node in nodes if node.membership != "decommissioned"]
    found = []
    for build in sorted({node.build or "unknown build" for node in members}):
        states = Counter(n.liveness.value for n in members if (n.build or "unknown build") == build)
        words = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        found.append((build, sum(states.values()), words))
    return found
