"""Every recorded state and every user, from the socket to the exit code."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import guard as guard_api
from guard.decision.result import FailOn, Step, Verdict
from guard.snapshot.file import decode, load_snapshot
from tests.cluster import snapshots
from tests.cluster.fake import Fake
from tests.cluster.process import guard
from tests.cluster.recording import NAMES, Error, Recording, Table, load
from tests.cluster.verdicts import VERDICTS, Case

_REPLAYED = (
    "v20.1.5-to-v20.2.0/05-mixed-one-new-quiet-via-new",
    "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old",
    "v21.1.11-to-v21.2.0/06-mixed-backup-running-as-setter",
    "v21.1.11-to-v21.2.0/08-mixed-node3-dead",
    "v21.1.11-to-v21.2.0/12-finalized",
    "v25.4-to-v26.1/05-mixed-via-new-gate-off",
    "v25.4-to-v26.1/09-all-new-unfinalized-as-guard",
)
_MAY_NOT_LOOK = ("low", "ctl", "setter", "nobody")
_UNPRIVILEGED = tuple(name for name in NAMES if load(name).user in _MAY_NOT_LOOK)
_FIRST = tuple({case.state: case for case in reversed(VERDICTS)}.values())
"""For each state and user what the table asks first; the rest is asked of snapshots."""
_VIEWS = ("VIEWCLUSTERMETADATA", "VIEWCLUSTERSETTING", "VIEWJOB", "VIEWSYSTEMTABLE")


def test_the_table_knows_every_recording() -> None:
    assert {case.state for case in VERDICTS} == set(NAMES)


@pytest.mark.parametrize("case", _FIRST, ids=str)
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
    user = load(name).user
    series = name.split(".")[0]
    target = {"v20": "v20.2.0", "v21": "v21.2.1", "v25": "v26.1.0"}[series]
    decision = guard_api.evaluate(snapshot, step=step, target=target)
    assert int(decision.exit_code(FailOn.BLOCK)) == 11
    asked = {line for f in decision.findings for line in f.remedy if line.startswith("GRANT")}
    wanted = [f"SYSTEM {view}" for view in _VIEWS] if series == "v25" else ["admin"]
    if series == "v25" and user == "ctl":  # who sees every job by CONTROLJOB
        wanted.remove("SYSTEM VIEWJOB")
    assert asked == {f'GRANT {privilege} TO "{user}";' for privilege in wanted}


_SHOWS_ALL_JOBS = {
    "VIEWJOB": (("VIEWJOB",), None),
    "CONTROLJOB": (("CONTROLJOB",), None),
    "role-option": ((), ["CONTROLJOB"]),
    # SHOW USERS is refused, as ctl's was; the server's own filter answers
    "role-option-hidden": ((), None),
}
"""What lets the user `guard` see every job: system privileges, or the role's options."""


def _sees_jobs_by(name: str, proof: str) -> Recording:
    """The recording as a user who is granted the sight of everything else, and of jobs so."""
    recording = load(name)
    grants, options = _SHOWS_ALL_JOBS[proof]
    held = [view for view in _VIEWS if view != "VIEWJOB"] + list(grants)
    users: Table | Error = Error("42501", "user guard does not have SELECT privilege on relation users")
    if options is not None:
        users = recording.table("show_users").update({"username": "guard"}, options=options)
    given = recording.table("show_system_grants")
    return recording.but(
        proof,
        show_users=users,
        show_system_grants=given.with_rows(
            {"grantee": "guard", "privilege_type": privilege} for privilege in held
        ),
    )


@pytest.mark.parametrize("proof", _SHOWS_ALL_JOBS)
@pytest.mark.parametrize(
    "name",
    [f"v25.4-to-v26.1/{s}-as-guard" for s in ("01-uniform-old-quiet", "06-mixed-backup-running")],
)
def test_whatever_shows_every_job_is_believed(fake: Fake, name: str, proof: str) -> None:
    seen = decode(snapshots.of(fake, _sees_jobs_by(name, proof)))
    root = guard_api.evaluate(
        load_snapshot(snapshots.path_of(name)), step="next-node", target="v26.1.0"
    )
    decision = guard_api.evaluate(seen, step="next-node", target="v26.1.0")
    assert ("visibility", "pass") in {(f.check, f.outcome.value) for f in decision.findings}
    assert [(f.check, f.outcome, f.title) for f in decision.findings] == [
        (f.check, f.outcome, f.title) for f in root.findings
    ]


@pytest.mark.parametrize(
    "name",
    [f"v25.4-to-v26.1/{s}-as-guard" for s in ("01-uniform-old-quiet", "06-mixed-backup-running")],
)
def test_who_is_shown_no_job_of_others_is_asked_for_one_privilege(fake: Fake, name: str) -> None:
    """All VIEW privileges but the one for jobs: the lists are empty, without an error."""
    recording = _sees_jobs_by(name, "role-option-hidden")
    none = {query: recording.table(query).with_rows([]) for query in ("jobs", "show_jobs")}
    seen = decode(snapshots.of(fake, recording.but("none", **none)))
    for step in (s for s in Step if s is not Step.AUTO):
        decision = guard_api.evaluate(
            seen, step=step, target="v25.4.1" if step is Step.VERIFY else None
        )
        assert decision.verdict is not Verdict.ALLOW
        assert ("visibility", "unknown") in {(f.check, f.outcome.value) for f in decision.findings}
        asked = {line for f in decision.findings for line in f.remedy if line.startswith("GRANT")}
        assert asked == {'GRANT SYSTEM VIEWJOB TO "guard";'}


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
