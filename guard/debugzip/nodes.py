"""The nodes: every node's own view of gossip put together, and what KV has stored of them.

Gossip is each node's memory and may lag behind, so of each record the newest one that any node knew
counts. A node that was down has no view, only records in those of the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from guard.connector.rows import PARSERS, timestamp
from guard.debugzip.errors import Unreadable, as_unavailable
from guard.debugzip.gateway import Gateway
from guard.debugzip.tables import Row, Tables
from guard.snapshot.model import (
    GossipNodeRow,
    LivenessRow,
    NodeStatusRow,
    Reason,
    StoreStatusRow,
    Unavailable,
)

__all__ = ["gossip_liveness", "gossip_nodes", "kv_node_liveness", "node_status", "store_status"]

_LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)
_MOST_VIEWS: Final = 32  # every view has a row for every node: all of 1,000 would be a million rows
_REDACTED: Final = "<redacted>"
RowT = TypeVar("RowT", GossipNodeRow, LivenessRow)


def _merged(
    tables: Tables,
    gateway: Gateway,
    table: str,
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    parse: Callable[[Row], RowT],
    age: Callable[[RowT, Row], Any],
) -> tuple[RowT, ...]:
    """Of each node the newest row that any node's view has; the gateway's of equally new ones."""
    newest: dict[int, tuple[Any, RowT]] = {}
    refused: Unreadable | None = None
    seen = 0
    for viewer in gateway.first(tables.layout.nodes):
        try:
            view = [
                (parse(row), row)
                for row in tables.rows(table, columns[0], optional=columns[1], node=viewer)
            ]
        except Unreadable as error:
            refused = refused or error
            continue
        seen += 1
        for parsed, row in view:
            moment = age(parsed, row)
            known = newest.get(parsed.node_id)
            if known is None or moment > known[0]:
                newest[parsed.node_id] = moment, parsed
        if seen == _MOST_VIEWS:
            break
    if not seen:
        raise refused or as_unavailable(table, "no node's view is in the zip", Reason.NOT_ASKED)
    return tuple(row for _, (_, row) in sorted(newest.items()))


def gossip_liveness(
    tables: Tables, gateway: Gateway, times: list[dt.datetime]
) -> tuple[LivenessRow, ...]:
    """The liveness records in gossip.

    Args:
        tables: the archive's tables.
        gateway: its views come first.
        times: takes up when the records were gossiped.

    Raises:
        Unreadable: no node's view can be read.
        MalformedRow: a value is none.
    """

    def age(parsed: LivenessRow, row: Row) -> tuple[dt.datetime, dt.datetime]:
        updated = timestamp(row.get("updated_at"))
        if updated is not None:
            times.append(updated)
        return parsed.expiration or _LONG_AGO, updated or _LONG_AGO

    return _merged(
        tables,
        gateway,
        "crdb_internal.gossip_liveness",
        (
            ("node_id", "epoch", "expiration", "draining", "decommissioning"),
            ("membership", "updated_at"),
        ),
        PARSERS["gossip_liveness"],
        age,
    )


def gossip_nodes(tables: Tables, gateway: Gateway) -> tuple[GossipNodeRow, ...]:
    """The node descriptors in gossip. Raises as `gossip_liveness`."""
    return _merged(
        tables,
        gateway,
        "crdb_internal.gossip_nodes",
        (
            ("node_id", "server_version", "build_tag", "started_at"),
            ("address", "sql_address", "locality", "is_live"),
        ),
        lambda row: PARSERS["gossip_nodes"](_shown(row)),
        lambda parsed, _: parsed.started_at or _LONG_AGO,
    )


def kv_node_liveness(tables: Tables, old_gateway: bool) -> Iterator[LivenessRow]:
    """The liveness records in KV.

    Args:
        tables: the archive's tables.
        old_gateway: the gateway is of v21.1 or before, whose patches may not have the table.

    Raises:
        Unreadable: it cannot be read.
        MalformedRow: a value is none.
    """
    table = "crdb_internal.kv_node_liveness"
    try:
        for row in tables.rows(table, ("node_id", "epoch", "expiration", "draining", "membership")):
            yield PARSERS["kv_node_liveness"](row)
    except Unreadable as error:
        if error.why.reason is Reason.NOT_ASKED and old_gateway:
            raise Unreadable(
                Unavailable(
                    reason=Reason.NOT_IN_THIS_VERSION,
                    message="debug zip of that release has no such table",
                )
            ) from None
        raise


def node_status(tables: Tables, times: list[dt.datetime]) -> Iterator[NodeStatusRow]:
    """The status records in KV; `times` takes up when they were written. Raises as the others."""
    wanted = ("node_id", "server_version", "tag", "started_at", "updated_at")
    for row in tables.rows("crdb_internal.kv_node_status", wanted, optional=("address", "locality")):
        parsed = PARSERS["node_status"](_shown(row))
        if parsed.updated_at is not None:
            times.append(parsed.updated_at)
        yield parsed


class _Metrics(msgspec.Struct):
    unavailable: float | None = msgspec.field(name="ranges.unavailable", default=None)
    underreplicated: float | None = msgspec.field(name="ranges.underreplicated", default=None)


def store_status(tables: Tables) -> Iterator[StoreStatusRow]:
    """The stores' status records in KV. Raises as the others."""
    wanted = (
        "node_id",
        "store_id",
        "capacity",
        "available",
        "used",
        "range_count",
        "lease_count",
        "metrics",
    )
    for row in tables.rows("crdb_internal.kv_store_status", wanted, parsed=("metrics",)):
        try:
            metrics = msgspec.json.decode(row.pop("metrics") or "{}", type=_Metrics)
        except (msgspec.DecodeError, RecursionError) as error:
            raise as_unavailable(
                "crdb_internal.kv_store_status", f"metrics: {str(error)[:80]}"
            ) from error
        row["unavailable_ranges"] = _whole(metrics.unavailable)
        row["underreplicated_ranges"] = _whole(metrics.underreplicated)
        yield PARSERS["store_status"](row)


def _whole(number: float | None) -> str | None:
    return None if number is None else f"{number:.0f}"


def _shown(row: Row) -> Row:
    """A row without the mark that ``--redact`` puts in the place of addresses and localities."""
    return {name: None if value == _REDACTED else value for name, value in row.items()}
