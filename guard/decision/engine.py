"""The decision: run every check of the step and draw the verdict. Pure: no clock, no network.

Fail-closed by structure: a check that raises, or that says nothing, or that needs a section nobody
could read, becomes an `unknown` finding, and one `unknown` is enough to withhold permission.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from guard import __version__
from guard.cluster.missing import NotCollected
from guard.cluster.picture import Cluster
from guard.decision.check_definition import Check
from guard.decision.checks import ALL
from guard.decision.docs_pages import docs_of
from guard.decision.fingerprint import fingerprint, moved, parts_of
from guard.decision.infer import infer_step, infer_target, named_target
from guard.decision.policy.apply import Ids, Question, apply_policy, target_finding
from guard.decision.policy.rules import Policy, Thresholds
from guard.decision.result import ClusterSummary, Decision, Finding, NodeSummary, Outcome, Step, Verdict
from guard.decision.situation import Situation
from guard.decision.snapshot_age import too_old
from guard.snapshot.model import PASSING, Collected, Connection, Snapshot, Unavailable
from guard.versions import Build, Series

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.decision.timeline import Timeline

__all__ = ["evaluate"]


@cache  # who judges many snapshots reads it once
def _shipped_catalog() -> Catalog:
    from guard.catalog import load

    return load()


def evaluate(
    snapshot: Snapshot,
    *,
    step: Step | str = Step.AUTO,
    target: Build | str | None = None,
    node: int | None = None,
    window: dt.timedelta | None = None,
    catalog: Catalog | None = None,
    thresholds: Thresholds | None = None,
    checks: Sequence[Check] = ALL,
    policy: Policy | None = None,
    now: dt.datetime | None = None,
    expect_fingerprint: str | None = None,
    expect_parts: Mapping[str, Any] | None = None,
    max_age: dt.timedelta | None = None,
    timeline: bool = False,
) -> Decision:
    """Decide whether a step of an upgrade may go ahead.

    Args:
        snapshot: what was seen of the cluster.
        step: the step in question; "auto" infers it.
        target: the build being moved to, such as ``v21.2.1``; inferred from the nodes if not given.
        node: id of the node about to be restarted.
        window: how far ahead a scheduled backup counts as due; 30 minutes unless given.
        catalog: advisories and releases; the bundled ones unless given.
        thresholds: numbers a policy may change; the policy's unless given.
        checks: the checks to run; all of them unless a test asks otherwise.
        policy: severities, targets and waivers that apply; none unless given.
        now: guard's own clock, to tell an expired waiver and an old catalog.
        expect_fingerprint: the fingerprint that was approved; block if the state has another.
        expect_parts: what that fingerprint was made of, to say what has moved.
        max_age: how old the snapshot may be, by `now`, in a step that changes the cluster; older is
            unknown. None, as without it, asks no age: for replays and studies.
        timeline: True to draw the timeline as well, for a report that shows it.

    Returns:
        The decision. The same arguments always give the same decision.

    Raises:
        VersionError: the target is not a build such as ``v21.2.1``.
        ValueError: the step is not one of `Step`, or there is a policy and no `now`.
    """
    if catalog is None:
        catalog = _shipped_catalog()
    policy = policy or Policy()
    if (policy.waivers or policy.severity or policy.vouched) and now is None:
        raise ValueError("a policy needs `now`, to tell which of its waivers have expired")
    thresholds = thresholds or policy.thresholds
    step = Step(step)
    wanted = Build.parse(target) if isinstance(target, str) else target
    cluster = Cluster.of(snapshot)
    if wanted is not None and step is not Step.ROLLBACK:  # from a custom build to its plain release
        wanted = named_target(cluster, wanted)
    connected = isinstance(snapshot.connection, Connection)
    inferred, reason = connected and step is Step.AUTO, "named by the caller" if connected else ""
    if inferred:
        inference = infer_step(cluster, wanted, node)
        step, reason = inference.step, inference.reason
        inferred = step is not Step.AUTO
    situation = Situation(
        cluster=cluster,
        step=step,
        target=wanted if wanted is not None or not connected else infer_target(cluster, step),
        node_id=node,
        window=window if window is not None else thresholds.window,
        thresholds=thresholds,
        catalog=catalog,
    )
    if isinstance(snapshot.connection, Unavailable):
        findings = _unconnected(snapshot.connection)
    elif step is Step.AUTO:
        findings = _undecidable(situation, reason, checks)
    else:
        findings = _run_all(situation, checks)
    parts = parts_of(situation)
    token = fingerprint(parts)
    findings += target_finding(policy, situation.target, step)
    findings += too_old(snapshot, step, now, max_age)
    if expect_fingerprint is not None:
        findings += (moved(expect_fingerprint, token, expect_parts, parts),)
    summary = _summary(snapshot, cluster)
    notices: tuple[str, ...] = ()
    said = _of_a_file(snapshot)
    if now is not None:
        question = Question(
            step, summary.cluster_id, node, complete=connected and step is not Step.AUTO
        )
        ids = Ids.of(checks, catalog)
        findings, notices = apply_policy(findings, policy, ids, question, now.astimezone(dt.UTC).date())
        notices += tuple(
            f"{age.reason}: newer ones are unknown to guard" for age in catalog.ages(now) if age.stale
        )
    findings = tuple(_said_once(findings))
    return Decision(
        verdict=_verdict(findings),
        step=step,
        step_inferred=inferred,
        step_reason=reason,
        target=str(situation.target) if situation.target is not None else None,
        cluster=summary,
        findings=findings,
        taken_at=snapshot.taken_at,
        guard_version=__version__,
        catalog_date=catalog.date,
        releases_until=catalog.releases_until,
        advisories_until=catalog.advisories_until,
        notices=(*said, *notices),
        fingerprint=token,
        fingerprint_parts=parts,
        looks=(snapshot.taken_at,),
        timeline=_timeline(cluster, situation.window) if timeline and connected else None,
    )


def _timeline(cluster: Cluster, window: dt.timedelta) -> Timeline:
    from guard.decision.draw_timeline import draw_timeline

    return draw_timeline(cluster, window)


def _unconnected(why: Unavailable) -> tuple[Finding, ...]:
    return (
        Finding(
            check="visibility",
            outcome=Outcome.UNKNOWN,
            title="guard could not connect to the cluster",
            detail=why.message,
            evidence={"reason": why.reason},
            remedy=why.remedy,
            transient=why.reason in PASSING,
        ),
    )


def _undecidable(situation: Situation, reason: str, checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Findings when not even the step could be inferred: what is hidden, and that we cannot tell."""
    as_verify = msgspec.structs.replace(situation, step=Step.VERIFY)
    hidden = [
        finding for check in checks if check.id == "visibility" for finding in _run(check, as_verify)
    ]
    return (
        *hidden,
        Finding(
            check="step",
            outcome=Outcome.UNKNOWN,
            title="guard cannot tell which step the cluster is at",
            detail=f"{reason[:1].upper()}{reason[1:]}.",
            remedy=("Name it: --step start, next-node, finalize, rollback or verify",),
        ),
    )


