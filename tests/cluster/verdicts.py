"""What guard has to say about every recorded state: the one table, for live and offline tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["VERDICTS", "Case"]

_20 = "v20.1.5-to-v20.2.0"
_21 = "v21.1.11-to-v21.2.0"


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
)  # fmt: skip
"""Every recorded state, what is asked about it, and the exit code."""
