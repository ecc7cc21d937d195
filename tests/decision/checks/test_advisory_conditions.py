"""Each record whose condition is read from the cluster: it holds, it does not, nobody could look."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from guard.decision.engine import evaluate
from guard.decision.policy.rules import Policy, Scope, WaiverRule
from guard.decision.result import Outcome
from guard.snapshot.model import JobRow, LicenseRow
from tests.building import NOW, collected, job, node, snapshot, unavailable
from tests.decision.checks.test_advisories import feature, judge

BLOCK, WARN, UNKNOWN = Outcome.BLOCK, Outcome.WARN, Outcome.UNKNOWN
NOT, SILENT = Outcome.NOT_APPLICABLE, None
HIDDEN = unavailable()


def outcome(
    advisory: str, step: str, target: str | None, source: str, version: str, **changes: Any
) -> Outcome | None:
    found = judge(step, target, [source] * 3, version, **changes)
    return found[advisory].outcome if advisory in found else None


FEATURES = [
    # advisory, feature, affected target, source; outcome if there are some, none, nobody could tell
    ("A-82576", "broken-sequence-references", "v22.1.2", "v21.2.10", BLOCK, NOT, UNKNOWN),
    ("A-99561", "primary-encoded-secondary-indexes", "v22.2.5", "v22.1.22", BLOCK, NOT, BLOCK),
    ("A-74385", "same-predicate-partial-indexes", "v21.1.12", "v20.2.19", BLOCK, WARN, BLOCK),
    ("A-73024", "regional-by-row", "v21.2.0", "v21.1.21", BLOCK, WARN, BLOCK),
    ("A-79281", "unique-across-regions", "v21.2.7", "v21.1.21", BLOCK, WARN, BLOCK),
    ("A-84144", "regional-by-row", "v22.1.3", "v21.2.17", BLOCK, WARN, BLOCK),
    ("A-88047", "partitioned-inverted-indexes", "v22.1.7", "v21.2.17", WARN, NOT, WARN),
    ("A-114393", "regional-by-row", "v23.1.12", "v22.2.19", WARN, NOT, WARN),
    ("A-166122", "partial-indexes-on-families", "v24.3.30", "v24.1.28", BLOCK, WARN, BLOCK),
    ("A-190483", "column-families", "v23.1.8", "v22.2.19", WARN, NOT, WARN),
    ("A-103220", "column-families", "v23.1.0", "v22.2.19", BLOCK, WARN, BLOCK),
    ("A-79066", "encryption-at-rest", "v21.2.9", "v21.1.19", WARN, NOT, WARN),
    ("A-106617", "encryption-at-rest", "v22.2.5", "v22.1.22", BLOCK, WARN, BLOCK),
    ("A-96465", "nosqllogin", "v22.2.3", "v22.1.22", WARN, NOT, WARN),
]


@pytest.mark.parametrize(("advisory", "name", "target", "source", "some", "none", "hidden"), FEATURES)
def test_what_the_schema_holds(
    advisory: str, name: str, target: str, source: str, some: Outcome, none: Outcome, hidden: Outcome
) -> None:
    version = ".".join(source.removeprefix("v").split(".")[:2])

    def judged(changes: dict[str, Any]) -> Outcome | None:
        return outcome(advisory, "start", target, source, version, **changes)

    assert judged(feature(name, 3)) is some
    assert judged(feature(name, 0)) is none
    assert judged(feature(name, None)) is hidden
    assert judged({"features": HIDDEN}) is hidden
    assert judged({}) is hidden  # not asked


@pytest.mark.parametrize(
    ("advisory", "name", "target", "source"),
    [
        ("A-82576", "broken-sequence-references", "v22.1.3", "v21.2.10"),
        ("A-74385", "same-predicate-partial-indexes", "v21.1.13", "v20.2.19"),
        ("A-73024", "regional-by-row", "v21.2.1", "v21.1.21"),
        ("A-88047", "partitioned-inverted-indexes", "v22.1.8", "v21.2.17"),
        ("A-114393", "regional-by-row", "v23.1.13", "v22.2.19"),
        ("A-166122", "partial-indexes-on-families", "v24.3.31", "v24.1.28"),
        ("A-79066", "encryption-at-rest", "v21.2.10", "v21.1.19"),
        ("A-96465", "nosqllogin", "v22.2.5", "v22.1.22"),
    ],
)
def test_a_repaired_target_is_not_held_up(advisory: str, name: str, target: str, source: str) -> None:
    version = ".".join(source.removeprefix("v").split(".")[:2])
    found = outcome(advisory, "start", target, source, version, **feature(name, 3))
    assert found in (NOT, SILENT)


@pytest.mark.parametrize(
    ("advisory", "name", "target", "build", "version"),
    [
        ("A-82079", "dangling-back-references", "v22.1.22", "v21.2.17", "21.2"),
        ("A-62842", "indexes-older-than-primary", "v21.1.21", "v20.2.19", "20.2"),
        ("A-99561", "primary-encoded-secondary-indexes", "v22.2.19", "v22.1.22", "22.1"),
    ],
)
def test_harm_that_is_done_is_said_although_the_target_is_repaired(
    advisory: str, name: str, target: str, build: str, version: str
) -> None:
    for step, to in (("start", target), ("verify", None)):
        assert outcome(advisory, step, to, build, version, **feature(name, 2)) is WARN
        assert outcome(advisory, step, to, build, version, **feature(name, 0)) in (NOT, SILENT)
        assert outcome(advisory, step, to, build, version, **feature(name, None)) in (NOT, SILENT)
    assert outcome(advisory, "next-node", target, build, version, **feature(name, 2)) in (NOT, SILENT)


def test_harm_that_is_done_is_said_before_harm_to_come() -> None:
    changes = feature("dangling-back-references", 2)
    found = judge("start", "v22.1.0", ["v21.2.17"] * 3, "21.2", **changes)["A-82079"]
    assert found.outcome is WARN
    assert "a view that does not exist: 2" in found.detail


def changefeed(high_water: bool | None, status: str = "running") -> dict[str, list[JobRow]]:
    row = job(7, "CHANGEFEED", status)
    return {"jobs": [JobRow(**{f: getattr(row, f) for f in row.__struct_fields__}
                            | {"has_high_water": high_water})]}  # fmt: skip


@pytest.mark.parametrize(
    ("step", "target", "source", "version", "changes", "expected"),
    [
        # The page's own way out restarts affected nodes.
        ("start", "v23.1.22", "v22.2.19", "22.2", changefeed(False), BLOCK),
        ("start", "v23.1.22", "v23.1.5", "23.1", changefeed(False), BLOCK),
        ("next-node", "v23.1.22", "v23.1.5", "23.1", changefeed(False), BLOCK),
        ("rollback", "v23.1.4", "v23.1.5", "23.1", changefeed(False), BLOCK),
        ("start", "v23.1.22", "v23.1.5", "23.1", changefeed(False, "paused"), NOT),
        ("start", "v23.1.22", "v23.1.5", "23.1", changefeed(True), NOT),
        ("start", "v23.1.22", "v23.1.5", "23.1", {}, NOT),
        ("start", "v23.1.22", "v23.1.5", "23.1", changefeed(None), UNKNOWN),
        # A gateway that cannot name a job says nothing at all, or the number of its type.
        ("start", "v23.1.22", "v23.1.5", "23.1", {"jobs": [job(7, None)]}, UNKNOWN),
        ("start", "v23.1.22", "v23.1.5", "23.1", {"jobs": [job(7, "37")]}, UNKNOWN),
        ("start", "v23.1.22", "v23.1.5", "23.1", {"active_jobs": HIDDEN}, UNKNOWN),
        # Nodes that are repaired do no harm, and an affected target is a defect of its own.
        ("start", "v23.1.30", "v23.1.22", "23.1", changefeed(False), SILENT),
        ("start", "v23.2.5", "v23.1.22", "23.1", changefeed(True), WARN),
        ("start", "v23.2.5", "v23.1.22", "23.1", {}, NOT),
    ],
)
def test_a_changefeed_in_its_initial_scan(
    step: str, target: str, source: str, version: str, changes: dict[str, Any], expected: Outcome | None
) -> None:
    assert outcome("A-123371", step, target, source, version, **changes) is expected


def test_what_nobody_could_read_a_person_may_look_up() -> None:
    """The mitigation alone would lead to the same question again."""
    for seen, asks in ((changefeed(None), True), (changefeed(False), False)):
        found = judge("start", "v23.1.22", ["v23.1.5"] * 3, "23.1", **seen)["A-123371"]
        assert ("--accept A-123371 --reason" in " ".join(found.remedy)) is asks


def test_waiting_clears_an_initial_scan() -> None:
    found = judge("start", "v23.1.22", ["v23.1.5"] * 3, "23.1", **changefeed(False))
    assert found["A-123371"].transient


@pytest.mark.parametrize(("waived", "counts"), [((7, 8), True), (7, False), (9, False)])
def test_a_job_may_be_waived_by_its_number(waived: Any, counts: bool) -> None:
    scanning = [
        *changefeed(False)["jobs"],
        msgspec.structs.replace(changefeed(False)["jobs"][0], job_id=8),
    ]
    rule = WaiverRule("A-123371", "it is empty", "ops", None, Scope(job=waived))
    nodes = [node(i, "v23.1.5") for i in (1, 2, 3)]
    seen = snapshot(nodes, version="23.1", gateway="v23.1.5", jobs=scanning)
    policy = Policy(waivers=(rule,))
    decision = evaluate(seen, step="next-node", target="v23.1.22", node=3, policy=policy, now=NOW)
    [found] = [f for f in decision.findings if f.check == "A-123371"]
    assert found.outcome is BLOCK
    assert found.jobs == ("7", "8")
    assert (found.waiver is not None) is counts


@pytest.mark.parametrize(
    ("target", "source", "settings", "expected"),
    [
        ("v23.2.12", "v23.1.22", {}, WARN),  # the setting does not exist yet, and is off on v23.2
        ("v23.2.12", "v23.2.10", {"changefeed.new_kafka_sink.enabled": "false"}, WARN),
        ("v23.2.12", "v23.2.10", {"changefeed.new_kafka_sink.enabled": "true"}, NOT),
        ("v24.1.10", "v23.2.10", {"changefeed.new_kafka_sink.enabled": "true"}, NOT),
        ("v24.1.3", "v23.2.10", {"changefeed.new_kafka_sink.enabled": "true"}, WARN),
        ("v24.3.0", "v24.1.10", {"changefeed.new_kafka_sink.enabled": "false"}, SILENT),
    ],
)
def test_a_repair_that_has_to_be_switched_on(
    target: str, source: str, settings: dict[str, str], expected: Outcome | None
) -> None:
    version = ".".join(source.removeprefix("v").split(".")[:2])
    changes = {**changefeed(True), "settings": settings}
    assert outcome("A-122372", "start", target, source, version, **changes) is expected


@pytest.mark.parametrize(
    ("target", "source", "changes", "expected"),
    [
        ("v24.3.16", "v24.1.22", {"history": [job(4, "BACKUP", "succeeded")]}, BLOCK),
        ("v24.3.16", "v24.1.10", {"history": [job(4, "BACKUP", "succeeded")]}, BLOCK),
        ("v24.1.12", "v24.1.10", {"history": [job(4, "BACKUP", "succeeded")]}, WARN),
        ("v24.3.16", "v24.1.10", {}, WARN),
        ("v24.3.16", "v24.1.10", {"history_truncated": True}, BLOCK),
        ("v24.3.17", "v24.1.10", {"history": [job(4, "BACKUP", "succeeded")]}, SILENT),
    ],
)
def test_backups_that_lack_rows_are_data_loss(
    target: str, source: str, changes: dict[str, Any], expected: Outcome | None
) -> None:
    assert outcome("A-151050", "start", target, source, "24.1", **changes) is expected


@pytest.mark.parametrize(
    ("target", "expected"), [("v22.2.17", WARN), ("v22.2.18", WARN), ("v22.2.19", SILENT)]
)
def test_the_defect_that_the_first_repair_brought(target: str, expected: Outcome | None) -> None:
    assert outcome("A-104309", "start", target, "v22.1.22", "22.1", **changefeed(True)) is expected


TRACED = {"settings": {"sql.trace.txn.enable_threshold": "100ms"}}
PLAIN = {"settings": {"sql.trace.txn.enable_threshold": "0s"}}


@pytest.mark.parametrize(
    ("target", "changes", "expected"),
    [
        ("v21.1.5", TRACED, BLOCK), ("v21.1.5", PLAIN, NOT), ("v21.1.5", {}, UNKNOWN),
        ("v21.1.7", TRACED, SILENT),
    ],
)  # fmt: skip
def test_putting_back_a_build_that_would_crash(
    target: str, changes: dict[str, Any], expected: Outcome | None
) -> None:
    assert outcome("A-68005", "rollback", target, "v21.1.9", "21.1", **changes) is expected


def test_lost_conditions_of_prepared_statements_count_as_data_loss() -> None:
    assert outcome("A-71002", "start", "v21.1.9", "v20.2.19", "20.2") is BLOCK
    assert outcome("A-71002", "start", "v21.1.10", "v20.2.19", "20.2") is SILENT


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (collected(LicenseRow(present=False, kind=None, seconds_left=0)), WARN),
        (collected(LicenseRow(present=True, kind=None, seconds_left=0)), NOT),
        (HIDDEN, WARN),
    ],
)
def test_without_a_license_root_loses_the_console(section: Any, expected: Outcome) -> None:
    target = "v20.1.0-alpha.20191216"
    assert outcome("A-43870", "start", target, "v19.2.12", "19.2", license=section) is expected


@pytest.mark.parametrize("value", ["off", "on", "experimental_always"])
def test_a_default_of_sessions_proves_nothing(value: str) -> None:
    settings = {"sql.defaults.use_declarative_schema_changer": value}
    assert outcome("A-99796", "start", "v22.2.5", "v22.1.22", "22.1", settings=settings) is BLOCK
