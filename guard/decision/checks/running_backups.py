"""Are backups running right now?

Every BACKUP job in a non-terminal status counts (running, pending, paused, reverting and anything
unknown), and so does every job whose type the server could not name. A restart makes the nodes of a
running backup start over. Where a backup cannot succeed at all, advisory A-72839 blocks.

- start, next-node, finalize, rollback: warn.
- verify: pass; warn with the backups that failed or were cancelled since the first node was
  restarted (by the event log, else by the start of the processes): review the archives for the gap.
  Warn as well if guard, to spare the cluster, did not read the jobs of all that time.

Reads the active jobs, in verify the job history and the event log as well. Believed only from a user
who provably sees every job: admin, or VIEWJOB / CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.jobs import (
    Activity,
    active_backups,
    ended_badly,
    history_reaches_back_to,
    is_possible_backup,
)
from guard.cluster.mixed_window import mixed_window
from guard.decision.check_definition import DOCS, Check
from guard.decision.checks.a_72839 import way_to_end_backups
from guard.decision.job_words import (
    activity_text,
    ends_by_itself,
    how_many,
    job_evidence,
    job_text,
)
from guard.decision.phrases import agreeing, counted
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding about what runs, in verify another about what was lost."""
    cluster = situation.cluster
    jobs = active_backups(cluster)
    verify = situation.step is Step.VERIFY
    count = how_many(jobs, "backup", cluster.now)
    text = activity_text(Activity(jobs, ()), cluster.now)
    evidence = {"jobs": job_evidence(jobs)}
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no backup is running", evidence=evidence)
    elif verify:
        yield CHECK.finding(Outcome.PASS, count, f"{text}.", evidence=evidence)
    else:
        yield CHECK.finding(
            Outcome.WARN,
            count,
            f"{text}. A restart of a node that takes part makes the backup retry or fail.",
            evidence=evidence,
            remedy=way_to_end_backups(situation, jobs),
            transient=ends_by_itself(jobs, cluster.now),
            jobs=jobs,
        )
    if verify:
        yield from _lost(situation)


def _lost(situation: Situation) -> Iterator[Finding]:
    """Backups that ended badly since the first restart of the rollout."""
    cluster = situation.cluster
    window = mixed_window(cluster)
    since, told = window.since, window.evidence or None
    lost = [
        job
        for job in cluster.job_history
        if is_possible_backup(job)
        and ended_badly(job)
        and (since is None or job.finished is None or job.finished >= since)
    ]
    evidence = {"since": since, "told_by": told, "jobs": job_evidence(lost)}
    if lost:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(lost), 'backup')} failed or {agreeing(len(lost), 'was', 'were')} cancelled "
            "since the first node was restarted",
            "; ".join(job_text(job, cluster.now) for job in lost[:5])
            + ". Review the archives: there may be a gap.",
            evidence=evidence,
            remedy=("Take a full backup now.",),
            jobs=lost,
        )
    looked_back_to = history_reaches_back_to(cluster)
    if looked_back_to is not None and (since is None or looked_back_to > since):
        yield CHECK.finding(
            Outcome.WARN,
            "guard did not see every backup since the first node was restarted",
            f"To spare the cluster it read only jobs created since {looked_back_to:%Y-%m-%d %H:%MZ}.",
            evidence={"since": since, "looked_back_to": looked_back_to},
            remedy=("Look for failed backups in the DB Console's list of jobs.",),
        )


CHECK = Check(
    id="running-backups",
    title="no backup is running",
    reads=("active_jobs", "job_history", "events"),
    docs=f"{DOCS}/stable/show-jobs",
    explain=__doc__,
    run=run,
)
