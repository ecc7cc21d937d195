"""A-72839: backups fail while a cluster moves from v21.1 to v21.2.

Published 2021-11-18. Two defects hide behind it. Nodes on v21.2.0 cannot back up until the upgrade is
finalized; v21.2.1 repairs that. And a v21.1 node that backs up data on a v21.2 node of any patch
fails, unless it uses the newer data path, which v21.1.12 and later have behind the setting
``bulkio.backup.experimental_21_2_mode.enabled``; it exists only there.

Backup *activity* is a BACKUP job in any non-terminal status, or a backup schedule due within the
window. Backups are *expected* if there is activity, an active backup schedule, or any BACKUP job in
the job history.

- start, and next-node before any v21.2 node: a target below v21.2.1 blocks. Otherwise v21.1 nodes
  older than v21.1.12 block if backups are expected (patch first) and warn if not; with v21.1.12
  everywhere but the setting not true the same, the remedy being the setting; with it true, only
  activity blocks.
- next-node, mixed, anything on v21.2.0: activity blocks; without it a warning names both ways out.
- next-node, mixed, new nodes on v21.2.1 or later: activity blocks unless the setting is true and every
  v21.1 node is on v21.1.12 or later, which have it; then it warns.
- finalize: passes, it is the remedy; warns of backups that run just then. rollback: passes, it is the
  other one.
- verify: while it is not final, warns that v21.2.0 cannot back up. Once it is, lists the BACKUP jobs
  that failed or were cancelled while the cluster was mixed: warn, review the archives. When that was
  is told by the event log or by the start of the processes, if none was restarted since; where
  neither tells, guard does not say that none failed.

Not applicable to patch upgrades and to all other upgrades, nor at verify two weeks after the upgrade,
when the jobs of that time are gone. Whether backups are expected is UNKNOWN where the job history was
read only in part and holds none. A block by activity is transient: waiting
clears it, unless a backup is paused or stuck, or schedules are overdue or leave no gap. Then pause
them: PAUSE SCHEDULE. Reads nodes, settings, jobs, schedules, the job history, migrations and events.

To protect backups on v21.1.12 or later, before the first restart:
``SET CLUSTER SETTING bulkio.backup.experimental_21_2_mode.enabled = true;``

Source: https://www.cockroachlabs.com/docs/advisories/a72839
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

from guard.cluster.finalization import Finalization
from guard.cluster.hop import is_between
from guard.cluster.jobs import (
    Activity,
    active_backups,
    backup_activity,
    ended_badly,
    history_reaches_back_to,
    is_paused,
    is_possible_backup,
    needs_a_person,
)
from guard.cluster.members import Node
from guard.cluster.missing import NotCollected
from guard.cluster.mixed_window import MixedWindow, finalized_at, mixed_window
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import (
    activity_evidence,
    activity_text,
    ends_by_itself,
    job_evidence,
    job_text,
    way_to_end,
)
from guard.decision.phrases import agreeing, counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, JobRow, Reason, Unavailable
from guard.versions import Build, Series

__all__ = ["CHECK", "way_to_end_backups"]

_OLD: Final = Series(21, 1)
_NEW: Final = Series(21, 2)
_REPAIRED: Final = Build(21, 2, 1)
_HAS_SETTING: Final = Build(21, 1, 12)
_SETTING: Final = "bulkio.backup.experimental_21_2_mode.enabled"
_SET: Final = f"SET CLUSTER SETTING {_SETTING} = true;"
_JOBS_KEPT: Final = dt.timedelta(days=14)  # jobs.retention_time
_WAIT: Final = "Wait for it, or let guard wait: guard check --wait 30m"


def _old_nodes(situation: Situation) -> tuple[Node, ...]:
    return tuple(n for n in situation.cluster.members if n.build is None or n.build.series == _OLD)


def _too_old(situation: Situation) -> tuple[Node, ...]:
    """v21.1 nodes that lack the newer data path."""
    return tuple(n for n in _old_nodes(situation) if n.build is None or n.build < _HAS_SETTING)


def _new_builds(situation: Situation) -> tuple[Build, ...]:
    """Builds of v21.2 that nodes run, or will after this step."""
    builds = {n.build for n in situation.cluster.members if n.build and n.build.series == _NEW}
    if situation.target is not None and situation.target.series == _NEW:
        builds.add(situation.target)
    return tuple(sorted(builds))


def _any_new_node(situation: Situation) -> bool:
    return any(n.build is not None and n.build.series == _NEW for n in situation.cluster.members)


def _setting_is_true(situation: Situation) -> bool:
    return situation.cluster.setting(_SETTING) == "true"


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings by the state's row of the table."""
    version = situation.cluster.version
    final = version.series == _NEW and version.active.is_final and not version.migrating
    if situation.step is Step.VERIFY and final:
        yield from _after(situation)
        return
    if not is_between(situation.cluster, situation.target, _OLD, _NEW):
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            "this is not an upgrade from v21.1 to v21.2",
            f"The cluster version is {version.active}"
            + (f" and the target is {situation.target}." if situation.target else "."),
            evidence={
                "active_version": version.active.text,
                "target": str(situation.target) if situation.target else None,
            },
        )
        return
    match situation.step:
        case Step.START | Step.NEXT_NODE:
            yield _mixed(situation) if _any_new_node(situation) else _before(situation)
        case Step.FINALIZE:
            yield from _finalize(situation)
        case Step.ROLLBACK:
            yield CHECK.finding(
                Outcome.PASS,
                "rolling back ends the state in which backups fail",
                "It is one of the two remedies that the advisory names.",
            )
        case _:
            yield _unfinalized(situation)


