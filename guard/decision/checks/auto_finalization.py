"""Will the cluster finalize the upgrade by itself?

Unless told otherwise CockroachDB finalizes within seconds of the restart of the last old node, and
that ends the way back. Two settings keep it from that: ``cluster.preserve_downgrade_option``, which
counts only while it equals the current cluster version (a value left over from an earlier upgrade
preserves nothing), and from v23.2 on ``cluster.auto_upgrade.enabled = false``.

- start, next-node: warn if auto-finalization is on. On the last old node, and on the only node of a
  single-node cluster, restarting *is* finalizing: guard judges the finalize column of every check as
  well, on the cluster as it will be after that restart.
- verify: warn if a setting was left behind that keeps the next upgrade from finalizing or only seems
  to protect it. A downgrade option that equals the cluster version protects and may have been set
  again on purpose: it passes, and is named. ``bulkio.backup.experimental_21_2_mode.enabled`` warns as
  well: A-72839 asks for it, and only during an upgrade to v21.2. While the upgrade is not final
  these settings protect it: only a value that protects nothing warns.

Not applicable to patch upgrades, without a target, on the way to an older series or to a development
build, while the upgrade is being finalized already, and while an earlier one is not final (that one
comes first). Reads the cluster settings: VIEWCLUSTERSETTING, admin before v22.1.
Source: pkg/server/auto_upgrade.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from guard.cluster.finalization import AUTO, PRESERVE, Finalization
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]

_BACKUP_21_2_MODE: Final = "bulkio.backup.experimental_21_2_mode.enabled"  # of v21.1.12 and later v21.1


def run(situation: Situation) -> Iterator[Finding]:
    """Yield findings by the step's row of the table."""
    held = Finalization.of(situation.cluster)
    evidence = {PRESERVE: held.preserve, AUTO: held.auto, "active_version": held.active}
    if situation.step is Step.VERIFY:
        yield from _left_behind(situation, held, evidence)
        return
    why_not = _does_not_apply(situation, held)
    if why_not:
        yield CHECK.finding(Outcome.NOT_APPLICABLE, why_not, evidence=evidence)
    elif not held.by_itself:
        yield CHECK.finding(
            Outcome.PASS, "the upgrade is finalized by hand, the way back stays open", evidence=evidence
        )
    else:
        yield _by_itself(situation, held, evidence)


def _does_not_apply(situation: Situation, held: Finalization) -> str:
    """Why there is nothing to finalize in this upgrade now; empty if there is."""
    target, version = situation.target, situation.cluster.version
    runs = max((n.build.series for n in situation.cluster.members if n.build), default=held.series)
    if version.active.is_development:
        return "a development cluster is never finalized"
    if target is None:
        return "without a target there is nothing to finalize"
    if situation.is_patch:
        return "a patch upgrade has nothing to finalize"
    if version.migrating:
        return "the upgrade is being finalized already"
    if target.series < held.series:
        return "the target is older than the cluster version: that is no upgrade"
    if held.series < runs < target.series:
        return f"the upgrade to v{runs} is not final, and comes first"
    return ""


def _by_itself(situation: Situation, held: Finalization, evidence: dict[str, Any]) -> Finding:
    why = (
        f"{PRESERVE} is {held.stale}, which is not the cluster version {held.active} and preserves "
        "nothing."
        if held.stale
        else f"{PRESERVE} is not set."
    )
    last = situation.finalizes
    none_left = situation.hop is not None and not situation.hop.old
    down = listed(n.name for n in situation.cluster.members if n.is_down)
    when = f"once {down} is back" if down else "at any moment"
    return CHECK.finding(
        Outcome.WARN,
        f"every node is new and nothing holds the upgrade back: it finalizes by itself {when}"
        if none_left
        else "restarting this last old node will finalize the upgrade: no way back after it"
        if last
        else "the cluster will finalize by itself after the last restart",
        f"{why} CockroachDB finalizes within seconds once every node runs the new series, and that "
        "cannot be undone."
        + (" guard has therefore judged the finalize step as well." if last else ""),
        evidence=evidence | {"last_old_node": last},
        remedy=(f"Keep the way back open: {held.keep}",),
    )


def _left_behind(
    situation: Situation, held: Finalization, evidence: dict[str, Any]
) -> Iterator[Finding]:
    mode = situation.cluster.setting(_BACKUP_21_2_MODE)
    evidence = evidence | {_BACKUP_21_2_MODE: mode}
    newer = [n for n in situation.cluster.members if n.build and n.build.series > held.series]
    if newer and not held.stale:  # these settings protect this upgrade: a RESET could finalize it
        yield CHECK.finding(
            Outcome.PASS,
            "nothing can have been left behind: the upgrade is not final",
            evidence=evidence,
        )
        return
    if held.stale:
        yield CHECK.finding(
            Outcome.WARN,
            f"{PRESERVE} is {held.stale}, which protects nothing",
            f"The cluster version is {held.active}. The next upgrade would seem protected and not be.",
            evidence=evidence,
            remedy=(f"RESET CLUSTER SETTING {PRESERVE};",),
        )
    if newer:
        return
    if held.switched_off:
        yield CHECK.finding(
            Outcome.WARN,
            f"{AUTO} is false",
            "The next upgrade will not finalize by itself. If that is meant, leave it.",
            evidence=evidence,
            remedy=(f"If it was for this upgrade only: RESET CLUSTER SETTING {AUTO};",),
        )
    if mode == "true":
        yield CHECK.finding(
            Outcome.WARN,
            "the setting for backups during an upgrade to v21.2 is still on",
            "It is experimental and meant for the time of that upgrade.",
            evidence=evidence,
            remedy=(f"If no upgrade to v21.2 follows: RESET CLUSTER SETTING {_BACKUP_21_2_MODE};",),
        )
    if held.stale or held.switched_off or mode == "true":
        return
    yield CHECK.finding(
        Outcome.PASS,
        "no setting was left behind"
        if not held.preserved
        else f"{PRESERVE} is {held.preserve}: the next upgrade will not finalize by itself",
        evidence=evidence,
    )


CHECK = Check(
    id="auto-finalization",
    title="the upgrade does not finalize by itself unnoticed",
    reads=("settings", "kv_version", "gossip_nodes"),
    docs=f"{UPGRADE_DOCS}#finalize-a-major-version-upgrade-manually",
    explain=__doc__,
    run=run,
)
