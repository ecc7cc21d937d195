"""Damaged snapshot files: read or refused with one line, judged without a crash, never a false ALLOW.

``GUARD_FUZZ=long`` tries many more of them.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import guard
from guard.catalog import CatalogError
from guard.catalog.loader import load
from guard.decision.result import Decision, Step, Verdict
from guard.report import Format, Options, renderer
from guard.snapshot.file import SnapshotError, decode, encode
from guard.snapshot.model import Snapshot
from tests.building import unavailable
from tests.cluster.recording import NAMES
from tests.cluster.snapshots import path_of

STEPS: Final = tuple(step for step in Step if step is not Step.AUTO)
QUIET: Final = "v21.1.11-to-v21.2.0/12-finalized"
MAXIMUM: Final = 2**63 - 1


@cache
def real(name: str) -> bytes:
    return path_of(name).read_bytes()


@cache
def verdict(name: str, step: Step) -> Verdict:
    return guard.evaluate(decode(real(name)), step=step).verdict


def judged(snapshot: Snapshot, step: str) -> Decision:
    """A verdict, its exit code and a report, whatever the snapshot holds."""
    decision = guard.evaluate(snapshot, step=step)
    assert int(decision.exit_code()) in (0, 10, 11)
    assert decision.findings or decision.verdict is Verdict.UNKNOWN
    report = json.loads(renderer(Format.JSON)(decision, Options()))
    assert report["verdict"] == decision.verdict.value
    return decision


def read(data: bytes) -> Snapshot | None:
    """What a file holds, None if it is refused; anything but `SnapshotError` fails the test."""
    try:
        return decode(data)
    except SnapshotError as error:
        refused = str(error)
    assert "\n" not in refused
    assert len(refused) < 400
    return None


# Bytes.

_EDIT: Final = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 6), st.binary(max_size=6))


@given(st.sampled_from(NAMES), st.lists(_EDIT, min_size=1, max_size=4))
def test_a_file_with_other_bytes(name: str, edits: list[tuple[float, int, bytes]]) -> None:
    data = real(name)
    for place, dropped, inserted in edits:
        at = int(len(data) * place)
        data = data[:at] + inserted + data[at + dropped :]
    snapshot = read(data)
    if snapshot is not None:
        judged(snapshot, "auto")


@given(st.sampled_from(NAMES), st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_is_refused(name: str, place: float) -> None:
    data = real(name).rstrip()
    assert read(data[: int(len(data) * place)]) is None


# JSON.

_JUNK: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, MAXIMUM, -MAXIMUM - 1, 2**63, 1e308, -0.5]),
    st.sampled_from(
        ["", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "21.2",
         "21.2-4", "24.1-upgrading-final-step", "unknown", "v99.9.9", "v21.2.0-alpha.00000000",
         "running", "BACKUP", "decommissioned", "verify-full", "collected", "9" * 400]
    ),
    st.text(max_size=8),
    st.builds(list),
    st.builds(dict),
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value below this one."""
    below: Any = ()
    if isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value)
    return [p for key, inner in below for p in ((*path, key), *_places(inner, (*path, key)))]


@cache
def places(name: str) -> tuple[tuple[Any, ...], ...]:
    return tuple(_places(json.loads(real(name))))


