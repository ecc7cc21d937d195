"""Report formats, one file each. `renderer` finds one by name and imports nothing else."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard.report.interface import Options, Renderer

__all__ = ["Format", "Options", "renderer"]


class Format(StrEnum):
    """The formats of ``guard check --format``; each is a module of this package."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    HTML = "html"


def renderer(name: Format) -> Renderer:
    """The renderer of a format."""
    module = import_module(f"guard.report.{name.value}")
    render: Renderer = module.render
    return render


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """`Options` when it is asked for: ``guard --version`` needs this package's plain text alone."""
    if name == "Options":
        from guard.report.interface import Options

        return Options
    raise AttributeError(name)
