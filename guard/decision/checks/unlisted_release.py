"""Does guard's catalog hold the target?

What is wrong with a release that came after the catalog, guard cannot know.

- start, next-node: a new *patch* of a series that the catalog knows and that is supported warns; a
  series it does not know, or one older than it, is UNKNOWN.
- finalize, rollback: warn; the nodes run it already, or did. So does rollback of the builds that it
  leaves behind.

Take a newer guard, add records (``guard catalog import``, ``--catalog DIR``), or vouch for the release
in the policy. Waiving this waives nothing else: a release that the catalog knows to be withdrawn is
target-release's.

Not applicable without a target. Reads what the nodes run, if no target is named.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.catalog.answers import ReleaseStatus, SupportPhase
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import agreeing, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build

__all__ = ["CHECK"]

_UNLISTED = frozenset({ReleaseStatus.NEWER_THAN_CATALOG, ReleaseStatus.OUTSIDE_CATALOG})


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding about the target, and in a rollback one about what is left behind."""
    target = situation.target
    if situation.step is Step.ROLLBACK:
        yield from _left_behind(situation)
    if target is None:
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "there is no target")
        return
    known = situation.catalog.release(target)
    evidence = {"target": str(target), "status": known.status.value}
    if known.status not in _UNLISTED:
        yield CHECK.finding(Outcome.PASS, f"guard's catalog knows {target}", evidence=evidence)
        return
    forward = situation.step in (Step.START, Step.NEXT_NODE)
    patch = _is_patch_of_known_series(situation, target)
    newer = situation.catalog.is_newer(target)
    yield CHECK.finding(
        Outcome.UNKNOWN if forward and not patch else Outcome.WARN,
        f"{target} is {'newer' if newer else 'older'} than guard's catalog",
        f"{known.reason}. "
        + (
            f"It is a patch of v{target.series}, which is supported; what it repairs or breaks guard "
            "cannot know."
            if patch
            else "Its advisories guard cannot know."
        ),
        evidence=evidence,
        remedy=(
            "Take a newer guard, or add records of newer releases: guard catalog import, --catalog DIR",
            *(
                (
                    "Or vouch for it in the policy file (vouched; guard policy init shows how), or for "
                    "this run: --accept unlisted-release --reason '...'",
                )
                if forward and not patch
                else ()
            ),
        ),
    )


def _left_behind(situation: Situation) -> Iterator[Finding]:
    """The builds that nodes run and that are not the target, if the catalog does not hold them."""
    builds = {n.build for n in situation.cluster.members if n.build is not None}
    unlisted = sorted(
        build
        for build in builds
        if build != situation.target and situation.catalog.release(build).status in _UNLISTED
    )
    if unlisted:
        nodes = [n for n in situation.cluster.members if n.build in unlisted]
        yield CHECK.finding(
            Outcome.WARN,
            f"{listed(unlisted)}, which {listed(n.name for n in nodes)} "
            f"{agreeing(len(nodes), 'leaves', 'leave')}, guard's catalog does not hold",
            "Whether something of it stands in the way of going back guard cannot know.",
            evidence={"builds": [str(build) for build in unlisted]},
            nodes=nodes,
        )


def _is_patch_of_known_series(situation: Situation, target: Build) -> bool:
    if target.series not in situation.catalog.series or not target.is_production:
        return False
    today = situation.cluster.snapshot.taken_at.date()
    return situation.catalog.support(target, today).phase is not SupportPhase.ENDED


CHECK = Check(
    id="unlisted-release",
    title="guard's catalog holds the target",
    reads=("gossip_nodes",),
    docs=f"{DOCS}/releases/",
    explain=__doc__,
    run=run,
)
