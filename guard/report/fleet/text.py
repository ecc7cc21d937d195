"""A fleet for a terminal: one line a cluster, the worst first."""

from __future__ import annotations

from typing import Final

from guard.fleet.result import ClusterLine, FleetReport
from guard.report.fleet.words import asked, summary, verdict_word, versions
from guard.report.interface import Options
from guard.report.plain import plain

__all__ = ["render"]

_COLOUR: Final = {"BLOCK": "31", "UNKNOWN": "33", "WARN": "33", "ALLOW": "32"}
_WIDEST: Final = 40
_LEAST_REASON: Final = 30


def render(report: FleetReport, options: Options) -> str:
    """The fleet as text."""
    lines = [f"{summary(report)} (exit code {report.exit_code})"]
    if not options.quiet:
        widths = [_width(report, cell) for cell in (_name, versions, asked)]
        lines += [_line(line, widths, options) for line in report.clusters]
    return "\n".join(lines) + "\n"


def _name(line: ClusterLine) -> str:
    return line.name


def _width(report: FleetReport, cell: object) -> int:
    assert callable(cell)  # noqa: S101 - for mypy
    return min(max((len(plain(cell(line))) for line in report.clusters), default=0), _WIDEST)


def _line(line: ClusterLine, widths: list[int], options: Options) -> str:
    word = verdict_word(line)
    padded = f"{word:<7}"
    if options.colour:
        padded = f"\x1b[1;{_COLOUR[word]}m{padded}\x1b[0m"
    cells = (plain(_name(line)), plain(versions(line)), plain(asked(line)))
    shown = "  ".join(_fitted(cell, width) for cell, width in zip(cells, widths, strict=True))
    room = max(options.width - 9 - len(shown) - 2, _LEAST_REASON)
    reason = plain(line.reason)
    cut = reason if len(reason) <= room else reason[: room - 1] + "…"
    return f"{padded}  {shown}  {cut}".rstrip()


def _fitted(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else text[: width - 1] + "…"
