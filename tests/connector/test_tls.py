"""TLS as CockroachDB does it: verified by default, certificates and passwords through it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("trustme", reason="trustme makes the certificates of these tests")

import guard as guard_api
from guard.connector import login
from guard.connector.collect import collect
from guard.connector.connect import connect
from guard.connector.deadline import Deadline
from guard.connector.errors import ConnectFailed
from guard.connector.hosts import targets
from guard.decision.result import Outcome
from guard.snapshot.model import Connection
from tests.building import snapshot as built
from tests.cluster.certificates import Authority
from tests.cluster.fake import Fake
from tests.cluster.hostile import Hostile, message
from tests.cluster.process import GUARD, Run, environment
from tests.connector.test_wire import FINAL
from tests.faults import fault, in_time

CHECK = ("check", "--step", "verify", "--format", "json")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certs") / "ours")
    made.client("root")
    return made


@pytest.fixture(scope="module")
def password_user(fake: Fake) -> str:
    with fake.postgres.connect() as connection:
        connection.execute("CREATE ROLE tls_user LOGIN PASSWORD 'correct-horse'")
    fake.postgres.login_rules("local all tls_user,secured scram-sha-256")
    return "tls_user"


def url_of(port: int, user: str = "root", host: str = "localhost", **parameters: str) -> str:
    query = "&".join(f"{k}={v}" for k, v in parameters.items())
    return f"postgresql://{user}@{host}:{port}/?{query}"


def tls_of(run: Run) -> str:
    (finding,) = [f for f in run.json["findings"] if f["check"] == "connection"]
    tls = finding["evidence"]["tls"]
    assert isinstance(tls, str)
    return tls


@fault("a client certificate and --certs-dir", "logs in with verify-full", 0, group="TLS")
def test_certificates(fake: Fake, authority: Authority) -> Run:
    server = authority.server("localhost", "127.0.0.1", wants_certificate=True)
    with fake.gateway(FINAL, tls=server, certificate_names_user=True) as gateway:
        run = in_time(
            *CHECK, "--url", url_of(gateway.port), "--certs-dir", str(authority.directory), seconds=20
        )
    assert tls_of(run) == "verify-full"
    return run


def test_certs_dir_from_the_environment(fake: Fake, authority: Authority) -> None:
    server = authority.server("localhost", wants_certificate=True)
    with fake.gateway(FINAL, tls=server, certificate_names_user=True) as gateway:
        env = {"COCKROACH_CERTS_DIR": str(authority.directory), "PGPORT": str(gateway.port)}
        run = in_time(*CHECK, seconds=20, env=env | {"PGHOST": "localhost"})
    assert run.code == 0, run
    assert tls_of(run) == "verify-full"


@fault("a password (SCRAM) through verified TLS", "logs in", 0, group="TLS")
def test_password_through_tls(fake: Fake, authority: Authority, password_user: str) -> Run:
    with fake.gateway(FINAL, tls=authority.server("localhost")) as gateway:
        url = url_of(gateway.port, password_user, sslrootcert=str(authority.directory / "ca.crt"))
        run = in_time(*CHECK, "--url", url, seconds=20, env={"PGPASSWORD": "correct-horse"})
    assert tls_of(run) == "verify-full", "a root certificate at hand means verify-full"
    return run


def at_once(run: Run, connections: int) -> Run:
    assert connections <= 2, "tried again, although that cannot change"  # localhost has two addresses
    assert "certificate" in run.out or "ssl" in run.out.lower()
    return run


@fault("the server's certificate is of another authority", "UNKNOWN at once", 11, group="TLS")
def test_wrong_authority(fake: Fake, authority: Authority, tmp_path: Path) -> Run:
    other = Authority(tmp_path / "theirs")
    with fake.gateway(FINAL, tls=other.server("localhost")) as gateway:
        run = in_time(
            *CHECK, "--url", url_of(gateway.port), "--certs-dir", str(authority.directory), seconds=20
        )
        assert gateway.statements == []
    return at_once(run, gateway.connections)


@fault("the server's certificate names another host", "UNKNOWN at once", 11, group="TLS")
def test_wrong_host_name(fake: Fake, authority: Authority) -> Run:
    with fake.gateway(FINAL, tls=authority.server("db.example.org")) as gateway:
        run = in_time(
            *CHECK, "--url", url_of(gateway.port), "--certs-dir", str(authority.directory), seconds=20
        )
        assert gateway.statements == []
    return at_once(run, gateway.connections)


@fault("the server's certificate has expired", "UNKNOWN at once", 11, group="TLS")
def test_expired(fake: Fake, authority: Authority) -> Run:
    with fake.gateway(FINAL, tls=authority.server("localhost", expired=True)) as gateway:
        run = in_time(
            *CHECK, "--url", url_of(gateway.port), "--certs-dir", str(authority.directory), seconds=20
        )
        assert gateway.statements == []
    return at_once(run, gateway.connections)


@fault("the server's certificate is revoked", "UNKNOWN at once", 11, group="TLS")
def test_revoked(fake: Fake, authority: Authority, tmp_path: Path) -> Run:
    server, revoked = authority.revoked_server("localhost")
    (tmp_path / "list.crl").write_bytes(revoked)
    with fake.gateway(FINAL, tls=server) as gateway:
        files = {"sslrootcert": f"{authority.directory}/ca.crt", "sslcrl": f"{tmp_path}/list.crl"}
        run = in_time(*CHECK, "--url", url_of(gateway.port, **files), seconds=20)
        assert gateway.statements == []
        without = in_time(
            *CHECK, "--url", url_of(gateway.port, sslrootcert=files["sslrootcert"]), seconds=20
        )
    assert without.code == 0, "the list is what it is refused for"
    return at_once(run, gateway.connections - 1)


@fault("the client's certificate is missing", "UNKNOWN at once", 11, group="TLS")
def test_no_client_certificate(fake: Fake, authority: Authority, tmp_path: Path) -> Run:
    shutil.copy(authority.directory / "ca.crt", tmp_path / "ca.crt")
    server = authority.server("localhost", wants_certificate=True)
    with fake.gateway(FINAL, tls=server) as gateway:
        run = in_time(*CHECK, "--url", url_of(gateway.port), "--certs-dir", str(tmp_path), seconds=20)
    return at_once(run, gateway.connections)


@fault("the client's certificate names another user", "UNKNOWN at once", 11, group="TLS")
def test_certificate_of_another_user(fake: Fake, authority: Authority) -> Run:
    server = authority.server("localhost", wants_certificate=True)
    files = authority.directory
    with fake.gateway(FINAL, tls=server, certificate_names_user=True) as gateway:
        url = url_of(
            gateway.port, "low", sslrootcert=f"{files}/ca.crt", sslcert=f"{files}/client.root.crt",
            sslkey=f"{files}/client.root.key",
        )  # fmt: skip
        run = in_time(*CHECK, "--url", url, seconds=20)
    return at_once(run, gateway.connections)


@fault("the server offers no TLS and the client demands it", "UNKNOWN, no fall-back", 11, group="TLS")
def test_no_downgrade(fake: Fake, authority: Authority) -> Run:
    with fake.gateway(FINAL) as gateway:
        run = in_time(
            *CHECK, "--url", url_of(gateway.port), "--certs-dir", str(authority.directory), seconds=20
        )
        assert gateway.startups == [], "logged in without TLS"
    return at_once(run, gateway.connections)


@pytest.mark.parametrize("asks", [message(b"R", struct.pack("!i", 3)),
                                  message(b"R", struct.pack("!i", 5) + b"salt")],
                         ids=["clear text", "MD5"])  # fmt: skip
@pytest.mark.parametrize("more", ["", "require_auth=password,md5", "require_auth=!gss"])
def test_no_password_in_clear_to_one_who_offers_no_tls(
    asks: bytes, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands in between says that he knows no TLS, and asks."""
    monkeypatch.setattr(login, "stays_here", lambda *_: False)
    with Hostile(lambda _: iter([asks]), login=False, offers_no_tls=True) as server:
        url = server.url.replace("root@", "root:correct-horse@").replace("?sslmode=disable", "?")
        with pytest.raises(ConnectFailed, match="no TLS") as failed:
            connect(targets([url + more], {"HOME": "/x"}), Deadline.after(60))
        heard = b"".join(server.heard)
    assert failed.value.permanent
    assert b"correct-horse" not in heard
    assert b"p\0" not in heard, "a password message was sent"


