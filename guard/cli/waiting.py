"""``--wait`` and ``--settle``: look again while waiting can help, and once more before an ALLOW.

Nothing is printed to standard output here, so an interrupt leaves nothing half-written behind.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable
from typing import Final, Protocol, TextIO

import msgspec

from guard.decision.phrases import span
from guard.decision.result import Decision, FailOn, Finding, Outcome, Verdict
from guard.decision.settle import OneCluster, settled, strayed, unsettled
from guard.report.plain import plain
from guard.snapshot.model import Reason

__all__ = ["Patience", "Progress", "Teller", "watch"]

_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 30.0
_LAST_LOOK: Final = 5.0
_SHORTEST_LOOK: Final = 0.5


class Patience(msgspec.Struct, frozen=True):
    """How long to go on, in seconds.

    Attributes:
        wait: how long to look again while only waiting can help; 0 for a single verdict.
        settle: how far apart two looks must agree before an ALLOW; 0 for one look.
        timeout: for one look.
    """

    wait: float = 0.0
    settle: float = 0.0
    timeout: float = 30.0

    def reserve(self, look: float) -> float:
        """What is kept of the wait for the last look, which would otherwise be cut short.

        Half as much again as the looks before it took (`look`, in seconds), so that the last one ends
        with the wait and not long before it.
        """
        return min(max(look * 1.5, _SHORTEST_LOOK), self.timeout, _LAST_LOOK, self.wait / 5)


class Teller(Protocol):
    """Tells a person, or a log, what is being waited for."""

    def waiting(self, decision: Decision, left: float) -> None:
        """Another look will follow; `left` seconds of the wait remain."""
        ...

    def settling(self, decision: Decision, pause: float) -> None:
        """The step is allowed; a second look follows after the pause."""
        ...

    def done(self) -> None:
        """No further look follows, for whatever reason."""
        ...


def watch(
    look: Callable[[float], Decision],
    patience: Patience,
    *,
    fail_on: FailOn = FailOn.BLOCK,
    tell: Teller | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Decision:
    """Look until the verdict stands.

    A block or an unknown that waiting cannot clear ends it at once, and so does the deadline, with
    the verdict as it is then. A second look for `settle` that has been begun is finished. Where the
    last look got less than its time-out and ran out of time, the block of the last whole look stands;
    an ALLOW never stands in for a look that failed. A look that sees another cluster than the first
    one did permits nothing.

    Args:
        look: looks at the cluster, given the seconds it may take, and decides.
        patience: how long to go on.
        fail_on: warn means that warnings which can pass are waited for as well.
        tell: hears of every wait.
        clock: monotonic seconds.
        sleep: waits that many seconds.
    """
    look = _of_one_cluster(look)
    begin = clock()
    end = begin + patience.wait
    pause = _FIRST_PAUSE
    whole = decision = look(patience.timeout)
    took = clock() - begin
    waited = False
    try:
        while True:
            reserve = patience.reserve(took)
            over = end - clock() <= reserve or not decision.worth_waiting(fail_on)
            if over and decision.verdict is Verdict.ALLOW and patience.settle:
                if tell is not None:
                    tell.settling(decision, patience.settle)
                sleep(patience.settle)
                whole = decision = _agreed(decision, look(patience.timeout))
            left = end - clock()
            if left <= reserve or not decision.worth_waiting(fail_on):
                break
            waited = True
            if tell is not None:
                tell.waiting(decision, left)
            room = left - reserve
            # No look fits between this one and the last: wait for the last.
            sleep(room if room - pause <= took else pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            started = clock()
            granted = min(patience.timeout, max(end - started, reserve))
            decision = look(granted)
            took = clock() - started
            if granted >= patience.timeout or not _ran_out_of_time(decision):
                whole = decision
    finally:
        if tell is not None:
            tell.done()
    decision = _stands(whole, decision)
    if not waited:
        return decision
    gone = span(dt.timedelta(seconds=clock() - begin))
    limit = span(dt.timedelta(seconds=patience.wait))
    notice = f"waited {gone} of at most {limit}"
    return msgspec.structs.replace(decision, notices=(*decision.notices, notice))


def _of_one_cluster(look: Callable[[float], Decision]) -> Callable[[float], Decision]:
    """The looks, of which none speaks for another cluster than the first one saw."""
    cluster = OneCluster()

    def vetted(seconds: float) -> Decision:
        decision = look(seconds)
        why = cluster.stray(decision)
        return decision if why is None else strayed(why, decision)

    return vetted


def _agreed(first: Decision, second: Decision) -> Decision:
    """The verdict of two looks."""
    if second.verdict is Verdict.ALLOW and not settled(first, second):
        second = unsettled(first, second)
    return msgspec.structs.replace(second, looks=(first.taken_at, second.taken_at))


def _ran_out_of_time(decision: Decision) -> bool:
    """True if the look could not tell because answers did not come in time."""
    return decision.verdict is Verdict.UNKNOWN and any(
        finding.evidence.get("reason") == Reason.TIMEOUT for finding in decision.of(Outcome.UNKNOWN)
    )


def _stands(whole: Decision, last: Decision) -> Decision:
    """The verdict of the wait: `last`, unless it was cut short and the last whole look blocked."""
    if last is whole or whole.verdict is not Verdict.BLOCK:
        return last
    notice = (
        f"the look of {last.taken_at:%H:%M:%SZ} ran out of time with --wait; what stands here was seen "
        f"at {whole.taken_at:%H:%M:%SZ}"
    )
    return msgspec.structs.replace(whole, notices=(*whole.notices, notice))


class Progress:
    """Progress on standard error: one line that is rewritten on a terminal, else one per change."""

    def __init__(
        self,
        stream: TextIO,
        *,
        terminal: bool,
        width: int = 100,
        utcnow: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._stream = stream
        self._terminal = terminal
        self._width = width
        self._utcnow = utcnow
        self._since: dict[str, dt.datetime] = {}
        self._told: tuple[str, ...] = ()
        self._dirty = False

    def waiting(self, decision: Decision, left: float) -> None:
        """Say what is waited for and since when."""
        now = self._utcnow()
        standing = _standing(decision)
        self._since = {f.check: self._since.get(f.check, now) for f in standing}
        texts = tuple(f"{plain(f.check)}: {plain(f.title, 200)}" for f in standing)
        first = standing[0].check
        more = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
        since = self._since[first]
        remaining = span(dt.timedelta(seconds=left))
        if self._terminal:
            times = f"since {since:%H:%M:%SZ}, {span(now - since)}; {remaining} left"
            self._line(f"waiting ({times}) for {texts[0]}{more}")
        elif texts != self._told:
            self._line(f"{now:%H:%M:%SZ} waiting for {'; '.join(texts)} ({remaining} left)")
        self._told = texts

    def settling(self, decision: Decision, pause: float) -> None:
        """Say that a second look follows."""
        del decision
        self._told = ()
        self._line(
            f"{self._utcnow():%H:%M:%SZ} allowed; looking again in "
            f"{span(dt.timedelta(seconds=pause))} to see that it stays so"
        )

    def done(self) -> None:
        """Take the line off the terminal."""
        if self._dirty:
            self._write("\r\x1b[K")
            self._dirty = False

    def _line(self, text: str) -> None:
        line = f"guard: {text}"
        if not self._terminal:
            self._write(line + "\n")
            return
        limit = max(self._width - 1, 20)
        if len(line) > limit:
            line = line[: limit - 1] + "…"
        self._write(f"\r\x1b[K{line}")
        self._dirty = True

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody listens: no reason to stop
            self._stream.write(text)
            self._stream.flush()


def _standing(decision: Decision) -> tuple[Finding, ...]:
    """The findings that are waited for."""
    outcome = {
        Verdict.BLOCK: Outcome.BLOCK,
        Verdict.UNKNOWN: Outcome.UNKNOWN,
        Verdict.ALLOW: Outcome.WARN,
    }[decision.verdict]
    return decision.of(outcome)
