"""Is there a job that nobody can name?

An older gateway prints the type of a job that only newer nodes know as NULL or as a bare number; a
gateway newer than guard may print a name that guard has never heard of. Such a job may be a restore, a
schema change or anything else that an upgrade must wait for.

- start, next-node, finalize, rollback: UNKNOWN. Ask through a node on the newest build, which knows
  every type. A type that has a name is a warning on a cluster that is final, not mixed, and of a series
  newer than this guard: there new types are to be expected.
- verify: not asked.

Reads the active jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import is_foreign, is_unnamed
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.phrases import counted
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.versions import Series

__all__ = ["CHECK"]

_TYPES_KNOWN_TO: Final = Series(26, 2)
"""The newest series whose job types `guard.cluster.jobs` lists."""


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for each of: no name at all, a name that guard does not know; or one `pass`."""
    cluster = situation.cluster
    unnamed = [job for job in cluster.active_jobs if is_unnamed(job)]
    foreign = [job for job in cluster.active_jobs if is_foreign(job)]
    if unnamed:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"the server cannot name {counted(len(unnamed), 'running job')}",
            "; ".join(job_text(job, cluster.now) for job in unnamed[:5])
            + ". One may be a restore or a schema change.",
            evidence={"jobs": job_evidence(unnamed)},
            remedy=("Ask through a node on the newest build: --url",),
            jobs=unnamed,
        )
    if foreign:
        yield CHECK.finding(
            Outcome.WARN if _newer_and_at_rest(situation) else Outcome.UNKNOWN,
            f"guard does not know the kind of {counted(len(foreign), 'running job')}",
            "; ".join(job_text(job, cluster.now) for job in foreign[:5]) + ".",
            evidence={"jobs": job_evidence(foreign)},
            remedy=(
                "Find out whether it may meet a restart, or take a newer guard.",
                "If it may: --accept unnamed-jobs --reason '...'",
            ),
            jobs=foreign,
        )
    if not unnamed and not foreign:
        yield CHECK.finding(Outcome.PASS, "every running job has a known type")


def _newer_and_at_rest(situation: Situation) -> bool:
    cluster = situation.cluster
    version = cluster.version
    builds = {n.build.series for n in cluster.members if n.build is not None}
    final = version.active.is_final and not version.migrating
    return final and builds == {version.series} and version.series > _TYPES_KNOWN_TO


CHECK = Check(
    id="unnamed-jobs",
    title="every running job has a known type",
    reads=("active_jobs",),
    docs=f"{DOCS}/stable/show-jobs",
    explain=__doc__,
    run=run,
)
