"""Every letter of the step table is said by its check in some state: none is a promise of nothing.

That a check says nothing else is held by the fixture in tests/conftest.py, in every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guard.decision import engine
from guard.decision.check_definition import ALL_STEPS, Check
from guard.decision.engine import evaluate
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.decision.table import TABLE
from guard.snapshot import model
from guard.snapshot.file import load_snapshot
from guard.snapshot.model import Snapshot
from tests.building import collected, features, job, node, put, schedule, snapshot, three
from tests.decision.test_remedies_followed import CASES

REPORTS = Path(__file__).parents[1] / "data" / "reports"
LETTERS = {"B": Outcome.BLOCK, "W": Outcome.WARN}
NO_KEY = collected(model.LicenseRow(present=False, kind=None, seconds_left=0))
DANGLING = collected(model.FeatureRow(name="dangling-back-references", used=True, count=2))


def states() -> Iterator[tuple[Snapshot, str | None, int | None]]:
    """States of all kinds, with a target and a node to ask for."""
    for case in CASES:
        yield case.before, case.target, None
    for path in sorted(REPORTS.glob("*.json")):
        yield load_snapshot(path), None, None
    yield snapshot(three("v26.2.1"), version="26.2", host="db.example.com"), "v26.2.99", None
    foreign = snapshot(three("v26.3.1"), version="26.3", gateway="v26.3.1", jobs=[job(1, "NEW KIND")])
    yield foreign, "v26.3.2", None
    mixed = [node(1, "v24.3.33"), *three("v24.1.28")[1:]]
    yield snapshot(mixed, version="24.1", gateway="v24.1.28", license=NO_KEY), "v24.3.33", None
    single = snapshot([node(1, "v24.3.33")], version="24.1", gateway="v24.3.33", license=NO_KEY)
    yield single, "v24.3.33", None
    yield snapshot(three("v22.1.22"), version="22.1", features=DANGLING), None, None
    flags = features("node_features", {"rocksdb": ("1",)})
    yield put(snapshot(three("v20.2.19"), version="20.2"), node_features=flags), "v21.1.21", None
    yield snapshot(history=[job(1, "BACKUP", "failed")], schedules=[schedule()]), None, None
    yield snapshot([node(1, underreplicated_ranges=4), node(2, available=9)]), "v21.1.12", None
    yield snapshot([node(1), node(2, state="suspect"), node(3)]), "v21.1.10", 3


def test_every_letter_of_the_table_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[tuple[str, Step, Outcome]] = set()
    whole = engine._said

    def watched(check: Check, situation: Situation) -> list[Finding]:
        found = whole(check, situation)
        said.update((check.id, situation.step, finding.outcome) for finding in found)
        return found

    monkeypatch.setattr(engine, "_said", watched)
    for seen, target, named in states():
        for step in ALL_STEPS:
            asked: dict[str, Any] = {"target": target, "node": named}
            evaluate(seen, step=step, **asked)
    silent = [
        (check, step.value, letter)
        for check, row in TABLE.items()
        for step, cell in row.items()
        for letter, outcome in LETTERS.items()
        if letter in cell.split() and (check, step, outcome) not in said
    ]
    assert silent == []
