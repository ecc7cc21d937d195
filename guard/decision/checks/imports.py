"""Is an IMPORT under way?

The upgrade pages ask for no bulk imports in progress. A node that is drained leaves the import paused,
and the tables it writes to stay offline until somebody resumes or cancels it.

- start, next-node, finalize: block while one runs, is pending or reverting, or is only asked to
  pause; warn about a paused one.
- rollback: warn. verify: not asked.

Reads the active jobs. Believed only from a user who provably sees every job: admin, or VIEWJOB /
CONTROLJOB from v23.1 on. Source: "Prepare to upgrade" of the upgrade pages; cockroach#114807.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.jobs import active_jobs_of, is_paused
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.job_words import ends_by_itself, job_evidence, job_text, way_to_end
from guard.decision.phrases import counted
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for the imports that move, one for the paused ones, or one `pass`."""
    now = situation.cluster.now
    jobs = active_jobs_of(situation.cluster, {"IMPORT", "IMPORT ROLLBACK"})
    paused = [job for job in jobs if is_paused(job)]
    moving = [job for job in jobs if not is_paused(job)]
    if moving:
        yield CHECK.finding(
            Outcome.WARN if situation.step is Step.ROLLBACK else Outcome.BLOCK,
            f"{counted(len(moving), 'import')} under way",
            "; ".join(job_text(job, now) for job in moving[:5])
            + ". A restart leaves an import paused, and its tables offline.",
            evidence={"jobs": job_evidence(moving)},
            remedy=way_to_end(moving, now),
            transient=ends_by_itself(moving, now),
            jobs=moving,
        )
    if paused:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(paused), 'import', 'is', 'are')} paused",
            "; ".join(job_text(job, now) for job in paused[:5])
            + ". The tables they write to stay offline meanwhile.",
            evidence={"jobs": job_evidence(paused)},
            remedy=way_to_end(paused, now),
            jobs=paused,
        )
    if not jobs:
        yield CHECK.finding(Outcome.PASS, "no import is under way")


CHECK = Check(
    id="imports",
    title="no import is under way",
    reads=("active_jobs",),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