def _blocked_by(situation: Situation, activity: Activity, why: str, *remedy: str) -> Finding:
    return CHECK.finding(
        Outcome.BLOCK,
        f"{_what_fails(activity)} while the cluster is between v21.1 and v21.2",
        f"{activity_text(activity, situation.cluster.now)}. {why}",
        evidence=activity_evidence(activity),
        remedy=(*_until_quiet(situation, activity), *remedy),
        transient=activity.clears_by_itself,
        jobs=activity.jobs,
        schedules=activity.due,
    )


def _what_fails(activity: Activity) -> str:
    if not activity.jobs:
        return "a scheduled backup is due and will fail"
    if all(is_paused(job) for job in activity.jobs):
        return "a backup is paused and will fail if it is resumed"
    return "a backup is running and will fail"


def way_to_end_backups(situation: Situation, jobs: Sequence[JobRow]) -> tuple[str, ...]:
    """What ends backups that do not end by themselves: not resuming them where that makes them fail."""
    paused = [job for job in jobs if needs_a_person(job)] if _fails_if_resumed(situation) else []
    return (
        *(
            f"Resumed now it would fail, so end it and take another one later: CANCEL JOB {job.job_id};"
            for job in paused[:2]
        ),
        *way_to_end([job for job in jobs if job not in paused], situation.cluster.now),
    )


def _fails_if_resumed(situation: Situation) -> bool:
    """True if the versions are mixed, and nothing speaks for a backup that runs now."""
    try:
        if not is_between(situation.cluster, situation.target, _OLD, _NEW):
            return False
        if not _any_new_node(situation):
            return False
        if any(build < _REPAIRED for build in _new_builds(situation)):
            return True
        old = _old_nodes(situation)
        return bool(old) and (bool(_too_old(situation)) or not _setting_is_true(situation))
    except NotCollected:
        return False


def _until_quiet(situation: Situation, activity: Activity) -> Iterator[str]:
    """What it takes until no backup runs and none is due: of each thing in the way what ends it."""
    now, pause = situation.cluster.now, [f"PAUSE SCHEDULE {s.schedule_id};" for s in activity.due[:3]]
    if activity.clears_by_itself:
        yield _WAIT
        if pause:
            yield "Or pause the schedule for the upgrade:"
            yield from pause
        return
    if pause:
        yield (
            "Waiting will not clear it: pause the schedules, and resume them after the upgrade."
            if ends_by_itself(activity.jobs, now)
            else "Pause what is due meanwhile, and resume it after the upgrade."
        )
        yield from pause
    if not ends_by_itself(activity.jobs, now):
        yield from way_to_end_backups(situation, activity.jobs)
    elif activity.jobs:
        yield "Then wait for the backup that runs: guard check --wait 30m"


