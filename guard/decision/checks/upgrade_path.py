"""Does CockroachDB support going from this series straight to the target's?

A cluster is upgraded from one regular series to the next. From v24.1 on it may go over an
innovation release to the next regular one (24.1 to 24.3); an innovation release goes only to the
series right after it. The series that counts is the cluster version's, not the binaries': an
unfinalized upgrade has not arrived yet.

- start, next-node: block unless the hop is supported, or if the target is older than what runs;
  UNKNOWN without a target, and where the catalog does not know the series. A cluster on a testing
  release goes to a production release of its own series before it goes to another one, and from an
  alpha there is no way to any production release, its own series' included.
- rollback: block unless it leads back to the series the cluster came from; where every node is new
  already and no build is named, warn, and say which series to put back. Not applicable while the
  upgrade is being finalized: there is no way back any more.

Source: the upgrade overview of the documentation, as the catalog holds it. Reads the cluster
version and the nodes' builds.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.catalog.answers import Answer
from guard.catalog.hops import no_way_out
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build, Series

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    target, active = situation.target, situation.cluster.active_series
    newest = max((n.build for n in situation.cluster.members if n.build), default=None)
    if situation.step is Step.ROLLBACK:
        yield _rollback(situation, target, newest)
        return
    if target is None:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            "there is no build to go to",
            "No node runs an older build of the active series, and none was named.",
            remedy=("Name it: --target vX.Y.Z",),
        )
        return
    evidence = {"from": str(active), "to": str(target)}
    if newest is not None and target.release < newest.release:  # a custom build is of its release
        yield CHECK.finding(
            Outcome.BLOCK,
            f"the target {target} is older than {newest}, which a node runs",
            "That is not an upgrade.",
            evidence=evidence | {"newest": str(newest)},
            remedy=(_instead_of_older(target, newest, active),),
        )
        return
    testing = _testing(situation, target)
    if testing is not None:
        yield testing
        return
    if target.series == active:
        yield CHECK.finding(
            Outcome.PASS, f"{target} is a patch of the active series v{active}", evidence=evidence
        )
        return
    answer = situation.catalog.upgrade_allowed(active, target.series)
    outcome = {
        Answer.YES: Outcome.PASS,
        Answer.NO: Outcome.BLOCK,
        Answer.UNKNOWN: Outcome.UNKNOWN,
    }[answer.supported]
    title = {
        Answer.YES: f"v{active} to v{target.series} is a supported hop",
        Answer.NO: f"v{active} cannot be upgraded straight to v{target.series}",
        Answer.UNKNOWN: f"whether v{active} may go to v{target.series} is not known",
    }[answer.supported]
    yield CHECK.finding(
        outcome,
        title,
        answer.reason,
        evidence=evidence | {"skips": [str(series) for series in answer.skips]},
        remedy=()
        if outcome is Outcome.PASS
        else (
            *(_take_back(situation, target) if outcome is Outcome.BLOCK else ()),
            f"See the way there: guard plan --from v{active} --to {target}",
        ),
    )


def _take_back(situation: Situation, target: Build) -> tuple[str, ...]:
    """The remedy for a hop that is none and was begun all the same."""
    active = situation.cluster.active_series
    over = [n.name for n in situation.cluster.members if n.build and n.build.series == target.series]
    if situation.step is not Step.NEXT_NODE or not over:
        return ()
    return (f"Put {listed(over)} back on v{active}: guard check --step rollback --target v{active}.Z",)


def _instead_of_older(target: Build, newest: Build, active: Series) -> str:
    """The remedy for a target older than what runs: back to it, on with what runs, or neither."""
    if target.series == active:
        return f"If you want to go back: guard check --step rollback --target {target}"
    if target.series > active:
        return f"Go on with what runs already: --target {newest}"
    return f"There is no way back from cluster version {active} but a restore. Name a newer target."


def _testing(situation: Situation, target: Build) -> Finding | None:
    """The objection to leaving a testing release for this target, if a node runs one."""
    testing = sorted({n.build for n in situation.cluster.members if n.build and n.build.is_prerelease})
    alphas = [build for build in testing if no_way_out(build)]
    if alphas and not target.is_prerelease:
        return CHECK.finding(
            Outcome.BLOCK,
            f"{alphas[0]} is an alpha: there is no way from it to {target}",
            "A cluster that ran an alpha cannot be upgraded to a production release, not even to one "
            "of the same series.",
            evidence={"testing": [str(build) for build in alphas]},
            remedy=("Take the data into a new cluster.",),
        )
    active = situation.cluster.active_series
    leaving = [build for build in testing if build.series == active != target.series]
    if not leaving:
        return None
    newest = situation.catalog.newest_release(active).build
    return CHECK.finding(
        Outcome.BLOCK,
        f"{leaving[0]} is a testing release: it does not go straight to the next series",
        "A major upgrade starts from a production release.",
        evidence={"testing": [str(build) for build in leaving]},
        remedy=("Take the data into a new cluster.",)
        if any(no_way_out(build) for build in leaving)
        else (f"First go to a production release of v{active}: {newest or 'vX.Y.Z'}",),
    )


def _rollback(situation: Situation, target: Build | None, newest: Build | None) -> Finding:
    version = situation.cluster.version
    if version.migrating:
        return CHECK.finding(
            Outcome.NOT_APPLICABLE,
            f"there is no way back while the cluster version is {version.active}",
        )
    if target is not None:
        return _back(situation, target, newest)
    if newest is not None and newest.series > version.series:
        return _back_to_what(situation)
    return CHECK.finding(
        Outcome.BLOCK,
        "there is no build to go to",
        f"No node runs an older build of v{version.series}, and none was named.",
        remedy=(f"If it was a patch, name the older one: --target v{version.series}.Z",),
    )


def _back_to_what(situation: Situation) -> Finding:
    """Every node is on the new series already, so none tells what the old build was."""
    active = situation.cluster.active_series
    release = situation.catalog.newest_release(active)
    return CHECK.finding(
        Outcome.WARN,
        f"the way back leads to v{active}: put back the build that the nodes had",
        f"The cluster version is {active}, so any binary of v{active} can open the stores. Which build "
        "they had no node tells any more, so its advisories were not judged.",
        evidence={"series": str(active)},
        remedy=(
            "Name it, to have its advisories judged: --target vX.Y.Z"
            + (f"; the newest of v{active} is {release.build}" if release.build else ""),
        ),
    )


def _back(situation: Situation, target: Build, newest: Build | None) -> Finding:
    active = situation.cluster.active_series
    evidence = {"from": str(active), "to": str(target)}
    if target.series == active:
        return CHECK.finding(
            Outcome.PASS, f"{target} is of v{active}, where the cluster came from", evidence=evidence
        )
    if target.series < active and (newest is None or newest.series <= active):
        return CHECK.finding(
            Outcome.BLOCK,
            f"there is no way back to v{target.series}: the cluster version is {active}",
            "A binary of an older series refuses the stores of a finalized upgrade.",
            evidence=evidence,
            remedy=("Going back now means restoring a backup into a new cluster.",),
        )
    return CHECK.finding(
        Outcome.BLOCK,
        f"the cluster did not come from v{target.series}: its cluster version is {active}",
        "Only a binary of the series that is still active can open the stores.",
        evidence=evidence,
        remedy=(f"Name a build of v{active}: --target v{active}.Z",),
    )


CHECK = Check(
    id="upgrade-path",
    title="the hop is one that CockroachDB supports",
    reads=("settings", "kv_version", "gossip_nodes"),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
