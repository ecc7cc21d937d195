"""Did a backup succeed lately?

After finalizing, the only way back is a restore. A BACKUP job that succeeded within the backup age
(24 hours unless the policy says otherwise) passes; guard cannot see whether it holds everything,
nor backups made by other means.

- start, finalize: warn if there was none. next-node, rollback, verify: not asked.

Reads the job history, which the server keeps for 14 days (jobs.retention_time) and guard reads in
part on a busy cluster; the finding says how far back was looked. Believed only from a user who
provably sees every job: admin, or VIEWJOB / CONTROLJOB from v23.1 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.jobs import history_reaches_back_to
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import age, span
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding."""
    now, limit = situation.cluster.now, situation.thresholds.backup_age
    ended = [
        moment
        for job in situation.cluster.job_history
        if (job.job_type or "").upper() == "BACKUP" and job.status == "succeeded"
        if (moment := job.finished or job.created) is not None
    ]
    newest = max(ended, default=None)
    since = history_reaches_back_to(situation.cluster)
    evidence = {
        "newest": newest,
        "age_limit_seconds": int(limit.total_seconds()),
        "looked_back_to": since,
    }
    if newest is not None and now - newest <= limit:
        yield CHECK.finding(Outcome.PASS, f"a backup succeeded {age(newest, now)}", evidence=evidence)
        return
    text = ""
    if newest is not None:
        text = f"The newest one that guard sees succeeded {age(newest, now)}. "
    if since is not None and now - since < limit:
        text += f"guard read only the jobs created since {since:%Y-%m-%d %H:%M:%SZ}. "
    yield CHECK.finding(
        Outcome.WARN,
        f"guard sees no backup that succeeded in the last {span(limit)}",
        f"{text}Once the upgrade is final, the only way back is a restore.",
        evidence=evidence,
        remedy=("Take a full backup now: BACKUP INTO '...';",),
    )


CHECK = Check(
    id="recent-backup",
    title="a backup succeeded lately",
    reads=("job_history",),
    docs=f"{DOCS}/stable/take-full-and-incremental-backups",
    explain=__doc__,
    run=run,
)
