"""A rolling upgrade as a model: nodes, binaries, cluster version, jobs, settings. Hypothesis drives it
through thousands of states, and in each one guard is asked about every step.

What must block is written down here a second time, from the step table and the advisory and in the
model's own terms. guard must block exactly there, name exactly those checks, withhold permission
whenever a section it needs is missing, and not care for the order of rows.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from guard.catalog import load
from guard.decision.checks import ALL
from guard.decision.engine import evaluate
from guard.decision.result import Decision, Outcome, Step, Verdict
from guard.snapshot.model import Collected, JobRow, Reason, Snapshot
from tests.building import (
    NOW,
    Node,
    collected,
    job,
    minutes,
    node,
    put,
    schedule,
    snapshot,
    unavailable,
)
from tests.fuzzing import examples

CATALOG: Final = load()
WITHOUT_ADVISORIES: Final = tuple(check for check in ALL if check.id != "advisories")
STEPS: Final = ("start", "next-node", "finalize", "rollback", "verify")
HOPS: Final = (
    ("v21.1.11", "v21.1.12"),
    ("v21.1.11", "v21.2.1"),
    ("v21.1.12", "v21.2.0"),
    ("v21.1.12", "v21.2.1"),
    ("v22.1.18", "v22.2.19"),
)
PRESERVE: Final = "cluster.preserve_downgrade_option"
MODE: Final = "bulkio.backup.experimental_21_2_mode.enabled"
SCHEMA_CHANGES: Final = ("SCHEMA CHANGE", "NEW SCHEMA CHANGE", "TYPEDESC SCHEMA CHANGE")
JOB_TYPES: Final = ("BACKUP", "RESTORE", "MIGRATION", "SCHEMA CHANGE GC", "IMPORT", *SCHEMA_CHANGES)


def series_of(build: str) -> tuple[int, int]:
    """(21, 1) of v21.1.11, without guard's own parser."""
    year, ordinal, _ = build.removeprefix("v").split(".")
    return int(year), int(ordinal)


def patch_of(build: str) -> tuple[int, ...]:
    return tuple(int(part) for part in build.removeprefix("v").split("."))


def text_of(series: tuple[int, int]) -> str:
    return f"{series[0]}.{series[1]}"


@dataclass
class Machine:
    """A node of the model."""

    number: int
    build: str
    state: str = "live"
    membership: str = "active"
    minutes_up: float = 600

    @property
    def down(self) -> bool:
        return self.state in ("suspect", "dead")


@dataclass
class Upgrade:
    """The cluster of the model, and the hop it makes."""

    old: str
    new: str
    machines: list[Machine]
    final: tuple[int, int]
    migrating: bool = False
    preserve: str = ""
    mode: bool = False
    jobs: dict[int, tuple[str, str]] = field(default_factory=dict)
    failed_migration: bool = False
    next_runs: list[float | None] = field(default_factory=list)
    under_replicated: int = 0
    unavailable: int = 0

    @property
    def members(self) -> list[Machine]:
        return [m for m in self.machines if m.membership != "decommissioned"]

    @property
    def major(self) -> bool:
        return series_of(self.old) != series_of(self.new)

    @property
    def counting(self) -> Machine | None:
        """The node whose store counts what is wrong with the ranges: some live one."""
        return next((m for m in self.members if not m.down), None)

    def runs(self, *types: str) -> bool:
        return any(kind in types for kind, _ in self.jobs.values())

    def seen(self) -> Snapshot:
        """What guard would see of it."""
        counting = self.counting
        built: list[Node] = []
        for machine in self.machines:
            counts = machine is counting
            built.append(
                node(
                    machine.number,
                    machine.build,
                    state=machine.state,
                    membership=machine.membership,
                    started=NOW - minutes(machine.minutes_up),
                    underreplicated_ranges=self.under_replicated if counts else 0,
                    unavailable_ranges=self.unavailable if counts else 0,
                )
            )
        active = [job(number, kind, status) for number, (kind, status) in self.jobs.items()]
        history = [
            job(1, "BACKUP", "succeeded", created=NOW - minutes(2000), finished=NOW - minutes(60))
        ]
        if self.failed_migration:
            history.append(job(2, "MIGRATION", "failed"))
        return snapshot(
            built,
            version=f"{text_of(self.final)}-14" if self.migrating else text_of(self.final),
            settings={PRESERVE: self.preserve, MODE: "true" if self.mode else "false"},
            jobs=active,
            history=history,
            schedules=[
                schedule(i, None if run is None else NOW + minutes(run))
                for i, run in enumerate(self.next_runs)
            ],
            gateway=self.old,
        )


