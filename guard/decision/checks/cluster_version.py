"""Is the cluster version where this step needs it to be?

The cluster version is final only when it reads ``X.Y``. ``21.1-14``, ``22.1--1``,
``23.2-upgrading-to-24.1-step-008`` and ``24.1-upgrading-final-step`` are all an upgrade in progress.
guard reads it twice, from the gateway's memory and from KV; where the two differ the upgrade is
still spreading through the cluster.

- start: final, and not behind the binaries (the previous upgrade was never finalized), else block.
- next-node: not migrating, else block until it is done; where the migrations stand still waiting does
  not do.
- finalize: if it is migrating already, block and wait; if it is final already, pass and say so. A
  downgrade option that is set to another value than the cluster version holds nothing back: warn.
- rollback: final on the new series, or migrating, is too late: block. Warn if every node is new and
  nothing keeps the cluster from finalizing by itself meanwhile.
- start, finalize, verify: binaries further ahead than one supported upgrade leads block, and the way
  out is back.
- verify: final on the series of the binaries, else block. Where nothing holds it back and it is not
  final all the same, the finding names what CockroachDB waits for, as far as that can be seen: the
  status record of a node decommissioned under the old series holds it up for
  server.time_until_store_dead (5 minutes), one without a liveness record for ever, a member that
  is down until it is back. What has not come in a day is not waited for.

The version of a development build (``1000022.1-56``) blocks in every step: such a cluster can never
be upgraded to a release. Every node older than the cluster version is a contradiction, and UNKNOWN:
such a binary could not have opened its stores. A version that is not final because a member's
testing release (alpha, beta, release candidate) ends there is UNKNOWN, and no waiting changes it.

Reads the setting ``version`` (VIEWCLUSTERSETTING from v22.1, admin before) in memory and by SHOW
CLUSTER SETTING version. Unreadable means UNKNOWN and cannot be waived.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.catalog.answers import Answer
from guard.catalog.hops import no_way_out
from guard.cluster.finalization import PRESERVE, Finalization, finalize_by_hand
from guard.cluster.liveness import Liveness
from guard.cluster.migration_jobs import MigrationJobs
from guard.cluster.missing import NotCollected
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import agreeing, listed, span
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Build, Series

__all__ = ["CHECK"]

_BY_ITSELF: Final = (
    "Nothing holds it back: CockroachDB finalizes within a minute, once every node is new."
)
_TAKES: Final = dt.timedelta(days=1)  # seconds, mostly; a failed try is followed by another


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    version = situation.cluster.version
    active = version.active
    newest = max((n.build.series for n in situation.cluster.members if n.build), default=None)
    if active.is_development:
        yield _finding(
            situation,
            Outcome.BLOCK,
            f"the cluster version {active} belongs to a development build",
            "Such a cluster can never be upgraded to a release.",
            "Take the data into a new cluster: back up or export there what must be kept.",
        )
    elif version.migrating:
        yield _migrating(situation)
    elif newest is not None and newest < active.series:
        yield _finding(
            situation,
            Outcome.UNKNOWN,
            f"the cluster version {active} is newer than every binary (v{newest})",
            "What the nodes run and what the cluster has stored cannot both be true.",
            "Find out which build each node runs: cockroach node status",
        )
    else:
        yield _final(situation, newest)


def _finding(
    situation: Situation,
    outcome: Outcome,
    title: str,
    detail: str = "",
    *remedy: str,
    transient: bool = False,
) -> Finding:
    version = situation.cluster.version
    return CHECK.finding(
        outcome,
        title,
        detail,
        evidence={"active_version": version.active.text, "migrating": version.migrating},
        remedy=remedy,
        transient=transient,
    )


def _testing_at_rest(situation: Situation) -> tuple[Build, ...]:
    """The members' testing releases whose own cluster version this is; none if there is none.

    While one member runs such a build nothing can be migrating past it: CockroachDB finalizes only
    once every member's binary is new enough, and that member's ends here.
    """
    here = situation.cluster.version.active.text
    builds = {n.build for n in situation.cluster.members if n.server_version == here and n.build}
    return tuple(sorted(build for build in builds if build.is_prerelease))


def _testing(situation: Situation, builds: tuple[Build, ...]) -> Finding:
    series = builds[-1].series
    forward = (
        f"Or restart every node on one production release of v{series}; once the cluster version reads "
        f"{series}: guard check --step verify",
    )
    return _finding(
        situation,
        Outcome.UNKNOWN,
        f"{listed(str(build) for build in builds)} {agreeing(len(builds), 'is', 'are')} for testing: "
        f"the cluster version {situation.cluster.version.active} is its own",
        "A testing release may end on a version that is not final, so guard cannot judge an upgrade "
        "from it by the rules for production releases. Waiting changes nothing.",
        "Take the data that matter into a new cluster on a production release.",
        *(() if any(no_way_out(build) for build in builds) else forward),
    )


def _migrating(situation: Situation) -> Finding:
    version = situation.cluster.version
    testing = _testing_at_rest(situation)
    if testing:
        return _testing(situation, testing)
    text = version.detail or f"It reads {version.active}, which is not final."
    if situation.step is Step.ROLLBACK:
        return _finding(
            situation,
            Outcome.BLOCK,
            "the cluster is being finalized: it is too late to roll back",
            text,
            "Let the finalization end, then go forward.",
        )
    title = "the cluster version is migrating: finalization is under way"
    jobs = "SELECT job_id, status FROM [SHOW JOBS] WHERE job_type = 'MIGRATION';"
    dead = [n for n in situation.cluster.members if n.liveness is Liveness.DEAD]
    if dead:
        return _finding(
            situation,
            Outcome.BLOCK,
            f"{title}, and cannot end while {listed(n.name for n in dead)} is down",
            f"{text} Every member has to take each step of it.",
            "Waiting will not do: see node-liveness for the way out.",
            f"What it stands at: {jobs}",
        )
    if _stands_still(situation):
        return _finding(
            situation,
            Outcome.BLOCK,
            f"{title}, and stands still",
            f"{text} No migration runs, and one is paused, stuck or failed.",
            "Waiting will not do: see migrations for the way out.",
        )
    return _finding(
        situation,
        Outcome.BLOCK,
        title,
        f"{text} Finalizing takes seconds to minutes, on a cluster of very many ranges hours.",
        "Wait until it is final: SHOW CLUSTER SETTING version;",
        f"If it does not move: {jobs}",
        transient=True,
    )


def _stands_still(situation: Situation) -> bool:
    """True if the migrations are seen, and none of them goes on by itself."""
    try:
        return MigrationJobs.of(situation.cluster).stand_still
    except NotCollected:
        return False


def _final(situation: Situation, newest: Series | None) -> Finding:
    """The cluster version is final: does the step want that?"""
    if newest is not None and situation.step not in (Step.NEXT_NODE, Step.ROLLBACK):
        jump = _jump(situation, newest)
        if jump is not None:
            return jump
    match situation.step:
        case Step.START:
            return _start(situation, newest)
        case Step.FINALIZE:
            return _finalize(situation, newest)
        case Step.ROLLBACK:
            return _rollback(situation, newest)
        case Step.VERIFY:
            return _verify(situation, newest)
        case _:
            return _at_rest(situation, newest)


def _jump(situation: Situation, newest: Series) -> Finding | None:
    """The binaries are further ahead than one upgrade leads: that cannot be finalized."""
    active = situation.cluster.active_series
    allowed = situation.catalog.upgrade_allowed(active, newest)
    if newest <= active or allowed.supported is not Answer.NO:
        return None
    over = [n.name for n in situation.cluster.members if n.build and n.build.series == newest]
    held = Finalization.of(situation.cluster)
    return _finding(
        situation,
        Outcome.BLOCK,
        f"binaries v{newest} on cluster version {active}: that upgrade cannot be finalized",
        f"{allowed.reason}. Taking it back is possible as long as the cluster version reads {active}.",
        *((f"First: {held.keep}",) if held.by_itself else ()),
        f"Put {listed(over)} back on v{active}: guard check --step rollback --target v{active}.Z",
        f"Then see the way there: guard plan --from v{active} --to v{newest}",
    )


def _is_ahead(situation: Situation, newest: Series | None) -> bool:
    return newest is not None and newest > situation.cluster.active_series


def _all_new(situation: Situation) -> bool:
    active = situation.cluster.active_series
    return all(n.build is not None and n.build.series > active for n in situation.cluster.members)


def _at_rest(situation: Situation, newest: Series | None) -> Finding:
    active = situation.cluster.version.active
    state = f"is {active}, and not migrating" if _is_ahead(situation, newest) else f"is final: {active}"
    return _finding(situation, Outcome.PASS, f"the cluster version {state}")


def _start(situation: Situation, newest: Series | None) -> Finding:
    if not _is_ahead(situation, newest):
        return _at_rest(situation, newest)
    active = situation.cluster.version.active
    held = Finalization.of(situation.cluster)
    release = held.release(newest)
    left = _left(situation, newest)
    why = "" if release else _waits_for(situation, held)
    return _finding(
        situation,
        Outcome.BLOCK,
        f"{_which(situation, newest)} was never finalized: "
        f"binaries v{newest}, cluster version {active}",
        "A cluster is upgraded by one major version at a time, and the last one is not over."
        + (f" {why}" if why else ""),
        *left,
        *(
            (f"{'Then finalize' if left else 'Finalize'} it first: {release[0]}", *release[1:])
            if release
            else _without_hold(situation, held, newest, left)
        ),
        _in_the_middle(situation, newest),
    )


def _which(situation: Situation, newest: Series | None) -> str:
    """The unfinished upgrade: called the previous one only if the target is of a later series."""
    earlier = situation.target is None or newest is None or situation.target.series > newest
    return "the previous upgrade" if earlier else f"the upgrade to v{newest}"


def _in_the_middle(situation: Situation, newest: Series | None) -> str:
    target = situation.target
    later = target is not None and all(n.build != target for n in situation.cluster.members)
    if target is not None and target.series == newest and later:
        return (
            f"Or if this is that upgrade, and {target} a later patch for it: guard check --step "
            f"next-node --target {target}"
        )
    return "If you are in the middle of that upgrade, ask with --step next-node or finalize."


def _finalize(situation: Situation, newest: Series | None) -> Finding:
    active = situation.cluster.version.active
    if not _is_ahead(situation, newest):
        return _finding(
            situation,
            Outcome.PASS,
            f"the cluster version is already final: {active}",
            "There is nothing to finalize.",
        )
    held = Finalization.of(situation.cluster)
    release = held.release(newest)
    waits = _waits_for(situation, held) if not release else ""
    if held.stale and held.by_itself:
        return _finding(
            situation,
            Outcome.WARN,
            f"{PRESERVE} is {held.stale} and protects nothing: the cluster finalizes by itself",
            f"The cluster version is {active}, and only that value would hold it. CockroachDB "
            f"finalizes to {newest} once every node is new, and that cannot be undone. {waits}".strip(),
            f"If you are not ready: {held.keep}",
        )
    if _left(situation, newest):
        return _at_rest(situation, newest)
    return _finding(
        situation,
        Outcome.PASS,
        f"the cluster version is {active}, ready to be finalized to {newest}",
        "Finalizing cannot be undone. "
        + (f"It is done by: {' '.join(release)}" if release else waits or _BY_ITSELF),
    )


def _rollback(situation: Situation, newest: Series | None) -> Finding:
    active, target = situation.cluster.version.active, situation.target
    if target is not None and target.series < active.series:
        return _finding(
            situation,
            Outcome.BLOCK,
            f"the upgrade to {active} is final: there is no way back to {target}",
            f"A v{target.series} binary refuses data of cluster version {active}.",
            "Going back now means restoring a backup into a new cluster.",
        )
    held = Finalization.of(situation.cluster)
    if _all_new(situation) and held.by_itself:
        return _finding(
            situation,
            Outcome.WARN,
            f"nothing keeps the cluster from finalizing to {newest} before you are back",
            f"Every node runs the new series and the cluster version is {active}: CockroachDB may "
            "finalize at any moment, and that ends the way back.",
            f"First: {held.keep}",
        )
    return _at_rest(situation, newest)


def _verify(situation: Situation, newest: Series | None) -> Finding:
    active, target = situation.cluster.version.active, situation.target
    if not _is_ahead(situation, newest):
        if target is None or target.series == active.series:
            return _at_rest(situation, newest)
        return _elsewhere(situation, target, newest)
    held = Finalization.of(situation.cluster)
    release = held.release(newest)
    soon = _all_new(situation) and held.by_itself
    waits = _waits_for(situation, held) if soon else ""
    left = _left(situation, newest)
    dead = any(n.liveness is Liveness.DEAD for n in situation.cluster.members)
    return _finding(
        situation,
        Outcome.BLOCK,
        f"the upgrade is not finalized: binaries v{newest}, cluster version {active}",
        f"New features stay off, and what is broken until finalization stays broken. {waits}".strip(),
        *left,
        *(
            (f"{'Then, when' if left else 'When'} you are sure: {release[0]}", *release[1:])
            if release
            else ()
        ),
        *(() if release else _without_hold(situation, held, newest, left)),
        transient=soon and not held.waits_for_ever and not dead and _overdue(situation) is None,
    )


def _elsewhere(situation: Situation, target: Build, newest: Series | None) -> Finding:
    """Binaries and cluster version agree, on another series than the target's."""
    active = situation.cluster.version.active
    beyond = target.series < active.series
    return _finding(
        situation,
        Outcome.BLOCK,
        f"the cluster is on {active} already, beyond {target}"
        if beyond
        else f"no node runs v{target.series}: the cluster version is {active}",
        f"The binaries are of v{newest} as well. "
        + (
            "There is no way back from it."
            if beyond
            else f"The upgrade to {target} was not carried out."
        ),
        f"To verify what runs, name a build of v{active}: --target vX.Y.Z"
        if beyond
        else f"If it is still to be made: guard check --step start --target {target}",
    )


