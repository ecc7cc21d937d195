"""The cluster's event log: times, types, nodes and names of settings, and nothing else of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from guard.connector import statements
from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.snapshot.file import encode
from guard.snapshot.model import Collected, EventRow, Reason, Snapshot, Unavailable
from tests.cluster.database import EVENTLOG
from tests.cluster.fake import Fake
from tests.cluster.recording import Error, Recording, Table, load

FINAL = "v21.1.11-to-v21.2.0/12-finalized"
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def log(*events: dict[str, Any]) -> Table:
    rows = [
        {"timestamp": (NOON + dt.timedelta(minutes=n)).replace(tzinfo=None).isoformat(), **event}
        for n, event in enumerate(events)
    ]
    return Table(EVENTLOG, ()).with_rows(rows)


def event(kind: str, target: int, reporting: int, **info: Any) -> dict[str, Any]:
    text = json.dumps({"Timestamp": 1, "EventType": kind, **info}, separators=(",", ":"))
    return {"eventType": kind, "targetID": target, "reportingID": reporting, "info": text}


def look(fake: Fake, suffix: str, table: Table | Error) -> Snapshot:
    recording: Recording = load(FINAL).but(f"events-{suffix}", system_eventlog=table)
    with fake.gateway(recording) as gateway:
        return collect(targets([gateway.url()], {}), 20)


def events(fake: Fake, suffix: str, table: Table) -> Collected[EventRow]:
    section = look(fake, suffix, table).events
    assert isinstance(section, Collected), section
    return section


def test_nodes_and_settings_by_name_newest_first(fake: Fake) -> None:
    section = events(
        fake,
        "all-kinds",
        log(
            event("create_table", 52, 1, TableName="t"),
            event("node_join", 2, 2, NodeID=2),  # 20.1 to 22.2
            event("node_restart", 0, 3, NodeID=3),  # 26.1 no longer fills the target
            event("node_decommissioning", 0, 1, RequestingNodeID=1, TargetNodeID=4),
            event("node_decommissioned", 4, 1),  # 20.1: the target stands in its column only
            event("set_cluster_setting", 0, 1, SettingName="version", Value="21.2"),
        ),
    )
    assert [(e.event_type, e.node_id, e.reporting_node_id, e.setting) for e in section.rows] == [
        ("set_cluster_setting", None, 1, "version"),
        ("node_decommissioned", 4, 1, None),
        ("node_decommissioning", 4, 1, None),
        ("node_restart", 3, 3, None),
        ("node_join", 2, 2, None),
    ]
    assert section.rows[0].time == NOON + dt.timedelta(minutes=5)
    assert not section.truncated
    assert section.complete_since == NOON, "the oldest event of any kind"


@pytest.mark.parametrize(
    "value", ["hunter2", '","SettingName":"version","x":"', '\\","SettingName":"version'], ids=str
)
def test_no_value_leaves_the_server(fake: Fake, value: str) -> None:
    said = f"SET CLUSTER SETTING server.oidc_authentication.client_secret = '{value}'"
    table = log(
        event(
            "set_cluster_setting", 0, 1,
            Statement=said, SettingName="server.oidc_authentication.client_secret", Value=value,
        )
    )  # fmt: skip
    snapshot = look(fake, f"secret-{len(value)}", table)
    assert isinstance(snapshot.events, Collected)
    assert [e.setting for e in snapshot.events.rows] == ["server.oidc_authentication.client_secret"]
    assert "hunter2" not in encode(snapshot).decode()


def test_a_log_of_many_events_tells_how_far_it_was_read(fake: Fake) -> None:
    limit = statements.EVENTS_LIMIT
    section = events(fake, "many", log(*[event("node_restart", 1, 1)] * (limit + 7)))
    assert (len(section.rows), section.truncated) == (limit, True)
    assert section.complete_since == NOON + dt.timedelta(minutes=7)


@pytest.mark.parametrize("table", [log(), log(event("create_table", 52, 1))], ids=["empty", "others"])
def test_no_event_of_these_kinds_proves_nothing(fake: Fake, table: Table) -> None:
    section = events(fake, f"none-{len(table.rows)}", table)
    assert (section.rows, section.truncated, section.complete_since) == ((), True, None)


def test_without_the_privilege_the_remedy_is_told(fake: Fake) -> None:
    refused = Error("42501", "user low does not have SELECT privilege on relation eventlog")
    section = look(fake, "refused", refused).events
    assert isinstance(section, Unavailable)
    assert (section.reason, section.remedy) == (Reason.PRIVILEGE, ('GRANT admin TO "root";',))
