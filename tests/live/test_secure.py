"""A secure cluster: client certificates, passwords over TLS, and what must not be accepted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.live.cluster import Cluster, Report, guard
from tests.live.conftest import MakeCluster

STEP = ("--step", "start", "--target", "v21.2.1", "--format", "json")


def make_certs(executable: Path, directory: Path) -> Path:
    """Certificates as an operator makes them."""
    directory.mkdir()
    key = directory.parent / f"{directory.name}.key"
    for command in (
        ("create-ca",),
        ("create-node", "localhost", "127.0.0.1"),
        ("create-client", "root"),
    ):
        subprocess.run(
            [str(executable), "cert", *command, f"--certs-dir={directory}", f"--ca-key={key}"],
            check=True, capture_output=True,
        )  # fmt: skip
    return directory


def tls(report: Report) -> str:
    [finding] = report.of("connection")
    return str(finding["evidence"]["tls"])


def bare(cluster: Cluster, node: int = 1, user: str = "root") -> str:
    """A URL that says nothing of TLS."""
    return f"postgresql://{user}@{cluster.nodes[node].address}/defaultdb"


@pytest.fixture
def secure(make_cluster: MakeCluster, executables: dict[str, Path], tmp_path: Path) -> Cluster:
    if "v21.1.12" not in executables:
        pytest.skip("there is no cockroach-v21.1.12")
    certs = make_certs(executables["v21.1.12"], tmp_path / "certs")
    return make_cluster("v21.1.12", "v21.2.1", certs=certs)


def test_secure_cluster(secure: Cluster, executables: dict[str, Path], tmp_path: Path) -> None:
    assert secure.certs is not None
    certs = str(secure.certs)

    # Certificates at hand mean verify-full, without another word.
    login = guard("check", "--url", bare(secure), "--certs-dir", certs, *STEP)
    assert login.code in (0, 10), login.summary
    assert tls(login) == "verify-full"
    same = guard("check", *STEP, "--url", bare(secure), env={"COCKROACH_CERTS_DIR": certs})
    assert tls(same) == "verify-full"
    named = guard("check", *STEP, env={"GUARD_URL": secure.url(2)})
    assert tls(named) == "verify-full"

    # A password over TLS that the server proved itself by.
    only_ca = tmp_path / "ca"
    only_ca.mkdir()
    shutil.copy(secure.certs / "ca.crt", only_ca)
    secure.sql("CREATE USER watcher WITH PASSWORD 'open sesame'")
    secure.sql("GRANT admin TO watcher")
    watcher = ("check", *STEP, "--url", bare(secure, user="watcher"), "--certs-dir", str(only_ca))
    right = guard(*watcher, env={"PGPASSWORD": "open sesame"})
    assert right.code in (0, 10), right.summary
    assert tls(right) == "verify-full"
    assert {f["outcome"] for f in right.of("visibility")} == {"pass"}
    assert "sesame" not in right.stdout + right.stderr
    for password in ("open barley", None):
        env = {} if password is None else {"PGPASSWORD": password}
        wrong = guard(*watcher, env=env).expect(11)
        assert wrong.seconds < 10, "what cannot change is not tried again"
        assert "barley" not in wrong.stdout + wrong.stderr

    # A server that somebody else's authority vouches for, and one asked without TLS.
    other = make_certs(executables["v21.1.12"], tmp_path / "other")
    foreign = guard("check", *STEP, "--url", bare(secure), "--certs-dir", str(other)).expect(11)
    assert foreign.seconds < 10
    assert "certificate" in foreign.text("visibility").lower()
    plain = guard("check", *STEP, "--url", bare(secure) + "?sslmode=disable").expect(11)
    assert plain.seconds < 10

    # And the whole way works over TLS.
    secure.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
    secure.roll(1, "v21.2.1")
    secure.guard("--target", "v21.2.1").expect(0)
