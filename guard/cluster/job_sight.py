"""Was guard allowed to see what it looked at? An empty list is good news only if it was."""

from __future__ import annotations

from guard.cluster.members import gateway_build
from guard.snapshot.model import Reason, Snapshot, Unavailable
from guard.snapshot.sight import JobSight, job_sight

__all__ = ["jobs_problem", "proof_of_job_sight"]


def proof_of_job_sight(snapshot: Snapshot) -> JobSight | Unavailable:
    """How it is known that this user sees every job, or that it is not."""
    privileges, identity = snapshot.privileges, snapshot.identity
    if isinstance(privileges, Unavailable):
        return privileges
    if isinstance(identity, Unavailable):
        return identity
    user = identity.rows[0].user if identity.rows else ""
    return job_sight(gateway_build(snapshot), user, privileges.rows)


def jobs_problem(snapshot: Snapshot) -> Unavailable | None:
    """Why the job lists cannot be believed, or None if they can."""
    proof = proof_of_job_sight(snapshot)
    if isinstance(proof, Unavailable):
        return proof
    if proof.proved:
        return None
    return Unavailable(
        reason=Reason.PRIVILEGE,
        message=f"jobs may be hidden from this user: {proof.how}",
        remedy=proof.remedy,
    )
