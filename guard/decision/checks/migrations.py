"""Did the migrations of an upgrade run, are they running, did one fail?

Finalizing runs MIGRATION jobs (v21.1 and later), one after the other, and the cluster version moves
with them. A failed one leaves the cluster between two versions until it is tried again.

- every step: block while one runs: the upgrade is being finalized. Transient, except for rollback,
  where it is too late, and for one that is paused or reverting: that one is stuck.
- start, next-node, finalize, verify: block if one failed and none has succeeded since. A failure
  counts only while the upgrade it belongs to is open: the cluster version is migrating, or every
  node is ahead of it.
- rollback: block as well if a migration towards the next series is recorded as completed.

Reads the active jobs, and while an upgrade is open the job history. system.migrations (v21.1 and
later, admin or VIEWSYSTEMTABLE) is further evidence for rollback; without it the cluster version
alone decides. Clusters older than v21.1 run no migration jobs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import active_jobs_of, ended_badly
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, JobRow, MigrationRow
from guard.versions import Series

__all__ = ["CHECK"]

_SINCE: Final = Series(21, 1)
_TYPE: Final = "MIGRATION"
_MOVING: Final = frozenset({"pending", "running", "retry-running"})


def _completed(situation: Situation) -> tuple[MigrationRow, ...]:
    """Completed migrations as the server recorded them; none if it did not let us look."""
    section = situation.cluster.snapshot.migrations
    return section.rows if isinstance(section, Collected) else ()


def _towards_next(situation: Situation) -> tuple[MigrationRow, ...]:
    """Completed migrations that belong to the series after the active one.

    A migration is recorded under the step it leads to: 21.1-8 is on the way from 21.1 to 21.2.
    """
    active = situation.cluster.active_series
    return tuple(
        row
        for row in _completed(situation)
        if Series(row.major, row.minor) >= active and row.internal > 0
    )


def _upgrade_is_open(situation: Situation) -> bool:
    """True if a finalization may have been tried and not ended."""
    version = situation.cluster.version
    return version.migrating or all(
        n.build is None or n.build.series > version.series for n in situation.cluster.members
    )


def _failed(situation: Situation) -> list[JobRow]:
    """Migration jobs that failed and that no later one has made good."""
    history = [j for j in situation.cluster.job_history if (j.job_type or "").upper() == _TYPE]
    good: list[dt.datetime] = [j.created for j in history if j.status == "succeeded" and j.created]
    good += [row.completed_at for row in _completed(situation) if row.completed_at]
    last_good = max(good, default=None)
    return [
        job
        for job in history
        if ended_badly(job) and (last_good is None or job.created is None or job.created > last_good)
    ]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for each of: running, stuck, failed, too late; or one `pass`."""
    builds = [n.build for n in situation.cluster.members]
    if all(build is not None and build.series < _SINCE for build in builds):
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            "no node runs v21.1 or later, which upgrade by migration jobs",
            "Older releases move the cluster version in one step.",
        )
        return
    jobs = active_jobs_of(situation.cluster, {_TYPE})
    moving = [job for job in jobs if job.status in _MOVING]
    stuck = [job for job in jobs if job.status not in _MOVING]
    failed = _failed(situation) if _upgrade_is_open(situation) and not moving else []
    rollback = situation.step is Step.ROLLBACK
    if moving:
        yield CHECK.finding(
            Outcome.BLOCK,
            "a migration is running: the upgrade is being finalized"
            + (", it is too late to roll back" if rollback else ""),
            "; ".join(job_text(job, situation.cluster.now) for job in moving[:5]) + ".",
            evidence={"jobs": job_evidence(moving)},
            remedy=("Wait until the version is final: SHOW CLUSTER SETTING version;",),
            transient=not rollback,
        )
    if stuck:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{len(stuck)} migration(s) are stuck",
            "; ".join(job_text(job, situation.cluster.now) for job in stuck[:5])
            + ". The upgrade cannot be finalized until they run again.",
            evidence={"jobs": job_evidence(stuck)},
            remedy=tuple(f"RESUME JOB {j.job_id};" for j in stuck[:3] if j.status == "paused")
            or ("See why: SELECT * FROM [SHOW JOBS] WHERE job_type = 'MIGRATION';",),
        )
    if failed:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{len(failed)} migration(s) failed and none has succeeded since",
            "; ".join(job_text(job, situation.cluster.now) for job in failed[:5]) + ".",
            evidence={"jobs": job_evidence(failed)},
            remedy=(
                "Read the job's error in the DB Console, and cure it.",
                "Then have it tried again: SET CLUSTER SETTING version = "
                f"'{max((b.series for b in builds if b), default='')}';",
            ),
        )
    ran = _towards_next(situation) if rollback and not moving else ()
    if ran:
        steps = [f"{row.major}.{row.minor}-{row.internal}" for row in ran]
        yield CHECK.finding(
            Outcome.BLOCK,
            "migrations of the new series have run: it is too late to roll back",
            f"Completed: {listed(steps)}. The old binary does not know what they changed.",
            evidence={"completed": steps[:50]},
            remedy=("Go forward: find out why the cluster version is not final.",),
        )
    if not (moving or stuck or failed or ran):
        looked = isinstance(situation.cluster.snapshot.migrations, Collected)
        yield CHECK.finding(
            Outcome.PASS,
            "no migration of the new series has run"
            if rollback
            else "no migration is running, stuck or failed",
            "" if looked or not rollback else "By the cluster version; system.migrations was not read.",
            evidence={"recorded": len(_completed(situation)) if looked else None},
        )


CHECK = Check(
    id="migrations",
    title="no migration is running, stuck or failed",
    reads=("active_jobs", "job_history", "migrations", "settings"),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
    with_finalize=True,
)
