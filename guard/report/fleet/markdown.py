"""A fleet as Markdown: one table, the worst cluster first."""

from __future__ import annotations

from guard.fleet.result import FleetReport
from guard.report.fleet.words import asked, summary, verdict_word, versions
from guard.report.interface import Options
from guard.report.markdown_text import Markdown, inline, table

__all__ = ["render"]


def render(report: FleetReport, options: Options) -> str:
    """The fleet as Markdown."""
    lines = [
        Markdown(f"## guard fleet: {summary(report)}"),
        Markdown(""),
        Markdown(f"Exit code {report.exit_code}."),
    ]
    if not options.quiet:
        lines.append(Markdown(""))
        lines += table(
            ("", "cluster", "runs", "step", "first reason"),
            [
                (
                    Markdown(f"**{verdict_word(line)}**"),
                    inline(line.name, 200),
                    inline(versions(line), 200),
                    inline(asked(line), 200),
                    inline(line.reason, 500),
                )
                for line in report.clusters
            ],
        )
    return "\n".join(lines) + "\n"
