"""Are backups running right now?

Every BACKUP job in a non-terminal status counts (running, pending, paused, reverting and anything
unknown), and so does every job whose type the server could not name. A restart makes the nodes of a
running backup start over; on the edge of advisory A-72839 the backup fails.

- start, next-node: warn; block where A-72839 makes backups fail.
- finalize, rollback: warn.
- verify: pass; what failed during an upgrade to v21.2 is listed under A-72839.

Reads the active jobs. Believed only from a user who provably sees every job: admin, or VIEWJOB /
CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.decision.check import DOCS, Check
from guard.decision.checks.a_72839 import backups_would_fail
from guard.decision.jobs import Activity, active_backups
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    jobs = active_backups(situation)
    activity = Activity(jobs, ())
    evidence = {"jobs": activity.evidence()["jobs"]}
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no backup is running", evidence=evidence)
        return
    count = "1 backup is" if len(jobs) == 1 else f"{len(jobs)} backups are"
    text = f"{activity.text(situation.now)}."
    if situation.step is Step.VERIFY:
        yield CHECK.finding(Outcome.PASS, f"{count} running", text, evidence=evidence)
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


CHECK = Check(
    id="running-backups",
    title="no backup is running",
    reads=("active_jobs",),
    docs=f"{DOCS}/stable/show-jobs",
    explain=__doc__,
    run=run,
    with_finalize=True,
)