def _before(situation: Situation) -> Finding:
    """No node runs v21.2 yet."""
    target = situation.target
    if target is not None and target < _REPAIRED:
        return CHECK.finding(
            Outcome.BLOCK,
            f"{target} cannot back up until the upgrade is finalized: choose v21.2.1 or later",
            "The defect is repaired in v21.2.1.",
            evidence={"target": str(target), "repaired_in": str(_REPAIRED)},
            remedy=_to_a_repaired_target(situation),
        )
    if not _too_old(situation) and _setting_is_true(situation):
        return _protected(situation)
    return _unprotected(situation)


def _to_a_repaired_target(situation: Situation) -> tuple[str, ...]:
    """The other target, after what it asks for in its turn."""
    too_old = _too_old(situation)
    protect = _protect(situation, too_old) if too_old or not _setting_is_true(situation) else ()
    return (*protect, f"guard check --step start --target {_better_target(situation)}")


def _better_target(situation: Situation) -> Build:
    """The v21.2 release that the catalog would choose."""
    from guard.plan.release import choose_release  # only this one remedy needs it

    chosen = choose_release(situation.catalog, _OLD, _NEW)
    return chosen[0] if chosen is not None else _REPAIRED


def _protected(situation: Situation) -> Finding:
    activity = backup_activity(situation.cluster, situation.window)
    if activity:
        return _blocked_by(situation, activity, "Let it end before the first node is restarted.")
    return CHECK.finding(
        Outcome.PASS,
        f"every node is on v21.1.12 or later and {_SETTING} is true",
        "Backups are less likely to fail while the versions are mixed.",
        evidence={_SETTING: "true"},
    )


def _unprotected(situation: Situation) -> Finding:
    too_old = _too_old(situation)
    activity = backup_activity(situation.cluster, situation.window)
    # What would block next, once backups are protected, is said along with it.
    remedy = (
        *_protect(situation, too_old),
        *(_until_quiet(situation, activity) if activity else ()),
    )
    expected = _expected(situation)
    evidence = {
        "too_old": [n.node_id for n in too_old],
        _SETTING: situation.cluster.setting(_SETTING),
        "backups_expected": expected or "no",
    }
    if not expected:
        return CHECK.finding(
            Outcome.WARN,
            "a backup that is taken during this upgrade would fail",
            "This cluster has no backup job in its history and no active backup schedule.",
            evidence=evidence,
            remedy=remedy,
        )
    return CHECK.finding(
        Outcome.BLOCK,
        "backups would fail during this upgrade, and this cluster takes backups",
        f"{expected}. "
        + (
            f"{listed(n.name for n in too_old)} {agreeing(len(too_old), 'is', 'are')} older than "
            "v21.1.12, which has the "
            "setting that protects backups."
            if too_old
            else f"{_SETTING} is not true."
        ),
        evidence=evidence,
        remedy=remedy,
        nodes=too_old,
    )


def _protect(situation: Situation, too_old: tuple[Node, ...]) -> tuple[str, ...]:
    if too_old:
        return (
            f"Patch {listed(n.name for n in too_old)} to v21.1.12 or later first.",
            f"Then: {_SET}",
        )
    gateway = situation.cluster.gateway
    if gateway is not None and gateway.series == _NEW:
        return (f"Through a v21.1 node: {_SET}",)
    return (_SET,)