# What must block, from the table.


@dataclass(frozen=True)
class Question:
    """A step of this cluster. `came_back`: it is asked of the cluster after a restart, of a node that
    was down before; `seen_in` is the cluster before it.
    """

    up: Upgrade
    step: str
    target: str
    restarting: int | None
    came_back: bool = False
    seen_in: Upgrade | None = None

    @property
    def wanted(self) -> tuple[int, int]:
        return series_of(self.target)

    @property
    def builds(self) -> set[str]:
        return {m.build for m in self.up.members}

    @property
    def may_be_down(self) -> Machine | None:
        """The node that is being restarted now, in the step that restarts one."""
        if self.step != "next-node":
            return None
        return next((m for m in self.up.members if m.number == self.restarting), None)

    @property
    def others(self) -> list[Machine]:
        return [m for m in self.up.members if m is not self.may_be_down]


def must_block(up: Upgrade, step: str, target: str, restarting: int | None) -> set[str]:
    """The checks that have to block this step of this cluster."""
    blocking = _column(Question(up, step, target, restarting)) | _a_72839(up, step, target)
    after = _finalizes(up, step, target, restarting)
    if after is not None:
        blocking |= _column(after)
    return blocking


def _finalizes(up: Upgrade, step: str, target: str, restarting: int | None) -> Question | None:
    """The finalization that a restart sets off, asked of the cluster as it will be; None if it does
    not: an old node is left, the option holds it back, or nothing is to be finalized.
    """
    only = step == "start" and len(up.members) == 1
    held_back = up.preserve == text_of(up.final) and not up.migrating
    if not (step == "next-node" or only) or held_back or series_of(target) == up.final:
        return None
    old = [m for m in up.members if series_of(m.build) < series_of(target)]
    node = next((m for m in up.members if m.number == restarting), None)
    if restarting is None and len(old) == 1:
        node = old[0]
    if any(m is not node for m in old):
        return None
    machines = [
        Machine(m.number, target, "live", m.membership, 600) if m is node else m for m in up.machines
    ]
    came_back = node is not None and node.down
    return Question(replace(up, machines=machines), "finalize", target, None, came_back, up)


def _column(question: Question) -> set[str]:
    rows = {
        "cluster-version": _cluster_version,
        "mixed-version": _mixed_version,
        "migrations": _migrations,
        "upgrade-path": _upgrade_path,
        "imports": _imports,
        "restores": lambda q: q.step != "verify" and q.up.runs("RESTORE"),
        "schema-changes": lambda q: q.step == "finalize" and q.up.runs(*SCHEMA_CHANGES),
        "node-liveness": lambda q: q.step != "rollback" and any(m.down for m in q.others),
        "decommissioning": _decommissioning,
        "draining": _draining,
        "range-health": _range_health,
        "quorum-safety": _quorum_safety,
    }
    return {check for check, blocks in rows.items() if blocks(question)}


def _cluster_version(q: Question) -> bool:
    newest = max(series_of(build) for build in q.builds)
    ahead = newest > q.up.final
    return (
        q.up.migrating
        or (q.step == "start" and ahead)
        or (q.step == "rollback" and q.wanted < q.up.final)
        or (q.step == "verify" and (ahead or q.wanted != q.up.final))
    )


def _mixed_version(q: Question) -> bool:
    return (
        (q.step == "start" and len(q.builds) > 1)
        or (q.step == "next-node" and any(series_of(b) not in (q.up.final, q.wanted) for b in q.builds))
        or (q.step == "finalize" and any(series_of(b) != q.wanted for b in q.builds))
        or (q.step == "finalize" and q.target not in q.builds)
        or (q.step == "rollback" and all(patch_of(b) <= patch_of(q.target) for b in q.builds))
        or (q.step == "verify" and q.builds != {q.target})
    )


def _migrations(q: Question) -> bool:
    is_open = q.up.migrating or all(series_of(b) > q.up.final for b in q.builds)
    return q.up.runs("MIGRATION") or (q.up.failed_migration and is_open)


