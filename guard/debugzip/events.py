"""The cluster's event log: from its table (v23.1 and later), else from the list the DB Console shows.

The list has the newest 1,000 events of all kinds. Of an event's text only the number of a node and
the name of a setting are kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from guard.connector.rows import PARSERS
from guard.connector.statements import EVENT_TYPES
from guard.debugzip.errors import as_unavailable
from guard.debugzip.tables import Row, Tables
from guard.snapshot.model import EventRow, Reason

__all__ = ["Events", "read_events"]

_TABLE: Final = "system.eventlog"
_LIST: Final = "events.json"
_LIST_BYTES: Final = 64 * 1024 * 1024
_LIST_LIMIT: Final = 1000
_KEPT: Final = 5_000
_NODE: Final = re.compile(r'"TargetNodeID":([0-9]{1,10})\b', re.ASCII)
_SETTING: Final = re.compile(r'"SettingName":"([a-z0-9_.]{1,200})"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Events:
    """The events that guard asks for, newest first.

    Attributes:
        complete_since: since when none is missing; None if that is always.
    """

    rows: tuple[EventRow, ...]
    truncated: bool = False
    complete_since: dt.datetime | None = None


class _Event(msgspec.Struct):
    timestamp: str
    event_type: str
    target_id: int | None = None
    reporting_id: int | None = None
    info: str = ""


class _List(msgspec.Struct):
    events: list[_Event]


def read_events(tables: Tables) -> Events:
    """The events of the archive.

    Raises:
        Unreadable: it has none that can be read.
        MalformedRow: a value is none.
    """
    if tables.has(_TABLE):
        return _newest_first(_of_table(tables), None)
    name = tables.layout.file(_LIST)
    if name not in tables.archive:
        raise as_unavailable("events", f"neither {_TABLE} nor {_LIST} is in the zip", Reason.NOT_ASKED)
    try:
        listed = msgspec.json.decode(tables.archive.read(name, _LIST_BYTES), type=_List).events
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise as_unavailable(
            _LIST, f"the file is damaged or of an unknown form: {str(error)[:100]}"
        ) from error
    cut = min((each.timestamp for each in listed), default=None) if len(listed) >= _LIST_LIMIT else None
    rows: Iterable[Row] = (
        {
            "timestamp": each.timestamp,
            "event_type": each.event_type,
            "target_id": None if each.target_id is None else str(each.target_id),
            "reporting_id": None if each.reporting_id is None else str(each.reporting_id),
            "info": each.info,
        }
        for each in listed
    )
    return _newest_first(rows, cut)


def _of_table(tables: Tables) -> Iterator[Row]:
    wanted = ("timestamp", "eventType", "reportingID")
    for row in tables.rows(_TABLE, wanted, optional=("targetID", "info"), parsed=("info",)):
        yield {
            "timestamp": row["timestamp"],
            "event_type": row["eventType"],
            "target_id": row.get("targetID"),
            "reporting_id": row["reportingID"],
            "info": row.get("info"),
        }


def _newest_first(rows: Iterable[Row], cut: str | None) -> Events:
    events = sorted(
        (_event(row) for row in rows if row["event_type"] in EVENT_TYPES),
        key=lambda e: e.time,
        reverse=True,
    )
    since = events and len(events) > _KEPT and events[_KEPT - 1].time
    if since:
        return Events(tuple(events[:_KEPT]), truncated=True, complete_since=since)
    if cut is not None:
        moment = PARSERS["events"]({"timestamp": cut, "event_type": ""}).time
        return Events(tuple(events), truncated=False, complete_since=moment)
    return Events(tuple(events))


def _event(row: Row) -> EventRow:
    info = row.pop("info") or ""
    node, setting = _NODE.search(info), _SETTING.search(info)
    named = setting[1] if setting and row["event_type"] == "set_cluster_setting" else None
    event: EventRow = PARSERS["events"](
        {**row, "target_node_id": node[1] if node else None, "setting": named}
    )
    return event