def _expected(situation: Situation) -> str:
    """Why backups are to be expected on this cluster, or an empty text. Raises `NotCollected`."""
    activity = backup_activity(situation.cluster, situation.window)
    if activity:
        return activity_text(activity, situation.cluster.now)
    active = [s for s in situation.cluster.schedules if s.next_run is not None]
    if active:
        return counted(len(active), "backup schedule", "is active", "are active")
    backups = [job for job in situation.cluster.job_history if is_possible_backup(job)]
    if backups:
        held = counted(len(backups), "backup job")
        return f"the job history holds {held}, the newest {backups[0].job_id}"
    section = situation.cluster.snapshot.job_history
    if isinstance(section, Collected) and section.truncated:
        raise NotCollected(
            "job_history",
            Unavailable(
                reason=Reason.ERROR,
                message="guard reads only the newest finished jobs, to spare the cluster, and there "
                "was no backup among them; older ones were not looked at",
                remedy=_protect(situation, ()),
            ),
        )
    return ""


def _mixed(situation: Situation) -> Finding:
    """Some node runs v21.2 and the upgrade is not finalized."""
    activity = backup_activity(situation.cluster, situation.window)
    affected = [b for b in _new_builds(situation) if b < _REPAIRED]
    evidence = activity_evidence(activity) | {"affected_builds": [str(b) for b in affected]}
    if affected and activity:
        return _blocked_by(
            situation,
            activity,
            f"{affected[0]} cannot back up until the upgrade is finalized.",
            "Or end the mixed state: finish the upgrade and finalize, or roll back to v21.1.",
        )
    if affected:
        return CHECK.finding(
            Outcome.WARN,
            f"no backup can succeed on {affected[0]} until the upgrade is finalized",
            "No backup is running or due, so this step may go ahead; do not stay in this state.",
            evidence=evidence,
            remedy=(
                "Roll back to v21.1 and wait for v21.2.1 or later: guard check --step rollback",
                "Or finish quickly and finalize (there is no way back after that).",
            ),
        )
    if not activity:
        return CHECK.finding(
            Outcome.PASS,
            "no backup is running or due while the versions are mixed",
            evidence=evidence,
        )
    if not _old_nodes(situation):
        return _all_repaired(situation)
    return _old_nodes_meet_backups(situation, activity)


def _old_nodes_meet_backups(situation: Situation, activity: Activity) -> Finding:
    """v21.1 nodes are left, every new one is on v21.2.1 or later, and a backup is active."""
    too_old = _too_old(situation)
    if _setting_is_true(situation) and not too_old:
        return CHECK.finding(
            Outcome.WARN,
            "a backup is active while v21.1 and v21.2 are mixed",
            f"{activity_text(activity, situation.cluster.now)}. With {_SETTING} it may succeed, "
            "but is not safe.",
            evidence=activity_evidence(activity) | {_SETTING: "true"},
            remedy=("Better wait for it: guard check --wait 30m",),
            transient=activity.clears_by_itself,
            jobs=activity.jobs,
            schedules=activity.due,
        )
    gateway = situation.cluster.gateway
    hidden = gateway is not None and gateway.series == _NEW and not too_old
    if _setting_is_true(situation):
        lacking = f"{listed(n.name for n in too_old)} {agreeing(len(too_old), 'lacks', 'lack')}"
        why = f"{lacking} the data path that {_SETTING} turns on."
    else:
        why = f"A v21.1 node that backs up data on a v21.2 node fails unless {_SETTING} is true" + (
            ", and a v21.2 gateway does not show that setting." if hidden else "."
        )
    ask = ("If the setting is true, ask through a v21.1 node: --url",) if hidden else ()
    return _blocked_by(situation, activity, why, *ask)


def _all_repaired(situation: Situation) -> Finding:
    return CHECK.finding(
        Outcome.PASS,
        "every node runs v21.2.1 or later: backups work",
        evidence={"builds": [str(build) for build in _new_builds(situation)]},
    )


def _unfinalized(situation: Situation) -> Finding:
    affected = [b for b in _new_builds(situation) if b < _REPAIRED]
    if not affected and not _old_nodes(situation):
        return _all_repaired(situation)
    return CHECK.finding(
        Outcome.WARN,
        f"no backup can succeed on {affected[0]} until the upgrade to v21.2 is finalized"
        if affected
        else "backups of v21.1 nodes may fail until every node runs v21.2",
        evidence={"active_version": situation.cluster.version.active.text},
        remedy=Finalization.of(situation.cluster).release(_NEW)
        if not _old_nodes(situation)
        else ("Finish the upgrade: guard check --step next-node",),
    )