def _upgrade_path(q: Question) -> bool:
    """Back only to where the cluster came from."""
    return q.step == "rollback" and q.wanted != q.up.final


def _decommissioning(q: Question) -> bool:
    return q.step not in ("rollback", "verify") and any(
        m.membership == "decommissioning" for m in q.up.members
    )


def _draining(q: Question) -> bool:
    return q.step in ("next-node", "finalize") and any(
        m.state == "draining" or (not m.down and m.minutes_up < 1) for m in q.others
    )


def _range_health(q: Question) -> bool:
    """Starting the one node that is down is the cure; too few nodes have none."""
    back = q.came_back or (q.may_be_down is not None and q.may_be_down.down)
    cure = back and not any(m.down for m in q.others)
    enough = len(q.up.members) >= 3
    counted = (q.seen_in or q.up).counting is not None
    sick = bool(q.up.unavailable or (q.up.under_replicated and enough))
    return counted and sick and not cure and q.step != "rollback"


def _quorum_safety(q: Question) -> bool:
    """The smallest factor in use is three, which bears one node down."""
    if q.step not in ("start", "next-node") or len(q.up.members) <= 2:
        return False
    if q.may_be_down is not None and q.may_be_down.down:
        return False
    return any(m.down or m.state == "draining" for m in q.others)


def _imports(q: Question) -> bool:
    """A paused one only warns."""
    moving = any(kind == "IMPORT" and status != "paused" for kind, status in q.up.jobs.values())
    return moving and q.step in ("start", "next-node", "finalize")


def _a_72839(up: Upgrade, step: str, target: str) -> set[str]:
    """The advisory's table: must it block?"""
    reached = {series_of(m.build) for m in up.members} | {series_of(target)}
    open_hop = up.final == (21, 1) and (21, 2) in reached
    if step not in ("start", "next-node") or not open_hop:
        return set()
    running = up.runs("BACKUP")
    due = any(run is not None and run <= 30 for run in up.next_runs)
    affected = [b for b in (*(m.build for m in up.members), target) if b == "v21.2.0"]
    new_nodes = any(series_of(m.build) == (21, 2) for m in up.members)
    old_nodes = [m for m in up.members if series_of(m.build) == (21, 1)]
    too_old = any(patch_of(m.build) < (21, 1, 12) for m in old_nodes)
    if new_nodes:
        fails = bool(affected) or (bool(old_nodes) and (not up.mode or too_old))
        return {"A-72839"} if (running or due) and fails else set()
    # The history holds a backup: they are to be expected.
    blocks = target == "v21.2.0" or too_old or not up.mode or running or due
    return {"A-72839"} if blocks else set()


NEEDED: Final = (
    *("gossip_liveness", "kv_node_liveness", "gossip_nodes", "node_status", "store_status"),
    *("settings", "kv_version", "active_jobs", "schedules", "identity", "privileges"),
)
UNREADABLE: Final = tuple(reason for reason in Reason if reason is not Reason.NOT_IN_THIS_VERSION)


def ask(seen: Snapshot, step: str, target: str, restarting: int | None) -> Decision:
    return evaluate(
        seen, step=step, target=target, node=restarting, catalog=CATALOG, checks=WITHOUT_ADVISORIES
    )


def said(decision: Decision) -> Counter[tuple[str, Outcome]]:
    return Counter((f.check, f.outcome) for f in decision.findings)


def turned(seen: Snapshot, seed: int) -> Snapshot:
    """The same snapshot with the rows of every section in another order."""
    shuffle = random.Random(seed).shuffle
    sections: dict[str, Any] = {}
    for name in seen.__struct_fields__:
        section = getattr(seen, name)
        if isinstance(section, Collected):
            rows: list[Any] = list(section.rows)
            shuffle(rows)
            sections[name] = collected(*rows, statement=section.statement)
    return put(seen, **sections)


