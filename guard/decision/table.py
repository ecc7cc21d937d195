"""The step table: what each check may say in each step. The heart of the product, as data.

A cell names what may happen when things are bad: B blocks, W warns, P passes with a list, and a
missing cell means that the check has no say in the step. UNKNOWN is not in the table: any check that
could not look is unknown in every one of its steps. Tests hold the checks to this table, and the
README prints it.
"""

from __future__ import annotations

from typing import Final

from guard.decision.result import Step

__all__ = ["TABLE"]

_S, _N, _F, _R, _V = Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.ROLLBACK, Step.VERIFY

TABLE: Final[dict[str, dict[Step, str]]] = {
    "visibility": {_S: "", _N: "", _F: "", _R: "", _V: ""},
    "connection": {_S: "W", _N: "W", _F: "W", _R: "W", _V: "W"},
    "cluster-version": {_S: "B", _N: "B", _F: "B W", _R: "B W", _V: "B"},
    "mixed-version": {_S: "B W", _N: "B W", _F: "B W", _R: "B", _V: "B"},
    "migrations": {_S: "B", _N: "B", _F: "B", _R: "B", _V: "B"},
    "upgrade-path": {_S: "B", _N: "B", _R: "B W"},
    "target-release": {_S: "B W", _N: "B W", _F: "W", _R: "W", _V: "W"},
    "unlisted-release": {_S: "W", _N: "W", _F: "W", _R: "W"},
    "license": {_S: "B W", _N: "B W", _F: "B W", _V: "W"},
    "auto-finalization": {_S: "W", _N: "W", _V: "W"},
    "rollout-age": {_N: "W", _F: "W", _R: "W", _V: "W"},
    "A-72839": {_S: "B W", _N: "B W", _F: "W", _R: "", _V: "W"},
    "advisories": {_S: "B W", _N: "B W", _F: "B W", _R: "B W", _V: "W"},
    "changes": {_S: "B W", _N: "B W"},
    "running-backups": {_S: "W", _N: "W", _F: "W", _R: "W", _V: "W"},
    "scheduled-backups": {_S: "W", _N: "W", _F: "W", _R: "W", _V: "W"},
    "recent-backup": {_S: "W", _F: "W"},
    "restores": {_S: "B", _N: "B", _F: "B", _R: "B", _V: "P"},
    "restore-compatibility": {_S: "W"},
    "imports": {_S: "B W", _N: "B W", _F: "B W", _R: "W"},
    "replication-streams": {_S: "W", _F: "W"},
    "schema-changes": {_S: "B W", _N: "B W", _F: "B", _R: "W"},
    "unnamed-jobs": {_S: "W", _N: "W", _F: "W", _R: "W"},
    "job-backlog": {_S: "W", _F: "W"},
    "invalid-objects": {_S: "W", _F: "B W", _V: "W"},
    "virtual-clusters": {_S: "W", _F: "W", _V: "W"},
    "interleaved-tables": {_S: "W", _F: "B W"},
    "node-liveness": {_S: "B W", _N: "B W", _F: "B W", _R: "W", _V: "B W"},
    "draining": {_S: "W", _N: "B", _F: "B", _R: "W", _V: "W"},
    "decommissioning": {_S: "B", _N: "B", _F: "B", _R: "W", _V: "W"},
    "range-health": {_S: "B W", _N: "B W", _F: "B W", _R: "W", _V: "B W"},
    "quorum-safety": {_S: "B W", _N: "B W", _R: "B W"},
    "capacity": {_S: "W", _N: "W", _F: "W"},
}
"""By check id, in the order of the reports: step to cell."""
