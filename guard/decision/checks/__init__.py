"""All checks, one file each, in the order they are reported.

To add one: write ``checks/<id with underscores>.py`` with a module docstring (it becomes the page of
``guard explain``), a ``run`` generator and a ``CHECK``, and name it here.
"""

from __future__ import annotations

from typing import Final

from guard.decision.check import Check
from guard.decision.checks import (
    a_72839,
    advisories,
    auto_finalization,
    cluster_version,
    connection,
    decommissioning,
    mixed_version,
    node_liveness,
    restore_compatibility,
    running_backups,
    scheduled_backups,
    target_release,
    upgrade_path,
    visibility,
)

__all__ = ["ALL", "by_id"]

ALL: Final[tuple[Check, ...]] = (
    visibility.CHECK,
    connection.CHECK,
    cluster_version.CHECK,
    mixed_version.CHECK,
    upgrade_path.CHECK,
    target_release.CHECK,
    auto_finalization.CHECK,
    a_72839.CHECK,
    advisories.CHECK,
    running_backups.CHECK,
    scheduled_backups.CHECK,
    node_liveness.CHECK,
    decommissioning.CHECK,
    restore_compatibility.CHECK,
)


def by_id(name: str) -> Check | None:
    """The check of that id or alias, whatever its case; None if there is none."""
    wanted = name.lower()
    for check in ALL:
        if wanted == check.id.lower() or wanted in (alias.lower() for alias in check.aliases):
            return check
    return None
