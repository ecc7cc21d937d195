"""Is the target a release one should run?

- start, next-node, rollback: block a withdrawn release. Warn about testing releases, cloud-only
  ones, custom builds, builds Cockroach Labs never published, and series out of support.
- finalize: warn about all of these; the nodes run it already.
- A release that guard knows by its public tag or image only warns: nobody told guard whether it was
  withdrawn or is for CockroachDB Cloud only, and its advisories may be missing.

A release newer than guard's catalog is UNKNOWN: guard cannot tell what is wrong with it. Take a newer
guard, or add records with ``--catalog``.

Source: the list of releases in the documentation, as the catalog holds it. Reads what
the nodes run, if no target is named.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.catalog.answers import ReleaseStatus, SupportPhase
from guard.decision.check_definition import DOCS, Check
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build

__all__ = ["CHECK"]

_TITLES = {
    ReleaseStatus.TESTING: "{} is a testing release, not meant for production",
    ReleaseStatus.PRODUCTION_BY_TAG: "{} is a production release by its name; guard knows no more",
    ReleaseStatus.WITHDRAWN: "{} was withdrawn",
    ReleaseStatus.CLOUD_ONLY: "{} is published for CockroachDB Cloud only",
    ReleaseStatus.CUSTOM: "{} is a custom build that guard knows nothing of",
    ReleaseStatus.NOT_PUBLISHED: "{} was never published",
    ReleaseStatus.OUTSIDE_CATALOG: "{} is older than guard's catalog",
    ReleaseStatus.NEWER_THAN_CATALOG: "{} is newer than guard's catalog",
}


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding about the release, and one if its series is out of support."""
    target = situation.target
    if target is None:
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "there is no target")
        return
    known = situation.catalog.release(target)
    status = known.status
    if status is ReleaseStatus.OUTSIDE_CATALOG and situation.catalog.is_newer(target):
        status = ReleaseStatus.NEWER_THAN_CATALOG  # a whole series that came later
    evidence = {"target": str(target), "status": status.value}
    missing = situation.catalog.advisories_missing(target)
    if status is ReleaseStatus.PRODUCTION:
        yield CHECK.finding(
            Outcome.PASS,
            f"{target} is a production release",
            f"{missing[:1].upper()}{missing[1:]}." if missing else "",
            evidence=evidence,
        )
    else:
        later = f"; {missing}" if known.known and missing else ""
        yield CHECK.finding(
            _outcome(situation.step, status),
            _TITLES[status].format(target),
            f"{known.reason}{later}",
            evidence=evidence,
            remedy=_remedy(situation, target, status),
        )
    support = situation.catalog.support(target, situation.cluster.snapshot.taken_at.date())
    if support.phase is SupportPhase.ENDED:
        yield CHECK.finding(
            Outcome.WARN,
            f"v{target.series} is out of support",
            support.reason,
            evidence={"target": str(target), "until": support.until},
        )


def _outcome(step: Step, status: ReleaseStatus) -> Outcome:
    if status is ReleaseStatus.WITHDRAWN:
        return Outcome.WARN if step is Step.FINALIZE else Outcome.BLOCK
    if status is ReleaseStatus.NEWER_THAN_CATALOG:
        return Outcome.WARN if step is Step.FINALIZE else Outcome.UNKNOWN
    return Outcome.WARN


def _remedy(situation: Situation, target: Build, status: ReleaseStatus) -> tuple[str, ...]:
    if status is ReleaseStatus.NEWER_THAN_CATALOG:
        return (
            "Take a newer guard, or give records of newer releases: --catalog DIR",
            "Or take the responsibility: --accept target-release --reason '...'",
        )
    newest = situation.catalog.newest_release(target.series)
    if newest.build is not None and newest.build != target:
        return (f"The newest release of the series is {newest.build}.",)
    return ()


CHECK = Check(
    id="target-release",
    title="the target is a release one should run",
    reads=("gossip_nodes",),
    docs=f"{DOCS}/releases/",
    explain=__doc__,
    run=run,
    steps=(Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.ROLLBACK),
)
