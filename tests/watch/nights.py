"""A cluster that is looked at again and again, from snapshots, without a clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from guard.decision.engine import evaluate
from guard.snapshot.model import IdentityRow, Reason, Snapshot, Unavailable
from guard.watch.compare import Change, Known, Limits, see
from guard.watch.look import Look, draw_look
from tests import building as b

__all__ = ["LIMITS", "LOST", "NEW", "OLD", "at", "look", "mixed", "night"]

OLD, NEW = "v22.1.22", "v22.2.19"
LIMITS = Limits(mixed_for=dt.timedelta(hours=4), unfinalized_for=dt.timedelta(days=3))


def at(seen: Snapshot, minutes: float) -> Snapshot:
    """The same cluster so many minutes later: what always moves has moved on."""
    later = dt.timedelta(minutes=minutes)

    def moved(section: Any, *names: str) -> Any:
        if isinstance(section, Unavailable):
            return section
        rows = tuple(
            msgspec.structs.replace(
                row, **{name: getattr(row, name) + later for name in names if getattr(row, name)}
            )
            for row in section.rows
        )
        return msgspec.structs.replace(section, rows=rows)

    return msgspec.structs.replace(
        seen,
        taken_at=seen.taken_at + later,
        identity=b.collected(IdentityRow(user="root", cluster_time=b.NOW + later)),
        gossip_liveness=moved(seen.gossip_liveness, "expiration"),
        kv_node_liveness=moved(seen.kv_node_liveness, "expiration"),
        node_status=moved(seen.node_status, "updated_at"),
    )


def mixed(**changes: Any) -> Snapshot:
    """Half-way from v22.1 to v22.2, n1 new for an hour."""
    nodes = changes.pop("nodes", None) or [
        b.node(1, NEW, started=b.NOW - b.minutes(60)),
        b.node(2, OLD),
        b.node(3, OLD),
    ]
    values = {"settings": {"cluster.preserve_downgrade_option": "22.1"}} | changes
    return b.snapshot(nodes, version=values.pop("version", "22.1"), gateway=NEW, **values)


LOST = msgspec.structs.replace(
    b.snapshot(), connection=Unavailable(reason=Reason.CONNECTION, message="refused")
)


def look(seen: Snapshot, step: str = "next-node", target: str | None = NEW) -> Look:
    return draw_look(seen, evaluate(seen, step=step, target=target))


def night(
    *looks: Snapshot | tuple[float, Snapshot], step: str = "next-node", target: str | None = NEW
) -> list[tuple[Change, ...]]:
    """The changes of each look; a look is a minute after the one before unless it says when."""
    known = Known()
    told = []
    for index, each in enumerate(looks):
        minutes, seen = each if isinstance(each, tuple) else (float(index), each)
        known, changes = see(known, look(at(seen, minutes), step, target), LIMITS)
        told.append(changes)
    return told


def kinds(changes: Iterable[Change]) -> list[str]:
    return [change.kind.value for change in changes]
