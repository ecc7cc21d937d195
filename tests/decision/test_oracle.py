"""The step table and A-72839 stated a second time, from their pages, and compared with guard.

`refusals` names every reason for which a step may not go ahead; guard must say ALLOW exactly where
there is none. `a_72839` is the advisory's table. Some 3,000 random states and questions, always the
same ones; with ``GUARD_FUZZ=long`` tens of thousands.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import pytest

from guard.catalog import load
from guard.decision.checks import ALL
from guard.decision.engine import evaluate
from guard.decision.result import Decision, Step, Verdict
from guard.snapshot import model
from guard.snapshot.model import Snapshot
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

LONG: Final = os.environ.get("GUARD_FUZZ") == "long"
PARTS: Final = 6
STATES: Final = (20_000 if LONG else 480) // PARTS
"""For each part; each is asked about every step."""
STATES_OF_THE_EDGE: Final = (20_000 if LONG else 1_200) // PARTS
CATALOG: Final = load()
CHECKS: Final = tuple(check for check in ALL if check.id not in ("advisories", "changes"))
A_72839: Final = tuple(check for check in ALL if check.id == "A-72839")
STEPS: Final = ("start", "next-node", "finalize", "rollback", "verify")
CHANGING: Final = STEPS[:3]

HOPS: Final = (
    # (old, new, is there such a hop, is the new one withdrawn)
    ("v21.1.11", "v21.2.17", True, False),
    ("v21.1.11", "v21.2.0", True, False),
    ("v21.1.12", "v21.2.0", True, False),
    ("v21.1.12", "v21.2.1", True, False),
    ("v21.1.21", "v21.2.17", True, False),
    ("v21.1.11", "v21.1.21", True, False),
    ("v21.1.21", "v22.1.22", False, False),
    ("v21.2.17", "v22.1.22", True, False),
    ("v22.1.22", "v22.2.19", True, False),
    ("v22.2.18", "v22.2.19", True, False),
    ("v24.1.5", "v24.2.9", True, False),
    ("v24.1.5", "v24.3.33", True, False),
    ("v24.2.9", "v25.1.0", False, False),
    ("v24.3.30", "v25.2.1", True, False),
)
PRESERVE, AUTO = "cluster.preserve_downgrade_option", "cluster.auto_upgrade.enabled"
MODE: Final = "bulkio.backup.experimental_21_2_mode.enabled"
NEEDED: Final = (
    *("gossip_liveness", "gossip_nodes", "node_status", "store_status", "settings"),
    *("kv_version", "active_jobs", "schedules", "identity", "privileges"),
)
SCHEMA_CHANGES: Final = ("SCHEMA CHANGE", "NEW SCHEMA CHANGE", "TYPEDESC SCHEMA CHANGE")
KINDS: Final = ("BACKUP", "BACKUP", "RESTORE", "IMPORT", "MIGRATION", "CHANGEFEED", "AUTO CREATE STATS")
NAMELESS: Final = (None, "31")  # may be anything, a backup too
ODD: Final = (*NAMELESS, "NEVER HEARD OF")
RUNNING: Final = ("running", "pending", "cancel-requested", "reverting", "pause-requested")


def number(build: str) -> tuple[int, ...]:
    """(21, 2, 17) of ``v21.2.17-dirty``."""
    return tuple(int(part) for part in build[1:].split("-")[0].split("."))


def release(build: str) -> str:
    """What a build is called by: ``v21.2.17-fips`` is the very same release, ``-dirty`` nearly."""
    return build.removesuffix("-fips").removesuffix("-dirty")


def series(build: str) -> tuple[int, ...]:
    return number(build)[:2]


@dataclass(frozen=True)
class Member:
    """A node. Up, down, draining or "fresh" (only just back)."""

    id: int
    build: str
    how: str = "up"
    membership: str = "active"


@dataclass(frozen=True)
class State:
    """A cluster in the middle of an upgrade from `old` to `new`, as the pages would describe it."""

    old: str
    new: str
    hop_exists: bool
    withdrawn: bool
    nodes: tuple[Member, ...]
    version: tuple[int, ...]
    migrating: bool = False
    preserve: str = ""
    auto: str | None = None
    mode: bool = False
    jobs: tuple[tuple[str | None, str], ...] = ()
    due: tuple[int | None, ...] = ()
    backed_up: bool = True
    failed_migration: bool = False
    sick_ranges: bool = False
    interleaved: int = 0
    invalid: int = 0
    license: bool = True
    telemetry: bool = True
    twice: bool = False
    ghost: bool = False
    hidden: str | None = None
    leftovers: tuple[Member, ...] = field(default=())

    @property
    def major(self) -> bool:
        return series(self.old) != series(self.new)

    def runs(
        self, kinds: tuple[str | None, ...], statuses: tuple[str, ...] = (*RUNNING, "paused")
    ) -> bool:
        return any(kind in kinds and status in statuses for kind, status in self.jobs)


# The pages.


def refusals(s: State, step: str, target: str | None, named: int | None) -> set[str]:
    """Why this step may not go ahead, in words; empty if it may."""
    why = (
        _blind(s)
        | _nodes(s, step, named)
        | _builds(s, step, target)
        | _version(s, step, target)
        | _work(s, step)
    )
    if step in ("start", "next-node"):
        why |= _way(s, target)
        if a_72839(s, step, target) == "block":
            why.add("A-72839")
        after = _after(s, step, target, named)
        if after is not None:
            why |= {
                f"then finalizing: {reason}" for reason in refusals(after, "finalize", target, None)
            }
    if (
        step == "finalize"
        and target is not None
        and series(target) == (21, 2) > s.version
        and s.interleaved
    ):
        why.add("interleaved tables")
    if step == "finalize" and s.invalid:
        why.add("invalid objects")
    if step == "finalize" and not s.hop_exists and any(series(m.build) > s.version for m in s.nodes):
        why.add("no such hop")
    first = step == "start" or (step == "next-node" and not _begun(s, target)) or step == "finalize"
    if first and target is not None and _licensed(s, target):
        if not s.license and len(s.nodes) > 1:
            why.add("no license")
        if step == "finalize" and not s.telemetry:
            why.add("license of an unknown kind without telemetry")
    return why


def _licensed(s: State, target: str) -> bool:
    return series(target) >= (24, 3) and series(target) > s.version


def _begun(s: State, target: str | None) -> bool:
    if target is None:
        return True
    major = series(target) != s.version
    return any(
        series(m.build) >= series(target) if major else number(m.build) >= number(target)
        for m in s.nodes
    )


def _blind(s: State) -> set[str]:
    why = {f"{s.hidden} is hidden"} if s.hidden else set()
    if s.twice:
        why.add("two rows of one node contradict each other")
    if any(series(m.build) < s.version for m in s.nodes):
        why.add("a node older than the cluster version cannot be")
    return why


def _nodes(s: State, step: str, named: int | None) -> set[str]:
    others = [m for m in s.nodes if not (step in ("next-node", "rollback") and m.id == named)]
    excused = [m for m in s.nodes if m not in others]
    down = [m for m in others if m.how == "down"]
    cure = any(m.how == "down" for m in excused) and not down
    why = set()
    if down and step != "rollback":
        why.add("a member is down")
    if step in ("next-node", "finalize") and any(m.how in ("draining", "fresh") for m in others):
        why.add("a member is draining or only just back")
    if step in CHANGING and any(m.membership == "decommissioning" for m in s.nodes):
        why.add("a member is half decommissioned")
    if s.sick_ranges and step != "rollback" and not cure:
        why.add("unavailable ranges")
    stops = step in ("start", "next-node") or (step == "rollback" and named is not None)
    going = [m for m in others if m.how in ("down", "draining")]
    if stops and len(s.nodes) > 2 and going and not any(m.how == "down" for m in excused):
        why.add("stopping one more costs quorum")
    if step in CHANGING and all(m.how == "down" for m in s.nodes):
        why.add("nobody says how much room there is")
    return why


def _builds(s: State, step: str, target: str | None) -> set[str]:
    why = set()
    builds = {m.build.removesuffix("-fips") for m in s.nodes}
    majors = {series(b) for b in builds}
    if step in ("start", "verify") and len(builds) > 1:
        why.add("a mix of builds")
    on = (
        target
        if target is None or target in builds
        else next((b for b in builds if release(b) == target), target)
    )
    if step == "verify" and on is not None and builds != {on}:
        why.add("not all on the target")
    if target is not None and step == "next-node" and majors - {s.version, series(target)}:
        why.add("a node on a third series")
    if target is not None and step == "finalize" and (majors != {series(target)} or on not in builds):
        why.add("not all on the target series, or nobody on the target")
    if step == "rollback" and all((number(b), b) <= (number(target or b), target or b) for b in builds):
        why.add("nothing to roll back")
    return why


def _version(s: State, step: str, target: str | None) -> set[str]:
    newest = max(series(m.build) for m in s.nodes)
    why = set()
    if s.migrating:
        why.add("the cluster version migrates")
    if step == "start" and newest > s.version:
        why.add("the last upgrade was never finalized")
    if step == "verify" and (
        newest > s.version or (target is not None and series(target) != s.version)
    ):
        why.add("not final on the target")
    if step == "rollback" and target is not None and series(target) != s.version:
        why.add("final on the new series, or not where it came from")
    return why


def _work(s: State, step: str) -> set[str]:
    why = set()
    if step != "verify" and s.runs(("RESTORE",)):
        why.add("a RESTORE")
    if step in CHANGING and s.runs(("IMPORT",), RUNNING):
        why.add("an IMPORT")
    if step == "finalize" and s.runs(SCHEMA_CHANGES):
        why.add("a schema change")
    if step != "verify" and s.runs(ODD):
        why.add("a job that nobody can name")
    open_upgrade = s.migrating or all(series(m.build) > s.version for m in s.nodes)
    if s.runs(("MIGRATION",)) or (s.failed_migration and open_upgrade):
        why.add("a migration runs or failed")
    return why


def _way(s: State, target: str | None) -> set[str]:
    if target is None:
        return {"no target"}
    why = set()
    if not s.hop_exists and series(target) != s.version:
        why.add("no such hop")
    if series(target) < s.version or any(number(m.build) > number(target) for m in s.nodes):
        why.add("the target is older than what runs")
    if s.withdrawn:
        why.add("withdrawn")
    return why


def _after(s: State, step: str, target: str | None, named: int | None) -> State | None:
    """The cluster after a restart that finalizes; None if it does not."""
    if target is None or series(target) <= s.version or (step == "start" and len(s.nodes) > 1):
        return None
    old = [m for m in s.nodes if series(m.build) < series(target)]
    restarted = named if named is not None else old[0].id if len(old) == 1 else None
    held = (s.preserve == text(s.version) and not s.migrating) or s.auto == "false"
    if held or any(m.id != restarted for m in old):
        return None
    cured = any(m.id == restarted and m.how == "down" for m in s.nodes)
    nodes = tuple(Member(m.id, target, "up", m.membership) if m.id == restarted else m for m in s.nodes)
    healed = cured and all(m.how != "down" for m in nodes)
    return replace(s, nodes=nodes, sick_ranges=s.sick_ranges and not healed)


def a_72839(s: State, step: str, target: str | None) -> str:
    """What the advisory's table says of start and next-node: block, warn, pass, or not-applicable."""
    builds = [number(m.build) for m in s.nodes]
    reached = {b[:2] for b in (*builds, *((number(target),) if target else ()))}
    if s.version != (21, 1) or (21, 2) not in reached:
        return "not-applicable"
    activity = s.runs(("BACKUP", *NAMELESS)) or any(due is not None and due <= 30 for due in s.due)
    expected = activity or s.backed_up or any(due is not None for due in s.due)
    old = [b for b in builds if b[:2] == (21, 1)]
    too_old = any(b < (21, 1, 12) for b in old)
    zero = (21, 2, 0) in (*builds, *((number(target),) if target else ()))
    if all(b[:2] != (21, 2) for b in builds):
        if zero:
            return "block"
        if too_old or not s.mode:
            return "block" if expected else "warn"
        return "block" if activity else "pass"
    if zero:
        return "block" if activity else "warn"
    if activity and old and (too_old or not s.mode):
        return "block"
    return "any but block"


