"""Will the cluster finalize the upgrade by itself?

Unless told otherwise CockroachDB finalizes 15 to 20 seconds after the last old node has been
restarted, and that ends the way back. Two settings keep it from that:
``cluster.preserve_downgrade_option``, which counts only while it equals the current cluster version
(a value left over from an earlier upgrade preserves nothing), and from v23.2 on
``cluster.auto_upgrade.enabled = false``.

- start, next-node: warn if auto-finalization is on. On the last old node restarting *is* finalizing,
  and guard judges the finalize column of every check as well.
- verify: warn if a setting was left behind: it would keep the next upgrade from finalizing. So
  would not ``bulkio.backup.experimental_21_2_mode.enabled``, which is named all the same: A-72839
  asks for it, and only during an upgrade to v21.2.

Does not apply to patch upgrades. Reads the cluster settings: VIEWCLUSTERSETTING, admin before v22.1.
Source: pkg/server/auto_upgrade.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guard.cluster.missing import NotCollected
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import Reason, Unavailable

__all__ = ["CHECK", "finalizes_by_itself", "restart_finalizes"]

_PRESERVE = "cluster.preserve_downgrade_option"
_AUTO = "cluster.auto_upgrade.enabled"
_BACKUP_21_2_MODE = "bulkio.backup.experimental_21_2_mode.enabled"  # of v21.1.12 and later v21.1


def finalizes_by_itself(situation: Situation) -> bool:
    """True if nothing keeps the cluster from finalizing once every node is new.

    Raises:
        NotCollected: a setting could not be read.
    """
    preserve = situation.cluster.setting(_PRESERVE)
    if preserve is None:  # every release has it
        raise NotCollected(
            "settings",
            Unavailable(reason=Reason.PRIVILEGE, message=f"the setting {_PRESERVE} is hidden"),
        )
    preserved = preserve == situation.cluster.version.active.text
    switched_off = situation.cluster.setting(_AUTO) == "false"
    return not (preserved or switched_off)


def restart_finalizes(situation: Situation) -> bool:
    """True if restarting the next node on the target will make the cluster finalize.

    That is so on the last old node of a major upgrade with auto-finalization on, and just as well
    when no old node is left. Raises `NotCollected`.
    """
    if situation.step is not Step.NEXT_NODE or situation.target is None or situation.is_patch:
        return False
    return len(situation.old_nodes) <= 1 and finalizes_by_itself(situation)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding by the step's row of the table."""
    preserve = situation.cluster.setting(_PRESERVE)
    auto = situation.cluster.setting(_AUTO)
    active = situation.cluster.version.active
    evidence = {_PRESERVE: preserve, _AUTO: auto, "active_version": active.text}
    if situation.step is Step.VERIFY:
        mode = situation.cluster.setting(_BACKUP_21_2_MODE)
        yield _leftover(preserve, auto, mode, evidence | {_BACKUP_21_2_MODE: mode})
        return
    if situation.target is None or situation.is_patch:
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            "a patch upgrade has nothing to finalize"
            if situation.target
            else "without a target there is nothing to finalize",
            evidence=evidence,
        )
        return
    if not finalizes_by_itself(situation):
        yield CHECK.finding(
            Outcome.PASS, "the upgrade is finalized by hand, the way back stays open", evidence=evidence
        )
        return
    stale = preserve if preserve and preserve != active.text else None
    why = (
        f"{_PRESERVE} is {stale}, which is not the cluster version {active} and preserves nothing."
        if stale
        else f"{_PRESERVE} is not set."
    )
    last = restart_finalizes(situation)
    yield CHECK.finding(
        Outcome.WARN,
        "restarting this last old node will finalize the upgrade: no way back after it"
        if last
        else "the cluster will finalize by itself after the last restart",
        f"{why} CockroachDB finalizes within seconds once every node runs the new series, and that "
        "cannot be undone."
        + (" guard has therefore judged the finalize step as well." if last else ""),
        evidence=evidence | {"last_old_node": last},
        remedy=(f"Keep the way back open: SET CLUSTER SETTING {_PRESERVE} = '{active}';",),
    )


def _leftover(
    preserve: str | None, auto: str | None, mode: str | None, evidence: dict[str, Any]
) -> Finding:
    remedy = []
    if preserve:
        remedy.append(f"RESET CLUSTER SETTING {_PRESERVE};")
    if auto == "false":
        remedy.append(f"RESET CLUSTER SETTING {_AUTO};")
    held_back = bool(remedy)
    if mode == "true":
        remedy.append(f"If no upgrade to v21.2 follows: RESET CLUSTER SETTING {_BACKUP_21_2_MODE};")
    if remedy:
        return CHECK.finding(
            Outcome.WARN,
            "a setting that holds finalization back was left behind"
            if held_back
            else "the setting for backups during an upgrade to v21.2 is still on",
            "The next upgrade would not finalize, or seem protected and not be."
            if held_back
            else "It is experimental and meant for the time of that upgrade.",
            evidence=evidence,
            remedy=remedy,
        )
    return CHECK.finding(Outcome.PASS, "no setting was left behind", evidence=evidence)


CHECK = Check(
    id="auto-finalization",
    title="the upgrade does not finalize by itself unnoticed",
    reads=("settings", "kv_version", "gossip_nodes"),
    docs=f"{UPGRADE_DOCS}#finalize-a-major-version-upgrade-manually",
    explain=__doc__,
    run=run,
    steps=(Step.START, Step.NEXT_NODE, Step.VERIFY),
)
