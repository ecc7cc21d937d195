"""The decision: run every check of the step and draw the verdict. Pure: no clock, no network.

Fail-closed by structure: a check that raises, or that says nothing, or that needs a section nobody
could read, becomes an `unknown` finding, and one `unknown` is enough to withhold permission.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from guard import __version__
from guard.decision.check import Check
from guard.decision.checks import ALL
from guard.decision.checks.auto_finalization import restart_finalizes
from guard.decision.cluster import Cluster, NotCollected
from guard.decision.infer import infer_step, infer_target
from guard.decision.policy import Thresholds
from guard.decision.result import (
    ClusterSummary,
    Decision,
    Finding,
    NodeSummary,
    Outcome,
    Step,
    Verdict,
)
from guard.decision.sight import PASSING
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, Connection, Snapshot
from guard.versions import Build

if TYPE_CHECKING:
    from guard.catalog import Catalog

__all__ = ["evaluate"]


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
) -> Decision:
    """Decide whether a step of an upgrade may go ahead.

    Args:
        snapshot: what was seen of the cluster.
        step: the step in question; "auto" infers it.
        target: the build being moved to, such as ``v21.2.1``; inferred from the nodes if not given.
        node: id of the node about to be restarted.
        window: how far ahead a scheduled backup counts as due; 30 minutes unless given.
        catalog: advisories and releases; the bundled ones unless given.
        thresholds: numbers a policy may change.
        checks: the checks to run; all of them unless a test asks otherwise.

    Returns:
        The decision. The same arguments always give the same decision.

    Raises:
        VersionError: the target is not a build such as ``v21.2.1``.
        ValueError: the step is not one of `Step`.
    """
    if catalog is None:
        from guard.catalog import load

        catalog = load()
    thresholds = thresholds or Thresholds()
    step = Step(step)
    wanted = Build.parse(target) if isinstance(target, str) else target
    cluster = Cluster.of(snapshot)
    if not isinstance(snapshot.connection, Connection):
        return _decision(
            snapshot, cluster, step, "", wanted, catalog, inferred=False,
            findings=(
                Finding(
                    check="visibility",
                    outcome=Outcome.UNKNOWN,
                    title="guard could not connect to the cluster",
                    detail=snapshot.connection.message,
                    evidence={"reason": snapshot.connection.reason},
                    remedy=snapshot.connection.remedy,
                    transient=snapshot.connection.reason in PASSING,
                ),
            ),
        )  # fmt: skip
    inferred, reason = step is Step.AUTO, "named by the caller"
    if inferred:
        inference = infer_step(cluster, wanted)
        step, reason = inference.step, inference.reason
    target_build = wanted if wanted is not None else infer_target(cluster, step)
    situation = Situation(
        cluster=cluster,
        step=step,
        target=target_build,
        node_id=node,
        window=window if window is not None else thresholds.window,
        thresholds=thresholds,
        catalog=catalog,
    )
    if step is Step.AUTO:
        inferred = False
        findings = _undecidable(situation, reason, checks)
    else:
        findings = _run_all(situation, checks)
    return _decision(
        snapshot, cluster, step, reason, target_build, catalog, inferred=inferred, findings=findings
    )


def _undecidable(situation: Situation, reason: str, checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Findings when not even the step could be inferred: what is hidden, and that we cannot tell."""
    import dataclasses

    as_verify = dataclasses.replace(situation, step=Step.VERIFY)
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
        finalizes = restart_finalizes(situation)
    except NotCollected:
        finalizes = False  # auto-finalization has already reported that it could not look
    if finalizes:
        findings.extend(_finalize_column(situation.as_finalize(), checks, findings))
    return tuple(findings)


def _finalize_column(
    situation: Situation, checks: Sequence[Check], already: Iterable[Finding]
) -> list[Finding]:
    """What the finalize column adds when this restart makes the cluster finalize by itself."""
    known = {(f.check, f.outcome, f.title) for f in already}
    added = []
    for check in checks:
        if not (check.with_finalize and Step.FINALIZE in check.steps):
            continue
        for finding in _run(check, situation):
            bad = finding.outcome in (Outcome.WARN, Outcome.BLOCK, Outcome.UNKNOWN)
            if bad and (finding.check, finding.outcome, finding.title) not in known:
                added.append(_as_finalize(finding))
    return added


def _as_finalize(finding: Finding) -> Finding:
    import msgspec

    return msgspec.structs.replace(
        finding,
        detail=f"{finding.detail} Judged as finalize: this restart finalizes the upgrade.".strip(),
        evidence=finding.evidence | {"column": Step.FINALIZE.value},
    )


def _run(check: Check, situation: Situation) -> list[Finding]:
    """One check's findings; never empty, never an exception."""
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


def _decision(
    snapshot: Snapshot,
    cluster: Cluster,
    step: Step,
    reason: str,
    target: Build | None,
    catalog: Catalog,
    *,
    inferred: bool,
    findings: tuple[Finding, ...],
) -> Decision:
    return Decision(
        verdict=_verdict(findings),
        step=step,
        step_inferred=inferred,
        step_reason=reason,
        target=str(target) if target is not None else None,
        cluster=_summary(snapshot, cluster),
        findings=findings,
        taken_at=snapshot.taken_at,
        looks=(snapshot.taken_at,),
        guard_version=__version__,
        catalog_date=catalog.date,
    )


def _summary(snapshot: Snapshot, cluster: Cluster) -> ClusterSummary:
    try:
        version = cluster.version
        active, final = version.active.text, version.active.is_final and not version.migrating
    except NotCollected:
        active, final = None, False
    gateway = None
    if isinstance(snapshot.connection, Connection):
        gateway = f"{snapshot.connection.host}:{snapshot.connection.port}"
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