class RollingUpgrade(RuleBasedStateMachine):
    """Everything that operators, the cluster and bad luck do during an upgrade."""

    up: Upgrade

    @initialize(hop=st.sampled_from(HOPS), size=st.integers(1, 5))
    def a_cluster(self, hop: tuple[str, str], size: int) -> None:
        old, new = hop
        machines = [Machine(number, old) for number in range(1, size + 1)]
        self.up = Upgrade(old, new, machines, series_of(old))

    def some(self, data: Any, *states: str) -> Machine | None:
        fitting = [m for m in self.up.members if m.state in states]
        return data.draw(st.sampled_from(fitting), label="node") if fitting else None

    @rule(data=st.data(), forward=st.booleans())
    def restart_on_a_binary(self, data: Any, forward: bool) -> None:
        machine = self.some(data, "live", "draining", "suspect", "dead")
        too_late = self.up.migrating or self.up.final == series_of(self.up.new)
        if machine is None or (self.up.major and not forward and too_late):
            return  # the old binary would refuse its store
        machine.build = self.up.new if forward else self.up.old
        machine.state, machine.minutes_up = "live", 0

    @rule(data=st.data())
    def roll_everything(self, data: Any) -> None:
        for machine in self.up.members:
            machine.build, machine.state, machine.minutes_up = self.up.new, "live", 0

    @rule(data=st.data(), state=st.sampled_from(["draining", "suspect", "dead"]))
    def a_node_goes(self, data: Any, state: str) -> None:
        machine = self.some(data, "live", "draining", "suspect")
        if machine is not None:
            machine.state = state

    @rule(data=st.data(), membership=st.sampled_from(["decommissioning", "decommissioned", "active"]))
    def decommission(self, data: Any, membership: str) -> None:
        fitting = [m for m in self.up.members if m.membership != membership]
        if len(self.up.members) > 1 and fitting:
            machine = data.draw(st.sampled_from(fitting), label="node")
            machine.membership = membership

    @rule()
    def time_passes(self) -> None:
        for machine in self.up.machines:
            machine.minutes_up += 2
            if machine.state == "draining":
                machine.state, machine.minutes_up = "live", 10

    @rule(kind=st.sampled_from(JOB_TYPES), status=st.sampled_from(["running", "pending", "paused"]))
    def a_job_starts(self, kind: str, status: str) -> None:
        self.up.jobs[1000 + len(self.up.jobs)] = (kind, status)

    @rule()
    def jobs_end(self) -> None:
        self.up.jobs.clear()

    @rule(run=st.sampled_from([None, -5, 0, 29, 31, 600]))
    def a_schedule(self, run: float | None) -> None:
        self.up.next_runs = [*self.up.next_runs[-1:], run]

    @rule(value=st.sampled_from(["", "current", "20.2"]))
    def preserve(self, value: str) -> None:
        self.up.preserve = text_of(self.up.final) if value == "current" else value

    @rule(on=st.booleans())
    def the_21_2_mode(self, on: bool) -> None:
        self.up.mode = on

    @rule(failed=st.booleans())
    def a_migration_failed(self, failed: bool) -> None:
        self.up.failed_migration = failed

    @rule(under=st.integers(0, 2), unavailable=st.integers(0, 1))
    def ranges(self, under: int, unavailable: int) -> None:
        self.up.under_replicated, self.up.unavailable = under, unavailable

    @precondition(lambda self: self.up.major and not self.up.migrating)
    @rule()
    def finalization_begins(self) -> None:
        if all(m.build == self.up.new for m in self.up.members):
            self.up.migrating = self.up.final != series_of(self.up.new)

    @precondition(lambda self: self.up.migrating)
    @rule()
    def finalization_ends(self) -> None:
        self.up.migrating, self.up.final = False, series_of(self.up.new)

    @rule()
    def all_is_well(self) -> None:
        """What a good operator does, so that quiet states come up as well."""
        for machine in self.up.members:
            machine.state, machine.membership, machine.minutes_up = "live", "active", 30
        self.up.jobs.clear()
        self.up.next_runs.clear()
        self.up.under_replicated = self.up.unavailable = 0
        self.up.failed_migration = False

    def questions(self) -> list[tuple[str, str, int | None]]:
        named = self.up.members[0].number if self.up.members else None
        return [
            (step, self.up.old if step == "rollback" else self.up.new, restarting)
            for step in STEPS
            for restarting in ((None, named) if step in ("next-node", "finalize") else (None,))
        ]

    @invariant()
    def guard_blocks_exactly_where_the_table_blocks(self) -> None:
        seen = self.up.seen()
        for step, target, restarting in self.questions():
            decision = ask(seen, step, target, restarting)
            expected = must_block(self.up, step, target, restarting)
            blocking = {f.check for f in decision.of(Outcome.BLOCK)}
            assert blocking == expected, (step, target, restarting, self.up)
            assert (decision.verdict is Verdict.BLOCK) == bool(expected)

    @invariant()
    def nothing_is_allowed_on_less_than_full_sight(self) -> None:
        seen = self.up.seen()
        turn = len(self.up.jobs) + sum(int(m.minutes_up) for m in self.up.machines)
        for offset, (step, target, restarting) in enumerate(self.questions()):
            section = NEEDED[(turn + offset) % len(NEEDED)]
            why = unavailable(UNREADABLE[(turn + offset) % len(UNREADABLE)])
            decision = ask(put(seen, **{section: why}), step, target, restarting)
            assert decision.verdict is not Verdict.ALLOW, (section, step)

    @invariant()
    def the_order_of_rows_means_nothing(self) -> None:
        seen = self.up.seen()
        questions = self.questions()
        step, target, restarting = questions[int(self.up.machines[0].minutes_up) % len(questions)]
        one = ask(seen, step, target, restarting)
        for seed in (1, 2):
            other = ask(turned(seen, seed), step, target, restarting)
            assert other.verdict is one.verdict
            assert said(other) == said(one)


