"""The loop of ``guard watch``: look, compare, tell, sleep. Ends by ``--until`` or by a signal."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from guard.decision.result import Verdict
from guard.watch.compare import Change, Known, Limits, see
from guard.watch.look import Look

__all__ = ["Seen", "Teller", "Until", "keep_looking", "read_until"]

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)Z?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seen:
    """A look, and whether `verify` would have been allowed then (False if nobody asked)."""

    look: Look
    verified: bool = False


class Teller(Protocol):
    """Tells a person or a program."""

    def __call__(self, known: Known, look: Look, changes: Sequence[Change]) -> None:
        """A look has been taken in."""
        ...


@dataclass(frozen=True, slots=True)
class Until:
    """What ends the watch.

    Attributes:
        allow: the step is allowed.
        verify: the upgrade has landed.
        seconds: so much time has passed.
    """

    allow: bool = False
    verify: bool = False
    seconds: float | None = None

    def reached(self, seen: Seen) -> bool:
        """True if this look ends it."""
        allowed = seen.look.connected and seen.look.verdict is Verdict.ALLOW
        return (self.allow and allowed) or (self.verify and seen.verified)


def read_until(
    texts: Sequence[str], now: dt.datetime, duration: Callable[[str], dt.timedelta]
) -> Until:
    """Read ``--until``: ``allow``, ``verify``, how long (``2h``), or a time of day in UTC (``06:00``).

    Raises:
        whatever `duration` raises for a text that is none of them.
    """
    allow = verify = False
    seconds: list[float] = []
    for text in texts:
        if text == "allow":
            allow = True
        elif text == "verify":
            verify = True
        elif (clock := _CLOCK.fullmatch(text)) is not None:
            moment = now.astimezone(dt.UTC).replace(
                hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0
            )
            left = (moment - now).total_seconds()
            seconds.append(left if left > 0 else left + 86_400)
        else:
            seconds.append(duration(text).total_seconds())
    return Until(allow, verify, min(seconds, default=None))


def keep_looking(
    look: Callable[[], Seen],
    tell: Teller,
    *,
    every: float,
    until: Until,
    limits: Limits,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Look:
    """Look again and again.

    Args:
        look: looks at the cluster once.
        tell: hears of every look.
        every: seconds from the beginning of a look to the beginning of the next.
        until: what ends it.
        limits: how long a state may last.
        clock: monotonic seconds.
        sleep: waits that many seconds.

    Returns:
        The last look.
    """
    known = Known()
    end = None if until.seconds is None else clock() + until.seconds
    while True:
        begun = clock()
        seen = look()
        known, changes = see(known, seen.look, limits)
        tell(known, seen.look, changes)
        now = clock()
        if until.reached(seen) or (end is not None and now >= end):
            return seen.look
        next_look = begun + every if end is None else min(begun + every, end)
        sleep(max(next_look - now, 0.0))
