"""Is the target a release one should run?

- start, next-node: block a withdrawn release. Warn about testing releases, cloud-only ones, custom
  builds, builds Cockroach Labs never published, and series out of support.
- finalize, rollback, verify: warn about all of these; the nodes run it already, or did.
- A release that guard knows by its public tag or image only warns: nobody told guard whether it was
  withdrawn or is for CockroachDB Cloud only, and its advisories may be missing.

Not applicable without a target, and to a release that guard's catalog does not hold: see
unlisted-release.

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
}


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding about the release, and one if its series is out of support."""
    target = situation.target
    if target is None:
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "there is no target")
        return
    known = situation.catalog.release(target)
    evidence = {"target": str(target), "status": known.status.value}
    title = _TITLES.get(known.status)
    missing = situation.catalog.advisories_missing(target)
    later = f"; {missing}" if known.known and missing else ""
    if title is not None:
        yield CHECK.finding(
            _outcome(situation.step, known.status),
            title.format(target),
            f"{known.reason}{later}",
            evidence=evidence,
            remedy=_better(situation, target),
        )
    elif known.status is ReleaseStatus.PRODUCTION:
        yield CHECK.finding(
            Outcome.PASS,
            f"{target} is a production release",
            f"{missing[:1].upper()}{missing[1:]}." if missing else "",
            evidence=evidence,
        )
    else:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE, f"guard's catalog does not hold {target}", evidence=evidence
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
    forward = step in (Step.START, Step.NEXT_NODE)
    return Outcome.BLOCK if forward and status is ReleaseStatus.WITHDRAWN else Outcome.WARN


def _better(situation: Situation, target: Build) -> tuple[str, ...]:
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
)
