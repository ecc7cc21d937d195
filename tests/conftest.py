"""Fixtures that several test packages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.fake import Fake
from tests.cluster.postgres import CannotRun, Postgres


@pytest.fixture(scope="session")
def fake() -> Iterator[Fake]:
    """The fake CockroachDB. Skips, with the reason, where no PostgreSQL can run."""
    try:
        server = Postgres()
    except CannotRun as reason:
        pytest.skip(f"no PostgreSQL server to stand in for CockroachDB: {reason}")
    try:
        yield Fake(server)
    finally:
        server.close()
