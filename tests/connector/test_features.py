"""The section `features`: several statements, each with its own fate; what is hidden is unknown."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import pytest

from guard.catalog import load
from guard.catalog.records import FeatureCondition, FeatureName, ScheduleCondition
from guard.catalog.wellformed import all_conditions
from guard.connector import feature_statements as statements
from guard.connector.features import merged, read_features
from guard.connector.pipeline import Rows
from guard.connector.rows import MalformedRow
from guard.snapshot.model import Collected, Reason, Unavailable

NOW = dt.datetime(2026, 11, 22, 2, tzinfo=dt.UTC)
ONE, TWO = statements.NOSQLLOGIN, statements.ENCRYPTION_22_1
REFUSED = Unavailable(reason=Reason.PRIVILEGE, message="not for this user", sqlstate="42501")


def read(more: str | None, count: str | None) -> tuple[bool | None, int | None]:
    answer = Rows(({"more": more, "nosqllogin": count},))
    (row,) = read_features(ONE, answer, NOW).rows
    return row.used, row.count


@pytest.mark.parametrize(
    ("more", "count", "used", "known"),
    [
        ("f", "0", False, 0),
        ("f", "3", True, 3),
        ("t", "3", True, 3),  # what was found is there, whatever was not looked at
        ("t", "0", None, None),  # none among those looked at is no answer
    ],
)
def test_none_is_an_answer_only_if_all_was_looked_at(
    more: str, count: str, used: bool | None, known: int | None
) -> None:
    assert read(more, count) == (used, known)


@pytest.mark.parametrize(
    ("more", "count"), [(None, "0"), ("f", None), ("f", "-1"), ("f", "none"), ("maybe", "0")]
)
def test_an_answer_that_says_nothing_is_refused(more: str | None, count: str | None) -> None:
    with pytest.raises(MalformedRow):
        read(more, count)


@pytest.mark.parametrize("rows", [(), ({"more": "f", "nosqllogin": "0"},) * 2, ({"more": "f"},)])
def test_anything_but_one_row_with_the_counts_is_refused(
    rows: tuple[dict[str, str | None], ...],
) -> None:
    with pytest.raises(MalformedRow):
        read_features(ONE, Rows(rows), NOW)


def test_a_refused_statement_makes_its_own_features_unknown() -> None:
    seen = read_features(ONE, Rows(({"more": "f", "nosqllogin": "0"},)), NOW)
    section = merged([(ONE, seen), (TWO, REFUSED)], NOW)
    assert isinstance(section, Collected)
    assert {row.name: row.used for row in section.rows} == {
        "nosqllogin": False, "encryption-at-rest": None,
    }  # fmt: skip
    assert section.rows[1].why == "not for this user"


def test_without_an_answer_there_is_no_section() -> None:
    assert merged([(ONE, REFUSED), (TWO, REFUSED)], NOW) == REFUSED
    nothing = merged([], NOW)
    assert isinstance(nothing, Unavailable)
    assert nothing.reason is Reason.NOT_IN_THIS_VERSION


def test_a_lost_connection_is_not_taken_for_a_refusal() -> None:
    seen = read_features(ONE, Rows(({"more": "f", "nosqllogin": "0"},)), NOW)
    lost = Unavailable(reason=Reason.CONNECTION, message="gone")
    assert merged([(ONE, seen), (TWO, lost)], NOW) == lost


def test_every_feature_that_a_record_asks_for_is_told_by_a_statement() -> None:
    told = {name for statement in statements.FEATURES for name in statement.tells}
    for record in load().advisories.values():
        for condition in (*all_conditions(record), *([record.damage] if record.damage else [])):
            if isinstance(condition, FeatureCondition):
                assert condition.name in told, record.id
            if isinstance(condition, ScheduleCondition):
                assert condition.label_prefix in told, record.id
    assert told <= set(get_args(FeatureName))


def test_features_cost_a_bounded_number_of_descriptors() -> None:
    for statement in statements.SCHEMA_FEATURES:
        assert statement.sql.count("FROM system.descriptor") == statement.sql.count("id > 49") == 2
        assert f" LIMIT {statements.DESCRIPTOR_LIMIT})" in statement.sql
        assert f" LIMIT {statements.DESCRIPTOR_LIMIT + 1})" in statement.sql
        assert f" LIMIT {statements.DECODE_LIMIT + 1})" in statement.sql
        assert "AS OF SYSTEM TIME" in statement.sql  # waits for no schema change
