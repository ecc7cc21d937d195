"""The check changes: warn with what concerns, block only what the server refuses, never unknown."""

from __future__ import annotations

from guard.decision.engine import evaluate
from guard.decision.result import Verdict
from guard.snapshot.model import CountRow, Reason
from tests.building import (
    FEATURES,
    collected,
    features,
    node,
    put,
    set_settings,
    snapshot,
    three,
    unavailable,
)
from tests.decision.judging import BLOCK, NOT_APPLICABLE, PASS, WARN, judge, one, outcomes

TARGET = "v21.2.17"
DEFAULTS = set_settings(kv__transaction__max_intents_bytes=None)


def test_nothing_found() -> None:
    finding = one("changes", put(snapshot(), set_settings=DEFAULTS), "start", TARGET)
    assert finding.outcome is PASS
    assert "need a person" in finding.title
    assert "C-21.2-mdy-timestamps" in finding.evidence["ask"]


def test_a_default_that_nobody_has_set_is_a_warning() -> None:
    finding = one("changes", snapshot(), "start", TARGET)
    assert finding.outcome is WARN
    assert finding.evidence["concerns"] == ["C-21.2-kv-transaction-max-intents-bytes"]


def test_a_flag_with_which_the_new_binary_does_not_start_blocks() -> None:
    seen = put(
        snapshot(version="20.2", gateway="v20.2.19"),
        node_features=features("node_features", {"rocksdb": ("1", "3")}),
    )
    blocked = [f for f in judge("changes", seen, "start", "v21.1.21") if f.outcome is BLOCK]
    assert [f.evidence["change"] for f in blocked] == ["C-21.1-rocksdb"]
    assert "1, 3" in blocked[0].detail


def test_the_next_node_is_asked_as_long_as_no_node_is_new() -> None:
    rocksdb = {"node_features": features("node_features", {"rocksdb": ("1", "3")})}
    old = put(snapshot(three("v20.2.19"), version="20.2", gateway="v20.2.19"), **rocksdb)
    assert BLOCK in outcomes("changes", old, "next-node", "v21.1.21")
    mixed = [node(1, "v21.1.21"), node(2, "v20.2.19"), node(3, "v20.2.19")]
    seen = put(snapshot(mixed, version="20.2", gateway="v20.2.19"), **rocksdb)
    assert outcomes("changes", seen, "next-node", "v21.1.21") == [NOT_APPLICABLE]


def test_what_breaks_an_application_warns_only() -> None:
    seen = put(snapshot(), set_settings=set_settings(cloudstorage__gs__default__key=None))
    assert outcomes("changes", seen, "start", TARGET) == [WARN]


def test_one_cause_blocks_once() -> None:
    """A license is the check license's to ask for, interleaved tables are those of their own check."""
    seen = snapshot(version="24.1", gateway="v24.1.9")
    assert BLOCK not in outcomes("changes", seen, "start", "v24.3.5")
    interleaved = put(snapshot(), interleaved_tables=collected(CountRow(count=2)))
    finding = one("changes", interleaved, "start", TARGET)
    assert finding.outcome is WARN
    assert "C-21.2-interleaved" in finding.evidence["concerns"]


def test_an_older_snapshot_is_a_warning_and_not_unknown() -> None:
    """Sections that were not asked for must not turn ALLOW into UNKNOWN."""
    missing = unavailable(Reason.NOT_ASKED, "this snapshot does not hold it", None)
    seen = put(snapshot(), set_settings=missing, **dict.fromkeys(FEATURES, missing))
    finding = one("changes", seen, "start", TARGET)
    assert finding.outcome is WARN
    assert "C-21.2-gs-default-key" in finding.evidence["could_not_look"]
    settings = {"bulkio.backup.experimental_21_2_mode.enabled": "true"}
    whole = evaluate(snapshot(settings=settings), step="start", target=TARGET)
    less = evaluate(
        put(snapshot(settings=settings), set_settings=missing, **dict.fromkeys(FEATURES, missing)),
        step="start", target=TARGET,
    )  # fmt: skip
    assert whole.verdict == less.verdict
    assert less.verdict is not Verdict.UNKNOWN


def test_a_patch_upgrade_changes_nothing() -> None:
    assert outcomes("changes", snapshot(), "start", "v21.1.19") == [NOT_APPLICABLE]


def test_a_series_the_catalog_does_not_know_warns() -> None:
    finding = one("changes", snapshot(version="26.2", gateway="v26.2.0"), "start", "v27.1.0")
    assert finding.outcome is WARN
    assert "v27.1" in finding.evidence["not_in_catalog"]
