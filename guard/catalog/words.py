"""A record's ranges and conditions in words, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.catalog.edges import ANY, decides
from guard.catalog.records import (
    FeatureCondition,
    JobCondition,
    LicenseCondition,
    ScheduleCondition,
    SettingCondition,
    UnfinalizedCondition,
    UnreadableCondition,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guard.catalog.records import Advisory, AffectedRange, Condition, Edge

__all__ = ["condition_text", "conditions_text", "edge_text", "range_text", "ranges_text"]


def range_text(affected: AffectedRange) -> str:
    """Say which builds a range holds: ``v21.2.0 up to before v21.2.1``."""
    if affected.fixed is not None:
        return f"{affected.introduced} up to before {affected.fixed}"
    if affected.last_affected is None:
        return f"{affected.introduced} and later of v{affected.series}"
    if affected.introduced == affected.last_affected:
        return f"{affected.introduced}, not repaired in v{affected.series}"
    return f"{affected.introduced} to {affected.last_affected}, not repaired in v{affected.series}"


def edge_text(edge: Edge) -> str:
    """Say when an edge bites, in which steps, and what it does: a sentence without its end."""
    names = [f"v{text}" if text != ANY else "any version" for text in (edge.source, edge.target)]
    way = f"from {names[0]} to {names[1]}"
    what = {
        "target": f"going {way}, to an affected build",
        "running": f"going {way}, restarting a node that runs an affected build",
        "edge": f"going {way}, whatever the builds",
    }[decides(edge)]
    conditions = f", if {conditions_text(edge.conditions)}" if edge.conditions else ""
    does = "blocks" if edge.effect == "block" else "warns"
    return f"{what}{conditions}: {does} at {', '.join(edge.steps)}"


def ranges_text(advisory: Advisory) -> str:
    """Say which builds an advisory affects, series by series."""
    return "; ".join(range_text(affected) for affected in advisory.affected) or "no listed build"


def condition_text(condition: Condition) -> str:
    """Say when a condition holds."""
    match condition:
        case SettingCondition(name=name, equals=equals) if equals:
            return f"cluster setting {name} is {_values(equals)}"
        case SettingCondition(name=name, differs=differs):
            return f"cluster setting {name} is not {_values(differs)}"
        case JobCondition(types=(), at_least=at_least):
            return f"there are {at_least} unfinished jobs or more"
        case JobCondition(types=types, state=state, high_water=high_water):
            kind = {"active": "an unfinished", "running": "a running", "any": "any"}[state]
            scanning = " in its initial scan" if high_water == "absent" else ""
            return f"there is {kind} {' or '.join(types)} job{scanning}"
        case ScheduleCondition(label_prefix=prefix):
            return f"there is a schedule named {prefix}…"
        case FeatureCondition(name=name, what=what):
            return f"the cluster has {what or name}"
        case LicenseCondition(present=present):
            return "a license is set" if present else "no license is set"
        case UnfinalizedCondition(series=series):
            return f"the cluster version is below {series}"
        case UnreadableCondition(ask=ask):
            return f"a person finds that it does: {ask}"


def _values(values: tuple[str, ...]) -> str:
    return " or ".join(value or "empty" for value in values)


def conditions_text(conditions: Iterable[Condition]) -> str:
    """Say under which conditions, all of which must hold, an advisory applies; empty if under all."""
    return "; and ".join(condition_text(condition) for condition in conditions)
