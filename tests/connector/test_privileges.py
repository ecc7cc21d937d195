"""A user without each single privilege in turn, at the wire, on an old and on newer releases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.fake import Fake
from tests.cluster.process import Run
from tests.cluster.recording import Error, Recording, Table, load
from tests.connector.test_wire import FINAL
from tests.faults import fault, in_time

_ALL = ("VIEWCLUSTERMETADATA", "VIEWCLUSTERSETTING", "VIEWJOB", "VIEWSYSTEMTABLE")


@dataclass(frozen=True)
class Release:
    """A release: the build that gateway and nodes tell, and what it asks for each kind of table."""

    build: str
    nodes: str
    settings: str
    jobs: str
    schedules: str

    @property
    def series(self) -> str:
        return ".".join(self.build[1:].split(".")[:2])

    @property
    def has_system_grants(self) -> bool:
        return self.schedules != "admin"


_GRANTED = tuple(f"SYSTEM {name}" for name in _ALL)
RELEASES = (
    Release("v21.1.19", "admin", "admin", "admin", "admin"),
    Release("v21.2.17", "admin", "admin", "admin", "admin"),
    Release("v23.2.3", *_GRANTED),
    Release("v26.1.3", *_GRANTED),
)

# What each kind of privilege opens. Settings and jobs have two ways each; both must be closed.
_OPENS: dict[str, tuple[tuple[str, ...], ...]] = {
    "nodes": (
        ("gossip_liveness",), ("gossip_nodes",), ("kv_node_liveness",), ("kv_node_status",),
        ("kv_store_status",),
    ),
    "settings": (("cluster_settings", "show_all_cluster_settings"), ("show_cluster_setting_version",)),
    "jobs": (("system_jobs", "jobs", "show_jobs"),),
    "schedules": (("show_schedules",),),
}  # fmt: skip

_WORDS = {
    "nodes": "only users with the admin role are allowed to read crdb_internal",
    "settings": "only users with the VIEWCLUSTERSETTING privilege are allowed to read this",
    "jobs": "user low does not have SELECT privilege on relation jobs",
    "schedules": "user low does not have SELECT privilege on relation scheduled_jobs",
}


def on(release: Release, *, admin: bool, grants: tuple[str, ...] = _ALL) -> Recording:
    """The finalized cluster as if every node ran that release, for a user with these privileges."""
    base = load(FINAL)

    def every(query: str, **values: Any) -> Table:
        table = base.table(query)
        return table.with_rows(row | values for row in table.dicts())

    series = release.series
    queries: dict[str, Table | Error] = {
        "gossip_nodes": every("gossip_nodes", build_tag=release.build, server_version=series),
        "kv_node_status": every("kv_node_status", tag=release.build, server_version=series),
        "cluster_settings": base.table("cluster_settings").update(
            {"variable": "version"}, value=series
        ),
        "show_cluster_setting_version": every("show_cluster_setting_version", version=series),
        "is_admin": every("is_admin", **{"crdb_internal.is_admin": admin}),
        "show_is_superuser": every("show_is_superuser", is_superuser="on" if admin else "off"),
        "show_system_grants": Table(
            (("grantee", "text"), ("privilege_type", "text")),
            tuple(("low", name) for name in grants) if release.has_system_grants else (),
        ),
    }
    who = "admin" if admin else "-".join(("low", *grants))
    return base.but(f"{release.build}-{who}", **queries)


def check(fake: Fake, release: Release, recording: Recording, build: str | None = None) -> Run:
    announced = load(FINAL).crdb_version.replace("v21.2.0", build or release.build)
    with fake.gateway(recording, crdb_version=announced) as gateway:
        return in_time(
            "check", "--step", "verify", "--format", "json", "--url", gateway.url("low"), seconds=20
        )


def granted(run: Run) -> set[str]:
    """Every GRANT and ALTER ROLE that any finding asks for."""
    lines = [line for finding in run.json["findings"] for line in finding["remedy"]]
    return {line for line in lines if re.match(r"GRANT|ALTER ROLE", line)}


@pytest.mark.parametrize("release", RELEASES, ids=lambda r: r.build)
def test_with_all_privileges_the_answer_is_allow(fake: Fake, release: Release) -> None:
    """What makes every UNKNOWN below mean something."""
    run = check(fake, release, on(release, admin=not release.has_system_grants))
    assert run.code == 0, run.findings()
    assert granted(run) == set()


def _refusals() -> Iterator[Any]:
    for release in RELEASES:
        for kind, tables in _OPENS.items():
            for closed in tables:
                yield pytest.param(release, kind, closed, id=f"{release.build}-{closed[0]}")


@pytest.mark.parametrize(("release", "kind", "closed"), list(_refusals()))
@fault(
    "one table of nodes, the settings, the jobs or the schedules are refused (42501)",
    "UNKNOWN, with the one GRANT of that release", 11, group="Privileges",
)  # fmt: skip
def test_without_a_single_privilege(
    fake: Fake, release: Release, kind: str, closed: tuple[str, ...]
) -> Run:
    base = on(release, admin=not release.has_system_grants)
    refusal = Error("42501", _WORDS[kind])
    run = check(fake, release, base.but(f"no-{closed[0]}", **dict.fromkeys(closed, refusal)))
    assert granted(run) == {f'GRANT {getattr(release, kind)} TO "low";'}
    others = {c for c, outcome, _ in run.findings() if outcome in ("pass", "not-applicable")}
    assert others, "the other checks say nothing"
    return run


@pytest.mark.parametrize("release", RELEASES, ids=lambda r: r.build)
@fault("jobs that the server hides without an error", "UNKNOWN, with the GRANT", 11, group="Privileges")
def test_without_the_privilege_to_see_jobs(fake: Fake, release: Release) -> Run:
    grants = tuple(name for name in _ALL if name != "VIEWJOB")
    run = check(fake, release, on(release, admin=False, grants=grants))
    assert f'GRANT {release.jobs} TO "low";' in granted(run)
    return run


@fault("the gateway announces no version that can be read, and the user is no admin",
       "UNKNOWN: only the admin role would do on any release", 11, group="Privileges")  # fmt: skip
def test_an_unreadable_version(fake: Fake) -> Run:
    release = RELEASES[2]
    run = check(fake, release, on(release, admin=False), "custom-build")
    assert granted(run) == {'GRANT admin TO "low";'}
    assert check(fake, release, on(release, admin=True), "custom-build").code == 0
    return run


_TENANT = "unimplemented: operation is unsupported within a virtual cluster"


@pytest.mark.parametrize("release", RELEASES[2:], ids=lambda r: r.build)
@fault("a virtual cluster at the other end (0A000)", "UNKNOWN, says how to reach the system one", 11,
       group="Privileges")  # fmt: skip
def test_a_virtual_cluster(fake: Fake, release: Release) -> Run:
    tables = (
        "gossip_liveness",
        "gossip_nodes",
        "kv_node_liveness",
        "kv_node_status",
        "kv_store_status",
    )
    refusal = Error("0A000", _TENANT)
    told = {"show_virtual_cluster_name": Table((("virtual_cluster_name", "text"),), (("app",),))}
    base = on(release, admin=True)
    run = check(fake, release, base.but("tenant", **dict.fromkeys(tables, refusal), **told))
    assert "?options=-ccluster%3Dsystem" in run.out
    assert granted(run) == set(), "no privilege cures that"
    return run
