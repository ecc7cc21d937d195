"""Are schema changes running?

SCHEMA CHANGE, NEW SCHEMA CHANGE and TYPEDESC SCHEMA CHANGE jobs count; SCHEMA CHANGE GC, which only
waits for old data to be collected, never does. Nodes of two versions hand a schema change back and
forth badly, and finalization waits until all of them have ended.

- start, and next-node before the first new node: warn. A major upgrade is not begun where one is stuck
  (reverting or asked to stop for long), and blocks: it will never end, and would keep the upgrade from
  being finalized for ever. A patch upgrade has nothing to finalize, and may bring the cure: it warns.
- next-node after that, rollback: warn.
- finalize: block, transient unless a job is paused or stuck. verify: not asked. From v19.2 to v20.1
  schema changes stand still until the upgrade is final: there finalizing is the cure, and passes.

When the first node of a new release starts it may run schema changes of its own on system tables
(user ``node``, seen from v20.2 on): on next-node those pass, they belong to the upgrade.

Reads the active jobs. Believed only from a user who provably sees every job: admin, or VIEWJOB /
CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.hop import is_between
from guard.cluster.jobs import active_jobs_of, is_stuck
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.job_words import ends_by_itself, how_many, job_evidence, job_text, way_to_end
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import JobRow
from guard.versions import Series

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


def _stand_still(situation: Situation) -> bool:
    """True if every node runs v20.1 and the upgrade from v19.2 is not final."""
    cluster = situation.cluster
    new = all(n.build is not None and n.build.series >= Series(20, 1) for n in cluster.members)
    return new and is_between(cluster, situation.target, Series(19, 2), Series(20, 1))


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    cluster, step = situation.cluster, situation.step
    jobs = active_jobs_of(cluster, _TYPES)
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no schema change is running")
        return
    stuck = [job for job in jobs if is_stuck(job, cluster.now)]
    if _stand_still(situation) and step is Step.FINALIZE:
        yield _finding(
            situation,
            jobs,
            Outcome.PASS,
            "They stand still until the upgrade to v20.1 is final, and cannot be paused or cancelled: "
            "finalizing is the cure.",
        )
    elif _stand_still(situation) and step is Step.ROLLBACK:
        yield _finding(
            situation,
            jobs,
            Outcome.WARN,
            "They stand still for as long as every node runs v20.1 and the upgrade is not final, so "
            "waiting does not end them.",
            still=True,
        )
    elif step is Step.NEXT_NODE and all(_servers_own(situation, job) for job in jobs):
        yield _finding(
            situation,
            jobs,
            Outcome.PASS,
            "All of them are the server's own: the first node on the new release started them on "
            "system tables.",
        )
    elif step is Step.FINALIZE:
        yield _finding(
            situation,
            jobs,
            Outcome.BLOCK,
            "Finalization waits until every schema change has ended.",
            way_to_end(jobs, cluster.now),
        )
    elif stuck and situation.opens and not situation.is_patch:
        yield _finding(
            situation,
            jobs,
            Outcome.BLOCK,
            f"{listed(job.job_id for job in stuck)} will not end by itself, and would keep the upgrade "
            "from being finalized.",
            way_to_end(stuck, cluster.now),
        )
    else:
        yield _finding(
            situation,
            jobs,
            Outcome.WARN,
            _why_it_matters(situation, jobs),
            way_to_end(jobs, cluster.now),
        )


def _why_it_matters(situation: Situation, jobs: tuple[JobRow, ...]) -> str:
    if ends_by_itself(jobs, situation.cluster.now):
        return "Better let it end before nodes restart."
    if situation.is_patch or situation.step is Step.ROLLBACK:
        return "Nodes that restart do not end it."
    return "Finalizing the upgrade waits until every schema change has ended."


def _finding(
    situation: Situation,
    jobs: tuple[JobRow, ...],
    outcome: Outcome,
    detail: str,
    remedy: tuple[str, ...] = (),
    *,
    still: bool = False,
) -> Finding:
    now = situation.cluster.now
    return CHECK.finding(
        outcome,
        how_many(jobs, "schema change", now),
        f"{'; '.join(job_text(job, now) for job in jobs[:5])}. {detail}",
        evidence={"jobs": job_evidence(jobs)},
        remedy=remedy,
        transient=ends_by_itself(jobs, now) and not still,
        jobs=jobs,
    )


CHECK = Check(
    id="schema-changes",
    title="no schema change is running",
    reads=("active_jobs",),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