def _finalize(situation: Situation) -> Iterator[Finding]:
    yield CHECK.finding(
        Outcome.PASS,
        "finalizing ends the state in which backups fail",
        "It is one of the two remedies that the advisory names.",
    )
    jobs = active_backups(situation.cluster)
    if jobs:
        yield CHECK.finding(
            Outcome.WARN,
            "a backup is running now and may fail before the upgrade is final",
            "; ".join(job_text(job, situation.cluster.now) for job in jobs[:5]) + ".",
            evidence={"jobs": job_evidence(jobs)},
            remedy=("Review it afterwards: guard check --step verify",),
            jobs=jobs,
        )


def _after(situation: Situation) -> Iterator[Finding]:
    """The cluster is final on v21.2: which backups were lost on the way?"""
    cluster = situation.cluster
    final_at = finalized_at(cluster, _OLD)
    if final_at is not None and cluster.now - final_at > _JOBS_KEPT:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            f"the upgrade to v21.2 was final on {final_at:%Y-%m-%d}",
            "Jobs of that time are no longer kept.",
            evidence={"final_at": final_at},
        )
        return
    window = mixed_window(cluster, final_at)
    ended = [job for job in cluster.job_history if _lost(job, window)]
    evidence: dict[str, object] = {
        "since": window.since,
        "until": window.until,
        "told_by": window.evidence or None,
        "jobs": job_evidence(ended),
    }
    if ended:
        told = f"as {window.evidence} tells" if window.evidence else "or at any other time"
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(ended), 'backup')} failed or {agreeing(len(ended), 'was', 'were')} "
            f"cancelled while the cluster was mixed, {told}",
            "; ".join(job_text(job, cluster.now) for job in ended[:5])
            + ". The upgrade may have cost you backups: review the archives.",
            evidence=evidence,
            remedy=("Take a full backup now, then check the archives for the gap.",),
            jobs=ended,
        )
        return
    yield _none_seen(situation, window, evidence)


def _none_seen(situation: Situation, window: MixedWindow, evidence: dict[str, object]) -> Finding:
    """No failed backup was seen; whether none failed depends on how far guard could look."""
    back_to = history_reaches_back_to(situation.cluster)
    if window.since is None:
        gap = "nothing tells any more when it was mixed"
    elif back_to is not None and back_to > window.since:
        gap = f"guard read only jobs created since {back_to:%Y-%m-%d %H:%M:%SZ}"
    elif situation.cluster.now - window.since > _JOBS_KEPT:
        gap = "jobs of the beginning of that time are no longer kept"
    else:
        return CHECK.finding(
            Outcome.PASS,
            f"no backup failed since {window.since:%Y-%m-%d %H:%M:%SZ}, when the first node was "
            f"restarted, as {window.evidence} tells",
            evidence=evidence,
        )
    return CHECK.finding(
        Outcome.WARN,
        "whether backups failed while the cluster was mixed cannot be told",
        f"guard sees none, but {gap}.",
        evidence=evidence,
        remedy=(
            "Look for failed backups in the DB Console's list of jobs, and at the archives themselves.",
        ),
    )


def _lost(job: JobRow, window: MixedWindow) -> bool:
    """True for a backup that may have ended badly within the window."""
    if not (is_possible_backup(job) and ended_badly(job)):
        return False
    began_after = job.created is not None and job.created > window.until
    over_before = window.since is not None and job.finished is not None and job.finished < window.since
    return not (began_after or over_before)


CHECK = Check(
    id="A-72839",
    title="backups fail while a cluster moves from v21.1 to v21.2",
    reads=("gossip_nodes", "settings", "active_jobs", "schedules", "job_history"),
    docs=f"{DOCS}/advisories/a72839",
    explain=__doc__,
    run=run,
)
