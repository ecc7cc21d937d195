"""Was guard allowed to see what it looked at? An empty list is good news only if it was."""

from __future__ import annotations

from typing import Final

from guard.decision.cluster import Cluster
from guard.snapshot.model import Connection, Reason, Unavailable
from guard.snapshot.sight import JobSight, job_sight
from guard.versions import Build, VersionError

__all__ = ["PASSING", "gateway_build", "jobs_problem", "proof_of_job_sight"]

PASSING: Final = (Reason.CONNECTION, Reason.TIMEOUT)
"""Reasons for not seeing that another look may not meet: a gateway that restarts, a slow range."""


def gateway_build(cluster: Cluster) -> Build | None:
    """The gateway's build, None if unknown."""
    connection = cluster.snapshot.connection
    if not isinstance(connection, Connection) or connection.build is None:
        return None
    try:
        return Build.parse(connection.build)
    except VersionError:
        return None


def proof_of_job_sight(cluster: Cluster) -> JobSight | Unavailable:
    """How it is known that this user sees every job, or that it is not."""
    privileges, identity = cluster.snapshot.privileges, cluster.snapshot.identity
    if isinstance(privileges, Unavailable):
        return privileges
    if isinstance(identity, Unavailable):
        return identity
    user = identity.rows[0].user if identity.rows else ""
    return job_sight(gateway_build(cluster), user, privileges.rows)


def jobs_problem(cluster: Cluster) -> Unavailable | None:
    """Why the job lists cannot be believed, or None if they can."""
    proof = proof_of_job_sight(cluster)
    if isinstance(proof, Unavailable):
        return proof
    if proof.proved:
        return None
    return Unavailable(
        reason=Reason.PRIVILEGE,
        message=f"jobs may be hidden from this user: {proof.how}",
        remedy=proof.remedy,
    )
