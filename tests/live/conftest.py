"""Live tests run against real servers: GUARD_LIVE_SERVERS names a directory of cockroach-vX.Y.Z.

Several directories are separated as in PATH. A test whose versions are not there is skipped, and
says which one is missing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.cluster import Cluster, find_executables

VARIABLE = "GUARD_LIVE_SERVERS"

MakeCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def executables() -> dict[str, Path]:
    """The servers that are there, by version."""
    directories = os.environ.get(VARIABLE, "")
    if not directories:
        pytest.skip(f"{VARIABLE} is not set: it must name a directory of cockroach-vX.Y.Z executables")
    found: dict[str, Path] = {}
    for directory in directories.split(os.pathsep):
        found |= find_executables(Path(directory))
    if not found:
        pytest.fail(f"{VARIABLE} is set, but there is no executable cockroach-vX.Y.Z in it")
    return found


@contextlib.contextmanager
def _clusters(
    executables: dict[str, Path], directories: pytest.TempPathFactory
) -> Iterator[MakeCluster]:
    made: list[Cluster] = []

    def make(version: str, *later: str, certs: Path | None = None, size: int = 3) -> Cluster:
        missing = [v for v in (version, *later) if v not in executables]
        if missing:
            pytest.skip(f"{VARIABLE} has no cockroach-{', cockroach-'.join(missing)}")
        cluster = Cluster(directories.mktemp("cluster"), executables, version, certs, size)
        made.append(cluster)
        cluster.bootstrap()
        if size >= 3:
            cluster.await_replication()
        return cluster

    try:
        yield make
    finally:
        for cluster in made:
            cluster.close()


@pytest.fixture
def make_cluster(
    executables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeCluster]:
    """Make clusters that run one version now and may be rolled to others; all end with the test."""
    with _clusters(executables, tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="module")
def mixed(executables: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with n1 on v21.2.0 and n2, n3 on v21.1.11, for tests that leave it as it is."""
    with _clusters(executables, tmp_path_factory) as make:
        cluster = make("v21.1.11", "v21.2.0")
        cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
        cluster.roll(1, "v21.2.0")
        yield cluster
