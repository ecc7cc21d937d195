"""Is a scheduled backup due within the window (``--window``, 30 minutes unless set)?

A next run in the past is due as well: the scheduler looks once a minute, and the job may start any
moment. Paused schedules do not count. Where a backup cannot succeed at all, A-72839 blocks.

- start, next-node, finalize, rollback: warn.
- verify: are the schedules running again? Warn about paused ones, which may have been paused for the
  upgrade, and about ones that should have run more than five minutes ago.

Reads the backup schedules (v20.2 and later; v20.1 has none): admin, or VIEWSYSTEMTABLE from
v23.1.11 on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import Activity
from guard.cluster.schedules import due_schedules, is_overdue, never_quiet
from guard.decision.check_definition import DOCS, Check
from guard.decision.job_words import activity_text, schedule_evidence, schedule_text
from guard.decision.phrases import counted, span
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]

_LATE: Final = dt.timedelta(minutes=5)  # the scheduler looks once a minute


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings by the step's row of the table."""
    if situation.step is Step.VERIFY:
        yield from _running_again(situation)
        return
    cluster = situation.cluster
    due = due_schedules(cluster, situation.window)
    within = span(situation.window)
    evidence = {
        "window_seconds": int(situation.window.total_seconds()),
        "due": schedule_evidence(due),
        "active_schedules": sum(s.next_run is not None for s in situation.cluster.schedules),
    }
    if not due:
        upcoming = [s.next_run for s in situation.cluster.schedules if s.next_run is not None]
        text = (
            f"The next one is due {min(upcoming):%Y-%m-%d %H:%M:%SZ}."
            if upcoming
            else "There is no active backup schedule."
        )
        yield CHECK.finding(
            Outcome.PASS, f"no scheduled backup is due within {within}", text, evidence=evidence
        )
        return
    count = "1 scheduled backup is" if len(due) == 1 else f"{len(due)} scheduled backups are"
    text = f"{activity_text(Activity((), due), situation.cluster.now)}."
    pause = tuple(
        f"Pause it for the upgrade, and resume it after: PAUSE SCHEDULE {schedule.schedule_id};"
        for schedule in due[:3]
    )
    yield CHECK.finding(
        Outcome.WARN,
        f"{count} due within {within}",
        text,
        evidence=evidence,
        remedy=pause,
        transient=not (is_overdue(due[0], cluster.now) or never_quiet(cluster, situation.window)),
        schedules=due,
    )


def _running_again(situation: Situation) -> Iterator[Finding]:
    schedules = sorted(situation.cluster.schedules, key=lambda s: s.schedule_id)
    paused = [s for s in schedules if s.next_run is None]
    late = [
        s for s in schedules if s.next_run is not None and s.next_run < situation.cluster.now - _LATE
    ]
    if paused:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(paused), 'backup schedule', 'is', 'are')} paused: running again?",
            "; ".join(schedule_text(s, situation.cluster.now) for s in paused[:5]) + ".",
            evidence={"paused": schedule_evidence(paused)},
            remedy=tuple(
                f"If that was for the upgrade: RESUME SCHEDULE {s.schedule_id};" for s in paused[:3]
            ),
        )
    if late:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(late), 'backup schedule')} should have run and did not",
            "; ".join(schedule_text(s, situation.cluster.now) for s in late[:5]) + ".",
            evidence={"late": schedule_evidence(late)},
            remedy=("See why: SHOW SCHEDULES FOR BACKUP;",),
        )
    if not paused and not late:
        yield CHECK.finding(
            Outcome.PASS,
            "every backup schedule is running" if schedules else "there is no backup schedule",
            evidence={"active_schedules": len(schedules)},
        )


CHECK = Check(
    id="scheduled-backups",
    title="no scheduled backup is due soon",
    reads=("schedules",),
    docs=f"{DOCS}/stable/manage-a-backup-schedule",
    explain=__doc__,
    run=run,
)
