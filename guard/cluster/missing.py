"""What a rule raises when the snapshot does not hold what it needs."""

from __future__ import annotations

from guard.snapshot.model import Unavailable

__all__ = ["NotCollected"]


class NotCollected(Exception):
    """A check needs a section that could not be collected."""

    def __init__(self, section: str, why: Unavailable) -> None:
        super().__init__(f"{section}: {why.message}")
        self.section = section
        self.why = why
