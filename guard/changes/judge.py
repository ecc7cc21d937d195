"""Judge every change on the way from one series to another on a snapshot, or merely list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard import __version__
from guard.catalog.answers import Answer
from guard.catalog.changes import between
from guard.changes.probes import Found, answer, sections_of
from guard.changes.result import ChangesReport, Concern, JudgedChange, JudgedSeries
from guard.snapshot.model import Connection
from guard.versions import Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guard.catalog import Catalog
    from guard.catalog.change_records import Change, Probe
    from guard.cluster.picture import Cluster

__all__ = ["judge", "sections_needed"]


def judge(catalog: Catalog, source: Series, target: Series, cluster: Cluster | None) -> ChangesReport:
    """Judge the changes of every series after `source` up to `target`.

    Args:
        catalog: whose changes.
        source: the series of the cluster version.
        target: the series it is to reach.
        cluster: the cluster; None to list the changes without looking at one.
    """
    known = catalog.changes
    way = {changes.series: changes for changes in between(known, source, target)}
    passed = {series for series in catalog.series if source < series <= target} | {target}
    if target <= source:
        passed = set()
    judged = [
        JudgedSeries(
            series=f"v{series}",
            changes=tuple(_judged(change, cluster) for change in way[series].changes),
            docs=way[series].source,
        )
        if series in way
        else JudgedSeries(series=f"v{series}", changes=(), known=False)
        for series in sorted(passed | set(way))
    ]
    snapshot = cluster.snapshot if cluster is not None else None
    gateway = None
    if snapshot is not None and isinstance(snapshot.connection, Connection):
        gateway = snapshot.connection.where
    return ChangesReport(
        source=f"v{source}",
        target=f"v{target}",
        series=tuple(judged),
        guard_version=__version__,
        catalog_date=catalog.date,
        taken_at=snapshot.taken_at if snapshot is not None else None,
        gateway=gateway,
    )


def sections_needed(catalog: Catalog, source: Series, target: Series) -> frozenset[str]:
    """The sections of the snapshot that the changes on the way read."""
    return frozenset(
        section
        for changes in between(catalog.changes, source, target)
        for change in changes.changes
        for probe in (*change.settled_if, *change.concerned_if, *change.ask_if)
        for section in sections_of(probe)
    )


def _judged(change: Change, cluster: Cluster | None) -> JudgedChange:
    concern, found = _concern(change, cluster)
    asks = concern in (Concern.ASK, Concern.LISTED, Concern.COULD_NOT_LOOK)
    return JudgedChange(
        id=change.id,
        kind=change.kind.value,
        effect=change.effect.value,
        concern=concern,
        sentence=change.sentence,
        evidence=found.evidence,
        question=change.question if asks else "",
        before=change.before,
        after=change.after,
        docs=change.source,
        judged_by=change.judged_by,
        remedy=found.remedy if concern is Concern.COULD_NOT_LOOK else (),
    )


def _concern(change: Change, cluster: Cluster | None) -> tuple[Concern, Found]:
    """Three-valued all the way: what could not be looked at is never "does not concern"."""
    if cluster is None:
        return Concern.LISTED, Found(Answer.UNKNOWN, "")
    settled = _any(change.settled_if, cluster)
    if settled.answer is Answer.YES:
        return Concern.NOT_CONCERNED, settled
    concerned = _any(change.concerned_if, cluster)
    if concerned.answer is Answer.YES:
        return Concern.CONCERNS, concerned
    if concerned.answer is Answer.UNKNOWN:
        return Concern.COULD_NOT_LOOK, concerned
    if change.question and not change.ask_if:
        return Concern.ASK, concerned
    asks = _any(change.ask_if, cluster)
    return {
        Answer.YES: Concern.ASK,
        Answer.NO: Concern.NOT_CONCERNED,
        Answer.UNKNOWN: Concern.COULD_NOT_LOOK,
    }[asks.answer], (asks if change.ask_if else concerned)


def _any(probes: Iterable[Probe], cluster: Cluster) -> Found:
    """Yes if any probe says yes, no if all say no, else unknown; no probe at all is a no."""
    found = [answer(probe, cluster) for probe in probes]
    for wanted in (Answer.YES, Answer.UNKNOWN):
        for each in found:
            if each.answer is wanted:
                return each
    return Found(Answer.NO, "; ".join(each.evidence for each in found))
