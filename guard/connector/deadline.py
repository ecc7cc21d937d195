"""The wall clock of one run."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

__all__ = ["Deadline"]


class Deadline(msgspec.Struct, frozen=True):
    """A moment on the monotonic clock. All durations in seconds."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """The moment that many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock())

    def or_later(self, seconds: float) -> Deadline:
        """This deadline, or that many seconds from now if that is later."""
        return Deadline(max(self.at, self.clock() + seconds), self.clock)

    def earlier(self, seconds: float) -> Deadline:
        """The deadline that comes this many seconds before."""
        return Deadline(self.at - seconds, self.clock)
