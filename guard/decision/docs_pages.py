"""Pages of the documentation as they stand for a series: ``/stable/`` tells the newest one only."""

from __future__ import annotations

from typing import Final

from guard.versions import Series

__all__ = ["docs_of"]

_STABLE: Final = "/docs/stable/"
_SINCE: Final = {
    "licensing-faqs": Series(22, 1),
    "restoring-backups-across-versions": Series(22, 2),
    "security-reference/authorization": Series(21, 2),
    "node-shutdown": Series(21, 2),
    "manage-a-backup-schedule": Series(20, 2),
    "take-full-and-incremental-backups": Series(20, 2),
}
"""The series whose documentation first has the page; the others are older than v20.1."""


def docs_of(page: str, series: Series | None) -> str:
    """The address of a page for a series; as it is where that series had no such page."""
    if series is None or _STABLE not in page:
        return page
    name = page.partition(_STABLE)[2].partition("#")[0].rstrip("/")
    if series < _SINCE.get(name, Series(20, 1)):
        return page
    return page.replace(_STABLE, f"/docs/v{series}/", 1)