@pytest.mark.parametrize("url", ["root:correct-horse@", "root@"])
def test_an_insecure_cluster_is_reached_with_a_password_at_hand(
    fake: Fake, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "stays_here", lambda *_: False)
    with fake.gateway(FINAL) as gateway:
        plain = gateway.url().replace("root@", url).replace("sslmode=disable", "")
        snapshot = collect(targets([plain], {"HOME": "/x"}), 20)
    assert isinstance(snapshot.connection, Connection), snapshot.connection
    assert snapshot.connection.tls == "off"


@pytest.mark.parametrize("sslmode", ["disable", "allow"])
def test_who_asks_for_no_encryption_gets_none(sslmode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "stays_here", lambda *_: False)
    asks = message(b"R", struct.pack("!i", 3))
    with Hostile(lambda _: iter([asks]), login=False, offers_no_tls=True) as server:
        url = server.url.replace("root@", "root:correct-horse@").replace("disable", sslmode)
        collect(targets([url], {"HOME": "/x"}), 1)
        assert b"correct-horse" in b"".join(server.heard)


@fault("an encrypted client key", "UNKNOWN at once; the terminal is not asked", 11, group="TLS")
def test_an_encrypted_key(fake: Fake, authority: Authority, tmp_path: Path) -> Run:
    """Nobody answers at a terminal or at standard input: asking there would never end."""
    certificates = tmp_path / "certs"
    shutil.copytree(authority.directory, certificates)
    (certificates / "client.root.key").write_bytes(encrypted(certificates / "client.root.key"))
    (certificates / "client.root.key").chmod(0o600)
    server = authority.server("localhost", wants_certificate=True)
    reading, writing = os.pipe()
    try:
        with fake.gateway(FINAL, tls=server) as gateway:
            done = subprocess.run(
                [*GUARD, *CHECK, "--url", url_of(gateway.port), "--certs-dir", str(certificates),
                 "--timeout", "20s"],
                stdin=reading, capture_output=True, text=True, env=environment(), timeout=60,
                check=False, start_new_session=True,
            )  # fmt: skip
    finally:
        os.close(reading)
        os.close(writing)
    assert "pass phrase" not in done.stderr.lower()
    assert "sslpassword" in done.stdout
    return at_once(Run(done.returncode, done.stdout, done.stderr), gateway.connections)


