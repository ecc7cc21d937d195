"""Reading the server's rows: what drifts between releases is read, what is nonsense is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.connector.rows import PARSERS, MalformedRow, timestamp
from guard.connector.statements import CHANGE_SECTIONS, SECTIONS

UTC = dt.UTC
Row = dict[str, str | None]

_COUNTED: dict[str, dict[str, str | None]] = {
    section: {"read": "12", "has some": "2", "items some": "7,9", "has none": "0", "items none": None}
    for section in CHANGE_SECTIONS
    if section != "set_settings"
}

GOOD: dict[str, Row] = {
    "gossip_liveness": {
        "node_id": "1", "epoch": "3", "expiration": "1795312605.794133715,0", "draining": "f",
        "decommissioning": "f", "membership": "active",
    },
    "kv_node_liveness": {
        "node_id": "1", "epoch": "3", "expiration": "1795312605.794133715,0", "draining": "f",
        "membership": "active",
    },
    "gossip_nodes": {
        "node_id": "1", "address": "a:1", "sql_address": "a:2", "locality": "", "server_version": "2",
        "build_tag": "v21.2.0", "started_at": "2026-11-22 01:56:27.758878", "is_live": "t",
    },
    "node_status": {
        "node_id": "1", "address": "a:1", "locality": "", "server_version": "21.2", "tag": "v21.2.0",
        "started_at": "2026-11-22 01:56:27.758878", "updated_at": "2026-11-22 01:56:37+00:00",
    },
    "store_status": {
        "node_id": "1", "store_id": "1", "capacity": "10", "available": "5", "used": "1",
        "range_count": "3", "lease_count": "1", "unavailable_ranges": "0",
        "underreplicated_ranges": "1E+1",
    },
    "settings": {"variable": "version", "value": "21.2"},
    "kv_version": {"version": "21.2"},
    "active_jobs": {
        "job_id": "7", "job_type": "BACKUP", "status": "running", "user_name": "root",
        "created": "2026-11-22 01:56:27.758878", "finished": None, "running_status": None,
        "fraction_completed": "0.25", "coordinator_id": "1",
    },
    "job_history": {
        "id": "7", "status": "succeeded", "created": "2026-11-22 01:56:27.758878",
        "created_by_type": "crdb_schedule", "created_by_id": "99", "payload_keys": "backup,description",
        "owner": "root", "finished_micros": "1795312374405951", "fraction_completed": None,
        "running_status": None,
    },
    "schedules": {
        "id": "99", "label": "nightly", "schedule_status": "ACTIVE",
        "next_run": "2026-11-22 02:00:00+00", "recurrence": "@hourly", "owner": "root",
    },
    "migrations": {
        "major": "21", "minor": "1", "patch": "0", "internal": "112",
        "completed_at": "2026-11-22 02:00:00.1+00:00",
    },
    "replication_stats": {
        "zone_id": "1", "subzone_id": "0", "total_ranges": "31", "unavailable_ranges": "0",
        "under_replicated_ranges": "0", "generated": "2026-11-22 02:00:00+00",
    },
    "critical_localities": {
        "zone_id": "1", "subzone_id": "0", "locality": "region=a", "at_risk_ranges": "3",
        "generated": "2026-11-22 02:00:00+00",
    },
    "zone_replicas": {"num_replicas": "3", "num_voters": None},
    "license": {"present": "f", "seconds_left": "0"},
    "events": {
        "timestamp": "2026-11-22 02:00:00.1", "event_type": "node_decommissioned", "target_id": "4",
        "reporting_id": "1", "target_node_id": "4", "setting": None,
    },
    "invalid_objects": {"id": "104", "name": "shop.public.orders"},
    "virtual_clusters": {"id": "3", "active": "t"},
    "interleaved_tables": {"count": "2"},
    "set_settings": {"name": "kv.rangefeed.enabled", "value": "true"},
    **_COUNTED,
}  # fmt: skip
"""A row of each section as a server prints it."""

# The columns without which a row means nothing.
REQUIRED = {
    "gossip_liveness": {"node_id"},
    "kv_node_liveness": {"node_id"},
    "gossip_nodes": {"node_id"},
    "node_status": {"node_id"},
    "store_status": {"node_id", "store_id"},
    "settings": {"variable"},
    "kv_version": {"version"},
    "active_jobs": {"job_id", "status"},
    "job_history": {"id", "status"},
    "schedules": {"id"},
    "migrations": {"major", "minor", "patch", "internal"},
    "replication_stats": {
        "zone_id", "subzone_id", "total_ranges", "unavailable_ranges", "under_replicated_ranges",
    },
    "critical_localities": {"zone_id", "subzone_id", "locality", "at_risk_ranges"},
    "zone_replicas": {"num_replicas"},
    "license": {"present"},
    "events": {"timestamp", "event_type"},
    "invalid_objects": {"id"},
    "virtual_clusters": {"id"},
    "interleaved_tables": {"count"},
    "set_settings": {"name"},
} | {
    section: {"read"} for section in CHANGE_SECTIONS if section != "set_settings"
}  # fmt: skip

_NUMBERS = {
    "node_id", "store_id", "epoch", "capacity", "job_id", "id", "major", "internal", "zone_id",
    "created_by_id", "total_ranges", "seconds_left", "coordinator_id", "underreplicated_ranges",
    "finished_micros", "at_risk_ranges", "num_replicas", "target_id", "target_node_id", "reporting_id",
}  # fmt: skip
_TIMES = {
    "started_at", "updated_at", "created", "finished", "next_run", "completed_at", "generated",
    "timestamp",
}  # fmt: skip
_BOOLEANS = {"draining", "decommissioning", "is_live", "present", "used"}


def _cells(names: set[str]) -> list[tuple[str, str]]:
    cells = [(section, name) for section, row in GOOD.items() for name in row if name in names]
    return [cell for cell in cells if cell != ("store_status", "used")]  # bytes there


def test_every_section_has_a_parser_and_an_example() -> None:
    assert set(PARSERS) == {*SECTIONS, *CHANGE_SECTIONS} == set(GOOD) == set(REQUIRED)


@pytest.mark.parametrize("section", GOOD)
def test_a_good_row_is_read(section: str) -> None:
    assert PARSERS[section](GOOD[section]) is not None


@pytest.mark.parametrize("section", GOOD)
def test_additional_columns_are_no_matter(section: str) -> None:
    more = GOOD[section] | {"added_in_27_1": "x", "another": None}
    assert PARSERS[section](more) == PARSERS[section](GOOD[section])


@pytest.mark.parametrize(("section", "name"), [(s, n) for s in GOOD for n in GOOD[s]])
@pytest.mark.parametrize("how", ["NULL", "missing"])
def test_null_and_missing_values(section: str, name: str, how: str) -> None:
    row = dict(GOOD[section])
    if how == "NULL":
        row[name] = None
    else:
        del row[name]
    if name == "payload_keys" and how == "missing":
        name = "id"  # without it, it is a row of crdb_internal.jobs, which has a job_id
    if name in REQUIRED[section] or (name == "id" and section == "job_history"):
        with pytest.raises(MalformedRow):
            PARSERS[section](row)
    else:
        PARSERS[section](row)


@pytest.mark.parametrize(("section", "name"), _cells(_NUMBERS))
@pytest.mark.parametrize(
    "text", ["", "ten", "1,5", "NaN", "Infinity", "-Infinity", "0x10", "1e999999999"]
)
def test_what_is_no_number_is_refused(section: str, name: str, text: str) -> None:
    with pytest.raises(MalformedRow):
        PARSERS[section](GOOD[section] | {name: text})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1E+1", 10),
        ("10.0", 10),
        ("0", 0),
        ("0E+2", 0),
        ("-1", -1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_numbers_as_servers_print_them(text: str, number: int) -> None:
    row = PARSERS["gossip_liveness"](GOOD["gossip_liveness"] | {"epoch": text})
    assert row.epoch == number


_COUNTS = {
    "capacity", "available", "used", "range_count", "lease_count", "unavailable_ranges",
    "underreplicated_ranges", "total_ranges", "under_replicated_ranges", "at_risk_ranges",
    "num_replicas", "num_voters",
}  # fmt: skip


@pytest.mark.parametrize(("section", "name"), _cells(_COUNTS))
@pytest.mark.parametrize("text", ["-1", "-1E+1", "-9223372036854775808"])
def test_there_is_no_negative_number_of_things(section: str, name: str, text: str) -> None:
    """Added up with those of other nodes it would hide them."""
    with pytest.raises(MalformedRow, match=name):
        PARSERS[section](GOOD[section] | {name: text})


@pytest.mark.parametrize(("section", "name"), _cells(_TIMES))
@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01 00:00:00", "1795312605", "infinity", "0001-01-01 00:00:00+05"]
)
def test_what_is_no_time_is_refused(section: str, name: str, text: str) -> None:
    """Above all the next run of a schedule: unreadable must not look like paused."""
    with pytest.raises(MalformedRow):
        PARSERS[section](GOOD[section] | {name: text})


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22 02:00:00",
        "2026-11-22T02:00:00",
        "2026-11-22 02:00:00+00",
        "2026-11-22 02:00:00+00:00",
        "2026-11-22 02:00:00.000000+00:00",
        "2026-11-22 04:00:00+02:00",
        "2026-11-21 20:30:00-05:30",
    ],
)
def test_times_with_and_without_zone_are_the_same_moment(text: str) -> None:
    assert timestamp(text) == dt.datetime(2026, 11, 22, 2, tzinfo=UTC)


@pytest.mark.parametrize(("section", "name"), _cells(_BOOLEANS))
@pytest.mark.parametrize("text", ["", "yes", "2", "T "])
def test_what_is_no_boolean_is_refused(section: str, name: str, text: str) -> None:
    with pytest.raises(MalformedRow):
        PARSERS[section](GOOD[section] | {name: text})


@pytest.mark.parametrize("text", ["on", "true", "t"])
def test_booleans_as_servers_print_them(text: str) -> None:
    assert PARSERS["gossip_nodes"](GOOD["gossip_nodes"] | {"is_live": text}).is_live is True


@pytest.mark.parametrize("text", [None, "", "soon", "nan,0", "1e400,0", "-1e30,0", ","])
def test_an_expiration_that_cannot_be_read_is_no_expiration(text: str | None) -> None:
    """A node without one never counts as live."""
    assert PARSERS["gossip_liveness"](GOOD["gossip_liveness"] | {"expiration": text}).expiration is None


def test_an_expiration_is_seconds_and_a_logical_counter() -> None:
    row = PARSERS["gossip_liveness"](GOOD["gossip_liveness"])
    assert row.expiration.isoformat(timespec="milliseconds") == "2026-11-22T01:56:45.794+00:00"


@pytest.mark.parametrize("status", ["running", "a-status-of-27.1", "RUNNING", ""])
def test_an_unknown_status_is_kept(status: str) -> None:
    assert PARSERS["active_jobs"](GOOD["active_jobs"] | {"status": status}).status == status


@pytest.mark.parametrize(
    ("keys", "job_type"),
    [
        ("backup,description,usernameProto", "BACKUP"),
        ("description,schemaChange", "SCHEMA CHANGE"),
        ("description,schemaTelemetry", "AUTO SCHEMA TELEMETRY"),
        ("description", None),
        ("", None),
        (None, None),
        ("aJobOf27,description", None),
        ("backup,restore", None),
    ],
)
def test_the_type_of_a_decoded_job_is_known_or_none(keys: str | None, job_type: str | None) -> None:
    """None counts as a possible backup."""
    assert PARSERS["job_history"](GOOD["job_history"] | {"payload_keys": keys}).job_type == job_type


def test_only_a_schedule_makes_a_schedule_id() -> None:
    row = GOOD["job_history"]
    assert PARSERS["job_history"](row).schedule_id == 99
    assert PARSERS["job_history"](row | {"created_by_type": "something"}).schedule_id is None


_TEXT = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.from_regex(r"-?[0-9]{1,25}([.eE]-?[0-9]{1,4})?"),
    st.sampled_from(["0001-01-01 00:00:00+05", "nan", "Infinity", "1e9999", "9" * 5000]),
)


@pytest.mark.parametrize("section", GOOD)
@given(data=st.data())
def test_whatever_a_server_sends_is_read_or_refused(section: str, data: Any) -> None:
    row = dict(GOOD[section])
    for name in data.draw(st.sets(st.sampled_from(sorted(row)), min_size=1)):
        row[name] = data.draw(_TEXT)
    refused = ""
    try:
        read = PARSERS[section](row)
    except MalformedRow as error:
        refused = str(error)
    else:
        msgspec.json.encode(read)  # whatever is read fits into a snapshot
    assert "\n" not in refused
    assert len(refused) < 200


@pytest.mark.parametrize("section", GOOD)
def test_what_is_told_of_a_value_is_short(section: str) -> None:
    """Each of these characters is written as ten."""
    told = []
    for name in GOOD[section]:
        try:
            PARSERS[section](GOOD[section] | {name: "\U0001bc9a" * 5000})
        except MalformedRow as error:
            told.append(str(error))
    assert all(len(text) < 200 for text in told)