def _overdue(situation: Situation) -> dt.timedelta | None:
    """For how long every node has been new, if that is longer than finalizing by itself takes."""
    starts = [n.started_at for n in situation.cluster.members]
    known = [start for start in starts if start is not None]
    if not _all_new(situation) or len(known) < len(starts):
        return None
    since = situation.cluster.now - max(known)
    return since if since > _TAKES else None


def _left(situation: Situation, newest: Series | None) -> tuple[str, ...]:
    """What comes before finalizing: members on an older series, and those that are down; or nothing."""
    old = [
        n
        for n in situation.cluster.members
        if newest is None or n.build is None or n.build.series < newest or n.is_down
    ]
    if not old or newest is None:
        return ()
    up = listed(n.name for n in old if not n.is_down and not n.is_leaving)
    down = [n for n in old if n.is_down and not n.is_leaving]
    leaving = [n for n in old if n.is_leaving]
    return (
        *((f"First bring {up} to v{newest}: guard check --step next-node",) if up else ()),
        *(
            (
                f"First start {listed(n.name for n in down)} on v{newest}: CockroachDB waits for every "
                "member",
                situation.decommission(down),
            )
            if down
            else ()
        ),
        *((situation.finish_decommissioning(leaving),) if leaving else ()),
    )


def _waits_for(situation: Situation, held: Finalization) -> str:
    """What CockroachDB waits for although every member is new, in words; empty if nothing is seen."""
    overdue = _overdue(situation)
    parts = []
    for each in held.lingering[:3]:
        left = "" if each.until is None else f"for another {span(each.until - situation.cluster.now)}"
        parts.append(
            f"the status record of {each.node.name}, decommissioned and stopped, {left}"
            if left
            else f"the status record of {each.node.name}, which has no liveness record, for ever"
        )
    parts += [f"{n.name}, which is down" for n in situation.cluster.members if n.is_down][:3]
    if parts:
        return f"Automatic finalization waits for {listed(parts)}."
    if overdue is not None:
        return (
            f"Nothing holds it back, and every node has been new for {span(overdue)}: automatic "
            "finalization does not succeed, and a node's log says why."
        )
    return ""


