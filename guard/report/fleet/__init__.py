"""The formats of ``guard fleet``, one file each; `renderer` finds one by name."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import Protocol

from guard.fleet.result import FleetReport
from guard.report.interface import Options

__all__ = ["Format", "Renderer", "renderer"]


class Format(StrEnum):
    """The formats of ``guard fleet --format``; each is a module of this package."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class Renderer(Protocol):
    """Renders what is said of a fleet. Ends with a newline."""

    def __call__(self, report: FleetReport, options: Options) -> str:
        """The report."""
        ...


def renderer(name: Format) -> Renderer:
    """The renderer of a format."""
    render: Renderer = import_module(f"guard.report.fleet.{name.value}").render
    return render
