"""visibility: whatever could not be seen is unknown, in every step."""

from __future__ import annotations

from typing import Any

import pytest

from guard.decision.checks import visibility
from guard.snapshot.model import PrivilegeRow, Reason, SettingRow, VariableRow
from tests.building import collected, put, snapshot, three, unavailable
from tests.decision.judging import ALL_STEPS, PASS, UNKNOWN, judge, one, outcomes

HIDDEN = {
    "gossip_liveness": "nodes",
    "gossip_nodes": "nodes",
    "node_status": "nodes",
    "kv_node_liveness": "nodes",
    "settings": "settings",
    "kv_version": "cluster version",
    "active_jobs": "jobs",
    "schedules": "schedules",
    "identity": "identity",
    "privileges": "jobs",
}


def test_no_policy_may_waive_it() -> None:
    assert not visibility.CHECK.waivable


@pytest.mark.parametrize("step", ALL_STEPS)
def test_full_sight_passes_and_says_how_it_is_proved(step: str) -> None:
    finding = one("visibility", snapshot(), step, "v21.1.11")
    assert finding.outcome is PASS
    assert finding.evidence["proof"] == "the user is a member of the admin role"


@pytest.mark.parametrize("step", ALL_STEPS)
@pytest.mark.parametrize("section", HIDDEN)
@pytest.mark.parametrize("reason", [Reason.PRIVILEGE, Reason.TIMEOUT, Reason.VIRTUAL_CLUSTER])
def test_whatever_is_hidden_is_unknown_with_its_remedy(step: str, section: str, reason: Reason) -> None:
    seen = put(snapshot(), **{section: unavailable(reason)})
    found = judge("visibility", seen, step, "v21.1.11")
    assert {f.outcome for f in found} == {UNKNOWN}
    assert any(HIDDEN[section] in f.evidence["hidden"] for f in found)
    assert any("GRANT it;" in f.remedy for f in found)


@pytest.mark.parametrize("section", ["gossip_liveness", "gossip_nodes", "node_status"])
def test_an_empty_node_table_is_not_an_empty_cluster(section: str) -> None:
    assert UNKNOWN in outcomes(
        "visibility", put(snapshot(), **{section: collected()}), "start", "v21.1.12"
    )


def test_settings_without_the_version_are_settings_hidden_in_part() -> None:
    """MODIFYCLUSTERSETTING alone shows sql.defaults.* only, without an error."""
    part = collected(SettingRow(name="diagnostics.reporting.enabled", value="true"))
    assert UNKNOWN in outcomes("visibility", put(snapshot(), settings=part), "start", "v21.1.12")


@pytest.mark.parametrize(
    ("gateway", "kind", "name", "outcome"),
    [
        ("v21.1.11", "role-option", "CONTROLJOB", UNKNOWN),
        ("v22.2.10", "role-option", "CONTROLJOB", UNKNOWN),
        ("v22.2.10", "system", "VIEWJOB", UNKNOWN),
        ("v23.1.1", "role-option", "CONTROLJOB", PASS),
        ("v23.1.1", "system", "VIEWJOB", PASS),
        ("v23.1.1", "system", "VIEWCLUSTERMETADATA", UNKNOWN),
    ],
)
def test_who_sees_every_job_depends_on_the_release(
    gateway: str, kind: Any, name: str, outcome: str
) -> None:
    series = gateway[1:5]
    privilege = PrivilegeRow(kind=kind, name=name, granted=True)
    seen = snapshot(
        three(gateway), version=series, gateway=gateway, admin=False, user="app", privileges=[privilege]
    )
    assert outcomes("visibility", seen, "start", gateway) == [outcome]


def test_a_privilege_that_was_not_granted_proves_nothing() -> None:
    denied = PrivilegeRow(kind="system", name="VIEWJOB", granted=False)
    seen = snapshot(
        three("v23.1.1"), version="23.1", gateway="v23.1.1", admin=False, privileges=[denied]
    )
    assert outcomes("visibility", seen, "verify") == [UNKNOWN]


def test_one_reason_is_one_finding() -> None:
    why = unavailable(Reason.TIMEOUT)
    seen = put(snapshot(), settings=why, active_jobs=why, schedules=why)
    assert len(judge("visibility", seen, "start", "v21.1.12")) == 1


def test_it_says_when_guard_opened_the_gate_of_26_1() -> None:
    seen = snapshot()
    variables = collected(VariableRow(name="allow_unsafe_internals", value="on"))
    finding = one("visibility", put(seen, variables=variables), "verify")
    assert finding.evidence["allow_unsafe_internals"] is True
    assert "the cluster logs" in finding.detail