def _without_hold(
    situation: Situation, held: Finalization, newest: Series | None, left: tuple[str, ...]
) -> tuple[str, ...]:
    """How an upgrade becomes final that no setting holds back, once `left` is done."""
    if newest is None:
        return (_BY_ITSELF,)
    by_hand = finalize_by_hand(newest)
    lingering = [each for each in held.lingering if not left or each.until is None]
    if lingering and (left or _all_new(situation)):
        names = listed(each.node.name for each in lingering)
        begin = "Then finalize" if left else "Finalize"
        return (f"{begin} by hand, which does not wait for {names}: {by_hand}",)
    if left:
        return ("Nothing else holds it back: CockroachDB finalizes within a minute after that.",)
    if _overdue(situation) is not None:
        return (
            "See why: search a node's log for 'auto_upgrade'",
            f"Finalize by hand, which says what is in the way: {by_hand}",
        )
    if _all_new(situation):
        return (_BY_ITSELF, f"If it does not within minutes: {by_hand}")
    return (_BY_ITSELF,)


CHECK = Check(
    id="cluster-version",
    title="the cluster version fits the step",
    reads=("settings", "kv_version"),
    docs=f"{UPGRADE_DOCS}#finalize-a-major-version-upgrade-manually",
    explain=__doc__,
    run=run,
)
