"""What every report format is: a pure function from a decision to text."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import msgspec

from guard.decision.result import Decision, FailOn

__all__ = ["Options", "Renderer"]


class Options(msgspec.Struct, frozen=True):
    """How to render.

    Attributes:
        fail_on: decides the exit code that the report names.
        colour: True to use ANSI colours.
        width: columns to wrap text at.
        quiet: True for the verdict alone.
        now: guard's clock, to say how old the snapshot is; None leaves the age out.
    """

    fail_on: FailOn = FailOn.BLOCK
    colour: bool = False
    width: int = 100
    quiet: bool = False
    now: dt.datetime | None = None


class Renderer(Protocol):
    """Renders a decision. Ends with a newline; holds no control sequence but its own colours."""

    def __call__(self, decision: Decision, options: Options) -> str:
        """The report."""
        ...
