"""The step table, the checks and the README say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.decision.check_definition import Check
from guard.decision.checks import ALL
from guard.decision.result import Outcome, Step
from guard.decision.table import TABLE
from tests.decision.explained import told
from tests.readme import checks_table, snippet

README = Path(__file__).parents[2] / "README.md"


def test_the_table_names_every_check_in_the_order_of_the_reports() -> None:
    assert list(TABLE) == [check.id for check in ALL]


def test_the_table_has_a_cell_for_every_step_of_a_check_and_no_other() -> None:
    for check in ALL:
        assert tuple(TABLE[check.id]) == tuple(s for s in TABLE[check.id] if s in check.steps)
        assert set(TABLE[check.id]) == set(check.steps), check.id


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_the_page_of_a_check_tells_what_the_table_does(check: Check) -> None:
    """Neither more nor less: which steps it blocks, and in which it warns."""
    pages = told(check.explain)
    for letter, outcome in (("B", Outcome.BLOCK), ("W", Outcome.WARN)):
        for step, cell in TABLE[check.id].items():
            assert (outcome in pages[step]) is (letter in cell.split()), (step.value, letter)


def test_how_a_page_is_read() -> None:
    page = (
        "Is it so? A start may block here, which no label says.\n\n"
        "- start, next-node: block; unknown if v21.2.0 hides it. rollback, verify: warn.\n"
        "- finalize, but for v21.2.0: not asked.\n\n"
        "A crash warns in every step."
    )
    block, warn, unknown = Outcome.BLOCK, Outcome.WARN, Outcome.UNKNOWN
    assert told(page) == {
        Step.START: {block, warn, unknown},
        Step.NEXT_NODE: {block, warn, unknown},
        Step.FINALIZE: {warn, Outcome.NOT_APPLICABLE},
        Step.ROLLBACK: {warn},
        Step.VERIFY: {warn},
    }
    assert told("- verify: warn.")[Step.START] == frozenset()
    assert told("Not applicable to toys.")[Step.START] == {Outcome.NOT_APPLICABLE}


def test_the_readme_prints_the_table() -> None:
    assert snippet(README.read_text(), "checks") == checks_table()
