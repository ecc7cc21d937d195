"""The answer of ``guard windows`` as one HTML page: the quiet windows, over the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guard.report.html_page import page, timeline_values

if TYPE_CHECKING:
    from guard.decision.quiet_windows import WindowsAnswer
    from guard.decision.timeline import Timeline

__all__ = ["render"]

_MAX_SHOWN: Final = 200


def render(answer: WindowsAnswer, timeline: Timeline, guard_version: str) -> str:
    """The answer as a page that needs no other file, no script and no network."""
    verdict, kind = ("There is a quiet window", "allow")
    if not answer.windows:
        verdict, kind = (
            ("Unknown", "unknown") if answer.unknown else ("There is no quiet window", "block")
        )
    return page(
        "windows.html",
        verdict=verdict,
        verdict_class=kind,
        answer=answer,
        windows=answer.windows[:_MAX_SHOWN],
        more_windows=max(len(answer.windows) - _MAX_SHOWN, 0),
        overlaps=answer.now.overlaps[:_MAX_SHOWN] if answer.now else (),
        guard_version=guard_version,
        **timeline_values(timeline),
    )
