"""What guard has to say about every recorded state: the one table, for live and offline tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["VERDICTS", "Case"]

_20 = "v20.1.5-to-v20.2.0"
_21 = "v21.1.11-to-v21.2.0"
_2112 = "v21.1.2"
_26 = "v25.4-to-v26.1"


@dataclass(frozen=True)
class Case:
    """A question about a state and the answer. `findings`: some that must be among the findings."""

    state: str
    step: str
    code: int
    findings: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    step_then: str = ""

    def __str__(self) -> str:
        return "-".join([self.state.replace("/", "-"), self.step, *self.arguments])


_RUNNING = (("A-72839", "block"), ("running-backups", "warn"))
_HIDDEN = (("visibility", "unknown"),)
_TO = ("--target",)

VERDICTS: Final = (
    # all nodes old
    Case(f"{_21}/01-uniform-old-quiet", "auto", 0, step_then="verify"),
    Case(f"{_21}/01-uniform-old-quiet", "start", 10, (("A-72839", "block"),), (*_TO, "v21.2.0")),
    Case(f"{_21}/02-uniform-old-backup-running", "start", 10, _RUNNING, (*_TO, "v21.2.0")),
    Case(f"{_21}/02-uniform-old-backup-running", "verify", 0),
    Case(
        f"{_21}/03-uniform-old-preserve-set-schedule", "start", 10,
        (("A-72839", "block"), ("scheduled-backups", "warn")), (*_TO, "v21.2.0"),
    ),
    # gossip still lists the decommissioned node 4 with its old build: it does not count
    Case(f"{_21}/04-uniform-old-one-decommissioned", "next-node", 0, (("mixed-version", "pass"),),
         (*_TO, "v21.1.12")),
    Case(f"{_21}/04-uniform-old-one-decommissioned", "next-node", 11,
         (("mixed-version", "unknown"),)),
    Case(f"{_21}/04-uniform-old-one-decommissioned", "verify", 0, (("decommissioning", "pass"),)),
    # node 1 on the new binary
    Case(f"{_21}/05-mixed-one-new-quiet-via-old", "auto", 10, (("A-72839", "block"),),
         step_then="next-node"),
    Case(f"{_21}/05-mixed-one-new-quiet-via-old", "finalize", 10, (("mixed-version", "block"),)),
    Case(f"{_21}/06-mixed-backup-running-via-old", "auto", 10, _RUNNING, step_then="next-node"),
    Case(f"{_21}/06-mixed-backup-running-via-new", "auto", 10, _RUNNING, step_then="next-node"),
    Case(f"{_21}/06-mixed-backup-running-as-low", "auto", 11, _HIDDEN),
    Case(f"{_21}/06-mixed-backup-running-as-ctl", "auto", 11, _HIDDEN),
    Case(f"{_21}/06-mixed-backup-running-as-setter", "auto", 11, _HIDDEN),
    Case(f"{_21}/08-mixed-node3-dead", "next-node", 10, (("node-liveness", "block"),)),
    # all nodes new; node 3 was restarted less than a minute ago
    Case(f"{_21}/09-all-new-unfinalized", "auto", 10, (("mixed-version", "pass"),),
         step_then="finalize"),
    Case(f"{_21}/09-all-new-unfinalized", "verify", 10, (("cluster-version", "block"),)),
    Case(f"{_21}/10-all-new-unfinalized-backup-running", "finalize", 10,
         (("running-backups", "warn"), ("A-72839", "pass"))),
    # finalized: node 4 is still in gossip with v21.1.11
    Case(f"{_21}/12-finalized", "auto", 0,
         (("cluster-version", "pass"), ("mixed-version", "pass"), ("running-backups", "pass")),
         step_then="verify"),
    # 20.1 has neither schedules nor `membership`
    Case(f"{_20}/01-uniform-old-quiet", "start", 10, (("range-health", "block"),), (*_TO, "v20.2.0")),
    # n4 was decommissioned under v20.1 and is `decommissioning` to v20.2; n1 came back a moment ago
    Case(f"{_20}/05-mixed-one-new-quiet-via-new", "auto", 10,
         (("decommissioning", "pass"), ("node-liveness", "pass"), ("draining", "block")),
         step_then="next-node"),
    # through the old gateway nobody can see the schedules that new nodes may already have
    Case(f"{_20}/05-mixed-one-new-quiet-via-old", "auto", 10, _HIDDEN, step_then="next-node"),
    Case(f"{_20}/06-mixed-as-low", "auto", 11, _HIDDEN),
    # v21.1.2, started half a minute ago: ranges are still being replicated
    Case(f"{_2112}/quiet-as-root", "auto", 10,
         (("range-health", "block"), ("cluster-version", "pass"), ("running-backups", "pass")),
         step_then="verify"),
    Case(f"{_2112}/quiet-as-root", "start", 10, (("A-72839", "block"), ("interleaved-tables", "warn")),
         (*_TO, "v21.2.1")),
    Case(f"{_2112}/quiet-as-low", "auto", 11, _HIDDEN),
    # before v23.1 CONTROLJOB does not show what admins own, scheduled backups included
    Case(f"{_2112}/quiet-as-ctl", "auto", 11, _HIDDEN),
    Case(f"{_2112}/quiet-as-ctl", "next-node", 11, (("running-backups", "unknown"),),
         (*_TO, "v21.1.21")),
    Case(f"{_2112}/backup-as-root", "start", 10, _RUNNING, (*_TO, "v21.2.1")),
    Case(f"{_2112}/backup-as-root", "start", 0, (("running-backups", "warn"),), (*_TO, "v21.1.21")),
    Case(f"{_2112}/backup-as-root", "auto", 0, (("range-health", "pass"),), step_then="verify"),
    Case(f"{_2112}/backup-as-low", "auto", 11, _HIDDEN),
    Case(f"{_2112}/backup-as-low", "start", 11, (("running-backups", "unknown"),),
         (*_TO, "v21.1.21")),
    Case(f"{_2112}/killed-as-root", "next-node", 10,
         (("node-liveness", "block"), ("quorum-safety", "block"), ("range-health", "block")),
         (*_TO, "v21.1.21")),
    Case(f"{_2112}/killed-as-root", "auto", 10, (("node-liveness", "block"),), step_then="verify"),
    Case(f"{_2112}/decommissioned-as-root", "start", 0,
         (("decommissioning", "pass"), ("node-liveness", "pass"), ("mixed-version", "pass")),
         (*_TO, "v21.1.21")),
    Case(f"{_2112}/decommissioned-as-root", "auto", 0, (("decommissioning", "pass"),),
         step_then="verify"),
    # v25.4, started half a minute ago, without a license; a backup is due at midnight
    Case(f"{_26}/01-uniform-old-quiet-as-root", "auto", 0,
         (("visibility", "pass"), ("running-backups", "pass"), ("draining", "warn")),
         step_then="verify"),
    Case(f"{_26}/01-uniform-old-quiet-as-root", "start", 10,
         (("license", "block"), ("scheduled-backups", "warn"), ("cluster-version", "pass")),
         (*_TO, "v26.1.0")),
    # the four VIEW privileges show what root sees
    Case(f"{_26}/01-uniform-old-quiet-as-guard", "auto", 0,
         (("visibility", "pass"), ("running-backups", "pass")), step_then="verify"),
    Case(f"{_26}/01-uniform-old-quiet-as-guard", "start", 10,
         (("license", "block"), ("scheduled-backups", "warn")), (*_TO, "v26.1.0")),
    Case(f"{_26}/01-uniform-old-quiet-as-guard", "start", 0, (("draining", "warn"),),
         (*_TO, "v25.4.2")),
    Case(f"{_26}/01-uniform-old-quiet-as-nobody", "auto", 11, _HIDDEN),
    Case(f"{_26}/01-uniform-old-quiet-as-nobody", "start", 11, (("running-backups", "unknown"),),
         (*_TO, "v25.4.2")),
    # CONTROLJOB shows every job, and no node, setting or schedule
    Case(f"{_26}/01-uniform-old-quiet-as-ctl", "auto", 11, _HIDDEN),
    Case(f"{_26}/01-uniform-old-quiet-as-ctl", "start", 11,
         (("running-backups", "pass"), ("scheduled-backups", "unknown"), ("mixed-version", "unknown")),
         (*_TO, "v25.4.2")),
    # node 1 has just come back on the new binary
    Case(f"{_26}/05-mixed-via-new-as-root", "auto", 10,
         (("draining", "block"), ("mixed-version", "pass"), ("running-backups", "pass")),
         step_then="next-node"),
    Case(f"{_26}/05-mixed-via-new-as-root", "rollback", 0, (("cluster-version", "pass"),)),
    Case(f"{_26}/05-mixed-via-new-as-guard", "auto", 10,
         (("draining", "block"), ("mixed-version", "pass"), ("running-backups", "pass")),
         step_then="next-node"),
    Case(f"{_26}/05-mixed-via-new-as-guard", "finalize", 10, (("mixed-version", "block"),)),
    # no way to see nodes; what SHOW tells is believed
    Case(f"{_26}/05-mixed-via-new-gate-off", "auto", 11, _HIDDEN),
    Case(f"{_26}/05-mixed-via-new-gate-off", "next-node", 11,
         (("running-backups", "pass"), ("scheduled-backups", "warn"), ("mixed-version", "unknown")),
         (*_TO, "v26.1.0")),
    Case(f"{_26}/05-mixed-via-new-gate-off", "finalize", 11, (("mixed-version", "unknown"),)),
    Case(f"{_26}/06-mixed-backup-running-as-guard", "auto", 10,
         (("running-backups", "warn"), ("draining", "block")), step_then="next-node"),
    Case(f"{_26}/09-all-new-unfinalized-as-guard", "auto", 10,
         (("mixed-version", "pass"), ("draining", "block"), ("running-backups", "pass")),
         step_then="finalize"),
    Case(f"{_26}/09-all-new-unfinalized-as-guard", "verify", 10, (("cluster-version", "block"),)),
    # The server was told to finalize and had not begun: its version is still 25.4.
    Case(f"{_26}/12-finalized-as-guard", "verify", 10, (("cluster-version", "block"),)),
    Case(f"{_26}/12-finalized-as-guard", "auto", 10, (("mixed-version", "pass"),),
         step_then="finalize"),
    Case(f"{_26}/12-finalized-as-root", "verify", 10, (("cluster-version", "block"),)),
)  # fmt: skip
"""Every recorded state, what is asked about it, and the exit code."""
