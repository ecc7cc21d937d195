"""Is a RESTORE running?

A restore that meets a restart starts over or fails, and half-restored tables stay offline until
somebody cleans up. Every non-terminal status counts, paused and reverting ones included.

- start, next-node, finalize, rollback: block. verify: pass, with the restores that run.

The block is transient unless the restore is paused, which only RESUME or CANCEL ends, or stuck: asked
to stop an hour ago, or reverting for a day. A job whose type cannot be named may be a restore; see
unnamed-jobs.

Reads the active jobs. Believed only from a user who provably sees every job: admin, or VIEWJOB /
CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.jobs import active_jobs_of
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import ends_by_itself, how_many, job_evidence, job_text, way_to_end
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding."""
    now = situation.cluster.now
    jobs = active_jobs_of(situation.cluster, {"RESTORE"})
    evidence = {"jobs": job_evidence(jobs)}
    count = how_many(jobs, "restore", now)
    text = "; ".join(job_text(job, now) for job in jobs[:5])
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no restore is running", evidence=evidence)
    elif situation.step is Step.VERIFY:
        yield CHECK.finding(Outcome.PASS, count, f"{text}.", evidence=evidence)
    else:
        yield CHECK.finding(
            Outcome.BLOCK,
            count,
            f"{text}. Let it end before nodes restart or the upgrade is finalized.",
            evidence=evidence,
            remedy=way_to_end(jobs, now),
            transient=ends_by_itself(jobs, now),
            jobs=jobs,
        )


CHECK = Check(
    id="restores",
    title="no restore is running",
    reads=("active_jobs",),
    docs=f"{DOCS}/stable/restore",
    explain=__doc__,
    run=run,
)
