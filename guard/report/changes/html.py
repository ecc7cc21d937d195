"""What an upgrade changes, as one HTML page: for the change ticket and the people who must look."""

from __future__ import annotations

from typing import Final

from guard.changes.result import ChangesReport, Concern
from guard.decision.result import ExitCode
from guard.report.changes.words import counts, defaults, headline, is_default, not_concerned
from guard.report.html_page import page
from guard.report.interface import Options
from guard.report.words import utc

__all__ = ["render"]

_SECTIONS: Final = (
    ("Concerns this cluster", "block", Concern.CONCERNS),
    ("Could not be looked at", "unknown", Concern.COULD_NOT_LOOK),
    ("A person must look", "pass", Concern.ASK),
    ("Changes", "not-applicable", Concern.LISTED),
)
_VERDICTS: Final = {
    ExitCode.ALLOW: ("Nothing found that breaks", "allow"),
    ExitCode.BLOCK: ("Something would break", "block"),
    ExitCode.UNKNOWN: ("Could not look", "unknown"),
    ExitCode.WARNINGS: ("Something changes", "warn"),
}


def render(report: ChangesReport, options: Options) -> str:
    """The report as a page that needs no other file, no script and no network."""
    looked = report.taken_at is not None
    verdict, kind = _VERDICTS[report.exit_code(options.fail_on)] if looked else ("Listed", "pass")
    facts = [("from", report.source), ("to", report.target)]
    if report.taken_at is not None:
        facts.append(("seen", utc(report.taken_at)))
    if report.gateway:
        facts.append(("through", report.gateway))
    told = [
        (
            each.series,
            defaults(each.changes),
            not_concerned(each) if each.known else "the catalog does not know what it changes",
        )
        for each in report.series
    ]
    full = not options.quiet
    return page(
        "changes.html",
        verdict=verdict,
        verdict_class=kind,
        headline=headline(report, options),
        counts=counts(report) if looked else "",
        facts=facts if full else [],
        sections=[
            (heading, mark, [change for change in report.of(concern) if not is_default(change)])
            for heading, mark, concern in _SECTIONS
        ]
        if full
        else [],
        by_series=told if full else [],
        guard_version=report.guard_version,
        catalog_date=report.catalog_date,
    )