# The states.


def text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def healthy(rng: random.Random) -> State:
    """A cluster at some point of a roll, in order, and free to go on."""
    old, new, exists, withdrawn = rng.choice(HOPS)
    size = rng.choice((1, 2, 3, 3, 4, 5, 7))
    done = rng.choice((0, 0, size, rng.randint(0, size)))
    tag = rng.choice(("", "", "", "-dirty", "-fips"))
    nodes = tuple(Member(i, (new if i <= done else old) + tag) for i in range(1, size + 1))
    final = done == size and rng.random() < 0.5
    version = series(new) if final else series(old)
    return State(
        old,
        new,
        exists,
        withdrawn,
        nodes,
        version,
        preserve=rng.choice(("", text(version), text(version))),
        auto=rng.choice(("true", "false")) if version >= (23, 2) else None,
        mode=rng.random() < 0.6,
        backed_up=rng.random() < 0.7,
        due=rng.choice(((), (), (None,), (31,), (600,))),
        jobs=rng.choice(((), (), (("CHANGEFEED", "running"),), (("BACKUP", "running"),))),
        leftovers=(Member(91, old, "down", "decommissioned"),) if rng.random() < 0.2 else (),
        ghost=rng.random() < 0.1,
    )


def trouble(s: State, rng: random.Random) -> State:
    """One thing more that is wrong, or only looks so."""

    def some(**changed: Any) -> tuple[Member, ...]:
        at = rng.randrange(len(s.nodes))
        return (*s.nodes[:at], replace(s.nodes[at], **changed), *s.nodes[at + 1 :])

    other = ("v20.2.19", "v21.1.11", "v21.1.12", "v21.2.0", "v21.2.17", "v22.2.19", s.old, s.new)
    kind = rng.choice((*KINDS, *SCHEMA_CHANGES, *ODD))
    return replace(
        s,
        **rng.choice(
            (
                {"nodes": some(how=rng.choice(("down", "draining", "fresh")))},
                {"nodes": some(how="down")},
                {"nodes": some(build=rng.choice(other))},
                {"nodes": some(membership="decommissioning")},
                {"migrating": True} if s.major else {"failed_migration": True},
                {"version": rng.choice((series(s.old), series(s.new)))},
                {"preserve": rng.choice(("", "20.1", text(s.version)))},
                {"jobs": (*s.jobs, (kind, rng.choice((*RUNNING, "paused"))))},
                {"jobs": (*s.jobs, (kind, "running"))},
                {"due": (*s.due, rng.choice((None, -5, 0, 29, 31)))},
                {"mode": not s.mode},
                {"failed_migration": True},
                {"sick_ranges": True},
                {"interleaved": 2},
                {"invalid": 1},
                {"license": False},
                {"telemetry": False},
                {"twice": True},
                {"hidden": rng.choice(NEEDED)},
            )
        ),
    )


