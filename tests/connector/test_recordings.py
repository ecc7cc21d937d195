"""Every recorded state and every user, from the socket to the exit code."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import guard as guard_api
from guard.decision.result import FailOn, Step
from guard.snapshot.file import load_snapshot
from tests.cluster import snapshots
from tests.cluster.fake import Fake
from tests.cluster.process import guard
from tests.cluster.recording import NAMES, load
from tests.cluster.verdicts import VERDICTS, Case

_REPLAYED = (
    "v20.1.5-to-v20.2.0/05-mixed-one-new-quiet-via-new",
    "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old",
    "v21.1.11-to-v21.2.0/06-mixed-backup-running-as-setter",
    "v21.1.11-to-v21.2.0/08-mixed-node3-dead",
    "v21.1.11-to-v21.2.0/12-finalized",
)
_UNPRIVILEGED = tuple(name for name in NAMES if "-as-" in name)


def test_the_table_knows_every_recording() -> None:
    assert {case.state for case in VERDICTS} == set(NAMES)


@pytest.mark.parametrize("case", VERDICTS, ids=str)
def test_the_verdict_of_a_live_check(fake: Fake, case: Case) -> None:
    recording = load(case.state)
    with fake.gateway(recording) as gateway:
        url = gateway.url(recording.user)
        run = guard(
            "check", "--url", url, "--step", case.step, "--format", "json", *case.arguments,
            "--timeout", "20s",
        )  # fmt: skip
    assert run.code == case.code, run
    assert run.err == ""
    report = run.json
    assert report["exit_code"] == case.code
    assert report["verdict"] == {0: "allow", 10: "block", 11: "unknown"}[case.code]
    assert report["step_inferred"] is bool(case.step_then)
    if case.step_then:
        assert report["step"] == case.step_then
    told = {(f["check"], f["outcome"]) for f in report["findings"]}
    assert set(case.findings) <= told


@pytest.mark.parametrize("case", VERDICTS, ids=str)
def test_the_verdict_of_the_committed_snapshot(case: Case) -> None:
    target = case.arguments[1] if case.arguments else None
    snapshot = load_snapshot(snapshots.path_of(case.state))
    decision = guard_api.evaluate(snapshot, step=case.step, target=target)
    assert int(decision.exit_code(FailOn.BLOCK)) == case.code
    assert set(case.findings) <= {(f.check, f.outcome.value) for f in decision.findings}


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_snapshot_is_what_the_connector_makes(fake: Fake, name: str) -> None:
    assert snapshots.of(fake, name) == snapshots.path_of(name).read_bytes(), (
        "if the connector was changed on purpose: python -m tests.cluster.snapshots"
    )


@pytest.mark.parametrize("name", _REPLAYED)
def test_a_collected_file_replays_to_the_same_findings(fake: Fake, name: str, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    recording = load(name)
    with fake.gateway(recording) as gateway:
        url = gateway.url(recording.user)
        collected = guard("collect", "--url", url, "-o", str(file), "--timeout", "20s")
        live = guard("check", "--url", url, "--format", "json", "--timeout", "20s")
    assert (collected.code, collected.out, collected.err) == (0, "", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    offline = guard("check", "--snapshot", str(file), "--max-age", "1h", "--format", "json")
    assert offline.code == live.code
    ours, theirs = offline.json, live.json
    for report in (ours, theirs):
        del report["taken_at"], report["looks"]  # when it was looked, and nothing else, may differ
    assert ours == theirs


@pytest.mark.parametrize("name", _UNPRIVILEGED)
@pytest.mark.parametrize("step", [s for s in Step if s is not Step.AUTO])
def test_a_user_who_may_not_look_never_gets_an_allow(name: str, step: Step) -> None:
    snapshot = load_snapshot(snapshots.path_of(name))
    target = "v21.2.0" if "v21" in name else "v20.2.0"
    decision = guard_api.evaluate(snapshot, step=step, target=target)
    assert int(decision.exit_code(FailOn.BLOCK)) == 11
    remedies = [line for f in decision.findings for line in f.remedy]
    assert any(f'GRANT admin TO "{load(name).user}"' in line for line in remedies)


def test_a_backup_that_the_user_cannot_see_is_no_quiet_cluster(fake: Fake) -> None:
    """The trap: the list of jobs is empty for `low`, without an error, while a BACKUP runs."""
    recording = load("v21.1.11-to-v21.2.0/06-mixed-backup-running-as-low")
    assert recording.table("jobs").rows == ()
    with fake.gateway(recording) as gateway:
        run = guard("check", "--url", gateway.url("low"), "--step", "next-node", "--format", "json")
        asked = set(gateway.statements)
    assert run.code == 11
    assert ("running-backups", "pass") not in {(c, o) for c, o, _ in run.findings()}
    assert not any("jobs" in text for text in asked), "a list that cannot be believed was asked for"
