"""What an upgrade changes, looked for on real servers by the statements of their series."""

from __future__ import annotations

import pytest

from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.connector.statements import CHANGE_SECTIONS
from guard.snapshot.model import Collected, Reason, Snapshot, Unavailable
from guard.versions import Series
from tests.cluster.process import guard
from tests.live.cluster import Cluster
from tests.live.conftest import MakeCluster

SINCE = {
    "schedule_features": Series(20, 2),
    "recent_job_features": Series(20, 2),
    "descriptor_features": Series(20, 2),
    "object_count": Series(20, 2),
    "role_default_features": Series(21, 2),
    "statement_features": Series(21, 2),
}
"""What a release before has nothing to look at."""

MADE = (
    "CREATE TABLE plain (id INT PRIMARY KEY, v STRING)",
    "CREATE VIEW looks AS SELECT id FROM plain",
    "CREATE VIEW internal AS SELECT variable FROM crdb_internal.cluster_settings",
    "CREATE ROLE parent WITH CREATEROLE",
    "CREATE ROLE child",
    "GRANT parent TO child",
    "SET CLUSTER SETTING cluster.organization = 'planted'",
)


def look(cluster: Cluster) -> Snapshot:
    every = frozenset(CHANGE_SECTIONS)
    return collect(targets([cluster.url()], {}), 60, further=lambda _: every)


def found(seen: Snapshot, section: str) -> set[str]:
    content = getattr(seen, section)
    assert isinstance(content, Collected)
    return {name for name, number in content.rows[0].found.items() if number}


@pytest.mark.parametrize("version", ["v20.1.5", "v20.2.0", "v21.1.2", "v21.2.0", "v22.1.0", "v26.1.0"])
def test_every_section_that_the_release_has_is_collected(
    make_cluster: MakeCluster, version: str
) -> None:
    cluster = make_cluster(version, size=1)
    for statement in MADE:
        cluster.sql(statement)
    series = Series.parse(version.rsplit(".", 1)[0].removeprefix("v"))
    seen = look(cluster)
    for section in CHANGE_SECTIONS:
        content = getattr(seen, section)
        if series < SINCE.get(section, series):
            assert isinstance(content, Unavailable), section
            assert content.reason is Reason.NOT_IN_THIS_VERSION, section
        else:
            assert isinstance(content, Collected), (section, content)
    if series >= SINCE["descriptor_features"]:
        assert found(seen, "descriptor_features") == {"view", "view-crdb-internal"}
    assert found(seen, "role_features") == {"inherited-createrole"}
    assert not found(seen, "changefeed_features")
    assert isinstance(seen.set_settings, Collected)
    values = {row.name: row.value for row in seen.set_settings.rows}
    assert values["cluster.organization"] is None
    assert "version" in values


def test_interleaved_tables_concern_the_way_to_21_2(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v20.2.0", size=1)
    assert guard("changes", "--url", cluster.url(), "--to", "v21.2", "--quiet").code == 0
    cluster.sql("CREATE TABLE par (a INT PRIMARY KEY)")
    cluster.sql("CREATE TABLE ch (a INT, b INT, PRIMARY KEY (a, b)) INTERLEAVE IN PARENT par (a)")
    assert guard("changes", "--url", cluster.url(), "--to", "v21.2", "--quiet").code == 10


def test_a_user_without_privileges_could_not_look(make_cluster: MakeCluster) -> None:
    cluster = make_cluster("v21.2.0", size=1)
    cluster.sql("CREATE USER low")
    every = frozenset(CHANGE_SECTIONS)
    seen = collect(targets([cluster.url(user="low")], {}), 60, further=lambda _: every)
    for section in CHANGE_SECTIONS:
        content = getattr(seen, section)
        assert isinstance(content, Unavailable), section
        assert content.reason is Reason.PRIVILEGE, section
