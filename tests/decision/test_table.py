"""The step table, the checks and the README say the same."""

from __future__ import annotations

from pathlib import Path

from guard.decision.checks import ALL
from guard.decision.table import TABLE
from tests.readme import checks_table, snippet

README = Path(__file__).parents[2] / "README.md"


def test_the_table_names_every_check_in_the_order_of_the_reports() -> None:
    assert list(TABLE) == [check.id for check in ALL]


def test_the_table_has_a_cell_for_every_step_of_a_check_and_no_other() -> None:
    for check in ALL:
        assert tuple(TABLE[check.id]) == tuple(s for s in TABLE[check.id] if s in check.steps)
        assert set(TABLE[check.id]) == set(check.steps), check.id


def test_the_readme_prints_the_table() -> None:
    assert snippet(README.read_text(), "checks") == checks_table()
