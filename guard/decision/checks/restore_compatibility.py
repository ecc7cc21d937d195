"""After this hop, which of your backups can no longer be restored into the cluster?

A backup restores into its own series and into the next one (or over an innovation release), never
into an older one, and not across more. The series of a backup is the *cluster* version when it was
taken: an upgraded but unfinalized cluster still writes backups of the old series.

- start: warn if backups in the job history stop being restorable into the target's series, or if
  those of the active series are not known to be restorable there. Patch upgrades: not applicable.

Backups that were taken before the job history begins are not seen: ``guard restore`` answers for
any pair of series. Reads the job history and the completed migrations, which tell when the cluster
version changed; without them all backups count as of the active series.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.catalog.answers import Answer
from guard.cluster.jobs import is_one_of
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import job_evidence
from guard.decision.phrases import counted, listed
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, JobRow
from guard.versions import Series

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield `pass`, or `warn` for each series of backups that is left behind."""
    target, active = situation.target, situation.cluster.active_series
    if target is None or target.series == active:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE, "a patch upgrade changes nothing about restoring backups"
        )
        return
    backups: dict[Series, list[JobRow]] = {}
    for job in situation.cluster.job_history:
        if is_one_of(job, ("BACKUP",)) and job.status == "succeeded":
            backups.setdefault(_series(situation, job), []).append(job)
    lost = False
    for series in sorted({active, *backups}):
        answer = situation.catalog.restore_allowed(series, target.series)
        jobs = backups.get(series, [])
        if answer.allowed is Answer.YES or not jobs:
            continue
        lost = True
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(jobs), 'backup')} of v{series} will not be restorable into v{target.series}",
            f"{answer.reason} Jobs: {listed((job.job_id for job in jobs), 5)}.",
            evidence={"series": str(series), "basis": answer.basis, "jobs": job_evidence(jobs)},
            remedy=(
                f"Keep a v{series} binary with them, to restore into a v{series} cluster.",
                "Take a full backup once the upgrade is final.",
            ),
            jobs=jobs,
        )
    if not lost:
        answer = situation.catalog.restore_allowed(active, target.series)
        yield CHECK.finding(
            Outcome.PASS if answer.allowed is Answer.YES else Outcome.WARN,
            f"backups of v{active} "
            + ("can" if answer.allowed is Answer.YES else "may not")
            + f" be restored into v{target.series}",
            answer.reason,
            evidence={"series": str(active), "basis": answer.basis},
        )


def _series(situation: Situation, job: JobRow) -> Series:
    """The cluster version's series when the backup was taken, as far as migrations tell.

    The earliest migration that came after it led away from that series: ``24.1-8`` away from v24.1.
    """
    active = situation.cluster.active_series
    section = situation.cluster.snapshot.migrations
    if job.created is None or not isinstance(section, Collected):
        return active
    later = [
        row for row in section.rows if row.completed_at is not None and row.completed_at > job.created
    ]
    before = [series for series in situation.catalog.series if series < active]
    left = {Series(row.major, row.minor) for row in later if row.internal > 0}
    if known := [series for series in before if series in left]:
        return min(known)
    return max(before, default=active) if later else active


CHECK = Check(
    id="restore-compatibility",
    title="backups stay restorable after the upgrade",
    reads=("job_history", "migrations"),
    docs=f"{DOCS}/stable/restoring-backups-across-versions",
    explain=__doc__,
    run=run,
)
