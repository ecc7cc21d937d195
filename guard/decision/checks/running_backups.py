"""Are backups running right now?

Every BACKUP job in a non-terminal status counts (running, pending, paused, reverting and anything
unknown), and so does every job whose type the server could not name. A restart makes the nodes of a
running backup start over; on the edge of advisory A-72839 the backup fails.

- start, next-node: warn; block where A-72839 makes backups fail.
- finalize, rollback: warn.
- verify: pass; warn with the backups that failed or were cancelled since the first node was
  restarted: review the archives for the gap.

Reads the active jobs, in verify the job history as well. Believed only from a user who provably
sees every job: admin, or VIEWJOB / CONTROLJOB from v23.1 on.
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
from guard.decision.check_definition import DOCS, Check
from guard.decision.checks.a_72839 import backups_would_fail
from guard.decision.job_words import activity_evidence, activity_text, job_evidence, job_text
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    jobs = active_backups(situation.cluster)
    activity = Activity(jobs, ())
    evidence = {"jobs": activity_evidence(activity)["jobs"]}
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no backup is running", evidence=evidence)
        if situation.step is Step.VERIFY:
            yield from _lost(situation)
        return
    count = "1 backup is" if len(jobs) == 1 else f"{len(jobs)} backups are"
    text = f"{activity_text(activity, situation.cluster.now)}."
    if situation.step is Step.VERIFY:
        yield CHECK.finding(Outcome.PASS, f"{count} running", text, evidence=evidence)
        yield from _lost(situation)
        return
    wait = f"Wait for it: SHOW JOB WHEN COMPLETE {jobs[0].job_id};"
    if not activity.clears_by_itself:
        paused = next(job for job in jobs if job.status in ("paused", "pause-requested"))
        wait = (
            f"It is paused and will not end by itself: RESUME JOB {paused.job_id}; "
            f"or CANCEL JOB {paused.job_id};"
        )
    if situation.step in (Step.START, Step.NEXT_NODE) and backups_would_fail(situation):
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{count} running and would fail on this upgrade",
            f"{text} See A-72839.",
            evidence=evidence,
            remedy=(wait, "Or let guard wait: guard check --wait 30m"),
            transient=activity.clears_by_itself,
        )
        return
    yield CHECK.finding(
        Outcome.WARN,
        f"{count} running",
        f"{text} A restart of a node that takes part makes the backup retry or fail.",
        evidence=evidence,
        remedy=(wait,),
        transient=activity.clears_by_itself,
    )


def _lost(situation: Situation) -> Iterator[Finding]:
    """Backups that ended badly since the first of today's processes started."""
    starts = [n.started_at for n in situation.cluster.members if n.started_at is not None]
    since = min(starts, default=None)
    lost = [
        job
        for job in situation.cluster.job_history
        if is_possible_backup(job)
        and ended_badly(job)
        and (since is None or (ended := job.finished or job.created) is None or ended >= since)
    ]
    if lost:
        yield CHECK.finding(
            Outcome.WARN,
            f"{len(lost)} backup(s) failed or were cancelled since the first node was restarted",
            "; ".join(job_text(job, situation.cluster.now) for job in lost[:5])
            + ". Review the archives: there may be a gap.",
            evidence={"since": since, "jobs": job_evidence(lost)},
            remedy=("Take a full backup now.",),
        )
    looked_back_to = history_reaches_back_to(situation.cluster)
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
    reads=("active_jobs", "job_history"),
    docs=f"{DOCS}/stable/show-jobs",
    explain=__doc__,
    run=run,
    with_finalize=True,
)
