"""Is the cluster version where this step needs it to be?

The cluster version is final only when it reads ``X.Y``. ``21.1-14``, ``22.1--1``,
``23.2-upgrading-to-24.1-step-008`` and ``24.1-upgrading-final-step`` are all an upgrade in progress.
guard reads it twice, from the gateway's memory and from KV; where the two differ the upgrade is
still spreading through the cluster.

- start: final, and not behind the binaries (the previous upgrade was never finalized), else block.
- next-node: not migrating, else block until it is done.
- finalize: if it is migrating already, block and wait; if it is final already, pass and say so.
- rollback: final on the new series, or migrating, is too late: block. Warn if every node is new and
  nothing keeps the cluster from finalizing by itself meanwhile.
- verify: final on the series of the binaries, else block.

Reads the setting ``version`` (VIEWCLUSTERSETTING from v22.1, admin before) in memory and by SHOW
CLUSTER SETTING version. Unreadable means UNKNOWN and cannot be waived.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.versions import Series

__all__ = ["CHECK"]

_PRESERVE: Final = "cluster.preserve_downgrade_option"
_AUTO: Final = "cluster.auto_upgrade.enabled"  # from v23.2 on


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    version = situation.cluster.version
    active = version.active
    members = situation.cluster.members
    evidence = {"active_version": active.text, "migrating": version.migrating}
    newest = max((n.build.series for n in members if n.build), default=None)
    if active.is_development:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"the cluster version {active} belongs to a development build",
            "Such a cluster can never be upgraded to a release.",
            evidence=evidence,
        )
        return
    if version.migrating:
        yield _migrating(situation, evidence)
        return
    if newest is not None and newest < active.series:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"the cluster version {active} is newer than every binary (v{newest})",
            "What the nodes run and what the cluster has stored do not fit together.",
            evidence=evidence,
            remedy=("Find out which build each node runs: cockroach node status",),
        )
        return
    ahead = newest is not None and newest > active.series
    yield from _final(situation, ahead, newest, evidence)


def _migrating(situation: Situation, evidence: dict[str, object]) -> Finding:
    version = situation.cluster.version
    at_rest = all(
        n.server_version == version.active.text and n.build is not None and n.build.is_prerelease
        for n in situation.cluster.members
    )
    if at_rest:
        return CHECK.finding(
            Outcome.UNKNOWN,
            f"the nodes run a testing release whose cluster version is {version.active}",
            "Testing releases never report a final version, so guard cannot tell whether an "
            "upgrade is under way. Do not use them in production.",
            evidence=evidence,
        )
    step = situation.step
    text = version.detail or (
        f"It reads {version.active}, which is not final; finalizing usually takes seconds to minutes."
    )
    if step is Step.ROLLBACK:
        return CHECK.finding(
            Outcome.BLOCK,
            "the cluster is being finalized: it is too late to roll back",
            text,
            evidence=evidence,
            remedy=("Let the finalization end, then go forward.",),
        )
    return CHECK.finding(
        Outcome.BLOCK,
        "the cluster version is migrating: finalization is under way",
        text,
        evidence=evidence,
        remedy=(
            "Wait until it is final: SHOW CLUSTER SETTING version;",
            "If it does not move: SELECT job_id, status FROM [SHOW JOBS] WHERE job_type = 'MIGRATION';",
        ),
        transient=True,
    )


def _resets(situation: Situation) -> tuple[str, ...]:
    """The statements that let the cluster finalize, as its settings stand; none if nothing holds it."""
    setting = situation.cluster.setting
    held = [_PRESERVE] if setting(_PRESERVE) != "" else []
    held += [_AUTO] if setting(_AUTO) == "false" else []
    return tuple(f"RESET CLUSTER SETTING {name};" for name in held)


def _final(
    situation: Situation, ahead: bool, newest: Series | None, evidence: dict[str, object]
) -> Iterator[Finding]:
    active, step = situation.cluster.version.active, situation.step
    resets = _resets(situation)
    all_new = all(
        n.build is not None and n.build.series > active.series for n in situation.cluster.members
    )
    by_itself = "Nothing holds it back: CockroachDB finalizes within a minute, once every node is new."
    if situation.finalizing:
        yield CHECK.finding(
            Outcome.PASS, f"the cluster version is {active} and not migrating", evidence=evidence
        )
    elif step is Step.START and ahead:
        yield CHECK.finding(
            Outcome.BLOCK,
            f"the previous upgrade was never finalized: binaries v{newest}, cluster version {active}",
            "A cluster is upgraded by one major version at a time, and the last one is not over.",
            evidence=evidence,
            remedy=(
                f"Finalize it first: {resets[0]}" if resets else f"Finalize it first. {by_itself}",
                *resets[1:],
                "If you are in the middle of that upgrade, ask with --step next-node or finalize.",
            ),
        )
    elif step is Step.FINALIZE and not ahead:
        yield CHECK.finding(
            Outcome.PASS,
            f"the cluster version is already final: {active}",
            "There is nothing to finalize.",
            evidence=evidence,
        )
    elif step is Step.FINALIZE:
        yield CHECK.finding(
            Outcome.PASS,
            f"the cluster version is {active}, ready to be finalized to {newest}",
            "Finalizing cannot be undone. "
            + (f"It is done by: {' '.join(resets)}" if resets else by_itself),
            evidence=evidence,
        )
    elif (
        step is Step.ROLLBACK
        and situation.target is not None
        and situation.target.series < active.series
    ):
        yield CHECK.finding(
            Outcome.BLOCK,
            f"the upgrade to {active} is final: there is no way back to {situation.target}",
            f"A v{situation.target.series} binary refuses data of cluster version {active}.",
            evidence=evidence,
            remedy=("Going back now means restoring a backup into a new cluster.",),
        )
    elif step is Step.VERIFY and (
        ahead or (situation.target is not None and situation.target.series != active.series)
    ):
        yield CHECK.finding(
            Outcome.BLOCK,
            f"the upgrade is not finalized: binaries v{newest}, cluster version {active}",
            "New features stay off, and what is broken until finalization stays broken.",
            evidence=evidence,
            remedy=(f"When you are sure: {resets[0]}", *resets[1:]) if resets else (by_itself,),
            transient=all_new and not resets,
        )
    elif step is Step.ROLLBACK and all_new and not resets:
        yield CHECK.finding(
            Outcome.WARN,
            f"nothing keeps the cluster from finalizing to {newest} before you are back",
            f"Every node runs the new series and the cluster version is {active}: CockroachDB may "
            "finalize at any moment, and that ends the way back.",
            evidence=evidence,
            remedy=(f"First: SET CLUSTER SETTING {_PRESERVE} = '{active}';",),
        )
    else:
        state = "is {}, and not migrating" if ahead else "is final: {}"
        yield CHECK.finding(
            Outcome.PASS, f"the cluster version {state.format(active)}", evidence=evidence
        )


CHECK = Check(
    id="cluster-version",
    title="the cluster version fits the step",
    reads=("settings", "kv_version"),
    docs=f"{UPGRADE_DOCS}#finalize-a-major-version-upgrade-manually",
    explain=__doc__,
    run=run,
    with_finalize=True,
    waivable=True,
)
