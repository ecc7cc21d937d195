"""May this user see all nodes, settings, jobs and schedules?

CockroachDB hides rows from users without privileges, and for jobs and settings it does so without
an error: the list is simply empty. "No backup is running" therefore counts only once it is proved
that this user sees every job. Whatever could not be seen makes the verdict UNKNOWN, in every step,
and no policy can waive that.

Reads everything. Proof of full sight: membership of the admin role; from v23.1 on VIEWJOB or
CONTROLJOB suffice for jobs, VIEWSYSTEMTABLE (v23.1.11) for schedules, VIEWCLUSTERMETADATA
(v23.1.12) for nodes, VIEWCLUSTERSETTING (v22.1) for settings. From v26.1 on the session also needs
allow_unsafe_internals, which guard turns on for itself. Through a virtual cluster the nodes cannot
be seen at all: connect to the system virtual cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.job_sight import jobs_problem, proof_of_job_sight
from guard.cluster.liveness import Liveness
from guard.cluster.missing import NotCollected
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import listed
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.snapshot.model import Collected, Reason, Unavailable
from guard.snapshot.sight import JobSight

__all__ = ["CHECK"]


_NO_IDENTITY: Final = Unavailable(
    reason=Reason.MALFORMED, message="not exactly one user and one clock where there always is one"
)


def _what_is_missing(situation: Situation) -> Iterator[tuple[str, Unavailable]]:
    cluster = situation.cluster
    identity = cluster.snapshot.identity
    if isinstance(identity, Unavailable):
        yield "identity", identity
    elif len(identity.rows) != 1:  # without the cluster's clock nothing can be called due or dead
        yield "identity", _NO_IDENTITY
    for what, look in (
        ("nodes", lambda: cluster.members),
        ("settings", lambda: cluster.setting("version")),
        ("cluster version", lambda: cluster.version),
        ("jobs", lambda: situation.cluster.active_jobs),
        ("schedules", lambda: situation.cluster.schedules),
    ):
        try:
            look()
        except NotCollected as missing:
            yield what, missing.why


def _lost_quorum(situation: Situation, why: Unavailable) -> str:
    """What the gateway's memory still tells of the other nodes after a time-out, in words."""
    down = [
        n.name
        for n in situation.cluster.known_members
        if n.liveness in (Liveness.SUSPECT, Liveness.DEAD)
    ]
    if why.reason is not Reason.TIMEOUT or not down:
        return ""
    return (
        f". The liveness of {listed(down)} has run out: too many nodes seem to be down for the cluster "
        "to answer. Bring them back first"
    )


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one `unknown` for each reason something is hidden, or one `pass` with the proof."""
    # One finding for all that the same remedy cures: five times the same GRANT helps nobody.
    by_remedy: dict[tuple[str, ...], list[tuple[str, Unavailable]]] = {}
    for what, why in _what_is_missing(situation):
        by_remedy.setdefault((why.reason.value, *why.remedy), []).append((what, why))
    for missing in by_remedy.values():
        hidden = [what for what, _ in missing]
        why = missing[0][1]
        messages = dict.fromkeys(each.message for _, each in missing)
        yield CHECK.finding(
            Outcome.UNKNOWN,
            f"guard could not see: {listed(hidden)}",
            f"{'; '.join(messages)}{_lost_quorum(situation, why)}.",
            evidence={"hidden": hidden, "reason": why.reason, "sqlstate": why.sqlstate},
            remedy=why.remedy,
            transient=why.reason in (Reason.CONNECTION, Reason.TIMEOUT),
        )
    if by_remedy:
        return
    proof = proof_of_job_sight(situation.cluster.snapshot)
    problem = jobs_problem(situation.cluster.snapshot)
    how = proof.how if isinstance(proof, JobSight) and problem is None else ""
    unsafe = _unsafe_internals(situation)
    yield CHECK.finding(
        Outcome.PASS,
        "this user sees all nodes, settings, jobs and schedules",
        how
        + (
            "; guard turned allow_unsafe_internals on for its own session, which the cluster logs"
            if unsafe
            else ""
        ),
        evidence={"proof": how, "allow_unsafe_internals": unsafe},
    )


def _unsafe_internals(situation: Situation) -> bool:
    variables = situation.cluster.snapshot.variables
    return isinstance(variables, Collected) and any(
        row.name == "allow_unsafe_internals" and row.value == "on" for row in variables.rows
    )


CHECK = Check(
    id="visibility",
    title="guard may see all nodes, settings, jobs and schedules",
    reads=("privileges", "gossip_nodes", "settings", "active_jobs", "schedules"),
    docs=f"{DOCS}/stable/security-reference/authorization#supported-privileges",
    explain=__doc__,
    run=run,
    waivable=False,
)
