"""Records in words: every range and edge of every record, and each kind of edge."""

from __future__ import annotations

import pytest

from guard.catalog import load
from guard.catalog.records import Edge, JobCondition
from guard.catalog.words import edge_text, range_text

RECORDS = load().advisories.values()


def test_every_range_and_edge_can_be_said() -> None:
    for record in RECORDS:
        for affected in record.affected:
            assert "None" not in range_text(affected)
        for edge in record.edges:
            assert edge_text(edge).endswith(edge.steps[-1])


@pytest.mark.parametrize(
    ("edge", "text"),
    [
        (
            Edge(source="21.1", target="21.2", steps=("start",)),
            "going from v21.1 to v21.2, to an affected build: blocks at start",
        ),
        (
            Edge(
                source="any", target="any", steps=("start", "rollback"), effect="warn", bites="running"
            ),
            "going from any version to any version, restarting a node that runs an affected build: "
            "warns at start, rollback",
        ),
        (
            Edge(
                source="21.1",
                target="21.2",
                steps=("verify",),
                target_affected_only=False,
                conditions=(JobCondition(types=("BACKUP",)),),
            ),
            "going from v21.1 to v21.2, whatever the builds, if there is an unfinished BACKUP job: "
            "blocks at verify",
        ),
    ],
)
def test_what_makes_an_edge_bite(edge: Edge, text: str) -> None:
    assert edge_text(edge) == text
