"""All checks, one file each, in the order they are reported.

To add one: write ``checks/<id with underscores>.py`` with a module docstring (it becomes the page of
``guard explain``), a ``run`` generator and a ``CHECK``, and name it here.
"""

from __future__ import annotations

from typing import Final

from guard.decision.check_definition import Check
from guard.decision.checks import (
    a_72839,
    advisories,
    auto_finalization,
    capacity,
    changes,
    cluster_version,
    connection,
    decommissioning,
    draining,
    imports,
    interleaved_tables,
    invalid_objects,
    job_backlog,
    license,  # noqa: A004 - the check's name
    migrations,
    mixed_version,
    node_liveness,
    quorum_safety,
    range_health,
    recent_backup,
    replication_streams,
    restore_compatibility,
    restores,
    rollout_age,
    running_backups,
    scheduled_backups,
    schema_changes,
    target_release,
    unlisted_release,
    unnamed_jobs,
    upgrade_path,
    virtual_clusters,
    visibility,
)

__all__ = ["ALL", "by_id"]

ALL: Final[tuple[Check, ...]] = (
    visibility.CHECK,
    connection.CHECK,
    # May this upgrade be made at all, and where is it?
    cluster_version.CHECK,
    mixed_version.CHECK,
    migrations.CHECK,
    upgrade_path.CHECK,
    target_release.CHECK,
    unlisted_release.CHECK,
    license.CHECK,
    auto_finalization.CHECK,
    rollout_age.CHECK,
    # What is known to go wrong on the way.
    a_72839.CHECK,
    advisories.CHECK,
    changes.CHECK,
    # What is going on in the cluster.
    running_backups.CHECK,
    scheduled_backups.CHECK,
    recent_backup.CHECK,
    restores.CHECK,
    restore_compatibility.CHECK,
    imports.CHECK,
    replication_streams.CHECK,
    schema_changes.CHECK,
    unnamed_jobs.CHECK,
    job_backlog.CHECK,
    # What would the server refuse?
    invalid_objects.CHECK,
    virtual_clusters.CHECK,
    interleaved_tables.CHECK,
    # Does it bear that a node stops?
    node_liveness.CHECK,
    draining.CHECK,
    decommissioning.CHECK,
    range_health.CHECK,
    quorum_safety.CHECK,
    capacity.CHECK,
)


def by_id(name: str) -> Check | None:
    """The check of that id or alias, whatever its case; None if there is none."""
    wanted = name.lower()
    for check in ALL:
        if wanted == check.id.lower() or wanted in (alias.lower() for alias in check.aliases):
            return check
    return None
