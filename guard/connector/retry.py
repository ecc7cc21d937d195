"""When a host that failed is tried again, and when its failure is final.

A node that restarts refuses connections for some seconds, and its name may have no address meanwhile:
that is the normal case during a rolling upgrade and worth another try. A port that nobody listens on
says the same for ever, so the tries of a host end a minute after its first failure, however much time
``--timeout`` leaves for a long look. Whoever means to wait longer says so with ``--wait``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["LONGEST", "Retry"]

LONGEST: Final = 60.0
"""Seconds from a host's first failure until its failure is final."""
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 3.0
_JITTER: Final = 0.5  # so that many guards do not come at once


class Retry:
    """The tries of one host, by the strategies of tenacity; what waits is the race of all hosts."""

    def __init__(self) -> None:
        self._state: RetryCallState | None = None

    def next_after(self, now: float) -> float | None:
        """When to try again after a round that failed, or None if that was the last one.

        Args:
            now: the moment of the failure, in seconds on a monotonic clock.
        """
        # Imported here: a usual look has no failure, and this costs as much as a statement.
        import tenacity

        state = self._state
        if state is None:
            state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
            state.start_time = now
            self._state = state
        state.outcome_timestamp = now
        if tenacity.stop_after_delay(LONGEST)(state):
            return None
        wait = tenacity.wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)
        pause = (wait + tenacity.wait_random(0, _JITTER))(state)
        state.prepare_for_next_attempt()
        return now + pause
