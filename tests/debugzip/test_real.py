"""Archives of real servers, cut down: what guard says of each in each step."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.debugzip.collect import read_debug_zip
from guard.decision.engine import evaluate
from guard.decision.result import Decision, Outcome
from guard.snapshot.file import decode, encode
from guard.snapshot.model import Collected, Connection, Unavailable

ZIPS = Path(__file__).parent.parent / "data" / "debug-zips"
FAULTS = {
    # archive, step, target: (verdict, checks that must block, checks that must be unknown)
    ("v20.2-01-old-quiet", "start", "v20.2.19"): ("unknown", set(), {"visibility"}),
    ("v21.1-01-old-quiet", "start", "v21.2.17"): ("block", {"A-72839"}, set()),
    ("v21.1-01-old-quiet", "start", "v21.2.0"): ("block", {"A-72839"}, set()),
    ("v21.1-03-mixed-backup-running", "next-node", "v21.2.0"): (
        "block", {"A-72839"}, set()
    ),
    ("v21.1-03-mixed-backup-running", "finalize", "v21.2.0"): ("block", {"mixed-version"}, set()),
    ("v21.1-03-mixed-backup-running", "verify", "v21.2.0"): ("block", {"mixed-version"}, set()),
    ("v21.1-05-mixed-node-down", "next-node", "v21.2.0"): ("block", {"node-liveness"}, set()),
    ("v21.1.2-quiet", "start", "v21.2.17"): ("block", {"A-72839"}, set()),
    ("v21.1.2-quiet", "verify", None): ("allow", set(), set()),
    ("v21.1.2-killed", "start", "v21.2.17"): ("block", {"node-liveness"}, set()),
    ("v21.2-07-final", "verify", "v21.2.0"): ("allow", set(), set()),
    ("v22.1-08-quiet", "verify", None): ("block", {"range-health"}, set()),
    ("v25.4-01-old-quiet", "start", "v26.1.5"): ("block", {"license"}, set()),
    ("v26.1-12-final", "verify", "v26.1.0"): ("block", {"cluster-version"}, set()),
}  # fmt: skip


def judged(archive: str, step: str, target: str | None) -> Decision:
    seen = read_debug_zip(ZIPS / f"{archive}.zip")
    # A snapshot of a debug.zip is a snapshot: through a file and back it says the same.
    assert decode(encode(seen)) == seen
    return evaluate(seen, step=step, target=target)


@pytest.mark.parametrize(("archive", "step", "target"), FAULTS)
def test_verdicts(archive: str, step: str, target: str | None) -> None:
    verdict, blocking, unknown = FAULTS[archive, step, target]
    decision = judged(archive, step, target)
    found = {outcome: {f.check for f in decision.of(outcome)} for outcome in Outcome}
    assert (decision.verdict, blocking - found[Outcome.BLOCK]) == (verdict, set())
    assert unknown <= found[Outcome.UNKNOWN]


@pytest.mark.parametrize("archive", sorted(path.stem for path in ZIPS.glob("*.zip")))
def test_what_each_archive_shows(archive: str) -> None:
    seen = read_debug_zip(ZIPS / f"{archive}.zip")
    connection = seen.connection
    assert isinstance(connection, Connection)
    assert (connection.source, connection.host) == ("debug-zip", "debug.zip made through n1")
    for name in ("gossip_liveness", "gossip_nodes", "node_status", "store_status"):
        section = getattr(seen, name)
        assert isinstance(section, Collected), name
        assert len(section.rows) == 3, name
    for name in (
        "settings",
        "kv_version",
        "active_jobs",
        "job_history",
        "license",
        "zone_replicas",
        "events",
    ):
        assert isinstance(getattr(seen, name), Collected), name
    assert isinstance(seen.identity, Collected)
    assert seen.identity.rows[0].user == "root"
    # The newest row: within a minute of what the nodes' status records say.
    assert isinstance(seen.node_status, Collected)
    newest = max(row.updated_at for row in seen.node_status.rows if row.updated_at)
    assert 0 <= (seen.taken_at - newest).total_seconds() < 60


def test_a_node_that_was_down_has_no_view_and_is_still_a_member() -> None:
    decision = judged("v21.1-05-mixed-node-down", "next-node", "v21.2.0")
    states = {node.node_id: node.liveness for node in decision.cluster.nodes}
    assert states == {1: "live", 2: "live", 3: "suspect"}


def test_the_stored_version_is_found_in_gossip_where_no_table_has_it() -> None:
    seen = read_debug_zip(ZIPS / "v21.1.2-quiet.zip")
    assert isinstance(seen.kv_version, Collected)
    assert [row.version for row in seen.kv_version.rows] == ["21.1"]
    assert isinstance(seen.set_settings, Unavailable)  # the table itself is not there


def test_the_report_says_that_a_file_was_judged_and_as_of_when() -> None:
    decision = judged("v25.4-01-old-quiet", "verify", "v25.4.1")
    assert decision.notices[0].startswith(
        "a debug.zip was judged: the cluster as it was at 2026-11-25 00:04:27Z"
    )
    assert decision.cluster.gateway == "debug.zip made through n1"
    [connection] = [f for f in decision.findings if f.check == "connection"]
    assert connection.outcome is Outcome.NOT_APPLICABLE