RollingUpgrade.TestCase.settings = settings(
    max_examples=examples(100, quick=8),  # each is a history of many looks
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking a history of dozens of steps takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestRollingUpgrade = RollingUpgrade.TestCase


# A healthy patch upgrade is never in anybody's way.


def production_builds() -> dict[str, list[str]]:
    """Plain published releases by series, oldest first."""
    return {
        str(series): [
            release.build
            for release in record.releases
            if release.kind == "production" and not release.withdrawn and not release.cloud_only
        ]
        for series, record in CATALOG.series.items()
    }


BUILDS: Final = {series: builds for series, builds in production_builds().items() if len(builds) > 1}


@st.composite
def patch_upgrades(draw: st.DrawFn) -> tuple[str, str, str, Sequence[str]]:
    """A series, two of its builds in order, and what each node runs on the way."""
    series = draw(st.sampled_from(sorted(BUILDS)))
    builds = BUILDS[series]
    first = draw(st.integers(0, len(builds) - 2))
    second = draw(st.integers(first + 1, len(builds) - 1))
    old, new = builds[first], builds[second]
    size = draw(st.integers(1, 9))
    done = draw(st.integers(0, size))
    return series, old, new, [new if i < done else old for i in range(size)]


@settings(max_examples=examples(500), deadline=None, derandomize=True)
@given(
    upgrade=patch_upgrades(),
    backups=st.integers(0, 2),
    due=st.lists(st.sampled_from([-5.0, 10.0, 600.0]), max_size=2),
    preserve=st.booleans(),
    running=st.lists(
        st.sampled_from(["SCHEMA CHANGE", "ROW LEVEL TTL", "AUTO CREATE STATS"]), max_size=2
    ),
)
def test_a_healthy_patch_upgrade_is_never_blocked(
    upgrade: tuple[str, str, str, Sequence[str]],
    backups: int,
    due: list[float],
    preserve: bool,
    running: list[str],
) -> None:
    series, old, new, on_the_way = upgrade
    jobs: list[JobRow] = [job(100 + i) for i in range(backups)]
    jobs += [job(200 + i, kind) for i, kind in enumerate(running)]
    seen = snapshot(
        [node(i, build) for i, build in enumerate(on_the_way, start=1)],
        version=series,
        gateway=old,
        jobs=jobs,
        schedules=[schedule(i, NOW + dt.timedelta(minutes=m)) for i, m in enumerate(due)],
        settings={PRESERVE: series} if preserve else {},
    )
    left = on_the_way.count(old)
    step = "start" if left == len(on_the_way) else "next-node" if left else "verify"
    decision = evaluate(seen, step=step, target=new, catalog=CATALOG, checks=WITHOUT_ADVISORIES)
    assert decision.verdict is Verdict.ALLOW, [
        f for f in decision.findings if f.outcome is Outcome.BLOCK
    ]
    inferred = evaluate(seen, target=new, catalog=CATALOG, checks=WITHOUT_ADVISORIES)
    assert inferred.step is Step(step)
    if step != "start":  # before it, an advisory may well say: not onto this patch
        assert evaluate(seen, step=step, target=new, catalog=CATALOG).verdict is Verdict.ALLOW
