"""How many jobs wait, and which have been paused for long?

Every job that has not ended is handed on when nodes restart and is read by the migrations of a new
series, so a backlog of hundreds is a reason to clean up first. A job that somebody paused long ago was
probably forgotten: it holds old data (a changefeed's protected timestamp), or tables offline.

- start, finalize: warn about more than 100 jobs that have not ended (jobs that CockroachDB runs for
  itself left out), and about those paused for more than a week. Other steps: not asked.

Reads the active jobs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import is_automatic, is_paused
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.phrases import counted
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation

__all__ = ["CHECK"]

_MANY: Final = 100
_LONG: Final = dt.timedelta(days=7)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for a backlog, one for jobs paused long ago, or one `pass`."""
    cluster = situation.cluster
    jobs = [job for job in cluster.active_jobs if not is_automatic(job)]
    forgotten = [
        job
        for job in jobs
        if is_paused(job) and job.created is not None and cluster.now - job.created > _LONG
    ]
    if len(jobs) > _MANY:
        yield CHECK.finding(
            Outcome.WARN,
            f"{len(jobs)} jobs have not ended",
            "A backlog slows restarts and the migrations of a new series.",
            evidence={"count": len(jobs)},
            remedy=("See them: SHOW JOBS; and end those that nobody needs: CANCEL JOB ID;",),
        )
    if forgotten:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(forgotten), 'job', 'has', 'have')} been paused for long",
            "; ".join(job_text(job, cluster.now) for job in forgotten[:5]) + ".",
            evidence={"jobs": job_evidence(forgotten)},
            remedy=tuple(
                f"If nobody needs it: CANCEL JOB {job.job_id}; else RESUME JOB {job.job_id};"
                for job in forgotten[:3]
            ),
            jobs=forgotten,
        )
    if len(jobs) <= _MANY and not forgotten:
        yield CHECK.finding(
            Outcome.PASS,
            f"{counted(len(jobs), 'job', 'has', 'have')} not ended",
            evidence={"count": len(jobs)},
        )


CHECK = Check(
    id="job-backlog",
    title="no backlog of jobs, none forgotten",
    reads=("active_jobs",),
    docs=f"{DOCS}/stable/show-jobs",
    explain=__doc__,
    run=run,
)
