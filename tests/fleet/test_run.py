"""Looking at many at once: so many at a time, none waits for another's fault, every one has a line."""

from __future__ import annotations

import threading

from guard.decision.result import Step
from guard.fleet.result import ClusterLine, fleet_report, line_without
from guard.fleet.run import Job, look_at_all


def job(name: str, work: object, timeout: float = 30.0) -> Job:
    def failed(why: str, seconds: float) -> ClusterLine:
        return line_without(name, why, Step.VERIFY, None, seconds)

    def look() -> ClusterLine:
        assert callable(work)
        work()
        return failed("done", 0.0)

    return Job(look, failed, timeout)


def test_never_more_than_that_many_at_a_time_and_all_of_them() -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(4)

    def work() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        gate.wait(20)  # four are under way together, or this breaks
        with lock:
            at_once -= 1

    seen: list[tuple[int, int]] = []
    lines = look_at_all(
        [job(f"c{n}", work) for n in range(12)], 4, lambda done, of: seen.append((done, of))
    )
    assert [line.name for line in lines] == [f"c{n}" for n in range(12)]
    assert {line.reason for line in lines} == {"done"}
    assert most == 4
    assert seen == [(n, 12) for n in range(1, 13)]


def test_one_that_raises_is_a_line() -> None:
    def crash() -> None:
        raise KeyError("x")

    lines = look_at_all([job("a", lambda: None), job("b", crash), job("c", lambda: None)], 2)
    assert [line.reason for line in lines] == ["done", "guard failed: KeyError: 'x'", "done"]
    assert lines[1].exit_code == 11


def test_one_that_leaves_the_process_is_a_line() -> None:
    def leave() -> None:
        raise SystemExit(0)

    [line] = look_at_all([job("a", leave)], 1)
    assert line.exit_code == 11


def test_one_that_hangs_is_given_up_and_its_place_goes_to_the_next() -> None:
    release = threading.Event()
    jobs = [job("hangs", release.wait, timeout=0.05), *(job(f"c{n}", lambda: None) for n in range(3))]
    lines = look_at_all(jobs, 1, grace=0.05)
    release.set()
    assert [line.reason for line in lines[1:]] == ["done"] * 3
    assert lines[0].reason.startswith("no answer within")


def test_what_comes_back_too_late_changes_nothing() -> None:
    given_up, came_back = threading.Event(), threading.Event()

    def late() -> None:
        given_up.wait(20)
        came_back.set()

    def next_one() -> None:
        given_up.set()
        came_back.wait(20)

    lines = look_at_all([job("late", late, timeout=0.0), job("next", next_one)], 1, grace=0.0)
    assert [line.reason.partition(" within")[0] for line in lines] == ["no answer", "done"]


def test_an_empty_fleet_is_no_permission() -> None:
    assert fleet_report((), "0").exit_code == 11
