"""Are schema changes running?

SCHEMA CHANGE, NEW SCHEMA CHANGE and TYPEDESC SCHEMA CHANGE jobs count; SCHEMA CHANGE GC, which only
waits for old data to be collected, never does. Nodes of two versions hand a schema change back and
forth badly, and finalization waits until all of them have ended.

- start, next-node, rollback: warn.
- finalize: block, transient unless a job is paused. verify: not asked.

When the first node of a new release starts it may run schema changes of its own on system tables
(user ``node``, seen from v20.2 on): on next-node those pass, they belong to the upgrade.

Reads the active jobs. Believed only from a user who provably sees every job: admin, or VIEWJOB /
CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import active_jobs_of, is_paused, is_unnamed
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import JobRow

__all__ = ["CHECK"]

_TYPES: Final = frozenset({"SCHEMA CHANGE", "NEW SCHEMA CHANGE", "TYPEDESC SCHEMA CHANGE"})
_SERVER: Final = "node"


def _servers_own(situation: Situation, job: JobRow) -> bool:
    """True if a node of the new series started this job after it came up, as part of the upgrade."""
    active = situation.cluster.active_series
    starts = [
        n.started_at
        for n in situation.cluster.members
        if n.build is not None and n.build.series > active and n.started_at is not None
    ]
    return (
        job.owner == _SERVER and bool(starts) and job.created is not None and job.created >= min(starts)
    )


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    jobs = active_jobs_of(situation.cluster, _TYPES)
    unnamed = [job for job in situation.cluster.active_jobs if is_unnamed(job)]
    evidence = {"jobs": job_evidence(jobs)}
    if situation.step is Step.FINALIZE and unnamed:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"the server cannot name {len(unnamed)} running job(s): one may be a schema change",
            "; ".join(job_text(job, situation.cluster.now) for job in unnamed[:5]) + ".",
            evidence={"jobs": job_evidence(unnamed)},
            remedy=("Ask through a node on the newest build: --url",),
        )
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no schema change is running", evidence=evidence)
        return
    count = "1 schema change is" if len(jobs) == 1 else f"{len(jobs)} schema changes are"
    text = "; ".join(job_text(job, situation.cluster.now) for job in jobs[:5])
    if situation.step is Step.NEXT_NODE and all(_servers_own(situation, job) for job in jobs):
        yield CHECK.finding(
            Outcome.PASS,
            f"{count} running, all of them the server's own",
            f"{text}. The first node on the new release started them on system tables.",
            evidence=evidence,
        )
        return
    paused = next((job for job in jobs if is_paused(job)), None)
    finalize = situation.step is Step.FINALIZE
    yield CHECK.finding(
        Outcome.BLOCK if finalize else Outcome.WARN,
        f"{count} running",
        f"{text}. "
        + (
            "Finalization waits until every schema change has ended."
            if finalize
            else "Better let it end before nodes restart."
        ),
        evidence=evidence,
        remedy=(
            f"It is paused and will not end by itself: RESUME JOB {paused.job_id}; "
            f"or CANCEL JOB {paused.job_id};"
            if paused
            else f"Wait for it: SHOW JOB WHEN COMPLETE {jobs[0].job_id};",
        ),
        transient=paused is None,
    )


CHECK = Check(
    id="schema-changes",
    title="no schema change is running",
    reads=("active_jobs",),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
    steps=(Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.ROLLBACK),
    with_finalize=True,
)
