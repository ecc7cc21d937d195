"""Which sections of a snapshot only this question needs: those that tell what the hop changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.changes.judge import sections_needed
from guard.cluster.hop import hop_of
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.infer import infer_step
from guard.decision.result import Step

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.snapshot.model import Snapshot
    from guard.versions import Build

__all__ = ["further_sections"]


def further_sections(
    snapshot: Snapshot, *, step: Step, target: Build | None, node: int | None, catalog: Catalog
) -> frozenset[str]:
    """The sections to read beside the usual ones: none but before the first node of a major upgrade.

    Args:
        snapshot: what was read so far.
        step: the step in question; AUTO infers it from the snapshot.
        target, node: as `evaluate` takes them.
        catalog: whose changes will be judged.
    """
    if target is None or step not in (Step.START, Step.NEXT_NODE, Step.AUTO):
        return frozenset()
    cluster = Cluster.of(snapshot)
    if step is Step.AUTO:
        step = infer_step(cluster, target, node).step
    try:
        if step is not Step.START and not (
            step is Step.NEXT_NODE and not hop_of(cluster, target).begun
        ):
            return frozenset()
        return sections_needed(catalog, cluster.version.series, target.series)
    except NotCollected:
        return frozenset()
