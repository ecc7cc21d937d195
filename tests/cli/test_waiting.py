"""--wait and --settle, with a clock that only moves when somebody sleeps or looks."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from guard.cli.commands.check import app
from guard.cli.process import Interrupted
from guard.cli.waiting import Patience, Progress, watch
from guard.connector.collect import without_connection
from guard.decision.engine import evaluate
from guard.decision.result import Decision, ExitCode, FailOn, Finding, Outcome, Verdict
from guard.snapshot.model import Collected, JobRow, Reason, Snapshot, Unavailable
from tests import building as b

TARGET = "v21.2.1"
SETTING = "bulkio.backup.experimental_21_2_mode.enabled"


class World:
    """A cluster that is looked at again and again; a look takes a second of its clock."""

    def __init__(self, state: Callable[[float], Snapshot], **arguments: object) -> None:
        self.time = 1000.0
        self.begin = self.time
        self.looks: list[float] = []
        self.granted: list[float] = []
        self.slept: list[float] = []
        self._state = state
        self._arguments: dict[str, object] = {"step": "next-node", "target": TARGET} | arguments

    @property
    def elapsed(self) -> float:
        return self.time - self.begin

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.time += seconds

    def now(self) -> dt.datetime:
        return b.NOW + dt.timedelta(seconds=self.elapsed)

    def look(self, seconds: float) -> Decision:
        assert seconds > 0
        self.looks.append(self.elapsed)
        self.granted.append(seconds)
        seen = msgspec.structs.replace(self._state(self.elapsed), taken_at=self.now())
        self.time += 1
        return evaluate(seen, **self._arguments)  # type: ignore[arg-type]

    def watch(
        self,
        wait: float = 0,
        settle: float = 0,
        timeout: float = 30,
        fail_on: FailOn = FailOn.BLOCK,
        tell: Progress | None = None,
    ) -> Decision:
        patience = Patience(wait=wait, settle=settle, timeout=timeout)
        return watch(
            self.look, patience, fail_on=fail_on, tell=tell, clock=self.clock, sleep=self.sleep
        )


def on_the_edge(*jobs: JobRow) -> Snapshot:
    """Half-way from 21.1 to 21.2, where a backup blocks (A-72839)."""
    nodes = [b.node(1, TARGET), b.node(2, "v21.1.12"), b.node(3, "v21.1.12")]
    return b.snapshot(nodes, gateway="v21.1.12", jobs=jobs, settings={SETTING: "true"})


def backup_until(end: float) -> Callable[[float], Snapshot]:
    unset = {SETTING: "false"}

    def state(elapsed: float) -> Snapshot:
        nodes = [b.node(1, TARGET), b.node(2, "v21.1.12"), b.node(3, "v21.1.12")]
        jobs = [b.job()] if elapsed < end else []
        return b.snapshot(nodes, gateway="v21.1.12", jobs=jobs, settings=unset)

    return state


def test_the_cases_rest_on_what_they_say() -> None:
    running = evaluate(backup_until(1)(0), step="next-node", target=TARGET)
    over = evaluate(backup_until(1)(2), step="next-node", target=TARGET)
    assert running.only_waiting_helps
    assert over.verdict is Verdict.ALLOW


def test_waits_for_a_backup_and_then_allows() -> None:
    world = World(backup_until(100))
    decision = world.watch(wait=1200)
    assert decision.verdict is Verdict.ALLOW
    assert 100 <= world.looks[-1] < 100 + 31
    assert any(n.startswith("waited ") and "of at most 20 min" in n for n in decision.notices)


def test_one_look_without_wait() -> None:
    world = World(backup_until(100))
    decision = world.watch()
    assert decision.verdict is Verdict.BLOCK
    assert (len(world.looks), world.slept, decision.notices) == (1, [], ())


def test_the_pauses_grow_from_two_seconds_to_thirty() -> None:
    world = World(backup_until(1e9))
    world.watch(wait=600)
    pauses = world.slept[:-1]  # the last one ends where the last look begins
    assert pauses[0] == 2
    assert max(pauses) == 30
    assert pauses == sorted(pauses)


@pytest.mark.parametrize("wait", [1, 5, 20, 61, 1200])
@pytest.mark.parametrize("timeout", [2, 30])
def test_the_deadline_ends_it_with_the_verdict_as_it_is(wait: float, timeout: float) -> None:
    world = World(backup_until(1e9))
    decision = world.watch(wait=wait, timeout=timeout)
    assert decision.verdict is Verdict.BLOCK
    assert world.elapsed <= wait + 1  # the look that had begun
    assert world.granted[0] == timeout
    begun = zip(world.looks[1:], world.granted[1:], strict=True)
    assert all(seconds <= timeout and at + seconds <= wait + 1e-9 for at, seconds in begun)


NO_ANSWER = "no answer before guard's deadline"


@pytest.mark.parametrize("section", ["connection", "active_jobs", "gossip_liveness"])
def test_a_block_stands_when_the_last_look_runs_out_of_time(section: str) -> None:
    """A look that is cut short by the end of --wait tells less than the one before it."""
    blocked = backup_until(1e9)
    hidden = b.unavailable(Reason.TIMEOUT, NO_ANSWER, None)

    def state(elapsed: float) -> Snapshot:
        seen = blocked(elapsed)
        return b.put(seen, **{section: hidden}) if elapsed > 50 else seen

    world = World(state)
    decision = world.watch(wait=60, timeout=30)
    assert decision.verdict is Verdict.BLOCK
    assert world.granted[-1] < 30
    assert decision.taken_at < b.NOW + dt.timedelta(seconds=world.looks[-1])
    seen_at = f"{decision.taken_at:%H:%M:%SZ}"
    assert any("ran out of time" in n and n.endswith(f"seen at {seen_at}") for n in decision.notices)


def test_a_last_look_with_its_whole_time_out_speaks_for_itself() -> None:
    """Quorum is lost: the block that was seen before is no news of it."""
    blocked = backup_until(1e9)
    hidden = b.unavailable(Reason.TIMEOUT, NO_ANSWER, None)
    world = World(
        lambda elapsed: b.put(blocked(elapsed), connection=hidden) if elapsed > 50 else blocked(elapsed)
    )
    assert world.watch(wait=60, timeout=0.5).verdict is Verdict.UNKNOWN
    assert world.granted[-1] == 0.5


def test_a_gateway_that_is_gone_is_no_look_that_ran_out_of_time() -> None:
    blocked = backup_until(1e9)
    gone = b.unavailable(Reason.CONNECTION, "connection refused", None)
    world = World(
        lambda elapsed: b.put(blocked(elapsed), connection=gone) if elapsed > 50 else blocked(elapsed)
    )
    assert world.watch(wait=60, timeout=30).verdict is Verdict.UNKNOWN


def test_an_allow_never_stands_in_for_a_look_that_failed() -> None:
    """Warnings that can pass are waited for; the last look sees nothing any more."""
    hidden = b.unavailable(Reason.TIMEOUT, NO_ANSWER, None)
    world = World(
        lambda elapsed: b.put(on_the_edge(), active_jobs=hidden) if elapsed > 50 else on_the_edge()
    )

    def warned(seconds: float) -> Decision:
        decision = world.look(seconds)
        if decision.verdict is not Verdict.ALLOW:
            return decision
        warning = Finding(check="x", outcome=Outcome.WARN, title="passing", transient=True)
        return msgspec.structs.replace(decision, findings=(warning,))

    patience = Patience(wait=60, timeout=30)
    decision = watch(warned, patience, fail_on=FailOn.WARN, clock=world.clock, sleep=world.sleep)
    assert len(world.looks) > 2
    assert decision.verdict is Verdict.UNKNOWN


def test_a_backup_that_ends_just_before_the_deadline_is_not_missed() -> None:
    world = World(backup_until(54))
    assert world.watch(wait=60).verdict is Verdict.ALLOW


def test_a_permanent_block_ends_it_at_once() -> None:
    def state(elapsed: float) -> Snapshot:
        nodes = [b.node(1, TARGET), b.node(2, "v21.1.12"), b.node(3, state="dead")]
        return b.snapshot(nodes, gateway="v21.1.12", jobs=[b.job()], settings={SETTING: "false"})

    world = World(state)
    decision = world.watch(wait=1200)
    assert decision.verdict is Verdict.BLOCK
    assert not all(f.transient for f in decision.of(Outcome.BLOCK))
    assert len(world.looks) == 1


def test_a_paused_backup_is_not_waited_for() -> None:
    world = World(
        lambda _: b.snapshot(
            [b.node(1, TARGET), b.node(2, "v21.1.12")],
            gateway="v21.1.12",
            jobs=[b.job(status="paused")],
            settings={SETTING: "false"},
        )
    )
    assert world.watch(wait=600).verdict is Verdict.BLOCK
    assert len(world.looks) == 1


def test_a_block_that_turns_permanent_ends_it() -> None:
    def state(elapsed: float) -> Snapshot:
        if elapsed < 50:
            return backup_until(1e9)(elapsed)
        nodes = [b.node(1, TARGET), b.node(2, "v21.1.12"), b.node(3, state="dead")]
        return b.snapshot(nodes, gateway="v21.1.12", settings={SETTING: "false"})

    world = World(state)
    assert world.watch(wait=1200).verdict is Verdict.BLOCK
    assert world.elapsed < 50 + 31


def disconnected(reason: Reason) -> Snapshot:
    return msgspec.structs.replace(
        b.snapshot(), connection=b.unavailable(reason, "the connection is gone", None)
    )


@pytest.mark.parametrize("reason", [Reason.CONNECTION, Reason.TIMEOUT])
def test_a_gateway_that_restarts_is_waited_for(reason: Reason) -> None:
    world = World(lambda at: disconnected(reason) if at < 40 else on_the_edge())
    assert world.watch(wait=300).verdict is Verdict.ALLOW


@pytest.mark.parametrize("reason", [Reason.CONNECTION, Reason.TIMEOUT])
def test_a_connection_lost_half_way_through_a_look_is_waited_for(reason: Reason) -> None:
    def state(elapsed: float) -> Snapshot:
        seen = on_the_edge()
        if elapsed >= 40:
            return seen
        gone = b.unavailable(reason, "the connection is gone", None)
        return msgspec.structs.replace(seen, active_jobs=gone, settings=gone, schedules=gone)

    world = World(state)
    assert world.watch(wait=300).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "reason", [each for each in Reason if each not in (Reason.CONNECTION, Reason.TIMEOUT)]
)
def test_a_connection_that_can_never_be_made_ends_it_at_once(reason: Reason) -> None:
    world = World(lambda _: disconnected(reason))
    assert world.watch(wait=300).verdict is Verdict.UNKNOWN
    assert len(world.looks) == 1


def test_missing_privileges_end_it_at_once_even_beside_a_backup() -> None:
    def state(elapsed: float) -> Snapshot:
        return msgspec.structs.replace(backup_until(1e9)(elapsed), schedules=b.unavailable())

    world = World(state)
    decision = world.watch(wait=1200)
    assert decision.verdict is Verdict.UNKNOWN
    assert len(world.looks) == 1


def test_passing_warnings_are_waited_for_under_fail_on_warn_only() -> None:
    def warn(check: str, *, transient: bool) -> Finding:
        return Finding(check=check, outcome=Outcome.WARN, title="a warning", transient=transient)

    decision = evaluate(on_the_edge(), step="next-node", target=TARGET)
    quiet = tuple(f for f in decision.findings if f.outcome is Outcome.PASS)
    passing = msgspec.structs.replace(decision, findings=(*quiet, warn("one", transient=True)))
    lasting = msgspec.structs.replace(
        passing, findings=(*passing.findings, warn("two", transient=False))
    )
    clean = msgspec.structs.replace(decision, findings=quiet)
    assert passing.worth_waiting(FailOn.WARN)
    assert not passing.worth_waiting(FailOn.BLOCK)
    assert not lasting.worth_waiting(FailOn.WARN)
    assert not clean.worth_waiting(FailOn.WARN)


def test_an_empty_decision_is_not_waited_for() -> None:
    decision = msgspec.structs.replace(
        evaluate(on_the_edge(), step="next-node", target=TARGET), findings=(), verdict=Verdict.UNKNOWN
    )
    assert not decision.worth_waiting()


# --settle


def test_settle_takes_two_looks_and_names_both() -> None:
    world = World(lambda _: on_the_edge())
    decision = world.watch(settle=15)
    assert decision.verdict is Verdict.ALLOW
    assert world.slept == [15]
    assert decision.looks == (b.NOW, b.NOW + dt.timedelta(seconds=16))


def test_one_look_names_itself() -> None:
    decision = World(lambda _: on_the_edge()).watch()
    assert decision.looks == (decision.taken_at,)


def test_settle_does_not_hold_up_a_block() -> None:
    world = World(backup_until(1e9))
    assert world.watch(settle=15).verdict is Verdict.BLOCK
    assert world.slept == []


def test_a_block_at_the_second_look_counts() -> None:
    world = World(lambda at: on_the_edge() if at < 10 else backup_until(1e9)(at))
    decision = world.watch(settle=15)
    assert decision.verdict is Verdict.BLOCK
    assert len(decision.looks) == 2


def moving(at: float) -> Snapshot:
    """Allowed at every look, and another setting each time."""
    nodes = [b.node(1, TARGET), b.node(2, "v21.1.12"), b.node(3, "v21.1.12")]
    settings = {SETTING: "true", "server.time_until_store_dead": f"00:05:{int(at) % 60:02}"}
    return b.snapshot(nodes, gateway="v21.1.12", settings=settings)


def test_two_looks_at_different_states_are_no_permission() -> None:
    world = World(moving)
    decision = world.watch(settle=15)
    assert decision.verdict is Verdict.UNKNOWN
    assert decision.exit_code() is ExitCode.UNKNOWN
    assert [f.check for f in decision.of(Outcome.UNKNOWN)] == ["settle"]


def _of_cluster(number: int, snapshot: Snapshot) -> Snapshot:
    assert isinstance(snapshot.variables, Collected)
    rows = tuple(
        msgspec.structs.replace(row, value=f"{row.value[:-1]}{number}")
        if row.name == "cluster_id"
        else row
        for row in snapshot.variables.rows
    )
    variables = msgspec.structs.replace(snapshot.variables, rows=rows)
    return msgspec.structs.replace(snapshot, variables=variables)


@pytest.mark.parametrize(
    "second", [lambda _: on_the_edge(), backup_until(1e9)], ids=["allows", "blocks"]
)
@pytest.mark.parametrize("settle", [0, 15])
def test_a_wait_for_one_cluster_ends_when_another_one_answers(
    second: Callable[[float], Snapshot], settle: float
) -> None:
    """A load balancer before two clusters: what the one waits for says nothing about the other."""
    world = World(
        lambda at: _of_cluster(1, backup_until(1e9)(at)) if at < 10 else _of_cluster(2, second(at))
    )
    decision = world.watch(wait=600, settle=settle)
    assert decision.verdict is not Verdict.ALLOW
    assert any("another cluster" in f.detail for f in decision.of(Outcome.UNKNOWN))
    assert world.elapsed < 60


def test_a_look_that_sees_no_cluster_is_of_no_other_one() -> None:
    unseen = Unavailable(reason=Reason.TIMEOUT, message="late")
    blind = msgspec.structs.replace(backup_until(1e9)(0), variables=unseen)
    world = World(lambda at: backup_until(1e9)(at) if at < 10 else blind if at < 20 else on_the_edge())
    assert world.watch(wait=600).verdict is Verdict.ALLOW


def test_wait_goes_on_until_the_state_holds_still() -> None:
    world = World(lambda at: moving(at if at < 90 else 90))
    decision = world.watch(wait=600, settle=15)
    assert decision.verdict is Verdict.ALLOW
    assert world.elapsed > 90


def test_after_a_wait_the_allow_settles_too() -> None:
    world = World(backup_until(30))
    decision = world.watch(wait=600, settle=15)
    assert decision.verdict is Verdict.ALLOW
    first, second = decision.looks
    assert second - first >= dt.timedelta(seconds=15)
    assert first >= b.NOW + dt.timedelta(seconds=30)


def test_an_allow_at_the_deadline_settles_too() -> None:
    """Under --fail-on warn a passing warning is waited for; what is left at the end is an ALLOW."""

    world = World(lambda _: on_the_edge())
    decide = world.look

    def warned(seconds: float) -> Decision:
        decision = decide(seconds)
        quiet = tuple(f for f in decision.findings if f.outcome is Outcome.PASS)
        warning = Finding(check="x", outcome=Outcome.WARN, title="passing", transient=True)
        return msgspec.structs.replace(decision, findings=(*quiet, warning))

    decision = watch(
        warned,
        Patience(wait=60, settle=15),
        fail_on=FailOn.WARN,
        clock=world.clock,
        sleep=world.sleep,
    )
    assert decision.exit_code(FailOn.WARN) is ExitCode.WARNINGS
    assert len(decision.looks) == 2
    assert world.slept[-1] == 15


# What is told


def told(world: World, *, terminal: bool, wait: float = 120, width: int = 100) -> str:
    stream = io.StringIO()
    world.watch(wait=wait, tell=Progress(stream, terminal=terminal, width=width, utcnow=world.now))
    return stream.getvalue()


def test_a_log_gets_one_line_per_change() -> None:
    text = told(World(backup_until(100)), terminal=False)
    lines = text.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("guard: 02:00:01Z waiting for ")
    assert "A-72839: a backup is running" in lines[0]
    assert "\r" not in text
    assert "\x1b" not in text


def test_a_log_gets_another_line_when_the_reason_changes() -> None:
    def state(at: float) -> Snapshot:
        return disconnected(Reason.CONNECTION) if 20 <= at < 60 else backup_until(100)(at)

    lines = told(World(state), terminal=False).splitlines()
    assert ["could not connect" in line for line in lines] == [False, True, False]


def test_a_terminal_gets_one_line_that_is_taken_away_at_the_end() -> None:
    text = told(World(backup_until(100)), terminal=True, width=60)
    assert "\n" not in text
    assert text.endswith("\r\x1b[K")
    shown = [line for line in text.split("\r\x1b[K") if line]
    assert len(shown) > 3
    assert all(len(line) < 60 and line.startswith("guard: waiting (since 02:00:01Z") for line in shown)


def test_a_second_look_is_told() -> None:
    world = World(lambda _: on_the_edge())
    stream = io.StringIO()
    world.watch(settle=15, tell=Progress(stream, terminal=False, utcnow=world.now))
    assert stream.getvalue() == (
        "guard: 02:00:01Z allowed; looking again in 15 s to see that it stays so\n"
    )


def test_nothing_is_told_when_nothing_is_waited_for() -> None:
    assert told(World(lambda _: on_the_edge()), terminal=True) == ""


def test_an_interrupt_takes_the_line_away_and_goes_on() -> None:
    world = World(backup_until(1e9))
    stream = io.StringIO()

    def interrupted(seconds: float) -> None:
        raise Interrupted

    progress = Progress(stream, terminal=True, utcnow=world.now)
    with pytest.raises(Interrupted):
        watch(
            world.look,
            Patience(wait=100),
            tell=progress,
            clock=world.clock,
            sleep=interrupted,
        )
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_reader_of_standard_error_that_goes_away_stops_nothing() -> None:
    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    world = World(backup_until(50))
    decision = world.watch(wait=300, tell=Progress(Broken(), terminal=False, utcnow=world.now))
    assert decision.verdict is Verdict.ALLOW


def test_what_is_waited_for_cannot_forge_a_line() -> None:
    world = World(lambda _: on_the_edge())
    hostile = Finding(
        check="running-backups",
        outcome=Outcome.BLOCK,
        title="one\n::error::forged\x1b[2J",
        transient=True,
    )
    decision = msgspec.structs.replace(world.look(1), verdict=Verdict.BLOCK, findings=(hostile,))
    stream = io.StringIO()
    Progress(stream, terminal=False, utcnow=world.now).waiting(decision, 10)
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("clears", [11.0, 12.5, 13.4])
def test_a_short_wait_looks_until_it_is_over(clears: float) -> None:
    """A look takes a second here: the last one begins a second and a half before the end."""
    world = World(backup_until(clears))
    decision = world.watch(wait=15)
    assert decision.verdict is Verdict.ALLOW
    assert world.elapsed <= 15


def test_a_certificate_that_is_being_renewed_ends_no_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when the wait began: that it is gone for a moment is no wrong usage."""
    (tmp_path / "ca.crt").write_text("x")

    def unreachable(*_: object, **__: object) -> Snapshot:
        (tmp_path / "ca.crt").unlink()
        return without_connection(Unavailable(reason=Reason.CONNECTION, message="refused"), b.NOW)

    monkeypatch.setattr("guard.cli.source.within", unreachable)
    options = ["--no-policy", "--url", "postgresql://root@h/", "--certs-dir", str(tmp_path)]
    run = CliRunner().invoke(app, [*options, "--wait", "300ms"])
    assert run.exit_code == 11
    assert "ca.crt" in run.output
    assert CliRunner().invoke(app, options).exit_code == 2
