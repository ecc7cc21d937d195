"""Damage that was reported in public, as snapshots of the moment before it: what guard has to say.

The threads are in cockroachdb/cockroach (#N), cockroachdb/docs (docs#N), cockroach-operator (oper#N),
helm-charts (helm#N) and oxidecomputer/omicron (omicron#N).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from guard.decision.engine import evaluate
from guard.decision.result import Outcome, Verdict
from guard.snapshot.file import load_snapshot

DIRECTORY: Final = Path(__file__).parents[1] / "data" / "reports"
ALLOW, BLOCK, UNKNOWN = Verdict.ALLOW, Verdict.BLOCK, Verdict.UNKNOWN

REPORTS: Final = (
    # file, step, target, verdict, a check that must say so (or warn, where it is allowed)
    ("01-users-userid-migration-stuck", "verify", None, BLOCK, "migrations"),  # 118353
    ("03-invalid-objects", "finalize", None, UNKNOWN, "invalid-objects"),  # 150865
    ("04-core-license-23.1", "start", "v23.1.30", ALLOW, "license"),  # 139634
    ("04-core-license-patch", "start", "v24.1.29", ALLOW, "license"),
    ("04-core-license-verify", "verify", None, ALLOW, "license"),
    ("05-single-node-docker", "start", "v24.2.6", BLOCK, "upgrade-path"),
    ("05-single-node-docker", "start", "v23.2.30", ALLOW, "auto-finalization"),
    ("06-custom-git-builds", "start", "v22.1.22", ALLOW, "target-release"),  # omicron#5903
    ("06-dirty-mixed", "next-node", "v22.2.19", ALLOW, "target-release"),
    ("06-dirty-mixed", "next-node", "v22.2.19-dirty", ALLOW, "target-release"),
    ("06-dirty-mixed", "rollback", "v22.1.9", ALLOW, "target-release"),
    ("07-expunged-but-active", "start", "v22.1.22", BLOCK, "node-liveness"),  # omicron#10347
    ("08-two-nodes-down-before", "next-node", None, ALLOW, "node-liveness"),  # omicron#10658
    ("08-two-nodes-down-at-once", "next-node", None, BLOCK, "draining"),
    ("09-scaled-down-not-decommissioned-start", "start", "v20.2.19", BLOCK, "node-liveness"),
    ("11-node-without-liveness-record-start", "start", "v21.1.21", ALLOW, "node-liveness"),  # 53515
    ("11-node-without-liveness-record", "finalize", None, ALLOW, "node-liveness"),
    ("12-decommissioned-before-20.1", "finalize", None, BLOCK, "decommissioning"),  # 65625
    ("13-import-running-start", "start", "v23.2.30", BLOCK, "imports"),  # 114807
    ("13-import-running-mixed", "next-node", None, BLOCK, "imports"),
    ("13-import-running-finalize", "finalize", None, BLOCK, "imports"),
    ("16-pcr-primary-finalize", "finalize", None, UNKNOWN, "invalid-objects"),  # docs#20729
    ("18-schema-change-waits-for-finalization", "finalize", None, ALLOW, None),  # docs#7265
    ("21-before-finalize-300k-ranges", "finalize", None, ALLOW, None),  # 81961
    ("21-migration-300k-ranges", "verify", None, BLOCK, "migrations"),
    ("21-migration-300k-ranges", "rollback", None, BLOCK, "migrations"),
    ("22-schema-change-reverting-start", "start", "v24.1.29", BLOCK, "schema-changes"),  # 127662
    ("22-schema-change-reverting-forever", "finalize", None, BLOCK, "schema-changes"),
    ("23-under-replicated-by-constraints", "next-node", None, BLOCK, "range-health"),  # 47620
    ("25-stale-preserve-lastnode", "next-node", None, ALLOW, "auto-finalization"),  # 68335
    ("27-decommission-with-the-wrong-binary", "next-node", None, BLOCK, "decommissioning"),  # 85455
    ("30-rollback-to-a-later-patch", "rollback", "v21.1.21", ALLOW, None),  # docs#13667
    ("30-rollback-to-a-later-patch-allnew", "rollback", None, ALLOW, "upgrade-path"),
    ("31-patch-downgrade", "start", "v20.1.2", BLOCK, "upgrade-path"),  # oper#68
    ("32-unfinalized-previous-upgrade", "start", "v22.1.22", BLOCK, "cluster-version"),  # 24546
    ("34-statefulset-does-not-wait", "next-node", None, BLOCK, "draining"),  # helm#303
    ("37-custom-21.2-to-22.1-changefeed", "start", "v22.1.22", ALLOW, None),  # 88001
    ("38-restore-cancel-requested-forever", "start", "v23.2.30", BLOCK, "restores"),  # 122178
    ("39-schedule-created-in-mixed-state", "next-node", None, ALLOW, "scheduled-backups"),  # 84372
    ("43-tick-tock-preserve-kept", "verify", None, ALLOW, None),
    ("45-decommissioned-come-back-in-gossip", "finalize", None, ALLOW, None),  # 115686
)


@pytest.mark.parametrize(("name", "step", "target", "verdict", "speaks"), REPORTS)
def test_what_was_reported(
    name: str, step: str, target: str | None, verdict: Verdict, speaks: str | None
) -> None:
    decision = evaluate(load_snapshot(DIRECTORY / f"{name}.json"), step=step, target=target)
    objecting = {
        (f.check, f.outcome)
        for f in decision.findings
        if f.outcome in (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN)
    }
    assert decision.verdict is verdict, objecting
    if speaks is not None:
        wanted = {ALLOW: Outcome.WARN, BLOCK: Outcome.BLOCK, UNKNOWN: Outcome.UNKNOWN}[verdict]
        assert (speaks, wanted) in objecting


def test_waiting_is_not_advised_where_it_cannot_help() -> None:
    for name, step, target, check in (
        ("22-schema-change-reverting-forever", "finalize", None, "schema-changes"),
        ("23-under-replicated-by-constraints", "next-node", "v22.2.19", "range-health"),
        ("38-restore-cancel-requested-forever", "start", "v23.2.30", "restores"),
    ):
        decision = evaluate(load_snapshot(DIRECTORY / f"{name}.json"), step=step, target=target)
        found = [f for f in decision.of(Outcome.BLOCK) if f.check == check]
        assert found
        assert not any(f.transient or "--wait" in " ".join(f.remedy) for f in found)
