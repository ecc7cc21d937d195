"""A-72839: backups fail while a cluster moves from v21.1 to v21.2.

Two defects hide behind it. Nodes on v21.2.0 cannot back up until the upgrade is finalized; v21.2.1
repairs that. And a v21.1 node that backs up data on a v21.2 node of any patch fails, unless it uses
the newer data path, which v21.1.12 and later have behind the setting
``bulkio.backup.experimental_21_2_mode.enabled``.

Backup *activity* is a BACKUP job in any non-terminal status, or a backup schedule due within the
window. Backups are *expected* if there is activity, an active backup schedule, or any BACKUP job in
the job history.

- start, and next-node before any v21.2 node: a target below v21.2.1 blocks. Otherwise v21.1 nodes
  older than v21.1.12 block if backups are expected (patch first) and warn if not; with v21.1.12
  everywhere but the setting not true the same, the remedy being the setting; with it true, only
  activity blocks.
- next-node, mixed, anything on v21.2.0: activity blocks; without it a warning names both ways out.
- next-node, mixed, new nodes on v21.2.1 or later: activity blocks unless the setting is true, then
  it warns.
- finalize: passes, it is the remedy. rollback: passes, it is the other one.
- verify: lists the BACKUP jobs that failed or were cancelled since the first node ran v21.2.

Patch upgrades and all other upgrades are not affected. A block by activity is transient: waiting
clears it. Reads nodes, settings, jobs, schedules and the job history.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import Activity, active_backups, backup_activity, is_possible_backup
from guard.cluster.members import Node
from guard.cluster.missing import NotCollected
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import activity_evidence, activity_text, job_evidence, job_text
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, Reason, Unavailable
from guard.versions import Build, Series

__all__ = ["CHECK", "backups_would_fail"]

_OLD: Final = Series(21, 1)
_NEW: Final = Series(21, 2)
_REPAIRED: Final = Build(21, 2, 1)
_HAS_SETTING: Final = Build(21, 1, 12)
_SETTING: Final = "bulkio.backup.experimental_21_2_mode.enabled"
_SET: Final = f"SET CLUSTER SETTING {_SETTING} = true;"


def _old_nodes(situation: Situation) -> tuple[Node, ...]:
    return tuple(n for n in situation.cluster.members if n.build is None or n.build.series == _OLD)


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


def backups_would_fail(situation: Situation) -> bool:
    """True if a backup that runs during this step would fail. Raises `NotCollected`."""
    if situation.step not in (Step.START, Step.NEXT_NODE) or situation.finalizing:
        return False
    if not situation.is_hop(_OLD, _NEW):
        return False
    if any(build < _REPAIRED for build in _new_builds(situation)):
        return True
    if not _any_new_node(situation):
        return True  # nothing is protected before the first restart: let it end first
    return bool(_old_nodes(situation)) and not _setting_is_true(situation)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings by the state's row of the table."""
    version = situation.cluster.version
    if situation.step is Step.VERIFY and version.series == _NEW and not version.migrating:
        yield from _verify(situation)
        return
    if not situation.is_hop(_OLD, _NEW):
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
            if _any_new_node(situation):
                yield from _mixed(situation)
            else:
                yield from _before(situation)
        case Step.FINALIZE:
            yield from _finalize(situation)
        case Step.ROLLBACK:
            yield CHECK.finding(
                Outcome.PASS,
                "rolling back ends the state in which backups fail",
                "It is one of the two remedies that the advisory names.",
            )
        case _:
            yield CHECK.finding(
                Outcome.WARN,
                "backups keep failing until the upgrade to v21.2 is finalized",
                evidence={"active_version": version.active.text},
                remedy=("RESET CLUSTER SETTING cluster.preserve_downgrade_option;",),
            )


def _blocked_by(situation: Situation, activity: Activity, why: str, remedy: tuple[str, ...]) -> Finding:
    what = "a backup is running" if activity.jobs else "a scheduled backup is due"
    return CHECK.finding(
        Outcome.BLOCK,
        f"{what} and will fail while the cluster is between v21.1 and v21.2",
        f"{activity_text(activity, situation.cluster.now)}. {why}",
        evidence=activity_evidence(activity),
        remedy=remedy,
        transient=activity.clears_by_itself,
    )


def _before(situation: Situation) -> Iterator[Finding]:
    """No node runs v21.2 yet."""
    target = situation.target
    if target is not None and target < _REPAIRED:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{target} cannot back up until the upgrade is finalized: choose v21.2.1 or later",
            "The defect is repaired in v21.2.1.",
            evidence={"target": str(target), "repaired_in": str(_REPAIRED)},
            remedy=("Upgrade to v21.2.1 or later: guard check --step start --target v21.2.1",),
        )
        return
    too_old = [n for n in situation.cluster.members if n.build is not None and n.build < _HAS_SETTING]
    protected = not too_old and _setting_is_true(situation)
    if protected:
        activity = backup_activity(situation.cluster, situation.window)
        if activity:
            yield _blocked_by(
                situation,
                activity,
                "Let it end before the first node is restarted.",
                ("Wait for it, or let guard wait: guard check --wait 30m",),
            )
            return
        yield CHECK.finding(
            Outcome.PASS,
            f"every node is on v21.1.12 or later and {_SETTING} is true",
            "Backups are less likely to fail while the versions are mixed.",
            evidence={_SETTING: "true"},
        )
        return
    remedy = _protect(situation, too_old)
    expected = _expected(situation)
    evidence = {
        "too_old": [n.node_id for n in too_old],
        _SETTING: situation.cluster.setting(_SETTING),
        "backups_expected": expected or "no",
    }
    if expected:
        yield CHECK.finding(
            Outcome.BLOCK,
            "backups would fail during this upgrade, and this cluster takes backups",
            f"{expected}. "
            + (
                f"{listed(n.name for n in too_old)} are older than v21.1.12, which has the "
                "setting that protects backups."
                if too_old
                else f"{_SETTING} is not true."
            ),
            evidence=evidence,
            remedy=remedy,
        )
    else:
        yield CHECK.finding(
            Outcome.WARN,
            "a backup that is taken during this upgrade would fail",
            "This cluster has no backup job in its history and no active backup schedule.",
            evidence=evidence,
            remedy=remedy,
        )


