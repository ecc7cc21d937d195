"""Where an advisory bites on the way from one release to another: the one rule of plan and check.

An edge of a record says which build decides (`Edge.bites`): the one being moved to, one that runs
now and is restarted, or none, because the upgrade itself does the harm. Besides, every record whose
trigger is not the upgrade is a defect of the builds it names: whoever moves to one of them has it
afterwards, and is told while a patch of its series repairs it, whatever runs now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guard.catalog import releases
from guard.catalog.affected import affects
from guard.catalog.answers import Answer
from guard.catalog.edges import ANY, decides, edges_of
from guard.catalog.records import Category, Trigger
from guard.catalog.releases import build_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from guard.catalog.answers import AffectedAnswer
    from guard.catalog.records import Advisory, AffectedRange, Condition, Edge, SeriesRecord
    from guard.versions import Build, Series

__all__ = ["Bite", "destroys", "in_target", "on_edges", "repaired_in"]


class Bite(msgspec.Struct, frozen=True):
    """An advisory that has to do with a step, and why.

    Attributes:
        edge: the edge it bites on; None for a defect of the target.
        affected: whether the builds that decide are affected; NO only on an edge that is named.
        ranges: the ranges of the record that say so.
        builds: the builds that decide; empty where the upgrade itself does the harm.
        lasting: every node that runs (on an edge: that the step restarts) has the defect already.
        repaired_in: the first later release of the target's series without it, None if none has.
        reason: all that in words.
    """

    advisory: Advisory
    edge: Edge | None
    affected: Answer
    ranges: tuple[AffectedRange, ...]
    builds: tuple[Build, ...]
    lasting: bool
    repaired_in: Build | None
    reason: str

    @property
    def changes_nothing(self) -> bool:
        """True for a defect that is there already and that no release of the series is free of."""
        curable = any(affected.conditions for affected in self.ranges)
        return self.lasting and self.repaired_in is None and not curable

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that must hold besides, so that it really bites."""
        own = self.edge.conditions if self.edge is not None else ()
        ranges = tuple(each for affected in self.ranges[:1] for each in affected.conditions)
        return (*own, *self.advisory.conditions, *ranges)


def destroys(advisory: Advisory) -> bool:
    """True for what costs data."""
    return advisory.category in (Category.DATA_LOSS, Category.CORRUPTION)


def on_edges(
    catalog: Mapping[Series, SeriesRecord],
    advisory: Advisory,
    source: Series,
    target: Build,
    step: str,
    running: Sequence[Build | None],
) -> Iterator[Bite]:
    """Yield what each edge on this hop makes of a step.

    Args:
        catalog: the series records.
        advisory: the record.
        source: the series that is active.
        target: the build being moved to; on a rollback the one to be put back.
        step: the step.
        running: builds of the nodes that the step restarts; while finalizing and afterwards of all
            members. None for a build that is not known.
    """
    for edge in edges_of(advisory, source, target.series):
        if step not in edge.steps:
            continue
        if decides(edge) == "edge":
            yield _bite(catalog, advisory, edge, Answer.YES, (), target, running)
            continue
        builds = _deciding(edge, target, step, running)
        answers = [affects(catalog, advisory, build) for build in dict.fromkeys(builds) if build]
        hit = [answer for answer in answers if answer.affected is Answer.YES]
        doubt = [answer for answer in answers if answer.affected is Answer.UNKNOWN]
        if hit or doubt:
            answer = Answer.YES if hit else Answer.UNKNOWN
            yield _bite(catalog, advisory, edge, answer, hit or doubt, target, running)
        elif None in builds and _any_range(advisory, source, target):
            yield _bite(catalog, advisory, edge, Answer.UNKNOWN, (), target, running)
        elif ANY not in (edge.source, edge.target):
            yield _bite(catalog, advisory, edge, Answer.NO, answers, target, running)


def _deciding(
    edge: Edge, target: Build, step: str, running: Sequence[Build | None]
) -> Sequence[Build | None]:
    if decides(edge) == "running":
        return running
    if step in ("finalize", "verify"):
        return [build for build in running if build and build.series == target.series] or [target]
    return [target]


def _any_range(advisory: Advisory, source: Series, target: Build) -> bool:
    """True if a node of an unknown build may run an affected one."""
    return any(each.series in (str(source), str(target.series)) for each in advisory.affected)


def _bite(
    catalog: Mapping[Series, SeriesRecord],
    advisory: Advisory,
    edge: Edge,
    affected: Answer,
    answers: Sequence[AffectedAnswer],
    target: Build,
    running: Sequence[Build | None],
) -> Bite:
    reason = "; ".join(answer.reason for answer in answers)
    if not answers:
        reason = (
            f"it bites on every upgrade from v{edge.source} to v{edge.target}"
            if affected is Answer.YES
            else "the build of a node is not known"
        )
    return Bite(
        advisory=advisory,
        edge=edge,
        affected=affected,
        ranges=tuple(answer.range for answer in answers if answer.range is not None),
        builds=tuple(answer.build for answer in answers),
        lasting=_already(catalog, advisory, running),
        repaired_in=repaired_in(catalog, advisory, target),
        reason=reason,
    )


def in_target(
    catalog: Mapping[Series, SeriesRecord],
    advisory: Advisory,
    target: Build,
    running: Sequence[Build | None],
) -> Bite | None:
    """Say whether an advisory is a defect of the target, None if not.

    Args:
        catalog: the series records.
        advisory: the record.
        target: the build being moved to.
        running: builds of the members, None for one that is not known.
    """
    if advisory.trigger is Trigger.UPGRADE:
        return None
    answer = affects(catalog, advisory, target)
    if answer.affected is Answer.NO:
        return None
    defect = answer.range.defect if answer.range is not None else ""
    return Bite(
        advisory=advisory,
        edge=None,
        affected=answer.affected,
        ranges=(answer.range,) if answer.range is not None else (),
        builds=(target,),
        lasting=_already(catalog, advisory, running),
        repaired_in=repaired_in(catalog, advisory, target),
        reason=f"{answer.reason}: {defect}" if defect else answer.reason,
    )


def _already(
    catalog: Mapping[Series, SeriesRecord], advisory: Advisory, running: Sequence[Build | None]
) -> bool:
    return bool(running) and all(
        build is not None and _has_it(affects(catalog, advisory, build))
        for build in dict.fromkeys(running)
    )


def _has_it(answer: AffectedAnswer) -> bool:
    """True for a build that has the defect for certain, not only unless something is switched on."""
    return answer.affected is Answer.YES and answer.range is not None and not answer.range.conditions


def repaired_in(
    catalog: Mapping[Series, SeriesRecord], advisory: Advisory, build: Build
) -> Build | None:
    """Give the first release of the build's series, newer than it, that is free of an advisory."""
    record = catalog.get(build.series)
    good = () if record is None else reversed(releases.installable(record))
    for other, _ in good:
        if other > build and affects(catalog, advisory, other).affected is Answer.NO:
            return other
    named = affects(catalog, advisory, build).range  # a user's record may know a newer build
    if named is None or named.fixed is None:
        return None
    fixed = build_of(named.fixed)
    return fixed if affects(catalog, advisory, fixed).affected is Answer.NO else None
