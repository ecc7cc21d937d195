"""Times as people write them."""

from __future__ import annotations

import datetime as dt

import pytest

from guard.cli.options import duration
from tests.cluster.process import guard


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5min", 300), ("1h30m", 5400), ("30d", 30 * 86400)],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert duration(text) == dt.timedelta(seconds=seconds)


def test_half_a_second_is_a_deadline() -> None:
    """Port 9 of this machine refuses; guard tries again until its time is up."""
    run = guard(
        "check", "--step", "verify", "--timeout", "500ms", "--url",
        "postgresql://root@127.0.0.1:9/?sslmode=disable",
    )  # fmt: skip
    assert run.code == 11, run
    assert "Traceback" not in run.err