def _protect(situation: Situation, too_old: list[Node]) -> tuple[str, ...]:
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
        return f"{len(active)} backup schedule(s) are active"
    backups = [job for job in situation.cluster.job_history if is_possible_backup(job)]
    if backups:
        return f"the job history holds {len(backups)} backup job(s), the newest {backups[0].job_id}"
    section = situation.cluster.snapshot.job_history
    if isinstance(section, Collected) and section.truncated:
        raise NotCollected(
            "job_history",
            Unavailable(
                reason=Reason.ERROR,
                message="guard reads only the newest finished jobs, to spare the cluster, and there "
                "was no backup among them; older ones were not looked at",
                remedy=_protect(situation, []),
            ),
        )
    return ""


def _mixed(situation: Situation) -> Iterator[Finding]:
    """Some node runs v21.2 and the upgrade is not finalized."""
    activity = backup_activity(situation.cluster, situation.window)
    affected = [b for b in _new_builds(situation) if b < _REPAIRED]
    left = _old_nodes(situation)
    evidence = activity_evidence(activity) | {"affected_builds": [str(b) for b in affected]}
    if affected:
        if activity:
            yield _blocked_by(
                situation,
                activity,
                f"{affected[0]} cannot back up until the upgrade is finalized.",
                (
                    "Wait for it, or let guard wait: guard check --wait 30m",
                    "Or end the mixed state: finish the upgrade and finalize, or roll back to v21.1.",
                ),
            )
            return
        yield CHECK.finding(
            Outcome.WARN,
            f"no backup can succeed on {affected[0]} until the upgrade is finalized",
            "No backup is running or due, so this step may go ahead; do not stay in this state.",
            evidence=evidence,
            remedy=(
                "Roll back to v21.1 and wait for v21.2.1 or later: guard check --step rollback",
                "Or finish quickly and finalize (there is no way back after that).",
            ),
        )
        return
    if not activity or not left:
        yield CHECK.finding(
            Outcome.PASS,
            "no backup is running or due while the versions are mixed"
            if not activity
            else "every node runs v21.2.1 or later: backups work",
            evidence=evidence,
        )
        return
    if _setting_is_true(situation):
        yield CHECK.finding(
            Outcome.WARN,
            "a backup is active while v21.1 and v21.2 are mixed",
            f"{activity_text(activity, situation.cluster.now)}. With {_SETTING} it may succeed, "
            "but is not safe.",
            evidence=evidence | {_SETTING: "true"},
            remedy=("Better wait for it: guard check --wait 30m",),
            transient=activity.clears_by_itself,
        )
        return
    gateway = situation.cluster.gateway
    hidden = gateway is not None and gateway.series == _NEW
    yield _blocked_by(
        situation,
        activity,
        f"A v21.1 node that backs up data on a v21.2 node fails unless {_SETTING} is true"
        + (", and a v21.2 gateway does not show that setting." if hidden else "."),
        (
            "Wait for it, or let guard wait: guard check --wait 30m",
            *(("If the setting is true, ask through a v21.1 node: --url",) if hidden else ()),
        ),
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
        )


def _verify(situation: Situation) -> Iterator[Finding]:
    """The cluster is final on v21.2: which backups were lost on the way?"""
    starts = [
        n.started_at
        for n in situation.cluster.members
        if n.started_at and n.build and n.build.series == _NEW
    ]
    since = min(starts, default=None)
    ended = [
        job
        for job in situation.cluster.job_history
        if is_possible_backup(job)
        and job.status in ("failed", "canceled", "revert-failed")
        and _after(job.finished or job.created, since)
    ]
    evidence = {"since": since, "jobs": job_evidence(ended)}
    if ended:
        yield CHECK.finding(
            Outcome.WARN,
            f"{len(ended)} backup(s) failed or were cancelled since the first node ran v21.2",
            "; ".join(job_text(job, situation.cluster.now) for job in ended[:5])
            + ". The upgrade may have cost you backups: review the archives.",
            evidence=evidence,
            remedy=("Take a full backup now, then check the archives for the gap.",),
        )
        return
    yield CHECK.finding(
        Outcome.PASS, "no backup failed since the first node ran v21.2", evidence=evidence
    )


def _after(moment: dt.datetime | None, since: dt.datetime | None) -> bool:
    return moment is None or since is None or moment >= since


CHECK = Check(
    id="A-72839",
    title="backups fail while a cluster moves from v21.1 to v21.2",
    reads=("gossip_nodes", "settings", "active_jobs", "schedules", "job_history"),
    docs=f"{DOCS}/advisories/a72839",
    explain=__doc__,
    run=run,
)
