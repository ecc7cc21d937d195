"""Follow the advice: in the state that a remedy leads to, its finding is gone and no other has come.

Each case is a state, the words of the remedy that is followed, and the state after it. What may still
object there is what passes by itself, and what objected before.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, NamedTuple

import pytest

from guard.decision.engine import evaluate
from guard.decision.policy.rules import Policy, WaiverRule
from guard.decision.result import Decision, Outcome
from guard.snapshot import model
from guard.snapshot.model import Snapshot
from tests.building import (
    NOW,
    Node,
    collected,
    job,
    node,
    put,
    schedule,
    snapshot,
    unavailable,
)

PRESERVE: Final = "cluster.preserve_downgrade_option"
MODE: Final = {"bulkio.backup.experimental_21_2_mode.enabled": "true"}
OLD, NEW = "v23.1.30", "v23.2.30"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
OBJECTS: Final = (Outcome.BLOCK, Outcome.UNKNOWN)


def on(*builds: str) -> list[Node]:
    return [node(i, build) for i, build in enumerate(builds, start=1)]


def seen(nodes: list[Node], version: str = "23.1", **more: Any) -> Snapshot:
    """A cluster that is asked through its first node."""
    gossip = nodes[0].gossip
    gateway = (gossip.build_tag if gossip else None) or OLD
    return snapshot(nodes, **({"version": version, "gateway": gateway} | more))


def old(**more: Any) -> Snapshot:
    return seen(on(OLD, OLD, OLD), **more)


def new(**more: Any) -> Snapshot:
    """Every node is new, and the downgrade option holds the upgrade back."""
    return seen(on(NEW, NEW, NEW), **({"settings": {PRESERVE: "23.1"}} | more))


def licensed(present: bool = True, seconds: int | None = 90 * 86400, **more: Any) -> Snapshot:
    key = collected(model.LicenseRow(present=present, kind=None, seconds_left=seconds))
    return seen(on(*["v24.1.28"] * 3), "24.1", license=key, **more)


def edge(*builds: str, **more: Any) -> Snapshot:
    """A cluster on the edge of A-72839."""
    return seen(on(*builds), "21.1", **more)


BUSY: Final = node(1, OLD, underreplicated_ranges=12)
LOST: Final = node(1, OLD, unavailable_ranges=2)
STUCK: Final = job(5, "SCHEMA CHANGE", "reverting", created=NOW - 3 * DAY)
FAILED: Final = job(5, "MIGRATION", "failed", created=NOW - DAY)
MADE_GOOD: Final = job(6, "MIGRATION", "succeeded", created=NOW - HOUR)
ZONES: Final = collected(model.ZoneReplicasRow(num_replicas=3, num_voters=None))
TENANTS: Final = collected(
    model.VirtualClusterRow(virtual_cluster_id=1, active=True),
    model.VirtualClusterRow(virtual_cluster_id=3, active=True),
)
INVALID: Final = collected(model.InvalidObjectRow(object_id=7, name="t"))
FOUR: Final = [node(i, OLD) for i in (1, 2, 3, 4)]
TRACE: Final = "sql.trace.txn.enable_threshold"
HISTORY: Final = [job(1, "BACKUP", "succeeded", created=NOW - HOUR, finished=NOW - HOUR / 2)]


class Case(NamedTuple):
    check: str
    step: str
    target: str | None
    before: Snapshot
    advice: str
    after: Snapshot
    asked: dict[str, Any] = {}
    """What is asked otherwise afterwards, where that is the advice."""
    first: dict[str, Any] = {}


def dead(build: str = OLD, **more: Any) -> Node:
    return node(3, build, state="dead", **more)


CASES: Final = (
    # Nodes and versions.
    Case("mixed-version", "start", NEW, seen(on(OLD, OLD, "v23.1.29")), "to one build first", old()),
    Case("mixed-version", "next-node", None, old(), "Add --target", old(), {"target": NEW}),
    Case(
        "mixed-version",
        "next-node",
        NEW,
        seen(on(NEW, OLD, "v22.2.19"), version="23.1"),
        "Find out what runs there",
        seen(on(NEW, OLD, OLD), settings={PRESERVE: "23.1"}),
    ),
    Case("mixed-version", "next-node", NEW, old(), "Check --node", old(), {"node": 3}, {"node": 9}),
    Case(
        "mixed-version",
        "finalize",
        NEW,
        seen(on(NEW, NEW, OLD), settings={PRESERVE: "23.1"}),
        "Restart on v23.2 first: n3",
        new(),
    ),
    Case("mixed-version", "finalize", "v23.2.29", new(), f"--target {NEW}", new(), {"target": NEW}),
    Case(
        "mixed-version",
        "verify",
        NEW,
        seen(on(NEW, NEW, "v23.2.29"), "23.2"),
        "Bring to the target build: n3.",
        seen(on(NEW, NEW, NEW), "23.2"),
    ),
    Case(
        "mixed-version",
        "start",
        NEW,
        seen([*on(OLD, OLD), node(3, OLD, tables=("liveness",))]),
        "cockroach node status 3",
        old(),
    ),
    Case(
        "mixed-version",
        "start",
        NEW,
        seen(
            [*on(OLD, OLD, OLD), node(4, OLD, state="dead", tables=("liveness",))], zone_replicas=ZONES
        ),
        "cockroach node decommission 4",
        seen([*on(OLD, OLD, OLD), node(4, OLD, state="dead", membership="decommissioned")]),
    ),
    Case(
        "cluster-version",
        "start",
        "v24.1.28",
        new(),
        f"Finalize it first: RESET CLUSTER SETTING {PRESERVE}",
        seen(on(NEW, NEW, NEW), "23.2"),
    ),
    Case(
        "cluster-version",
        "verify",
        None,
        new(),
        f"When you are sure: RESET CLUSTER SETTING {PRESERVE}",
        seen(on(NEW, NEW, NEW), "23.2"),
    ),
    Case(
        "cluster-version",
        "verify",
        None,
        seen(on(NEW, NEW, NEW), "23.1-14"),
        "Wait until it is final",
        seen(on(NEW, NEW, NEW), "23.2"),
    ),
    Case(
        "cluster-version",
        "verify",
        "v23.2.30",
        old(),
        "guard check --step start --target v23.2.30",
        old(),
        {"step": "start"},
    ),
    Case(
        "migrations",
        "verify",
        None,
        seen(on(NEW, NEW, NEW), "23.1-14", jobs=[job(5, "MIGRATION")]),
        "Wait until the version is final",
        seen(on(NEW, NEW, NEW), "23.2"),
    ),
    Case(
        "migrations",
        "verify",
        None,
        seen(on(NEW, NEW, NEW), "23.1-14", jobs=[job(5, "MIGRATION", "paused")]),
        "RESUME JOB 5;",
        seen(on(NEW, NEW, NEW), "23.1-14", jobs=[job(5, "MIGRATION")]),
    ),
    Case(
        "migrations",
        "verify",
        None,
        seen(on(NEW, NEW, NEW), history=[FAILED]),
        "SET CLUSTER SETTING version = '23.2';",
        seen(on(NEW, NEW, NEW), "23.2", history=[MADE_GOOD, FAILED]),
    ),
    Case("upgrade-path", "start", "v24.1.28", old(), "guard plan --from v23.1", old(), {"target": NEW}),
    Case(
        "upgrade-path",
        "start",
        "v23.1.29",
        old(),
        "guard check --step rollback --target v23.1.29",
        old(),
        {"step": "rollback"},
    ),
    Case(
        "upgrade-path",
        "next-node",
        "v23.2.29",
        seen(on(NEW, OLD, OLD), settings={PRESERVE: "23.1"}),
        f"--target {NEW}",
        seen(on(NEW, OLD, OLD), settings={PRESERVE: "23.1"}),
        {"target": NEW},
    ),
    Case("upgrade-path", "start", "v22.2.19", old(), "Name a newer target", old(), {"target": NEW}),
    Case(
        "upgrade-path",
        "start",
        NEW,
        seen(on(*["v23.1.0-rc.1"] * 3)),
        "First go to a production release of v23.1: v23.1.30",
        seen(on(*["v23.1.0-rc.1"] * 3)),
        {"target": "v23.1.30"},
    ),
    # The target.
    Case(
        "target-release",
        "start",
        "v20.1.5",
        seen(on(*["v20.1.1"] * 3), "20.1"),
        "The newest release of the series is v20.1.17",
        seen(on(*["v20.1.1"] * 3), "20.1"),
        {"target": "v20.1.17"},
    ),
    Case(
        "unlisted-release",
        "start",
        "v99.1.0",
        old(),
        "--accept unlisted-release",
        old(),
        {"accept": "unlisted-release"},
    ),
    Case(
        "license",
        "start",
        "v24.3.33",
        licensed(False, 0),
        "SET CLUSTER SETTING enterprise.license",
        licensed(),
    ),
    Case(
        "license",
        "start",
        "v24.3.33",
        licensed(True, -60),
        "SET CLUSTER SETTING enterprise.license",
        licensed(),
    ),
    Case(
        "license",
        "start",
        "v24.3.33",
        licensed(True, None),
        "--accept license",
        licensed(True, None),
        {"accept": "license"},
    ),
    Case(
        "A-72839",
        "start",
        "v21.2.0",
        edge(*["v21.1.21"] * 3, settings=MODE),
        "guard check --step start --target v21.2.17",
        edge(*["v21.1.21"] * 3, settings=MODE),
        {"target": "v21.2.17"},
    ),
    Case(
        "A-72839",
        "start",
        "v21.2.17",
        edge(*["v21.1.9"] * 3, history=HISTORY),
        "Patch n1, n2, n3",
        edge(*["v21.1.21"] * 3, history=HISTORY, settings=MODE),
    ),
    Case(
        "A-72839",
        "start",
        "v21.2.17",
        edge(*["v21.1.21"] * 3, history=HISTORY),
        "SET CLUSTER SETTING bulkio.backup.experimental_21_2_mode.enabled = true;",
        edge(*["v21.1.21"] * 3, history=HISTORY, settings=MODE),
    ),
    Case(
        "A-72839",
        "start",
        "v21.2.17",
        edge(*["v21.1.21"] * 3, schedules=[schedule(5, NOW - 30 * HOUR)]),
        "PAUSE SCHEDULE 5;",
        edge(*["v21.1.21"] * 3, schedules=[schedule(5, None)], settings=MODE),
    ),
    Case(
        "A-72839",
        "next-node",
        "v21.2.17",
        edge(
            "v21.2.17",
            "v21.1.21",
            "v21.1.21",
            jobs=[job(9, status="paused")],
            settings={PRESERVE: "21.1"},
        ),
        "CANCEL JOB 9;",
        edge("v21.2.17", "v21.1.21", "v21.1.21", settings={PRESERVE: "21.1"}),
    ),
    Case(
        "A-71002",
        "start",
        "v21.1.9",
        seen(on(*["v20.2.19"] * 3), "20.2"),
        "Choose v21.1.21",
        seen(on(*["v20.2.19"] * 3), "20.2"),
        {"target": "v21.1.21"},
    ),
    Case(
        "A-68005",
        "start",
        "v21.1.5",
        seen(on(*["v20.2.19"] * 3), "20.2", settings={TRACE: "1s"}),
        "set the setting to 0",
        seen(on(*["v20.2.19"] * 3), "20.2", settings={TRACE: "0s"}),
    ),
    # Jobs.
    Case("restores", "start", NEW, old(jobs=[job(5, "RESTORE")]), "SHOW JOB WHEN COMPLETE 5;", old()),
    Case("restores", "start", NEW, old(jobs=[job(5, "RESTORE", "paused")]), "CANCEL JOB 5;", old()),
    Case("imports", "next-node", NEW, old(jobs=[job(5, "IMPORT")]), "SHOW JOB WHEN COMPLETE 5;", old()),
    Case(
        "schema-changes",
        "finalize",
        None,
        new(jobs=[job(5, "SCHEMA CHANGE")]),
        "WHEN COMPLETE 5",
        new(),
    ),
    Case("schema-changes", "start", NEW, old(jobs=[STUCK]), "SHOW JOB 5;", old()),
    Case(
        "unnamed-jobs",
        "next-node",
        NEW,
        old(jobs=[job(5, None)]),
        "a node on the newest build",
        old(jobs=[job(5, "AUTO SPAN CONFIG RECONCILIATION")]),
    ),
    # What the server would refuse.
    Case("invalid-objects", "finalize", None, new(invalid_objects=INVALID), "Have the others", new()),
    Case("invalid-objects", "finalize", None, new(invalid_objects=unavailable()), "GRANT it", new()),
    Case(
        "virtual-clusters",
        "finalize",
        None,
        new(virtual_clusters=TENANTS),
        "--accept virtual-clusters",
        new(virtual_clusters=TENANTS),
        {"accept": "virtual-clusters"},
    ),
    Case(
        "interleaved-tables",
        "finalize",
        None,
        seen(on(*["v21.2.17"] * 3), "21.1", interleaved_tables=collected(model.CountRow(count=2))),
        "Convert them",
        seen(on(*["v21.2.17"] * 3), "21.1"),
    ),
    # Nodes that come and go.
    Case(
        "node-liveness",
        "start",
        NEW,
        seen([*on(OLD, OLD), node(3, OLD, state="suspect")]),
        "Start n3 again",
        old(),
    ),
    Case(
        "node-liveness",
        "start",
        NEW,
        seen([*on(OLD, OLD), dead()]),
        "after a new node has joined",
        seen([*on(OLD, OLD), dead(membership="decommissioned"), node(4, OLD)]),
    ),
    Case(
        "node-liveness",
        "finalize",
        None,
        seen([*on(NEW, NEW, NEW), node(4, NEW, state="dead")], settings={PRESERVE: "23.1"}),
        "cockroach node decommission 4",
        seen(
            [*on(NEW, NEW, NEW), node(4, NEW, state="dead", membership="decommissioned")],
            settings={PRESERVE: "23.1"},
        ),
    ),
    Case(
        "draining",
        "next-node",
        NEW,
        seen([*on(OLD, OLD), node(3, OLD, state="draining")]),
        "--node 3",
        seen([*on(OLD, OLD), node(3, OLD, state="draining")]),
        {"node": 3},
    ),
    Case(
        "draining",
        "next-node",
        NEW,
        seen([*on(OLD, OLD), node(3, OLD, started=NOW)]),
        "guard check --wait 5m",
        old(),
    ),
    Case(
        "decommissioning",
        "start",
        NEW,
        seen([*on(OLD, OLD, OLD), node(4, OLD, membership="decommissioning")]),
        "cockroach node recommission 4",
        seen(FOUR),
    ),
    Case(
        "decommissioning",
        "start",
        NEW,
        seen([*on(OLD, OLD, OLD), node(4, OLD, membership="decommissioning")]),
        "cockroach node decommission 4",
        seen([*on(OLD, OLD, OLD), node(4, OLD, state="dead", membership="decommissioned")]),
    ),
    Case(
        "range-health",
        "start",
        NEW,
        seen([BUSY, *on(OLD, OLD, OLD)[1:]]),
        "SHOW ALL ZONE CONFIGURATIONS",
        old(),
    ),
    Case(
        "range-health",
        "start",
        NEW,
        seen([LOST, node(2, OLD), node(3, OLD, state="suspect")]),
        "Start n3 again.",
        old(),
    ),
    Case("range-health", "verify", None, seen([*on(OLD, OLD), dead()]), "Start n3 again", old()),
    Case(
        "quorum-safety",
        "start",
        NEW,
        seen([*on(OLD, OLD), node(3, OLD, state="suspect")]),
        "Start n3 again",
        old(),
    ),
    Case(
        "capacity",
        "start",
        NEW,
        put(old(), store_status=collected(node(9, OLD).store)),
        "look again",
        old(),
    ),
    # guard's own.
    Case("visibility", "start", NEW, old(admin=False, user="low"), "GRANT", old()),
    Case(
        "step",
        "auto",
        None,
        put(old(), kv_version=unavailable()),
        "--step start",
        old(),
        {"step": "start", "target": NEW},
    ),
)


def ask(look: Snapshot, **asked: Any) -> Decision:
    accepted = asked.pop("accept", None)
    waivers = (WaiverRule(accepted, "seen to", "ops", None),) if accepted else ()
    return evaluate(look, policy=Policy(waivers=waivers), now=NOW, **asked)


def objecting(decision: Decision) -> set[str]:
    """The checks that object and that waiting does not quiet."""
    return {f.check for o in OBJECTS for f in decision.of(o) if not f.transient}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}-{c.step}-{c.advice[:25]}")
def test_following_the_advice_leads_on(case: Case) -> None:
    question = {"step": case.step, "target": case.target}
    before = ask(case.before, **(question | case.first))
    found = [f for o in OBJECTS for f in before.of(o) if f.check == case.check]
    assert found
    assert any(case.advice in line for f in found for line in f.remedy), [f.remedy for f in found]
    after = ask(case.after, **(question | case.asked))
    still = [f for o in OBJECTS for f in after.of(o) if f.check == case.check and not f.transient]
    assert not still, [(f.title, f.remedy) for f in still]
    assert objecting(after) <= objecting(before) | {f.check for f in before.findings if f.transient}
