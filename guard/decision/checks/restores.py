"""Is a RESTORE running?

A restore that meets a restart starts over or fails, and half-restored tables stay offline until
somebody cleans up. Every non-terminal status counts, paused and reverting ones included.

- start, next-node, finalize, rollback: block. verify: pass, with the restores that run.

The block is transient unless the restore is paused: a paused one ends only by RESUME or CANCEL. A
job whose type the server could not name may be a restore and makes the answer UNKNOWN: ask through
a node on the newest build, which knows every type.

Reads the active jobs. Believed only from a user who provably sees every job: admin, or VIEWJOB /
CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.jobs import active_jobs_of, is_paused, is_unnamed
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for the restores and one for jobs that nobody can name, or one `pass`."""
    jobs = active_jobs_of(situation.cluster, {"RESTORE"})
    evidence = {"jobs": job_evidence(jobs)}
    count = "1 restore is" if len(jobs) == 1 else f"{len(jobs)} restores are"
    text = "; ".join(job_text(job, situation.cluster.now) for job in jobs[:5])
    if situation.step is Step.VERIFY:
        yield CHECK.finding(
            Outcome.PASS,
            f"{count} running" if jobs else "no restore is running",
            f"{text}." if jobs else "",
            evidence=evidence,
        )
        return
    unnamed = [job for job in situation.cluster.active_jobs if is_unnamed(job)]
    if jobs:
        paused = next((job for job in jobs if is_paused(job)), None)
        remedy = (
            f"Wait for it: SHOW JOB WHEN COMPLETE {jobs[0].job_id};",
            "Or let guard wait: guard check --wait 30m",
        )
        if paused is not None:
            remedy = (
                "It is paused and will not end by itself.",
                f"RESUME JOB {paused.job_id}; or CANCEL JOB {paused.job_id};",
            )
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{count} running",
            f"{text}. Let it end before nodes restart or the upgrade is finalized.",
            evidence=evidence,
            remedy=remedy,
            transient=paused is None,
        )
    if unnamed:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"the server cannot name {len(unnamed)} running job(s): one may be a restore",
            "; ".join(job_text(job, situation.cluster.now) for job in unnamed[:5]) + ".",
            evidence={"jobs": job_evidence(unnamed)},
            remedy=("Ask through a node on the newest build: --url",),
        )
    if not jobs and not unnamed:
        yield CHECK.finding(Outcome.PASS, "no restore is running", evidence=evidence)


CHECK = Check(
    id="restores",
    title="no restore is running",
    reads=("active_jobs",),
    docs=f"{DOCS}/stable/restore",
    explain=__doc__,
    run=run,
    with_finalize=True,
)
