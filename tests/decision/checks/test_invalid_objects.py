"""invalid-objects: what the server repairs by itself, and what it does not."""

from __future__ import annotations

import pytest

from guard.snapshot.model import InvalidObjectRow
from tests.building import collected, node, snapshot
from tests.decision.judging import BLOCK, WARN, one

INVALID = collected(InvalidObjectRow(object_id=104, name="shop.public.orders"))


def told(build: str, version: str, step: str, target: str | None = None) -> tuple[object, str]:
    nodes = [node(i, build) for i in (1, 2, 3)]
    seen = snapshot(nodes, version=version, gateway=build, invalid_objects=INVALID)
    finding = one("invalid-objects", seen, step, target)
    return finding.outcome, "\n".join(finding.remedy)


@pytest.mark.parametrize(
    ("build", "version"), [("v23.2.30", "23.1"), ("v24.3.33", "24.1"), ("v26.2.2", "25.4")]
)
def test_what_finalizing_repairs_need_not_wait_for_anybody(build: str, version: str) -> None:
    outcome, remedy = told(build, version, "finalize")
    assert outcome is BLOCK
    assert "These: " in remedy
    assert "kv_repairable_catalog_corruptions;" in remedy
    assert "If that names all of them: --accept invalid-objects" in remedy
    assert "ask Cockroach Labs support" in remedy
    assert ("SET allow_unsafe_internals = on; SELECT id" in remedy) is (build > "v26")


@pytest.mark.parametrize(("build", "version"), [("v22.2.19", "22.1"), ("v23.1.30", "22.2")])
def test_before_v23_2_nothing_is_repaired_unasked(build: str, version: str) -> None:
    outcome, remedy = told(build, version, "finalize")
    assert outcome is BLOCK
    assert "repairable" not in remedy


def test_before_the_first_node_a_new_one_has_to_be_asked_for_the_list() -> None:
    outcome, remedy = told("v23.1.30", "23.1", "start", "v23.2.30")
    assert outcome is WARN
    assert "A node on v23.2 says which" in remedy
    assert "--accept" not in remedy


def test_a_final_cluster_has_nothing_to_finalize() -> None:
    outcome, remedy = told("v24.3.33", "24.3", "verify")
    assert outcome is WARN
    assert "repairs some by itself" not in remedy