def _parent(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


@given(st.data())
def test_a_file_with_other_values(data: st.DataObject) -> None:
    """Values replaced, taken away and doubled: refused, or judged by every step without a crash."""
    name = data.draw(st.sampled_from(NAMES))
    tree = json.loads(real(name))
    for path in data.draw(st.lists(st.sampled_from(places(name)), min_size=1, max_size=4)):
        try:
            parent = _parent(tree, path)
            parent[path[-1]]
        except (LookupError, TypeError):  # an earlier change took the place away
            continue
        change = data.draw(st.sampled_from(["replace", "remove", "double"]))
        if change == "replace":
            parent[path[-1]] = data.draw(_JUNK)
        elif change == "remove":
            del parent[path[-1]]
        elif isinstance(parent, list):
            parent.append(parent[path[-1]])
    snapshot = read(json.dumps(tree).encode())
    if snapshot is not None:
        for step in ("auto", data.draw(st.sampled_from(STEPS))):
            decision = judged(snapshot, step)
            crashed = [f.title for f in decision.findings if f.evidence.get("crashed")]
            assert crashed == []
        assert read(encode(snapshot)) == snapshot


# What is gone is never permission.

_DECIDING: Final = (
    "connection", "identity", "privileges", "gossip_liveness", "kv_node_liveness", "gossip_nodes",
    "node_status", "settings", "kv_version", "active_jobs", "schedules",
)  # fmt: skip


@given(
    st.sampled_from(NAMES),
    st.sampled_from(STEPS),
    st.sets(st.sampled_from(_DECIDING), min_size=1, max_size=4),
    st.sampled_from(["unavailable", "empty", "removed"]),
)
def test_without_a_section_that_decides_there_is_no_allow(
    name: str, step: Step, sections: set[str], how: str
) -> None:
    tree = json.loads(real(name))
    # Without jobs and schedules, and in a list that is empty, there may be nothing to see.
    sections -= {"connection", "active_jobs", "schedules"} if how == "empty" else set()
    assume(sections)
    for section in sections:
        if how == "removed":
            del tree[section]
        elif how == "empty":
            assume(tree[section]["state"] == "collected")
            tree[section]["rows"] = []
        else:
            tree[section] = msgspec.to_builtins(unavailable())
    snapshot = read(json.dumps(tree).encode())
    if snapshot is not None:
        assert judged(snapshot, step).verdict is not Verdict.ALLOW


def test_the_whole_snapshots_would_allow() -> None:
    """What makes the property above mean something."""
    assert verdict(QUIET, Step.VERIFY) is Verdict.ALLOW
    assert sum(verdict(n, s) is Verdict.ALLOW for n in NAMES for s in STEPS) > 3


# A schedule without a next run is a paused one.
_NULL_SAYS_SOMETHING: Final = {"next_run"}


@given(st.data())
def test_a_value_that_is_gone_makes_no_allow(data: st.DataObject) -> None:
    """Nulls in place of values never turn BLOCK or UNKNOWN into ALLOW."""
    name, step = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(STEPS))
    assume(verdict(name, step) is not Verdict.ALLOW)
    tree = json.loads(real(name))
    cells = [p for p in places(name) if len(p) == 4 and p[-1] not in _NULL_SAYS_SOMETHING]
    for path in data.draw(st.lists(st.sampled_from(cells), min_size=1, max_size=6)):
        _parent(tree, path)[path[-1]] = None
    snapshot = read(json.dumps(tree).encode())
    if snapshot is not None:
        assert judged(snapshot, step).verdict is not Verdict.ALLOW


@pytest.mark.parametrize("column", ["unavailable_ranges", "underreplicated_ranges"])
def test_a_snapshot_with_a_negative_number_of_ranges_is_refused(column: str) -> None:
    tree = json.loads(real(QUIET))
    tree["store_status"]["rows"][0][column] = -3
    assert read(json.dumps(tree).encode()) is None


# Catalog records.

_RECORD: Final = b"""
schema = 1
id = "A-1"
title = "A defect"
date = 2026-07-01
category = "other"
trigger = "always"
summary = "Something breaks."
source = "https://example.com/a1"
affected = [{ series = "26.2", introduced = "v26.2.0", fixed = "v26.2.1" }]
mitigation = { text = "Upgrade." }
"""
_TOML: Final = st.binary(max_size=6) | st.sampled_from(
    [b'"', b"]", b"[", b"{", b"= 1", b"\n[x]\n", b"26.2", b"99999999999999999999", b"\n", b"nan"]
)


@given(st.lists(st.tuples(st.integers(0, len(_RECORD)), st.integers(0, 6), _TOML), max_size=4))
def test_a_catalog_record_with_other_bytes(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, bytes]]
) -> None:
    data = _RECORD
    for at, dropped, inserted in edits:
        data = data[:at] + inserted + data[at + dropped :]
    directory = tmp_path_factory.mktemp("catalog")
    (directory / "A-1.toml").write_bytes(data)
    try:
        catalog = load(directory)
    except CatalogError as error:
        assert "A-1.toml" in str(error)  # noqa: PT017 - both ends are fine
        return
    assert guard.evaluate(decode(real(QUIET)), step="verify", catalog=catalog).findings