def seen(s: State) -> Snapshot:
    """What guard would see of it."""
    look = {"down": "dead", "draining": "draining"}
    counting = next((m.id for m in s.nodes if m.how != "down"), None)
    built: list[Node] = [
        node(
            m.id,
            m.build,
            state=look.get(m.how, "live"),
            membership=m.membership,
            started=NOW - minutes(0.2 if m.how == "fresh" else 600),
            unavailable_ranges=int(s.sick_ranges and m.id == counting),
        )
        for m in (*s.nodes, *s.leftovers)
    ]
    if s.ghost:
        built.append(node(77, s.old, state="dead", tables=("status", "store")))
    history = [job(1, "BACKUP", "succeeded", finished=NOW - minutes(60))] if s.backed_up else []
    if s.failed_migration:
        history.append(job(2, "MIGRATION", "failed"))
    settings = {PRESERVE: s.preserve, MODE: str(s.mode).lower()}
    settings["diagnostics.reporting.enabled"] = str(s.telemetry).lower()
    if s.auto is not None:
        settings[AUTO] = s.auto
    whole = snapshot(
        built,
        version=text(s.version) + ("-14" if s.migrating else ""),
        settings=settings,
        jobs=[job(100 + i, kind, status) for i, (kind, status) in enumerate(s.jobs)],
        history=history,
        schedules=[
            schedule(i, None if d is None else NOW + minutes(d), recurrence="@daily")
            for i, d in enumerate(s.due)
        ],
        gateway=s.nodes[0].build,
        invalid_objects=collected(
            *(model.InvalidObjectRow(object_id=i, name="t") for i in range(s.invalid))
        ),
        interleaved_tables=collected(model.CountRow(count=s.interleaved)),
        license=collected(
            model.LicenseRow(present=s.license, kind=None, seconds_left=9_000_000 if s.license else 0)
        ),
    )
    if s.twice:
        rows = [n.gossip for n in built if n.gossip]
        whole = put(whole, gossip_nodes=collected(*rows, model_with(rows[0], build_tag="v19.1.3")))
    return put(whole, **{s.hidden: unavailable()}) if s.hidden else whole


