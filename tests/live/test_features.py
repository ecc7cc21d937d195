"""What advisories ask about, counted by real servers: each statement of the features, none and some."""

from __future__ import annotations

import datetime as dt

import pytest

from guard.connector import feature_statements
from guard.versions import Series
from tests.live.cluster import until
from tests.live.conftest import MakeCluster

SCHEMA = (
    # column families with partial indexes, two of them with the same predicate
    "CREATE TABLE families (id INT PRIMARY KEY, a INT, b STRING, INDEX x (a) WHERE b = 'x',"
    " INDEX y (a, id) WHERE b = 'x', INDEX z (a, id) WHERE b = 'y', FAMILY f1 (id, a), FAMILY f2 (b))",
    "CREATE TABLE plain (id INT PRIMARY KEY, v INT, INDEX (v))",
    "CREATE TABLE documents (id INT PRIMARY KEY, j JSONB, INVERTED INDEX (j))",
    "CREATE VIEW looks AS SELECT id FROM families",
    "CREATE SEQUENCE counts",
    "CREATE TABLE counted (id INT PRIMARY KEY DEFAULT nextval('counts'))",
    "CREATE TABLE gone (id INT PRIMARY KEY, a INT, b INT, FAMILY g1 (id, a), FAMILY g2 (b))",
    "DROP TABLE gone",
)
SOME = {"column-families": 1, "partial-indexes-on-families": 3, "same-predicate-partial-indexes": 1}
"""What the schema above has; of everything else it has none."""


@pytest.mark.parametrize("version", ["v20.2.0", "v21.1.2", "v21.2.0", "v22.1.0"])
def test_the_schema_is_counted(make_cluster: MakeCluster, version: str) -> None:
    cluster = make_cluster(version, size=1)
    for definition in SCHEMA:
        cluster.sql(definition)
    written = cluster.one("SELECT now()")
    until(
        lambda: cluster.one("SELECT now()") - written > dt.timedelta(seconds=11),
        "ten seconds have passed: the statements look at the schema of then",
    )
    series = Series.parse(version.rsplit(".", 1)[0].removeprefix("v"))
    asked = [
        # Later releases only ask other questions of the same bytes.
        each
        for each in feature_statements.SCHEMA_FEATURES
        if each.suits(series) or (series >= Series(21, 1) and each.since and each.since > series)
    ]
    for statement in asked:
        (row,) = cluster.sql(statement.sql)
        assert row[0] is False, "all was looked at"
        counts = dict(zip(statement.tells, row[1:], strict=True))
        assert counts == {name: SOME.get(name, 0) for name in statement.tells}


@pytest.mark.parametrize("version", ["v20.2.0", "v21.1.2", "v22.1.0"])
def test_guard_learns_of_encryption(make_cluster: MakeCluster, version: str) -> None:
    cluster = make_cluster(version, size=1)
    series = Series.parse(version.rsplit(".", 1)[0].removeprefix("v"))
    (statement,) = (
        each
        for each in feature_statements.FEATURES
        if each.tells == ("encryption-at-rest",) and each.suits(series)
    )
    assert cluster.sql(statement.sql) == [(False, 0)]