def test_the_passphrase_of_a_key(fake: Fake, authority: Authority, tmp_path: Path) -> None:
    key = tmp_path / "client.root.key"
    key.write_bytes(encrypted(authority.directory / key.name))
    key.chmod(0o600)
    server = authority.server("localhost", wants_certificate=True)
    with fake.gateway(FINAL, tls=server, certificate_names_user=True) as gateway:
        files = {name: str(authority.directory / f) for name, f in
                 (("sslrootcert", "ca.crt"), ("sslcert", "client.root.crt"))}  # fmt: skip
        url = url_of(gateway.port, sslkey=str(key), sslpassword="right", **files)
        snapshot = collect(targets([url], {}), 20)
    assert isinstance(snapshot.connection, Connection)


def encrypted(key: Path) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    plain = form.load_pem_private_key(key.read_bytes(), None)
    return plain.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"right")
    )


def test_what_the_url_says_wins(authority: Authority) -> None:
    (target,) = targets(
        ["postgresql://root@h/?sslmode=require"], {}, certs_dir=str(authority.directory)
    )
    assert target.sslmode == "require"
    assert target.params["sslcert"].endswith("client.root.crt")


@pytest.mark.parametrize(
    ("host", "tls", "outcome"),
    [
        ("db.example.org", "off", Outcome.WARN),
        ("10.0.0.1", "off", Outcome.WARN),
        ("db.example.org", "prefer", Outcome.WARN),
        ("db.example.org", "require", Outcome.WARN),
        ("db.example.org", "verify-full", Outcome.PASS),
        ("127.0.0.1", "off", Outcome.PASS),
        ("::1", "off", Outcome.PASS),
        ("localhost", "off", Outcome.PASS),
        ("/tmp", "off", Outcome.PASS),
        ("localhost.evil.example", "off", Outcome.WARN),
        ("127.0.0.1.evil.example", "off", Outcome.WARN),
    ],
)
def test_a_connection_that_is_not_verified_is_a_warning(host: str, tls: str, outcome: Outcome) -> None:
    snapshot = built(host=host, tls=tls)
    assert isinstance(snapshot.connection, Connection)
    decision = guard_api.evaluate(snapshot, step="verify")
    (finding,) = [f for f in decision.findings if f.check == "connection"]
    assert finding.outcome is outcome