def model_with(row: Any, **changed: Any) -> Any:
    """The same row with something else in it."""
    return type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | changed)


def some_state(seed: int) -> State:
    rng = random.Random(seed)
    state = healthy(rng)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        state = trouble(state, rng)
    return state


@lru_cache(maxsize=1)
def looked(s: State) -> Snapshot:
    """The same, built once for all its questions."""
    return seen(s)


def ask(s: State, step: str, target: str | None, named: int | None) -> Decision:
    return evaluate(looked(s), step=step, target=target, node=named, catalog=CATALOG, checks=CHECKS)


def shown(decision: Decision) -> list[tuple[str, str, str]]:
    return [
        (f.check, f.outcome, f.title) for f in decision.findings if f.outcome in ("block", "unknown")
    ]


# The comparison.


def seeds(part: int, count: int) -> range:
    return range(part * count, (part + 1) * count)


@pytest.mark.parametrize("part", range(PARTS))
def test_guard_allows_exactly_what_the_pages_allow(part: int) -> None:
    allowed = 0
    for seed in seeds(part, STATES):
        state, rng = some_state(seed), random.Random(-1 - seed)
        named = rng.choice((None, *(m.id for m in state.nodes)))
        for step in STEPS:
            node_id = named if step in ("next-node", "rollback") else None
            target = state.old if step == "rollback" else state.new
            why = refusals(state, step, target, node_id)
            decision = ask(state, step, target, node_id)
            allows = decision.verdict is Verdict.ALLOW
            assert allows is not bool(why), (seed, step, target, node_id, why, shown(decision), state)
            allowed += allows
    assert allowed > STATES // 2, "the states are so sick that this proves nothing"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_72839_says_what_its_table_says(part: int) -> None:
    on_the_edge = 0
    for seed in seeds(part, STATES_OF_THE_EDGE):
        state = some_state(seed)
        if state.hidden or state.twice:
            continue
        for step in ("start", "next-node"):
            wanted = a_72839(state, step, state.new)
            if wanted == "not-applicable" and seed % 10:
                continue
            on_the_edge += wanted != "not-applicable"
            decision = evaluate(
                looked(state), step=step, target=state.new, catalog=CATALOG, checks=A_72839
            )
            said = {str(f.outcome) for f in decision.findings if not f.judged_as}
            fits = "block" not in said if wanted.startswith("any") else wanted in said
            assert fits, (seed, step, wanted, said, state)
    assert on_the_edge > STATES_OF_THE_EDGE // 10


@pytest.mark.parametrize("part", range(PARTS))
def test_an_inferred_step_is_judged_as_if_it_were_named(part: int) -> None:
    """And what is inferred from a cluster without a target is no way round the oracle."""
    for seed in seeds(part, STATES // 8):
        state = some_state(seed)
        for target in (state.new, None):
            auto = ask(state, "auto", target, None)
            if auto.step is Step.AUTO:
                assert auto.verdict is Verdict.UNKNOWN, (seed, target, state)
                continue
            assert auto.verdict is ask(state, auto.step, target, None).verdict, (seed, target, state)
            if auto.verdict is Verdict.ALLOW:
                why = refusals(state, auto.step, target or release(auto.target or ""), None)
                assert not why, (seed, auto.step, target, why, state)
