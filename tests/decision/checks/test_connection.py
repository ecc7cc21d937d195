"""connection: TLS that verified the name, or this machine."""

from __future__ import annotations

import pytest

from tests.building import snapshot
from tests.decision.judging import ALL_STEPS, PASS, WARN, one, outcomes


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize(
    ("host", "tls", "outcome"),
    [
        ("db.example.com", "verify-full", PASS),
        ("127.0.0.1", "off", PASS),
        ("::1", "off", PASS),
        ("localhost", "require", PASS),
        ("/var/run/crdb", "off", PASS),
        ("db.example.com", "off", WARN),
        ("db.example.com", "require", WARN),
        ("db.example.com", "verify-ca", WARN),
        ("10.0.0.1", "off", WARN),
        ("localhost.example.com", "off", WARN),
    ],
)
def test_who_may_be_believed(step: str, host: str, tls: str, outcome: str) -> None:
    assert outcomes("connection", snapshot(host=host, tls=tls), step, "v21.1.11") == [outcome]


def test_it_says_what_is_missing() -> None:
    assert one("connection", snapshot(host="db"), "verify").title == "the connection is not encrypted"
    finding = one("connection", snapshot(host="db", tls="require"), "verify")
    assert "sslmode=require" in finding.title