def _run_all(situation: Situation, checks: Sequence[Check]) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for check in checks:
        if situation.step in check.steps:
            findings.extend(_run(check, situation))
    if situation.step is Step.START and situation.target is None:
        findings.append(
            Finding(
                check="step",
                outcome=Outcome.UNKNOWN,
                title="the target is unknown",
                detail="Whether an upgrade may start depends on where it goes.",
                remedy=("Add --target vX.Y.Z",),
            )
        )
    try:
        finalizes = situation.finalizes
    except NotCollected:
        finalizes = False  # auto-finalization has already reported that it could not look
    if finalizes:
        findings.extend(_finalize_column(situation.as_finalize(), checks))
    return tuple(findings)


def _finalize_column(situation: Situation, checks: Sequence[Check]) -> Iterator[Finding]:
    """What the finalize column objects to when this restart makes the cluster finalize by itself."""
    for check in checks:
        if Step.FINALIZE not in check.steps:
            continue
        for finding in _run(check, situation):
            if finding.outcome in (Outcome.WARN, Outcome.BLOCK, Outcome.UNKNOWN):
                yield _as_finalize(finding)


def _said_once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what the finalize column only says again.

    Told apart once the policy has been applied: a waiver or a severity for one step says nothing of
    the other column, and what it lets pass here may still stand there.
    """
    said: set[tuple[object, ...]] = set()
    for finding in findings:
        rests_on = (finding.nodes, finding.jobs, finding.schedules, finding.more)
        key = (finding.check, finding.outcome, finding.title, *rests_on, finding.waiver is None)
        if finding.judged_as is None:
            said.add(key)
        elif key in said:
            continue
        yield finding


def _as_finalize(finding: Finding) -> Finding:
    return msgspec.structs.replace(
        finding,
        detail=f"{finding.detail} Judged as finalize: this restart finalizes the upgrade.".strip(),
        judged_as=Step.FINALIZE,
    )


def _run(check: Check, situation: Situation) -> list[Finding]:
    """One check's findings; never empty, never an exception. Pages are those of the target's series."""
    series = _series_to_read_of(situation)
    return [
        msgspec.structs.replace(finding, docs=docs_of(finding.docs, series))
        for finding in _said(check, situation)
    ]


def _series_to_read_of(situation: Situation) -> Series | None:
    """The series whose pages tell of this step; None for the newest, which ``/stable/`` tells of."""
    try:
        target = situation.target
        series = target.series if target is not None else situation.cluster.active_series
    except NotCollected:
        return None
    return series if series < max(situation.catalog.series) else None


def _said(check: Check, situation: Situation) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(check.run(situation))
    except NotCollected as missing:
        findings.append(
            Finding(
                check=check.id,
                outcome=Outcome.UNKNOWN,
                title=f"could not look: {missing.section} is unavailable",
                detail=missing.why.message,
                evidence={
                    "section": missing.section,
                    "reason": missing.why.reason,
                    "sqlstate": missing.why.sqlstate,
                },
                remedy=missing.why.remedy,
                docs=check.docs,
                transient=missing.why.reason in PASSING,
                unseen=True,
            )
        )
    except Exception as error:  # noqa: BLE001 - a crashed check must not look like a passed one
        findings.append(
            Finding(
                check=check.id,
                outcome=Outcome.UNKNOWN,
                title="this check crashed: a bug in guard",
                detail=f"{type(error).__name__}: {error}",
                evidence={"crashed": True},
                remedy=("Report it with the snapshot: guard collect -o snapshot.json",),
                docs=check.docs,
            )
        )
    if not findings:
        findings.append(
            Finding(
                check=check.id,
                outcome=Outcome.UNKNOWN,
                title="this check said nothing: a bug in guard",
                evidence={"crashed": True},
                docs=check.docs,
            )
        )
    return findings


def _verdict(findings: Iterable[Finding]) -> Verdict:
    counting = [f.outcome for f in findings if f.waiver is None]
    if Outcome.BLOCK in counting:
        return Verdict.BLOCK
    if Outcome.UNKNOWN in counting or not counting:
        return Verdict.UNKNOWN
    return Verdict.ALLOW


def _of_a_file(snapshot: Snapshot) -> tuple[str, ...]:
    """What the reader must know of a snapshot that no look at the cluster made."""
    connection = snapshot.connection
    if not isinstance(connection, Connection) or connection.source != "debug-zip":
        return ()
    when = f"{snapshot.taken_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"
    return (
        f"a debug.zip was judged: the cluster as it was at {when}, the newest time in it. What has "
        "changed since is not in it",
    )


def _summary(snapshot: Snapshot, cluster: Cluster) -> ClusterSummary:
    active: str | None
    final: bool | None
    try:
        version = cluster.version
        active, final = version.active.text, version.active.is_final and not version.migrating
    except NotCollected:
        active, final = None, None
    gateway = None
    if isinstance(snapshot.connection, Connection):
        gateway = snapshot.connection.where
    cluster_id = None
    if isinstance(snapshot.variables, Collected):
        cluster_id = next((v.value for v in snapshot.variables.rows if v.name == "cluster_id"), None)
    return ClusterSummary(
        active_version=active,
        final=final,
        mixed=cluster.mixed,
        nodes=tuple(
            NodeSummary(
                node_id=node.node_id,
                build=node.build_tag,
                server_version=node.server_version,
                liveness=node.liveness,
                membership=node.membership,
                address=node.address,
                locality=node.locality,
                started_at=node.started_at,
            )
            for node in cluster.nodes
        ),
        gateway=gateway,
        cluster_id=cluster_id,
    )
