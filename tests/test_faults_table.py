"""The table of faults in tests/README.md is the one that the tests make."""

from __future__ import annotations

from tests.faults import TABLE, Row
from tests.faults_table import BEGIN, END, README, snippet


def test_the_table_is_whole() -> None:
    text = snippet()
    assert len(text.splitlines()) == len(TABLE) + 2
    groups = {row.group for row in TABLE}
    assert groups == {
        "Connection",
        "Cluster",
        "Process",
        "Privileges",
        "Rows",
        "TLS",
        "Secrets",
        "Files",
    }
    assert all(row.codes for row in TABLE)
    assert len({row.what for row in TABLE}) == len(TABLE), "one line for each fault"


def test_a_fault_allows_only_where_nothing_is_missing() -> None:
    """0 stands only beside faults that guard gets over."""
    allowing = [row for row in TABLE if 0 in row.codes]
    assert all(row.codes == (0,) for row in allowing)
    over = (
        "moves on",
        "answers",
        "waits",
        "starts again",
        "logs in",
        "is accepted",
        "judge",
        "read like",
        "one whole",
        "looks again",
    )
    assert [row for row in allowing if not any(word in row.answer for word in over)] == list[Row]()


def test_the_readme_has_it() -> None:
    text = README.read_text()
    table = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == snippet().strip(), "python -m tests.faults_table --write"
