"""What proves that the user who made the archive saw all jobs. An empty table alone proves nothing.

- The session was root's: root is a member of admin on every release.
- Up to v23.1.11 only members of admin could read the nodes' status records, and there they are.
- ``system.jobs`` was read: the server gives that table whole or refuses it.
"""

from __future__ import annotations

from typing import Final

from guard.debugzip.gateway import Gateway
from guard.snapshot.model import PrivilegeRow
from guard.versions import Build, VersionError

__all__ = ["proofs"]

_NODES_FOR_OTHERS: Final = Build(23, 1, 12)  # VIEWCLUSTERMETADATA opens them from then on


def proofs(
    gateway: Gateway, build: str | None, *, nodes_read: bool, jobs_whole: bool
) -> tuple[PrivilegeRow, ...]:
    """The proofs that the archive holds; none if nothing is proved.

    Args:
        gateway: through which node and as whom the archive was made.
        build: the gateway's build tag, None if unknown.
        nodes_read: the status records were read and there is at least one.
        jobs_whole: ``system.jobs`` was read to its end.
    """
    rows = []
    if gateway.user == "root" or (nodes_read and _only_admins_read_nodes(build)):
        rows.append(PrivilegeRow(kind="admin", name="admin", granted=True))
    if jobs_whole:
        rows.append(PrivilegeRow(kind="whole-table", name="system.jobs", granted=True))
    return tuple(rows)


def _only_admins_read_nodes(build: str | None) -> bool:
    try:
        return Build.parse(build or "") < _NODES_FOR_OTHERS
    except VersionError:
        return False
