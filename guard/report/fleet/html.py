"""A fleet as one HTML page, with links to a page for each cluster where those are written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guard.fleet.result import FleetReport
from guard.report.fleet.words import asked, summary, verdict_word, versions
from guard.report.html_page import page
from guard.report.interface import Options

__all__ = ["page_names", "render", "render_index"]


def render(report: FleetReport, options: Options) -> str:
    """The fleet as a page that needs no other file, no script and no network."""
    return render_index(report, options, ())


def render_index(report: FleetReport, options: Options, names: Sequence[str]) -> str:
    """The same, with a link to each cluster's page.

    Args:
        report: the fleet.
        options: how to render.
        names: the files of the clusters' pages, in the order of the lines; none for no links.
    """
    links = names or [""] * len(report.clusters)
    return page(
        "fleet.html",
        summary=summary(report),
        verdict_class=report.clusters[0].verdict.value if report.clusters else "unknown",
        exit_code=report.exit_code,
        seen=options.now,
        rows=[
            {
                "word": verdict_word(line),
                "name": line.name,
                "versions": versions(line),
                "asked": asked(line),
                "reason": line.reason,
                "href": name if line.decision is not None else "",
            }
            for line, name in zip(report.clusters, links, strict=True)
        ],
        guard_version=report.guard_version,
    )


def page_names(report: FleetReport) -> tuple[str, ...]:
    """A file name for each line: from the cluster's name, safe in any folder, each once."""
    names: list[str] = []
    for line in report.clusters:
        base = re.sub(r"[^a-z0-9]+", "-", line.name.lower()).strip("-")[:60] or "cluster"
        name, number = f"cluster-{base}.html", 2
        while name in names:
            name, number = f"cluster-{base}-{number}.html", number + 1
        names.append(name)
    return tuple(names)
