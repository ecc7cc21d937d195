"""More public reports, as snapshots that are built: what guard says, and what it must not say.

Those that came as files are in `test_public_reports`. Hosts, ids and times are invented. The threads
are in cockroachdb/cockroach (#N), cockroachdb/docs (docs#N), cockroach-operator (oper#N), helm-charts
(helm#N), oxidecomputer/omicron (omicron#N) and purestorage/pso-csi (pso#N); others by their name.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import pytest

from guard.decision.engine import evaluate
from guard.decision.result import Decision, Finding, Outcome, Verdict
from guard.snapshot import model
from guard.snapshot.model import Collected, Reason, Snapshot
from tests.building import NOW, Node, collected, job, node, put, snapshot, unavailable

ALLOW, BLOCK, UNKNOWN = Verdict.ALLOW, Verdict.BLOCK, Verdict.UNKNOWN
PRESERVE: Final = "cluster.preserve_downgrade_option"


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def nodes(build: str, *ids: int, **how: Any) -> list[Node]:
    return [node(i, build, **how) for i in ids or (1, 2, 3)]


def cluster(members: list[Node], version: str, **how: Any) -> Snapshot:
    """A cluster seen through its newest node."""
    builds = [n.gossip.build_tag for n in members if n.gossip is not None and n.gossip.build_tag]
    return snapshot(members, version=version, **({"gateway": max(builds)} | how))


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
        silent: a check that has no say.
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
    silent: str = ""


def with_clock_ahead(there: Node, by: dt.timedelta) -> Node:
    """A node that writes its records by a clock that is ahead."""
    assert there.liveness is not None
    assert there.liveness.expiration is not None
    assert there.status is not None
    assert there.status.updated_at is not None
    later = msgspec.structs.replace(there.liveness, expiration=there.liveness.expiration + by)
    status = msgspec.structs.replace(there.status, updated_at=there.status.updated_at + by)
    return replace(there, liveness=later, status=status)


def hanging(there: Node) -> Node:
    assert there.status is not None
    silent = msgspec.structs.replace(there.status, updated_at=NOW - dt.timedelta(minutes=6))
    return replace(there, status=silent)


def at_the_address_of(other: int, there: Node) -> Node:
    """A node that joined anew where another one was."""
    assert there.gossip is not None
    assert there.status is not None
    address = f"10.0.0.{other}:26257"
    gossip = msgspec.structs.replace(there.gossip, address=address)
    return replace(there, gossip=gossip, status=msgspec.structs.replace(there.status, address=address))


def license_of(days: int) -> Collected[Any]:
    return collected(model.LicenseRow(present=True, kind=None, seconds_left=days * 86_400))


ZONES: Final = tuple(
    f"region={region},zone={region}-{zone}"
    for region in ("us-east1", "us-west1", "europe-west1")
    for zone in "abc"
)


def regions(down: int | None = None, at_risk: dict[str, int] | None = None) -> Snapshot:
    """Nine nodes in three regions; those of one region lose quorum with it, as they are meant to."""
    members = []
    for i, zone in enumerate(ZONES, start=1):
        there = node(i, "v23.2.19", state="dead" if i == down else "live")
        assert there.gossip is not None
        members.append(replace(there, gossip=msgspec.structs.replace(there.gossip, locality=zone)))
    made = NOW - dt.timedelta(seconds=30)
    return cluster(
        members,
        "23.2",
        license=license_of(days=200),
        zone_replicas=collected(
            model.ZoneReplicasRow(num_replicas=5, num_voters=3),
            model.ZoneReplicasRow(num_replicas=5, num_voters=None),
        ),
        critical_localities=collected(
            *(
                model.CriticalLocalityRow(
                    zone_id=1, subzone_id=0, locality=name, at_risk_ranges=count, generated=made
                )
                for name, count in ({"region=us-east1": 300} | (at_risk or {})).items()
            )
        ),
        replication_stats=collected(
            model.ReplicationStatsRow(
                zone_id=1,
                subzone_id=0,
                total_ranges=900,
                unavailable_ranges=0,
                under_replicated_ranges=40,
                generated=made,
            )
        ),
    )


UNLICENSED: Final = collected(model.LicenseRow(present=False, kind=None, seconds_left=0))
BROKEN: Final = unavailable(Reason.ERROR, "query-invalid_objects: invalid comment type 8", "XXUUU")
VIRTUAL: Final = collected(
    *(model.VirtualClusterRow(virtual_cluster_id=i, active=True) for i in (1, 3))
)
PAUSED: Final = [job(100 + i, "SCHEMA CHANGE", "paused", created=ago(60)) for i in range(150)]
UNFINALIZED_20_2: Final = {PRESERVE: "20.2"}
N1_LEFT: Final = half_gone(1, "v20.1.17", tables=("liveness",))
N4_LEFT: Final = half_gone(4, "v19.2.2", tables=("liveness", "status"))

FIVE: Final = (*nodes("v22.1.9-dirty", 1, 2, 5), *nodes("v22.1.9-dirty", 3, 4, state="dead"))
CRASHING: Final = (*nodes("v20.2.7", 1, 2), node(3, "v20.2.7", state="dead"))
FORWARD_CLOCK: Final = with_clock_ahead(node(3, "v21.2.2"), dt.timedelta(minutes=14))

TWO: Final = nodes("v21.2.2", 2, 3)
TWO_OLD: Final = nodes("v21.2.9", 2, 3)
GONE: Final = "decommissioned"

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
        "#72849, and nothing advises to keep it unfinalized",
        cluster(nodes("v21.1.11", started=ago(40)), "20.2"),
        *("start", "v21.2.17", BLOCK, "upgrade-path"),
        silent="auto-finalization",
    ),
    # half a year on v21.1.2, not finalized, and now a patch of it
    Report(
        "#66987",
        cluster(nodes("v21.1.2", started=ago(170)), "20.2", settings=UNFINALIZED_20_2),
        *("start", "v21.1.21", BLOCK, "cluster-version"),
        says=(
            "the upgrade to v21.1 was never finalized",
            "guard check --step next-node --target v21.1.21",
        ),
    ),
    Report(
        "#66987",
        cluster(nodes("v21.1.2", started=ago(170)), "20.2", settings=UNFINALIZED_20_2),
        *("next-node", "v21.1.21", ALLOW, "rollout-age"),
        says=("at least 170 d ago",),
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
    # two of five did not come up for their clocks; naming one of them excuses it, not the other
    Report(
        "omicron#7668",
        cluster([*FIVE], "22.1", gateway="v22.1.9-dirty"),
        *("next-node", "v22.1.22", BLOCK, "node-liveness"),
        node=4,
        says=("n3 is dead", "Starting n4, which is down as well, costs no quorum"),
        never=("Another restart now",),
    ),
    Report(
        "omicron#7668, on the way back",
        cluster([*nodes("v22.2.19", 3, 4, state="dead"), *nodes("v22.1.22", 1, 2, 5)], "22.1"),
        *("rollback", "v22.1.22", ALLOW, "node-liveness"),
        node=4,
        says=("Starting n4 again costs no quorum", "Start n3, n4 again, on v22.1.22"),
        never=("Another restart now",),
    ),
    # the instances were terminated after they had been decommissioned: nobody is left to start
    Report(
        "#35220",
        cluster(nodes("v20.1.16", 26, 27, 28, 29, unavailable_ranges=2), "20.1"),
        *("start", "v20.1.17", BLOCK, "range-health"),
        says=("8 ranges are unavailable", "No member is down"),
        never=("Start ",),
    ),
    # a node that lives and hangs: its liveness is renewed, its status is not
    Report(
        "#35220, a node hangs",
        cluster([*nodes("v23.1.20", 1, 2), hanging(node(3, "v23.1.20"))], "23.1"),
        *("next-node", "v23.1.30", BLOCK, "range-health"),
        node=2,
        says=("n3 lives and writes no status",),
        never=("Start n3 again",),
    ),
    Report(
        "#73366",
        cluster([*nodes("v21.2.2", 1, 2), FORWARD_CLOCK], "21.2"),
        *("start", "v21.2.17", UNKNOWN, "node-liveness"),
        says=("the clock of n3 is ahead", "14 min"),
    ),
    Report(
        "#73366, looked at through the node that is behind",
        cluster(
            [node(1, "v21.2.2"), *(with_clock_ahead(n, dt.timedelta(hours=2)) for n in TWO)], "21.2"
        ),
        *("verify", "v21.2.2", UNKNOWN, "node-liveness"),
        says=("the clock of n2, n3 is ahead of that of the node guard asked",),
    ),
    # a node that lost its disk joined as a new one
    Report(
        "#24059",
        cluster(
            [node(1, "v21.2.9", state="dead"), at_the_address_of(1, node(4, "v21.2.9")), *TWO_OLD],
            "21.2",
        ),
        *("next-node", "v21.2.17", BLOCK, "node-liveness"),
        says=("n4 lives at the address of n1", "If its store is left", "cockroach node decommission 1"),
    ),
    # the new binary refuses a flag, so the node that is down has the old build in every table
    Report(
        "oper#489",
        cluster([*CRASHING], "20.2", settings=UNFINALIZED_20_2),
        *("rollback", "v20.2.7", BLOCK, "mixed-version"),
        node=3,
        says=("n3 is down and never came up on a newer build", "start it on v20.2.7"),
    ),
    Report(
        "oper#489, one node later",
        cluster(
            [node(1, "v20.2.7"), node(2, "v21.1.2", state="dead"), node(3, "v21.1.2")],
            "20.2",
            settings=UNFINALIZED_20_2,
        ),
        *("rollback", "v20.2.7", ALLOW, "node-liveness"),
        node=2,
        says=("Start n2 again, on v20.2.7",),
        never=("the build it had",),
    ),
    Report(
        "oper#489, one node later",
        cluster(
            [node(1, "v20.2.7"), node(2, "v21.1.2", state="dead"), node(3, "v21.1.2")],
            "20.2",
            settings=UNFINALIZED_20_2,
        ),
        *("rollback", "v20.2.7", ALLOW, "rollout-age"),
        node=2,
        says=("Put the new ones back",),
        never=("Restart the other nodes",),
    ),
    Report(
        "#108563",
        cluster([*nodes("v23.1.20"), node(4, "v23.1.20", state="dead", membership=GONE)], "23.1"),
        *("next-node", "v23.1.30", BLOCK, "mixed-version"),
        node=4,
        says=("n4: it was decommissioned",),
    ),
    # jobs: what stands still is not said to run, and waiting is not advised
    Report(
        "docs#8978",
        cluster(nodes("v20.1.8"), "20.1", jobs=PAUSED),
        *("start", "v20.2.2", BLOCK, "H-57437"),
        says=("150 unfinished jobs",),
    ),
    Report(
        "docs#8978",
        cluster(nodes("v20.1.8"), "20.1", jobs=PAUSED),
        *("start", "v20.2.19", ALLOW, "schema-changes"),
        says=("150 schema changes are paused", "Finalizing the upgrade waits"),
        never=("running", "--wait"),
    ),
    Report(
        "#47110",
        cluster(nodes("v20.1.0"), "19.2", settings={PRESERVE: "19.2"}, jobs=[job(5, "SCHEMA CHANGE")]),
        *("rollback", "v19.2.12", ALLOW, "schema-changes"),
        says=("stand still",),
        never=("Wait for it", "--wait"),
    ),
    Report(
        "docs#15737",
        cluster(nodes("v22.2.19"), "22.1", settings={PRESERVE: "22.1"}, jobs=[job(5, "RESTORE")]),
        *("finalize", None, BLOCK, "restores"),
        says=("1 restore is running",),
    ),
    # on three nodes nothing replaces the copies of the one that is dead
    Report(
        "#65170",
        cluster(
            [
                *nodes("v23.1.20", 1, 2, underreplicated_ranges=30),
                node(3, "v23.1.20", state="dead", underreplicated_ranges=0),
            ],
            "23.1",
        ),
        *("next-node", "v23.1.30", BLOCK, "range-health"),
        node=2,
        says=("too few for all copies", "Start n3 again, or let a new node join."),
        never=("--wait",),
    ),
    Report(
        "#65170, starting that very node",
        cluster(
            [
                *nodes("v23.1.20", 1, 2, underreplicated_ranges=30),
                node(3, "v23.1.20", state="dead", underreplicated_ranges=0),
            ],
            "23.1",
        ),
        *("next-node", "v23.1.30", ALLOW, "range-health"),
        node=3,
        says=("Starting the node again is the cure",),
        never=("--wait",),
    ),
    Report(
        "directus#24616",
        cluster([node(1, "v24.1.11")], "24.1"),
        *("verify", None, ALLOW, "license"),
        says=("throttles",),
    ),
    Report(
        "directus#24616, with a license that ran out",
        cluster(nodes("v24.3.5"), "24.3", license=license_of(days=-20)),
        *("start", "v24.3.33", ALLOW, "license"),
        says=("expired 20 d ago",),
    ),
    Report(
        "directus#24616, with one that is about to",
        cluster(nodes("v24.3.5"), "24.3", license=license_of(days=3)),
        *("start", "v24.3.33", ALLOW, "license"),
        says=("expires in 3 d",),
    ),
    # the next upgrade begun while the last one is not over
    Report(
        "#24546, in our days",
        cluster([node(1, "v22.2.19"), *nodes("v22.1.22", 2, 3)], "21.2", settings={PRESERVE: "21.2"}),
        *("next-node", None, BLOCK, "mixed-version"),
        says=("Put n1 back on v22.1", "from v21.2 to v22.1 comes first"),
        never=("the source or the target build",),
    ),
    Report(
        "#65625",
        cluster(
            [
                *(half_gone(i, "v20.1.1", tables=("liveness",)) for i in (2, 3, 5)),
                *nodes("v21.1.1", 1, 4, 7),
            ],
            "20.2",
        ),
        *("finalize", None, BLOCK, "mixed-version"),
        says=("the build of n2, n3, n5 is unknown", "cockroach node decommission 2 3 5"),
    ),
    # what the server refuses to finalize for
    Report(
        "#145933",
        cluster(nodes("v24.3.9"), "24.3", license=license_of(days=200), invalid_objects=BROKEN),
        *("start", "v25.1.10", ALLOW, "invalid-objects"),
        says=("invalid comment type 8", "would fail the same way"),
    ),
    Report(
        "#145933",
        cluster(nodes("v25.1.10"), "24.3", license=license_of(days=200), invalid_objects=BROKEN),
        *("finalize", None, UNKNOWN, "invalid-objects"),
        says=("would fail the same way",),
    ),
    # what only stood in between says nothing about the objects
    Report(
        "#145933, through a pooler",
        cluster(
            nodes("v25.1.10"),
            "24.3",
            license=license_of(days=200),
            invalid_objects=unavailable(Reason.ERROR, "a connection pooler stands in between"),
        ),
        *("finalize", None, UNKNOWN, "invalid-objects"),
        never=("would fail the same way",),
    ),
    Report(
        "#110223",
        cluster(nodes("v24.1.29"), "24.1", license=license_of(days=200), virtual_clusters=VIRTUAL),
        *("start", "v24.3.33", ALLOW, "virtual-clusters"),
        says=("Numbers 3",),
    ),
    Report(
        "#127903",
        cluster(nodes("v23.2.30"), "23.1", settings={PRESERVE: "23.1"}, virtual_clusters=VIRTUAL),
        *("finalize", None, UNKNOWN, "virtual-clusters"),
    ),
    Report(
        "#148969",
        cluster(
            nodes("v25.2.3"),
            "25.1-upgrading-to-25.2-step-003",
            license=license_of(days=200),
            virtual_clusters=VIRTUAL,
        ),
        *("verify", "v25.2.3", BLOCK, "cluster-version"),
    ),
    # lost in the middle of it: the migration waits for n7
    Report(
        "#71054",
        cluster([*nodes("v21.1.9", 1, 2, 14), node(7, "v21.1.9", state="dead")], "20.2-4"),
        *("verify", None, BLOCK, "node-liveness"),
        says=("cockroach node decommission 7",),
    ),
    # on the old build: to start it on that again would only lead into the next block
    Report(
        "#26821, one node was left out",
        cluster(
            [*nodes("v21.1.9", 1, 2), node(3, "v20.2.10", state="dead")],
            "20.2",
            settings=UNFINALIZED_20_2,
        ),
        *("finalize", None, BLOCK, "node-liveness"),
        says=("Start n3 again, on v21.1.9",),
    ),
    Report(
        "#71054, had it been lost a moment earlier",
        cluster([*nodes("v21.1.9", 1, 2, 14), node(7, "v21.1.9", state="dead")], "20.2"),
        *("verify", None, BLOCK, "cluster-version"),
        says=("waits for n7, which is down", "First start n7 on v21.1"),
        never=("Nothing holds it back", "within a minute, once"),
    ),
    Report(
        "#160516",
        put(
            cluster(
                [node(1, "v26.1.4", state="suspect"), *nodes("v26.1.4", 2, 3)],
                "25.4-upgrading-to-26.1-step-003",
                license=license_of(days=200),
            ),
            kv_version=unavailable(Reason.TIMEOUT, "statement timeout", "57014"),
        ),
        *("verify", "v26.1.4", BLOCK, "node-liveness"),
    ),
    # roads
    Report(
        "oper#507",
        cluster(nodes("v19.2.12"), "19.2"),
        *("start", "v20.2.19", BLOCK, "upgrade-path"),
        says=("only from v20.1",),
    ),
    Report(
        "docs#4921",
        cluster(nodes("v23.1.0-beta.2"), "23.1"),
        *("start", "v23.2.30", BLOCK, "upgrade-path"),
        says=("First go to a production release of v23.1",),
    ),
    Report(
        "docs#15666",
        cluster(nodes("v23.1.0-alpha.4"), "1000022.2-36"),
        *("start", "v23.1.30", BLOCK, "cluster-version"),
        says=("development build",),
        never=("SET CLUSTER SETTING",),
    ),
    Report(
        "docs#16277",
        cluster(nodes("v22.1.14"), "22.1"),
        *("start", "v22.2.4", BLOCK, "target-release"),
        says=("withdrawn", "v22.2.19"),
    ),
    Report(
        "docs#16277, some nodes have it",
        cluster([node(1, "v22.2.4"), *nodes("v22.1.14", 2, 3)], "22.1", settings={PRESERVE: "22.1"}),
        *("next-node", "v22.2.19", ALLOW, "mixed-version"),
        node=2,
    ),
    Report(
        "#106358",
        cluster(nodes("v22.2.19"), "22.2", jobs=[job(7, "CHANGEFEED")]),
        *("start", "v23.1.5", BLOCK, "H-106399"),
    ),
    Report(
        "#82309",
        cluster(nodes("v21.2.17"), "21.2", jobs=[job(7, "CHANGEFEED", "paused", created=ago(30))]),
        *("start", "v22.1.0", BLOCK, "A-82309"),
    ),
    Report(
        "#113864",
        cluster(nodes("v23.1.30", started=ago(30)), "22.2", settings={PRESERVE: "22.2"}),
        *("finalize", None, ALLOW, "rollout-age"),
        says=("30 d ago",),
    ),
    Report(
        "oper#554",
        cluster([node(1, "v20.2.19", underreplicated_ranges=40)], "20.2"),
        *("next-node", "v21.1.21", ALLOW, "auto-finalization"),
        node=1,
        says=("no way back after it",),
    ),
    # region by region: the report of critical localities tells what another restart costs
    Report(
        "docs#7733",
        regions(),
        *("next-node", "v23.2.30", ALLOW, "target-release"),
        node=4,
    ),
    Report(
        "docs#7733, n4 is down and n5 is its neighbour",
        regions(down=4, at_risk={"region=us-west1,zone=us-west1-b": 120}),
        *("next-node", "v23.2.30", BLOCK, "quorum-safety"),
        node=5,
        says=("120 ranges would lose quorum without n5",),
    ),
    Report(
        "docs#7733, n4 is down and n1 far away",
        regions(down=4),
        *("next-node", "v23.2.30", BLOCK, "node-liveness"),
        node=1,
        says=("n4 is dead",),
    ),
    # decommissioning that ends by itself, and decommissioning that does not
    Report(
        "#18029",
        cluster([*nodes("v24.1.25", 1, 2), node(3, "v24.1.25", membership="decommissioning")], "24.1"),
        *("start", "v24.1.29", BLOCK, "decommissioning"),
        says=("too few for all copies", "after a new node has joined", "recommission 3"),
    ),
    Report(
        "oper#1138",
        cluster(
            [*nodes("v25.2.12", 1, 2, 3, 4), node(5, "v25.2.12", membership="decommissioning")],
            "25.2",
            license=license_of(days=200),
        ),
        *("start", "v25.2.19", BLOCK, "decommissioning"),
        says=("cockroach node decommission 5", "recommission 5"),
        never=("too few", "after a new node"),
    ),
    Report(
        "oper#1151",
        cluster(
            [*nodes("v25.2.12"), node(4, "v25.2.12", state="dead")],
            "25.2",
            license=license_of(days=200),
        ),
        *("start", "v25.2.19", BLOCK, "node-liveness"),
        says=("If gone for good: cockroach node decommission 4",),
    ),
    Report(
        "oper#504",
        cluster([*nodes("v20.2.8"), *nodes("v20.2.8", 4, 5, 6, state="dead")], "20.2"),
        *("start", "v21.1.21", BLOCK, "range-health"),
        says=("Start n4, n5, n6 again and wait until they are live.",),
    ),
    Report(
        "#70084",
        cluster(
            [
                *nodes("v21.1.21", 1, 2, 3, 4),
                node(5, "v21.1.21", state="dead", membership="decommissioning"),
            ],
            "20.2",
            settings=UNFINALIZED_20_2,
        ),
        *("finalize", None, BLOCK, "decommissioning"),
        says=("n5 is down and was never finished", "cockroach node decommission 5"),
        never=("recommission",),
    ),
    Report(
        "#89479",
        cluster([*nodes("v22.1.2"), node(4, "v22.1.2", state="dead", tables=("liveness",))], "22.1"),
        *("start", "v22.1.22", BLOCK, "mixed-version"),
        says=("the build of n4 is unknown", "cockroach node decommission 4"),
    ),
    # the time series have three copies where everything else has five
    Report(
        "#82916",
        cluster(
            [
                *nodes("v21.2.12", 1, 2, 3, unavailable_ranges=1),
                *nodes("v21.2.12", 4, 5, state="dead"),
            ],
            "21.2",
        ),
        *("start", "v21.2.17", BLOCK, "range-health"),
        says=("3 ranges are unavailable", "Start n4, n5 again."),
    ),
    # schema changes of v19.2 are marked as failed by v20.2
    Report(
        "#54902",
        cluster(nodes("v20.1.17"), "20.1", jobs=[job(7, "SCHEMA CHANGE")]),
        *("start", "v20.2.19", ALLOW, "schema-changes"),
        says=("Better let it end before nodes restart.",),
    ),
    # migrations are jobs, and jobs can be paused
    Report(
        "#58183",
        cluster(
            nodes("v24.1.29"),
            "23.2-upgrading-to-24.1-step-008",
            jobs=[job(7, "MIGRATION", "paused", owner="node")],
        ),
        *("verify", None, BLOCK, "cluster-version"),
        says=("stands still", "see migrations"),
        never=("Wait until it is final",),
    ),
    Report(
        "docs#18379",
        cluster(
            nodes("v23.2.30"),
            "23.1",
            settings={PRESERVE: "23.1"},
            invalid_objects=collected(model.InvalidObjectRow(object_id=104, name="t")),
        ),
        *("finalize", None, BLOCK, "invalid-objects"),
        says=("repairs some by itself", "kv_repairable_catalog_corruptions"),
    ),
    # two nodes are no single-node cluster
    Report(
        "ukraine-tracker#84",
        cluster(nodes("v26.1.1", 1, 2), "26.1", license=UNLICENSED),
        *("start", "v26.1.5", ALLOW, "license"),
        says=("throttles a cluster without a valid license",),
    ),
    Report(
        "ukraine-tracker#84, going on",
        cluster(nodes("v26.1.1", 1, 2), "26.1", license=UNLICENSED),
        *("start", "v26.2.2", BLOCK, "license"),
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
    assert {f.outcome for f in of(decision, report.silent)} <= {Outcome.PASS, Outcome.NOT_APPLICABLE}


def test_a_defect_that_only_jobs_bring_on_is_not_waited_for_where_they_never_end() -> None:
    """docs#8978: a hundred jobs keep v20.2.2 from starting; 150 that are paused do not end."""
    for status, ends in (("paused", False), ("running", True)):
        jobs = [job(100 + i, "SCHEMA CHANGE", status) for i in range(150)]
        decision = evaluate(
            cluster(nodes("v20.1.8"), "20.1", jobs=jobs), step="start", target="v20.2.2"
        )
        [found] = of(decision, "H-57437")
        assert found.outcome is Outcome.BLOCK
        assert found.transient is ends
