"""Which users see every job: the rule that makes "no backup is running" believable.

CockroachDB filters the rows of crdb_internal.jobs and SHOW JOBS by privilege and reports no error,
so an unprivileged user reads an empty list while a backup is running.

Source of the rule: pkg/jobs/jobsauth and pkg/sql/crdb_internal.go of the server, release notes of
v20.1.0-beta.1 and v23.1.0-alpha.5 (#96382), and runs against real servers.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from guard.snapshot.model import PrivilegeRow
from guard.snapshot.privileges import grant_for
from guard.versions import Build, Series

__all__ = ["JobSight", "job_sight"]

_CONTROLJOB_SEES_ADMIN_JOBS = Series(23, 1)


class JobSight(msgspec.Struct, frozen=True):
    """Whether this user provably sees every job, how that was proved, and what to grant if not."""

    proved: bool
    how: str
    remedy: tuple[str, ...] = ()


def job_sight(gateway: Build | None, user: str, privileges: Iterable[PrivilegeRow]) -> JobSight:
    """Decide whether a user sees all jobs through a gateway.

    Args:
        gateway: the gateway's build, None if it announced none that could be read.
        user: the SQL user, for the statement to paste.
        privileges: what was found out about the user; an absent row proves nothing.
    """
    known = tuple(privileges)
    granted = {(row.kind, row.name) for row in known if row.granted}
    if ("admin", "admin") in granted:
        return JobSight(True, "the user is a member of the admin role")
    if ("whole-table", "system.jobs") in granted:
        return JobSight(True, "the table system.jobs was read, which the server never filters")
    remedy = (grant_for("active_jobs", gateway, user),)
    if gateway is None:
        return JobSight(
            False, "the gateway's version is unknown, so only the admin role would prove it", remedy
        )
    if gateway.series >= _CONTROLJOB_SEES_ADMIN_JOBS:
        for kind, name in (
            ("system", "VIEWJOB"),
            ("system", "CONTROLJOB"),
            ("role-option", "CONTROLJOB"),
        ):
            if (kind, name) in granted:
                return JobSight(True, f"the user has {name} ({kind.replace('-', ' ')})")
        if ("function", "can_view_job") in granted:
            return JobSight(True, "the server says that the user can view the jobs of others")
        if any(row.kind == "role-option" for row in known):
            how = "the user is not an admin and has neither VIEWJOB nor CONTROLJOB"
        else:
            how = (
                "the user is not an admin and has not VIEWJOB, and the server does not let it see "
                "whether it has the role option CONTROLJOB"
            )
        return JobSight(False, how, remedy)
    return JobSight(
        False,
        "before v23.1 only admins see jobs that admins own, scheduled backups included",
        remedy,
    )
