"""A remedy is judged against the state in which it is printed: it must be one that can work there."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from guard.catalog import load
from guard.catalog.answers import Answer
from guard.catalog.releases import installable
from guard.decision.checks import ALL, advisories
from guard.decision.engine import evaluate
from guard.decision.result import Decision, Finding, Outcome, Verdict
from guard.snapshot import model
from guard.versions import Build, Series
from tests.building import NOW, Node, collected, job, node, put, schedule, snapshot, unavailable

PRESERVE = "cluster.preserve_downgrade_option"


def nodes(*builds: str) -> list[Node]:
    return [node(i, build) for i, build in enumerate(builds, start=1)]


def said(decision: Decision, check: str) -> list[Finding]:
    return [f for f in decision.findings if f.check == check]


def remedies(decision: Decision, check: str) -> str:
    return "\n".join(line for f in said(decision, check) for line in f.remedy)


@pytest.mark.parametrize(
    ("others", "zones", "first"),
    [
        (2, (3,), True),
        (2, (3, 5), True),
        (3, (3, 5), False),  # five copies are asked for, three do on three nodes
        (4, (3,), False),
        (1, (1,), False),
    ],
)
def test_a_node_that_cannot_be_spared_is_replaced_before_it_is_decommissioned(
    others: int, zones: tuple[int, ...], first: bool
) -> None:
    """A decommission for which there is no room stays half-way, and that blocks as well."""
    dead = node(9, "v23.1.30", state="dead")
    seen = snapshot(
        [*nodes(*["v23.1.30"] * others), dead],
        version="23.1",
        gateway="v23.1.30",
        zone_replicas=collected(
            *(model.ZoneReplicasRow(num_replicas=z, num_voters=None) for z in zones)
        ),
    )
    text = remedies(evaluate(seen, step="start", target="v23.2.30"), "node-liveness")
    assert "cockroach node decommission 9" in text
    assert ("after a new node has joined" in text) is first


def test_nothing_that_finalizes_is_advised_while_old_nodes_are_left() -> None:
    """RESET in a mixed cluster finalizes at the last restart, which nobody would then expect."""
    seen = snapshot(
        nodes("v23.1.30", "v23.1.30", "v22.2.19"),
        version="22.2",
        gateway="v23.1.30",
        settings={PRESERVE: "22.2"},
    )
    for step, target in (("start", "v23.1.30"), ("verify", None), ("start", "v23.2.30")):
        decision = evaluate(seen, step=step, target=target)
        lines = [line for f in said(decision, "cluster-version") for line in f.remedy]
        assert lines[0] == "First bring n3 to v23.1: guard check --step next-node"
        assert "RESET" in lines[1]
    allnew = put(seen, gossip_nodes=collected(*(n.gossip for n in nodes(*["v23.1.30"] * 3))))
    allnew = put(allnew, node_status=collected(*(n.status for n in nodes(*["v23.1.30"] * 3))))
    again = said(evaluate(allnew, step="verify"), "cluster-version")[0].remedy
    assert again[0].startswith("When you are sure: RESET")


@pytest.mark.parametrize(
    ("step", "check"), [("next-node", "auto-finalization"), ("rollback", "upgrade-path")]
)
def test_while_it_finalizes_nothing_speaks_of_what_comes_before(step: str, check: str) -> None:
    seen = snapshot(
        nodes(*["v24.3.33"] * 3), version="24.1-upgrading-to-24.3-step-004", gateway="v24.3.33"
    )
    found = said(evaluate(seen, step=step), check)
    assert [f.outcome for f in found] == [Outcome.NOT_APPLICABLE]


def test_without_an_old_node_no_restart_is_the_last_one() -> None:
    seen = snapshot(nodes(*["v23.1.30"] * 3), version="22.2", gateway="v23.1.30")
    [finding] = said(evaluate(seen, step="next-node"), "auto-finalization")
    assert finding.title.startswith("every node is new and nothing holds the upgrade back")


def test_a_node_is_offered_for_restart_only_where_naming_it_helps() -> None:
    one = snapshot([*nodes("v23.1.30", "v23.1.30"), node(3, "v23.1.30", state="dead")], version="23.1")
    text = remedies(evaluate(one, step="next-node", target="v23.1.30"), "node-liveness")
    assert "--node 3" in text
    two = snapshot(
        [*nodes(*["v23.1.30"] * 5), *(node(i, "v23.1.30", state="dead") for i in (6, 7))],
        version="23.1",
    )
    decision = evaluate(two, step="next-node", target="v23.1.30")
    assert "--node" not in remedies(decision, "node-liveness")
    assert "Start n6, n7 again" in remedies(decision, "node-liveness")
    leaving = snapshot([node(i, "v23.1.30", state="draining") for i in (1, 2)] + nodes("v23.1.30"))
    assert "--node" not in remedies(evaluate(leaving, step="next-node"), "draining")


def test_a_draining_node_is_not_started_again() -> None:
    seen = snapshot([node(1, "v23.2.30", state="draining"), node(2, "v23.2.30"), node(3, "v23.2.30")])
    text = remedies(evaluate(seen, step="start", target="v23.2.30"), "quorum-safety")
    assert text == "Wait until n1 has been restarted and is live."


def test_a_live_node_of_unknown_build_is_not_decommissioned() -> None:
    for state, gone in (("live", False), ("dead", True)):
        hidden = node(3, "v23.2.30", state=state, tables=("liveness",))
        decision = evaluate(snapshot([*nodes("v23.2.30", "v23.2.30"), hidden]), step="verify")
        assert ("decommission" in remedies(decision, "mixed-version")) is gone


def test_patches_replicate_to_each_other() -> None:
    """Upgrade a Cluster Running PCR: minor versions are not relevant to its compatibility."""
    producing = [job(5, "REPLICATION STREAM PRODUCER")]
    seen = snapshot(nodes(*["v24.3.30"] * 3), version="24.3", gateway="v24.3.30", jobs=producing)
    for target, outcome in (("v24.3.33", Outcome.PASS), ("v25.2.19", Outcome.WARN)):
        decision = evaluate(seen, step="start", target=target)
        assert [f.outcome for f in said(decision, "replication-streams")] == [outcome]


def test_what_is_replicated_here_is_asked_on_its_primary() -> None:
    tenants = collected(*(model.VirtualClusterRow(virtual_cluster_id=i, active=True) for i in (1, 3)))
    seen = snapshot(
        nodes(*["v25.2.19"] * 3), version="24.3", gateway="v25.2.19", virtual_clusters=tenants
    )
    assert "primary" not in remedies(evaluate(seen, step="finalize"), "virtual-clusters")
    standby = put(seen, active_jobs=collected(job(5, "REPLICATION STREAM INGESTION")))
    assert "on its primary cluster" in remedies(evaluate(standby, step="finalize"), "virtual-clusters")
    unseen = put(seen, active_jobs=unavailable())
    assert said(evaluate(unseen, step="finalize"), "virtual-clusters")


@pytest.mark.parametrize("target", [None, "v25.2.19"])
def test_virtual_clusters_are_finalized_after_their_storage_cluster(target: str | None) -> None:
    tenants = collected(*(model.VirtualClusterRow(virtual_cluster_id=i, active=True) for i in (1, 3)))
    seen = snapshot(
        nodes(*["v25.2.19"] * 3), version="25.2", gateway="v25.2.19", virtual_clusters=tenants
    )
    [finding] = said(evaluate(seen, step="verify", target=target), "virtual-clusters")
    assert finding.outcome is Outcome.WARN
    assert "SET CLUSTER SETTING version = '25.2';" in " ".join(finding.remedy)
    standby = put(seen, active_jobs=collected(job(5, "REPLICATION STREAM INGESTION")))
    decision = evaluate(standby, step="verify", target=target)
    assert "SET CLUSTER SETTING" not in remedies(decision, "virtual-clusters")
    [patch] = said(evaluate(seen, step="start", target="v25.2.20"), "virtual-clusters")
    assert patch.outcome is Outcome.NOT_APPLICABLE
    hidden = put(seen, virtual_clusters=unavailable())
    [unseen] = said(evaluate(hidden, step="verify", target="v25.2.19"), "virtual-clusters")
    assert unseen.outcome is Outcome.NOT_APPLICABLE


def test_a_way_back_to_an_older_series_promises_no_finalization() -> None:
    seen = snapshot(nodes(*["v23.2.30"] * 3), version="23.2", gateway="v23.2.30")
    decision = evaluate(seen, step="start", target="v23.1.30")
    [finding] = said(decision, "auto-finalization")
    assert finding.outcome is Outcome.NOT_APPLICABLE


def test_a_patch_is_not_kept_away_by_what_would_keep_finalization_away() -> None:
    """Nothing is finalized, and the patch may be what cures a schema change that reverts for ever."""
    stuck = job(1, "SCHEMA CHANGE", "reverting", created=NOW - dt.timedelta(days=2))
    seen = snapshot(nodes(*["v23.1.20"] * 3), version="23.1", gateway="v23.1.20", jobs=[stuck])
    for target, outcome in (("v23.1.30", Outcome.WARN), ("v23.2.30", Outcome.BLOCK)):
        decision = evaluate(seen, step="start", target=target)
        assert [f.outcome for f in said(decision, "schema-changes")] == [outcome]


@dataclass(frozen=True)
class There:
    """A node of a random cluster."""

    build: str
    state: str
    membership: str

    @property
    def up(self) -> bool:
        return self.state in ("live", "draining")


def a_random_cluster(rnd: random.Random, old: str, new: str) -> dict[int, There]:
    return {
        node_id: There(
            rnd.choice((old, new)),
            rnd.choices(("live", "draining", "suspect", "dead"), (6, 1, 1, 1))[0],
            rnd.choices(("active", "decommissioning", "decommissioned"), (8, 1, 1))[0],
        )
        for node_id in range(1, rnd.choice((1, 2, 3, 3, 4, 5, 7)) + 1)
    }


ADVICE: tuple[tuple[str, Callable[[There], bool], str], ...] = (
    # what a line may say of nodes, for which of them it makes no sense, why
    (r"\b[Ss]tart (n\d+(?:, n\d+)*)", lambda n: n.up, "lives, it cannot be started again"),
    (r"\b[Ss]tart (n\d+(?:, n\d+)*)", lambda n: n.membership != "active", "was given up"),
    (r"node decommission ([\d ]+)", lambda n: n.up and n.membership == "active", "lives, it stays"),
    (r"--node (\d+)", lambda n: n.state == "live", "lives, it is not being restarted"),
    (r"\b(n\d+)\b", lambda n: n.membership == "decommissioned", "is no member"),
)


def what_cannot_work(line: str, there: dict[int, There]) -> list[str]:
    """Why a line of advice is no good on this cluster; empty if nothing speaks against it."""
    return [
        f"n{one} {why}"
        for pattern, senseless, why in ADVICE
        for listed in re.findall(pattern, re.sub("not wait for [n0-9, ]+", "", line))
        for one in re.findall(r"\d+", listed)
        if senseless(there[int(one)])
    ]


@pytest.mark.parametrize("part", range(4))
def test_no_advice_speaks_of_a_node_for_which_it_cannot_work(part: int) -> None:
    rnd = random.Random(part)
    checks = tuple(check for check in ALL if check.id not in ("advisories", "changes"))
    hops = (("v20.2.19", "v21.1.21"), ("v22.1.22", "v22.2.19"), ("v23.1.20", "v23.1.30"))
    for _ in range(60):
        old, new = rnd.choice(hops)
        there = a_random_cluster(rnd, old, new)
        source = ".".join(old[1:].split(".")[:2])
        seen = snapshot(
            [
                node(
                    i, n.build, state=n.state, membership=n.membership, range_count=rnd.choice((0, 60))
                )
                for i, n in there.items()
            ],
            version=source,
            gateway=new,
            settings={PRESERVE: rnd.choice(("", source, "20.1"))},
        )
        for step, target in (
            *(("start", new), ("next-node", new), ("finalize", None)),
            *(("rollback", old), ("verify", new)),
        ):
            named = rnd.choice((None, rnd.choice(list(there))))
            decision = evaluate(seen, step=step, target=target, node=named, checks=checks)
            for finding in decision.findings:
                for line in finding.remedy:
                    assert not what_cannot_work(line, there), (step, finding.check, line, there)


def test_where_every_node_was_decommissioned_no_check_is_called_broken() -> None:
    gone = [node(i, "v23.1.30", state="dead", membership="decommissioned") for i in (1, 2)]
    decision = evaluate(snapshot(gone, version="23.1"), step="start", target="v23.2.30")
    assert decision.verdict is not Verdict.ALLOW
    assert not [f.check for f in decision.findings if "bug in guard" in f.title]
    assert "there is no member node" in said(decision, "mixed-version")[0].title


HOUR = dt.timedelta(hours=1)
BACKUPS = {
    "running": job(1),
    "paused": job(1, status="paused"),
    "pausing": job(1, status="pause-requested"),
    "stuck": job(1, status="cancel-requested", created=NOW - 3 * HOUR),
}


@pytest.mark.parametrize("status", [*BACKUPS, None])
@pytest.mark.parametrize("next_run", [NOW + HOUR / 6, NOW - 30 * HOUR, None])
def test_every_backup_in_the_way_is_told_what_ends_it(
    status: str | None, next_run: dt.datetime | None
) -> None:
    """A remedy for the job alone would end at the schedule, and the other way round."""
    due = [] if next_run is None else [schedule(5, next_run)]
    jobs = [] if status is None else [BACKUPS[status]]
    if not due and not jobs:
        return
    mixed = snapshot(nodes("v21.2.17", "v21.1.9", "v21.1.9"), jobs=jobs, schedules=due)
    [finding] = said(evaluate(mixed, step="next-node", target="v21.2.17"), "A-72839")
    text = "\n".join(finding.remedy)
    assert finding.outcome is Outcome.BLOCK
    assert ("PAUSE SCHEDULE 5;" in text) is bool(due)
    assert ("CANCEL JOB 1;" in text) is (status in ("paused", "pausing"))
    assert "RESUME" not in text  # between the two versions it would fail
    assert ("SHOW JOB 1;" in text) is (status == "stuck")
    assert ("--wait" in text) is (finding.transient or status == "running")


CATALOG = load()
HOPS = [
    (source, target)
    for source in CATALOG.series
    for target in CATALOG.series
    if source >= Series(20, 1) and CATALOG.upgrade_allowed(source, target).supported is Answer.YES
    if installable(CATALOG.series[source]) and installable(CATALOG.series[target])
]


@pytest.mark.parametrize(("source", "target"), HOPS, ids=str)
def test_the_release_to_choose_is_not_objected_to_in_its_turn(source: Series, target: Series) -> None:
    here = installable(CATALOG.series[source])[0][0]
    hidden = unavailable()
    seen = snapshot(
        nodes(*[str(here)] * 3), version=str(source), gateway=str(here),
        features=hidden, license=hidden, active_jobs=hidden, job_history=hidden,
    )  # fmt: skip

    def choose(build: Build) -> set[str]:
        decision = evaluate(seen, step="start", target=build, checks=[advisories.CHECK])
        bad = (*decision.of(Outcome.BLOCK), *decision.of(Outcome.UNKNOWN))
        lines = [line for finding in bad for line in finding.remedy]
        found = (re.match(r"Choose (v\S+)(?:;| or later of)", line) for line in lines)
        return {each[1] for each in found if each}

    builds = sorted(build for build, _ in installable(CATALOG.series[target]) if build > here)
    for build in builds[:: max(1, len(builds) // 4)]:
        for chosen in choose(build):
            assert choose(Build.parse(chosen)) == set(), f"{build}: {chosen}"


def ghost(number: int, build: str) -> Node:
    """A status record without a liveness record, which automatic finalization waits for for ever."""
    return node(number, build, state="dead", tables=("status",))


@pytest.mark.parametrize("held", [True, False])
def test_with_a_ghost_every_way_to_finalize_is_by_hand(held: bool) -> None:
    """RESET alone would be followed by a wait without end."""
    members = [*nodes(*["v22.2.19"] * 3), ghost(14, "v22.1.22")]
    settings = {PRESERVE: "22.1"} if held else {}
    seen = snapshot(members, version="22.1", gateway="v22.2.19", settings=settings)
    by_hand = [*([f"RESET CLUSTER SETTING {PRESERVE};"] if held else []), "version = '22.2';"]
    for step, target, check in (
        ("start", "v23.1.30", "cluster-version"),
        ("verify", None, "cluster-version"),
        ("finalize", None, "node-liveness"),
    ):
        text = remedies(evaluate(seen, step=step, target=target), check)
        places = [text.find(statement) for statement in by_hand]
        assert places == sorted(places), (step, text)
        assert places[0] >= 0, (step, text)


def test_a_cluster_that_was_not_upgraded_is_not_told_to_finalize() -> None:
    """The option protects the upgrade that is to come."""
    seen = snapshot(nodes(*["v21.1.12"] * 3), settings={PRESERVE: "21.1"})
    for target, words in (
        ("v21.2.17", "guard check --step start --target v21.2.17"),
        ("v20.2.19", "name a build of v21.1"),
    ):
        [finding] = said(evaluate(seen, step="verify", target=target), "cluster-version")
        assert finding.outcome is Outcome.BLOCK
        assert words in finding.remedy[0]
        assert not finding.transient
        assert "RESET" not in " ".join(finding.remedy)


@pytest.mark.parametrize("busy", [True, False])
def test_what_blocks_once_backups_are_protected_is_said_along_with_it(busy: bool) -> None:
    later = NOW + (HOUR / 6 if busy else 20 * HOUR)
    seen = snapshot(nodes(*["v21.1.9"] * 3), schedules=[schedule(5, later)])
    text = remedies(evaluate(seen, step="start", target="v21.2.17"), "A-72839")
    assert "Patch n1, n2, n3 to v21.1.12 or later first." in text
    assert ("PAUSE SCHEDULE 5;" in text) is busy


@pytest.mark.parametrize(("build", "version"), [("v25.4.5", "25.4"), ("v26.1.5", "25.4")])
def test_internal_tables_are_opened_where_they_are_shut(build: str, version: str) -> None:
    invalid = collected(model.InvalidObjectRow(object_id=7, name="t"))
    seen = snapshot(
        [node(1, build, underreplicated_ranges=3), *(node(i, build) for i in (2, 3))],
        version=version, gateway=build, invalid_objects=invalid, settings={PRESERVE: version},
    )  # fmt: skip
    decision = evaluate(seen, step="finalize" if build > "v26" else "start", target="v26.1.5")
    for check in ("invalid-objects", "range-health"):
        text = remedies(decision, check)
        assert "SELECT * FROM" in text
        assert ("SET allow_unsafe_internals = on; SELECT" in text) is (build > "v26")
