"""What does this upgrade change for this cluster?

Every change that the release notes and upgrade pages of the target's series name (and of a series
that is left out on the way) is judged on what was seen of the cluster: settings that somebody has
set, defaults of roles and databases, jobs, schedules, views and functions, flags of nodes. The
predicates over texts run on the server; only ids, counts and names leave it.

- start, and next-node before the first new node: warn with the changes that concern the cluster, and
  with those that could not be looked at; block only where the server itself refuses the upgrade or
  data is lost. Those that no statement can see are counted: a person must look at them. Patch upgrades
  and later nodes: not applicable.

Reads the sections that only such a hop needs; a snapshot without them gives a warning, not `unknown`.
``guard changes --to vX.Y`` prints all changes with what to do, ``guard explain C-...`` prints one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guard.changes.judge import judge
from guard.changes.result import ChangesReport, Concern, JudgedChange
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import agreeing, counted, listed
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for all changes, and one more for each that the server will refuse."""
    target, active = situation.target, situation.cluster.active_series
    if target is None or target.series <= active:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE, "a patch upgrade brings no backward-incompatible changes"
        )
        return
    if not situation.opens:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE, f"what v{target.series} changes was asked before the first node"
        )
        return
    report = judge(situation.catalog, active, target.series, situation.cluster)
    refused = [
        change
        for change in report.of(Concern.CONCERNS)
        if change.effect == "refuses" and not change.judged_by
    ]
    for change in refused:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"{change.id}: the server will refuse this upgrade, or data is lost",
            f"{change.sentence} Found: {change.evidence}.",
            evidence={"change": change.id, "found": change.evidence},
            remedy=(change.before, f"guard explain {change.id}"),
        )
    yield _summary(report, refused)


def _summary(report: ChangesReport, refused: Sequence[JudgedChange]) -> Finding:
    concerning = [c for c in report.of(Concern.CONCERNS) if c not in refused]
    defaults = [c for c in concerning if c.kind == "changed-default"]
    others = [c for c in concerning if c.kind != "changed-default"]
    hidden = report.of(Concern.COULD_NOT_LOOK)
    asked = report.of(Concern.ASK)
    unknown = [each.series for each in report.series if not each.known]
    counts = []
    if others:
        counts.append(f"{len(others)} {agreeing(len(others), 'concerns', 'concern')} this cluster")
    if defaults:
        counts.append(counted(len(defaults), "default", "changes", "change"))
    if hidden:
        counts.append(f"{len(hidden)} could not be looked at")
    if unknown:
        counts.append(f"the catalog knows none of {', '.join(unknown)}")
    counts.append(
        f"{len(asked)} {agreeing(len(asked), 'needs', 'need')} a person"
        if asked
        else "none needs a person"
    )
    warn = bool(concerning or hidden or unknown)
    return CHECK.finding(
        Outcome.WARN if warn else Outcome.PASS,
        f"changes from {report.source} to {report.target}: {', '.join(counts)}",
        " ".join(_details(others, defaults, hidden)),
        evidence={
            "concerns": [change.id for change in concerning],
            "ask": [change.id for change in asked],
            "could_not_look": [change.id for change in hidden],
            "not_in_catalog": unknown,
        },
        remedy=(
            f"guard changes --to {report.target}",
            *dict.fromkeys(step for change in hidden for step in change.remedy),
        )
        if warn
        else (),
    )


def _details(
    others: Sequence[JudgedChange], defaults: Sequence[JudgedChange], hidden: Sequence[JudgedChange]
) -> Iterator[str]:
    for change in others[:_TOLD]:
        yield f"{change.id}: {change.sentence} Found: {change.evidence}."
    if len(others) > _TOLD:
        yield f"And {listed((change.id for change in others[_TOLD:]), 5)}."
    if defaults:
        yield f"Defaults that nobody has set: {listed((change.id for change in defaults), 4)}."
    if hidden:
        yield f"Not looked at: {listed(dict.fromkeys(change.evidence for change in hidden), 3)}."


_TOLD = 5

CHECK = Check(
    id="changes",
    title="what the release changes concerns this cluster",
    reads=(
        "set_settings",
        "role_default_features",
        "role_features",
        "changefeed_features",
        "recent_job_features",
        "schedule_features",
        "descriptor_features",
        "node_features",
        "statement_features",
        "object_count",
        "active_jobs",
        "schedules",
        "license",
    ),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
