"""Did the migrations of an upgrade run, are they running, did one fail?

Finalizing runs MIGRATION jobs (v21.1 and later), one after the other, and the cluster version moves
with them. A failed one leaves the cluster between two versions until it is tried again.

- every step: block while one runs: the upgrade is being finalized. Transient, except for rollback,
  where it is too late, and for one that is stuck: paused, reverting, or retried for a day. Its own
  words are printed then: they name what to cure. On very many ranges a migration takes hours.
- every step: block if one failed and none has succeeded since. A failure counts only while the upgrade
  it belongs to is open: the cluster version is migrating, or every node is ahead of it.
- rollback: block as well if a migration towards the next series is recorded as completed.

Reads the active jobs, and while an upgrade is open the job history. system.migrations (v21.1 and
later, admin or VIEWSYSTEMTABLE) is further evidence for rollback; without it the cluster version
alone decides. Not applicable to clusters older than v21.1, which run no migration jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.finalization import Finalization
from guard.cluster.jobs import is_paused, needs_a_person
from guard.cluster.migration_jobs import MigrationJobs, completed_migrations
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.phrases import agreeing, counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, JobRow, MigrationRow
from guard.versions import Series

__all__ = ["CHECK"]

_SINCE: Final = Series(21, 1)


def _towards_next(situation: Situation) -> tuple[MigrationRow, ...]:
    """Completed migrations that belong to the series after the active one.

    A migration is recorded under the step it leads to: 21.1-8 is on the way from 21.1 to 21.2.
    """
    active = situation.cluster.active_series
    return tuple(
        row
        for row in completed_migrations(situation.cluster)
        if Series(row.major, row.minor) >= active and row.internal > 0
    )


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for each of: running, stuck, failed, too late; or one `pass`."""
    if all(n.build is not None and n.build.series < _SINCE for n in situation.cluster.members):
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            "no node runs v21.1 or later, which upgrade by migration jobs",
            "Older releases move the cluster version in one step.",
        )
        return
    jobs = MigrationJobs.of(situation.cluster)
    found = [
        *(_running(situation, jobs.moving) if jobs.moving else ()),
        *(_standing_still(situation, jobs.stuck) if jobs.stuck else ()),
        *(_not_made_good(situation, jobs.failed) if jobs.failed else ()),
        *(_too_late(situation) if not jobs.moving else ()),
    ]
    yield from found or (_none(situation),)


def _texts(situation: Situation, jobs: tuple[JobRow, ...]) -> str:
    return "; ".join(job_text(job, situation.cluster.now) for job in jobs[:5])


def _running(situation: Situation, jobs: tuple[JobRow, ...]) -> Iterator[Finding]:
    rollback = situation.step is Step.ROLLBACK
    yield CHECK.finding(
        Outcome.BLOCK,
        "a migration is running: the upgrade is being finalized"
        + (", it is too late to roll back" if rollback else ""),
        f"{_texts(situation, jobs)}.",
        evidence={"jobs": job_evidence(jobs)},
        remedy=("Wait until the version is final: SHOW CLUSTER SETTING version;",),
        transient=not rollback,
        jobs=jobs,
    )


def _standing_still(situation: Situation, jobs: tuple[JobRow, ...]) -> Iterator[Finding]:
    paused = [job for job in jobs if is_paused(job)]
    pausing = [job for job in jobs if needs_a_person(job) and job not in paused]
    state = "paused" if len(paused) == len(jobs) else "stuck"
    yield CHECK.finding(
        Outcome.BLOCK,
        f"{counted(len(jobs), 'migration', 'is', 'are')} {state}",
        f"{_texts(situation, jobs)}. The upgrade cannot be finalized until "
        f"{agreeing(len(jobs), 'it runs', 'they run')} again, and waiting does not bring that about.",
        evidence={"jobs": job_evidence(jobs)},
        remedy=(
            *(f"RESUME JOB {job.job_id};" for job in paused[:3]),
            *(f"It will be paused in a moment. Then: RESUME JOB {job.job_id};" for job in pausing[:3]),
        )
        or (
            f"See its error: SHOW JOB {jobs[0].job_id};",
            "Cure what it names (the log of its coordinator says more), or ask Cockroach Labs support.",
        ),
        jobs=jobs,
    )


def _not_made_good(situation: Situation, jobs: tuple[JobRow, ...]) -> Iterator[Finding]:
    newest = max((n.build.series for n in situation.cluster.members if n.build), default=None)
    again = Finalization.of(situation.cluster).by_hand(newest)
    yield CHECK.finding(
        Outcome.BLOCK,
        f"{counted(len(jobs), 'migration')} failed and none has succeeded since",
        f"{_texts(situation, jobs)}.",
        evidence={"jobs": job_evidence(jobs)},
        remedy=(
            f"Read the job's error, and cure it: SHOW JOB {jobs[0].job_id};",
            "Then have it tried again:",
            *again,
        ),
        jobs=jobs,
    )


def _too_late(situation: Situation) -> Iterator[Finding]:
    ran = _towards_next(situation) if situation.step is Step.ROLLBACK else ()
    if ran:
        steps = [f"{row.major}.{row.minor}-{row.internal}" for row in ran]
        yield CHECK.finding(
            Outcome.BLOCK,
            "migrations of the new series have run: it is too late to roll back",
            f"Completed: {listed(steps)}. The old binary does not know what they changed.",
            evidence={"completed": steps[:50]},
            remedy=("Go forward: find out why the cluster version is not final.",),
        )


def _none(situation: Situation) -> Finding:
    looked = isinstance(situation.cluster.snapshot.migrations, Collected)
    rollback = situation.step is Step.ROLLBACK
    return CHECK.finding(
        Outcome.PASS,
        "no migration of the new series has run"
        if rollback
        else "no migration is running, stuck or failed",
        "" if looked or not rollback else "By the cluster version; system.migrations was not read.",
        evidence={"recorded": len(completed_migrations(situation.cluster)) if looked else None},
    )


CHECK = Check(
    id="migrations",
    title="no migration is running, stuck or failed",
    reads=("active_jobs", "job_history", "migrations", "settings"),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
