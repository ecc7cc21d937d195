"""More public reports, as snapshots that are built: what guard says, and what it must not say.

Those that came as files are in `test_public_reports`. Hosts, ids and times are invented. The threads
are in cockroachdb/cockroach (#N), cockroachdb/docs (docs#N), cockroach-operator (oper#N), helm-charts
(helm#N), oxidecomputer/omicron (omicron#N) and purestorage/pso-csi (pso#N).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import pytest

from guard.decision.engine import evaluate
from guard.decision.result import Decision, Finding, Outcome, Verdict
from guard.snapshot.model import Snapshot
from tests.building import NOW, Node, node, snapshot

ALLOW, BLOCK, UNKNOWN = Verdict.ALLOW, Verdict.BLOCK, Verdict.UNKNOWN
PRESERVE: Final = "cluster.preserve_downgrade_option"


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def nodes(build: str, *ids: int, **how: Any) -> list[Node]:
    return [node(i, build, **how) for i in ids or (1, 2, 3)]


def cluster(members: list[Node], version: str, **how: Any) -> Snapshot:
    """A cluster seen through its last node."""
    gossip = members[-1].gossip
    gateway = (gossip.build_tag if gossip is not None else None) or "v23.1.30"
    return snapshot(members, version=version, gateway=gateway, **how)


def half_gone(node_id: int, build: str, **how: Any) -> Node:
    """A node that was decommissioned before v20.2: down for 300 days, and still `decommissioning`."""
    left = node(node_id, build, state="dead", membership="decommissioning", **how)
    assert left.liveness is not None
    left = replace(
        left, liveness=msgspec.structs.replace(left.liveness, expiration=ago(300)), store=None
    )
    if left.status is not None:
        left = replace(left, status=msgspec.structs.replace(left.status, updated_at=ago(300)))
    return left


def of(decision: Decision, check: str) -> list[Finding]:
    return [f for f in decision.findings if f.check == check]


def words(decision: Decision, check: str) -> str:
    """All that a check says: titles, details and remedies."""
    return "\n".join("\n".join((f.title, f.detail, *f.remedy)) for f in of(decision, check))


@dataclass(frozen=True)
class Report:
    """What was reported, the question, and the answer.

    Attributes:
        check: one that objects; where the step is allowed, that warns.
        says: texts that must stand in what the check says.
        never: texts that must not.
    """

    thread: str
    seen: Snapshot
    step: str
    target: str | None
    verdict: Verdict
    check: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    node: int | None = None


UNFINALIZED_20_2: Final = {PRESERVE: "20.2"}
N1_LEFT: Final = half_gone(1, "v20.1.17", tables=("liveness",))
N4_LEFT: Final = half_gone(4, "v19.2.2", tables=("liveness", "status"))

REPORTS: Final = (
    # 21.1.11 to 21.2.0 "is too old for running version": the upgrade to 21.1 was never finalized
    Report(
        "#72849",
        cluster(nodes("v21.1.11", started=ago(40)), "20.2", settings=UNFINALIZED_20_2),
        *("start", "v21.2.17", BLOCK, "cluster-version"),
        says=("Finalize it first: RESET CLUSTER SETTING cluster.preserve_downgrade_option;",),
    ),
    Report(
        "#72849, where nothing was set",
        cluster(nodes("v21.1.11", started=ago(40)), "20.2"),
        *("start", "v21.2.17", BLOCK, "cluster-version"),
        says=("for 40 d", "'auto_upgrade'", "SET CLUSTER SETTING version = '21.1';"),
        never=("within a minute",),
    ),
    Report(
        "helm#356",
        cluster(nodes("v22.1.1", started=ago(200)), "21.2", settings={PRESERVE: "21.2"}),
        *("start", "v22.2.14", BLOCK, "upgrade-path"),
    ),
    # n1, decommissioned years ago, keeps 20.2 from being left behind
    Report(
        "#74623",
        cluster([N1_LEFT, *nodes("v21.1.12", 11, 12, 13)], "20.2"),
        *("verify", "v21.1.12", BLOCK, "cluster-version"),
        says=("Finish the decommissioning of n1: cockroach node decommission 1",),
        never=("First bring n1", "next-node"),
    ),
    Report(
        "#74623",
        cluster([N1_LEFT, *nodes("v21.1.12", 11, 12, 13)], "20.2"),
        *("finalize", "v21.1.12", BLOCK, "node-liveness"),
        says=("cockroach node decommission 1",),
        never=("Start n1 again",),
    ),
    Report(
        "#74623, before the last node",
        cluster([N1_LEFT, *nodes("v20.2.19", 11), *nodes("v21.1.12", 12, 13)], "20.2"),
        *("next-node", "v21.1.12", BLOCK, "quorum-safety"),
        says=("cockroach node decommission 1",),
        never=("Start n1 again",),
    ),
    Report(
        "docs#14254",
        cluster([N4_LEFT, *nodes("v20.2.19")], "20.2"),
        *("start", "v21.1.21", BLOCK, "mixed-version"),
        says=("decommissioning it was never finished", "cockroach node decommission 4"),
        never=("last rollout", "cannot be"),
    ),
    # a node that is decommissioned drains: it will not be "restarted and live"
    Report(
        "oper#542",
        cluster(
            [
                node(4, "v20.2.10", state="draining", membership="decommissioning", range_count=40),
                *nodes("v20.2.10"),
            ],
            "20.2",
        ),
        *("start", "v20.2.19", BLOCK, "quorum-safety"),
        says=("cockroach node decommission 4",),
        never=("restarted",),
    ),
    Report(
        "oper#542",
        cluster(
            [
                node(4, "v20.2.10", state="draining", membership="decommissioning", range_count=0),
                *nodes("v20.2.10"),
            ],
            "20.2",
        ),
        *("next-node", "v20.2.19", BLOCK, "decommissioning"),
        says=("n4 holds no replica any more",),
        never=("moving away",),
    ),
    # the operator said that it had upgraded
    Report(
        "pso#206",
        cluster(nodes("v20.2.10"), "20.2"),
        *("verify", "v21.1.21", BLOCK, "cluster-version"),
        says=("no node runs v21.1",),
        never=("not finalized", "Nothing holds it back"),
    ),
    Report(
        "terraform-provider-cockroach#262",
        cluster(nodes("v23.2.10"), "23.2"),
        *("verify", "v23.1.20", BLOCK, "cluster-version"),
        says=("beyond v23.1.20",),
        never=("not finalized",),
    ),
)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: f"{report.thread} {report.step}")
def test_what_was_reported(report: Report) -> None:
    decision = evaluate(report.seen, step=report.step, target=report.target, node=report.node)
    assert decision.verdict is report.verdict, [
        (f.check, f.title) for f in decision.findings if f.outcome in (Outcome.BLOCK, Outcome.UNKNOWN)
    ]
    objecting = {ALLOW: {Outcome.WARN}}.get(
        report.verdict, {Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN}
    )
    assert any(f.outcome in objecting for f in of(decision, report.check))
    said = words(decision, report.check)
    for text in report.says:
        assert text in said
    for text in report.never:
        assert text not in said
