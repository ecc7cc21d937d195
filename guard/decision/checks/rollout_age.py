"""Does the upgrade stay half-way for too long?

A cluster of two series, and one that runs the new series on the old cluster version, are states to
pass through: each release is tested beside its predecessor for the length of an upgrade, features
wait, defects of mixed clusters (A-72839 is one) have more time to meet, and the next patch of either
series may not be what the other one knows. Cockroach Labs' pages ask to finish soon after the start.

- next-node, finalize, rollback, verify: warn if the cluster has provably been of two series for longer
  than ``mixed-for`` (4 hours unless the policy says otherwise), or if an upgrade has been begun and
  not finalized for longer than ``unfinalized-for`` (3 days).

How long is read off the processes that run now: a node that has run the new series for five hours
beside one that has run the old series for a day makes a cluster that has been mixed for five hours at
least. Restarts since then hide the rest, so the true time may be longer, never shorter. ``guard
watch`` sees it as it passes. Not applicable where no table says when the nodes started.

Reads gossip and node status: admin, or VIEWCLUSTERMETADATA from v23.1.12 on; and the cluster version.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.cluster.rollout import rollout
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import listed, span
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for each kind of half-way that lasts too long, else one `pass`."""
    seen = rollout(situation.cluster)
    if seen is None:
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "no node runs a series that is not finalized yet")
        return
    newer, older = seen.newer, seen.older
    if seen.begun is None or (older and seen.mixed_since is None):
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE, "no table says since when the nodes run what they run"
        )
        return
    now = situation.cluster.now
    mixed = None if seen.mixed_since is None else now - seen.mixed_since
    unfinalized = now - seen.begun
    limits = situation.thresholds
    evidence = {
        "new_nodes": [n.node_id for n in newer],
        "old_nodes": [n.node_id for n in older],
        "mixed_seconds": None if mixed is None else int(mixed.total_seconds()),
        "unfinalized_seconds": int(unfinalized.total_seconds()),
        "mixed_for_seconds": int(limits.mixed_for.total_seconds()),
        "unfinalized_for_seconds": int(limits.unfinalized_for.total_seconds()),
    }
    back = situation.step is Step.ROLLBACK
    too_long = False
    if mixed is not None and mixed > limits.mixed_for:
        too_long = True
        yield CHECK.finding(
            Outcome.WARN,
            f"the cluster has been of two series for at least {span(mixed)}",
            f"{listed(n.name for n in newer)} on the new one, {listed(n.name for n in older)} not yet. "
            f"More than {span(limits.mixed_for)} is longer than an upgrade should stay there.",
            evidence=evidence,
            remedy=("Put the new ones back, each after guard check --step rollback",)
            if back
            else (
                "Restart the other nodes on the new build, each after guard check --step next-node",
                "Or put the new ones back: guard check --step rollback",
            ),
        )
    if unfinalized > limits.unfinalized_for:
        too_long = True
        yield CHECK.finding(
            Outcome.WARN,
            f"an upgrade was begun at least {span(unfinalized)} ago and is not finalized",
            f"The cluster version is still {situation.cluster.version.active}. More than "
            f"{span(limits.unfinalized_for)} is longer than the way back should be kept open.",
            evidence=evidence,
            remedy=()
            if back
            else ("Decide: guard check --step finalize, or guard check --step rollback",),
        )
    if not too_long:
        yield CHECK.finding(
            Outcome.PASS, f"the upgrade has been under way for {span(unfinalized)}", evidence=evidence
        )


CHECK = Check(
    id="rollout-age",
    title="the upgrade does not stay half-way for long",
    reads=("gossip_nodes", "node_status", "settings", "kv_version"),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
