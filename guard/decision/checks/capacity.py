"""Is there room on the disks?

A restart makes other stores take over leases and, if it lasts, replicas; migrations rewrite data. A
store that runs full stops its node. guard compares each live store's available bytes with its
capacity; 15 % must be free unless the policy says otherwise. Stores of nodes that are down are
ignored, their records are old.

- start, next-node, finalize: warn, also about stores that do not say how much room they have; UNKNOWN
  if no live store is known at all. rollback, verify: not asked.

Reads crdb_internal.kv_store_status: admin, or VIEWCLUSTERMETADATA from v23.1.12 on.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import counted, listed
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.snapshot.model import StoreStatusRow

__all__ = ["CHECK"]


def _free(store: StoreStatusRow) -> float | None:
    if not store.capacity or store.available is None:
        return None
    return store.available / store.capacity


def run(situation: Situation) -> Iterator[Finding]:
    """Yield a warning for stores that run full, and one for those that do not say; or one `pass`."""
    up = {n.node_id for n in situation.cluster.members if n.is_up}
    stores: list[StoreStatusRow] = [
        s for s in situation.cluster.rows("store_status") if s.node_id in up
    ]
    least = situation.thresholds.capacity_free
    if not stores:
        yield CHECK.finding(
            Outcome.UNKNOWN,
            "no live store says how much room it has",
            evidence={"live_nodes": sorted(up)},
            remedy=("Nodes write it every 10 s: look again, then at cockroach node status --stats",),
            unseen=True,
        )
        return
    free = {(s.node_id, s.store_id): _free(s) for s in stores}
    evidence = {
        "required_free": least,
        "stores": [
            {"node_id": n, "store_id": s, "free": None if share is None else round(share, 4)}
            for (n, s), share in sorted(free.items())
        ][:50],
    }
    full = [(key, share) for key, share in sorted(free.items()) if share is not None and share < least]
    silent = [key for key, share in sorted(free.items()) if share is None]
    if full:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(full), 'store', 'has', 'have')} less than {least:.0%} free",
            listed(f"n{n} s{s} {share:.0%} free" for (n, s), share in full) + ".",
            evidence=evidence,
            remedy=("Add disks or nodes, or remove data, before going on.",),
            nodes=(n for n in situation.cluster.members if n.node_id in {key[0] for key, _ in full}),
        )
    if silent:
        yield CHECK.finding(
            Outcome.WARN,
            f"{counted(len(silent), 'store', 'does', 'do')} not say how much room there is",
            listed(f"n{n} s{s}" for n, s in silent) + ".",
            evidence=evidence,
        )
    if not full and not silent:
        least_free = min(share for share in free.values() if share is not None)
        yield CHECK.finding(
            Outcome.PASS,
            f"every live store has {least:.0%} free or more",
            f"The fullest has {least_free:.0%} free.",
            evidence=evidence,
        )


CHECK = Check(
    id="capacity",
    title="the stores have room",
    reads=("store_status", "gossip_liveness"),
    docs=f"{DOCS}/stable/recommended-production-settings#storage",
    explain=__doc__,
    run=run,
)
