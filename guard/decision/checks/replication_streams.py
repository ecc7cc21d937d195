"""Does this cluster replicate to or from another one?

Physical cluster replication: the *standby* cluster is upgraded before the primary; a primary that is
ahead cannot be failed over to its standby. A REPLICATION STREAM PRODUCER job tells a primary, a
REPLICATION STREAM INGESTION job a standby. Logical data replication (LOGICAL REPLICATION jobs) has no
such order, but both sides should be on series that its page names as compatible.

- start, finalize: warn on a primary and where logical replication runs; pass on a standby, and for a
  patch upgrade, which needs no order.
- next-node, rollback, verify: not asked. A standby may be ahead of its primary, and stays
  as it is when the primary goes back.

Reads the active jobs. Source: "Upgrade clusters that use physical cluster replication" of the upgrade
pages (docs#20729, docs#18809), "Logical data replication".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.jobs import INGESTION, active_jobs_of
from guard.decision.check_definition import DOCS, UPGRADE_DOCS, Check
from guard.decision.job_words import job_evidence, job_text
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]

_PRODUCER: Final = frozenset({"REPLICATION STREAM PRODUCER", "STREAM REPLICATION"})
_LOGICAL: Final = frozenset({"LOGICAL REPLICATION"})


def run(situation: Situation) -> Iterator[Finding]:
    """Yield a warning for a primary and one for logical replication, else one `pass`."""
    cluster = situation.cluster
    if situation.step is Step.START and situation.is_patch:
        yield CHECK.finding(
            Outcome.PASS, "patch releases of one series replicate to and from each other"
        )
        return
    producing = active_jobs_of(cluster, _PRODUCER)
    logical = active_jobs_of(cluster, _LOGICAL)
    ingesting = active_jobs_of(cluster, INGESTION)
    if producing and not logical:  # logical replication has a producer on its source, too
        yield CHECK.finding(
            Outcome.WARN,
            "this cluster is the primary of a physical replication: its standby goes first",
            "; ".join(job_text(job, cluster.now) for job in producing[:3])
            + ". A standby on an older version than its primary cannot take over.",
            evidence={"jobs": job_evidence(producing)},
            remedy=(
                "On the standby: every node runs the target, and its version is final: "
                "SHOW CLUSTER SETTING version;",
                "See how replication stands there: SHOW VIRTUAL CLUSTERS WITH REPLICATION STATUS;",
            ),
            jobs=producing,
        )
    if logical:
        yield CHECK.finding(
            Outcome.WARN,
            "logical replication runs: check that the other cluster's version fits the target",
            "; ".join(job_text(job, cluster.now) for job in logical[:3]) + ".",
            evidence={"jobs": job_evidence(logical)},
            remedy=(
                f"Read what may replicate into what: {DOCS}/stable/logical-data-replication-overview",
            ),
            jobs=logical,
        )
    if not producing and not logical:
        yield CHECK.finding(
            Outcome.PASS,
            "this cluster is a standby, which is upgraded first"
            if ingesting
            else "no replication to or from another cluster runs",
            evidence={"jobs": job_evidence(ingesting)},
        )


CHECK = Check(
    id="replication-streams",
    title="replication to other clusters is taken into account",
    reads=("active_jobs",),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
