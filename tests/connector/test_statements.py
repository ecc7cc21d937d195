"""The statements agree with what reads their answers."""

from __future__ import annotations

from guard.connector import statements
from guard.connector.rows import _TYPE_BY_KEY


def test_payload_keys_are_the_types_that_rows_are_read_by() -> None:
    assert set(statements.PAYLOAD_KEYS) == set(_TYPE_BY_KEY)


def test_active_jobs_are_all_but_the_terminal_ones() -> None:
    """The ranges are what NOT IN means, for every status there is or may be."""
    for terminal in ("canceled", "failed", "revert-failed", "succeeded"):
        assert f"status < '{terminal}'" in statements.ACTIVE_SYSTEM_JOBS.sql
        assert f"status > '{terminal}'" in statements.ACTIVE_SYSTEM_JOBS.sql
