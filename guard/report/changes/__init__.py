"""The formats of ``guard changes``, one file each; `renderer` finds one by name."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import Protocol

from guard.changes.result import ChangesReport
from guard.report.interface import Options

__all__ = ["Format", "Renderer", "renderer"]


class Format(StrEnum):
    """The formats of ``guard changes --format``; each is a module of this package."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"
    HTML = "html"


class Renderer(Protocol):
    """Renders what an upgrade changes. Ends with a newline."""

    def __call__(self, report: ChangesReport, options: Options) -> str:
        """The report."""
        ...


def renderer(name: Format) -> Renderer:
    """The renderer of a format."""
    render: Renderer = import_module(f"guard.report.changes.{name.value}").render
    return render
