"""Fixtures that several test packages share, and how long fuzzing takes.

Hypothesis stays within seconds by default. ``GUARD_FUZZ=long pytest`` tries a hundred times as many
examples of every property that does not set a number of its own: for a night, not for CI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.cluster.fake import Fake
from tests.cluster.postgres import CannotRun, Postgres

# No deadline for one example: a machine that is busy is no fault of guard's.
settings.register_profile("bounded", max_examples=100, deadline=None)
settings.register_profile(
    "long", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("GUARD_FUZZ") or "bounded")


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
