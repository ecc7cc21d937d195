"""Known secrets are planted wherever they can be, and everything guard writes is searched."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from guard.connector.errors import UrlError
from guard.connector.hosts import targets
from guard.connector.redact import LONGEST
from tests.cluster.fake import Fake
from tests.cluster.hostile import Hostile, message
from tests.cluster.process import Run, guard
from tests.cluster.recording import Error, Recording, Table, load
from tests.connector.test_faults import closed_port
from tests.faults import fault

RUNNING = "v21.1.11-to-v21.2.0/06-mixed-backup-running-via-old"

IN_URL = "UrlPassw0rdPlanted"
IN_ENVIRONMENT = "EnvPassw0rdPlanted"
IN_PASSFILE = "FilePassw0rdPlanted"
AWS = "AwsSecretKeyPlanted"
SAS = "SasTokenPlanted"
PASSPHRASE = "PassphrasePlanted"
LICENSE = "crl-0-LicensePlanted"
PASSWORD = "StatementPassw0rdPlanted"
SECRETS = (IN_URL, IN_ENVIRONMENT, IN_PASSFILE, AWS, SAS, PASSPHRASE, LICENSE, PASSWORD)

URI = f"s3://bucket/x?AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE&AWS_SECRET_ACCESS_KEY={AWS}"
BLOB = f"https://a.blob.core.windows.net/c?sv=2020-08-04&sig={SAS}"
STATEMENT = (
    f"BACKUP INTO '{URI}' WITH encryption_passphrase = '{PASSPHRASE}', kms = '{BLOB}'; "
    f"ALTER USER root WITH PASSWORD '{PASSWORD}'"
)


def planted() -> Recording:
    """A cluster with secrets in every text that guard could come across."""
    base = load(RUNNING)

    def every(query: str, **values: Any) -> Any:
        table = base.table(query)
        return table.with_rows([row | values for row in table.dicts()])

    decoded = base.table("system_jobs_decoded")
    jobs = [
        row
        | {
            "payload_json": row["payload_json"] | {"description": STATEMENT, "error": STATEMENT},
            "progress_json": row["progress_json"] | {"runningStatus": STATEMENT},
        }
        for row in decoded.dicts()
    ]
    settings = base.table("cluster_settings").update({"variable": "enterprise.license"}, value=LICENSE)
    settings = settings.update({"variable": "cluster.preserve_downgrade_option"}, value=STATEMENT)
    settings = settings.update({"variable": "jobs.retention_time"}, value=URI)
    return base.but(
        "planted",
        system_jobs_decoded=decoded.with_rows(jobs),
        jobs=every("jobs", description=STATEMENT, statement=STATEMENT, error=STATEMENT,
                   running_status=STATEMENT),
        show_jobs=every("show_jobs", description=STATEMENT, error=STATEMENT, running_status=STATEMENT),
        show_schedules=every("show_schedules", label=f"nightly {STATEMENT}", state=STATEMENT,
                             command={"backup_statement": STATEMENT}),
        gossip_nodes=every("gossip_nodes", locality=f"region={URI}"),
        kv_node_status=every("kv_node_status", locality=f"region={URI}"),
        cluster_settings=settings,
        replication_stats=Error("XX000", f"could not read: {STATEMENT} password={PASSWORD}"),
        kv_store_status=Error("42501", f"user does not have privilege on {URI}"),
    )  # fmt: skip


def clean(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text, f"{secret} was written"


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "text"),
        ("--format", "json"),
        ("-v",),
        ("-v", "--log-format", "json"),
        ("--step", "finalize", "--format", "json", "-v"),
    ],
    ids=" ".join,
)
@fault(
    "passwords, keys, tokens and passphrases in whatever the server sends",
    "never reach report or log", 10, 11, group="Secrets",
)  # fmt: skip
def test_no_secret_in_reports_and_logs(fake: Fake, tmp_path: Path, options: tuple[str, ...]) -> Run:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:*:{IN_PASSFILE}\n")
    passfile.chmod(0o600)
    env = {"PGPASSWORD": IN_ENVIRONMENT, "PGPASSFILE": str(passfile)}
    with fake.gateway(planted()) as gateway:
        url = gateway.url().replace("root@", f"root:{IN_URL}@")
        run = guard("check", "--url", url, *options, env=env)
    clean(run.out, run.err)
    return run


def test_no_secret_in_a_snapshot(fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.json"
    with fake.gateway(planted()) as gateway:
        url = gateway.url().replace("root@", f"root:{IN_URL}@")
        run = guard("collect", "--url", url, "-o", str(file), "-v", "--log-format", "json")
    assert run.code == 0, run
    clean(run.out, run.err, file.read_text())
    assert "<redacted>" in file.read_text()


_BROKEN = (
    f"postgresql://root:{IN_URL}@127.0.0.1:notaport/",
    f"postgresql://root:{IN_URL}%zz@127.0.0.1/",
    f"postgresql://root:{IN_URL}@127.0.0.1/?nonsense=1",
    f"http://root:{IN_URL}@127.0.0.1/",
    f"user=root password={IN_URL} nonsense",
    f"password='{IN_URL}",
)


@pytest.mark.parametrize("url", _BROKEN)
@fault("a URL that cannot be read", "usage error that does not repeat it", 2, group="Secrets")
def test_a_broken_url_is_not_repeated(url: str) -> Run:
    run = guard("check", "--url", url, "--timeout", "3s", "-v")
    clean(run.out, run.err)
    with pytest.raises(UrlError) as raised:
        targets([url], {})
    clean(str(raised.value), repr(raised.value.__cause__))
    return run


def test_no_secret_when_nothing_answers() -> None:
    url = f"postgresql://root:{IN_URL}@127.0.0.1:{closed_port()}/?sslmode=disable"
    run = guard("check", "--url", url, "--timeout", "2s", "-v", env={"PGPASSWORD": IN_ENVIRONMENT})
    assert run.code == 11
    clean(run.out, run.err)


def test_no_secret_when_the_password_is_wrong(fake: Fake) -> None:
    refusal = Error("28P01", f"password authentication failed for user root password={IN_URL}")
    with fake.gateway(load(RUNNING), login_error=refusal) as gateway:
        url = gateway.url().replace("root@", f"root:{IN_URL}@")
        run = guard("check", "--url", url, "--timeout", "3s", "-v")
    assert run.code == 11
    clean(run.out, run.err)


@pytest.mark.parametrize("where", ["in the URL", "in the environment", "in a passfile"])
@fault("the server repeats the password that it was given", "UNKNOWN, without it", 11, group="Secrets")
def test_a_server_that_repeats_the_password(where: str, tmp_path: Path) -> list[Run]:
    """In words that no pattern knows: what libpq logs in with is taken out as it is."""
    passfile = tmp_path / "passwords"
    passfile.write_text(f"*:*:*:*:{IN_PASSFILE}\n")
    passfile.chmod(0o600)
    secret, user, env = {
        "in the URL": (IN_URL, f"root:{IN_URL}", {}),
        "in the environment": (IN_ENVIRONMENT, "root", {"PGPASSWORD": IN_ENVIRONMENT}),
        "in a passfile": (IN_PASSFILE, "root", {"PGPASSFILE": str(passfile)}),
    }[where]
    refusal = message(b"E", f'SFATAL\0C28000\0Mnot {secret} but "{secret}"\0\0'.encode())
    asks = message(b"R", struct.pack("!i", 3))
    during = Hostile(lambda _: iter([asks + refusal]), login=False)
    answer = message(b"1") + refusal.replace(b"FATAL", b"ERROR") + message(b"Z", b"I")
    after = Hostile(lambda _: iter([answer * 99]))
    runs = []
    for server in (during, after):
        with server:
            url = server.url.replace("root@", f"{user}@")
            runs += [
                guard("check", "--url", url, "--timeout", "2s", "-v", "--format", form, env=env)
                for form in ("text", "json")
            ]
            clean(runs[-1].out, runs[-1].err, runs[-2].out, runs[-2].err)
            assert "not <redacted> but" in runs[-2].out
    return runs


def _everywhere(secret: str) -> Recording:
    """A cluster in whose every text the secret stands, also where it will be cut in two."""
    base = load(RUNNING)
    texts = iter([f" {secret}", f" {'x' * (LONGEST - 10)}{secret}", f"{'x' * 30}{secret}"] * 10_000)
    queries = {
        query: answer.with_rows(
            {n: f"{v}{next(texts)}" if n in _texts_of(answer) and v else v for n, v in row.items()}
            for row in answer.dicts()
        )
        for query, answer in base.queries.items()
        if isinstance(answer, Table) and query not in ("node_build_info", "cluster_settings")
    }
    settings = base.table("cluster_settings")
    changed = settings.with_rows(
        row | {"value": f"{row['value']} {secret}"} for row in settings.dicts()
    )
    return base.but("everywhere", **queries, cluster_settings=changed)


def _texts_of(table: Table) -> frozenset[str]:
    return frozenset(name for name, kind in table.columns if kind == "text")


def test_a_password_in_the_rows_of_a_server(fake: Fake, tmp_path: Path) -> None:
    """Whatever a server has the password in, guard neither prints nor stores it, nor a half of it."""
    file = tmp_path / "snapshot.json"
    texts = []
    with fake.gateway(
        _everywhere(IN_URL), crdb_version=f"CockroachDB CCL v21.1.11 (x {IN_URL})"
    ) as gateway:
        url = gateway.url().replace("root@", f"root:{IN_URL}@")
        for form in ("text", "json", "html", "markdown", "junit", "github"):
            run = guard("check", "--url", url, "--format", form, "-v")
            assert run.code in (10, 11), run
            texts += [run.out, run.err]
        assert guard("collect", "--url", url, "-o", str(file), "-v").code == 0
    texts.append(file.read_text())
    assert "<redacted>" in texts[-1]
    for text in texts:
        assert IN_URL[:6] not in text


@pytest.mark.parametrize("piece", [
    message(b"N", f"SNOTICE\0C00000\0Mhello {IN_URL}\x1b[2J\0\0".encode()),
    message(b"S", f"{IN_URL}\0{IN_URL}\0".encode()),
    message(b"S", f"crdb_version\0CockroachDB CCL v21.2.0 {IN_URL}\0".encode()),
    message(b"E", f"SERROR\0C{IN_URL}\0Mno\0\0".encode()),
    message(b"E", f"SERROR\0CXX000\0M{'x' * (LONGEST - 4)}{IN_URL}\0\0".encode()),
    message(b"1") + message(b"E", f"SERROR\0C{IN_URL}\0Mno\0\0".encode()) + message(b"Z", b"I"),
    message(b"A", f"\0\0\0\1{IN_URL}\0{IN_URL}\0".encode()),
])  # fmt: skip
@pytest.mark.parametrize("login", [True, False], ids=["after the login", "during the login"])
def test_a_password_in_any_message_of_a_server(piece: bytes, login: bool) -> None:
    welcome = message(b"R", struct.pack("!i", 0)) + message(b"Z", b"I")
    pieces = [piece * 9] if login else [message(b"R", struct.pack("!i", 3)), piece, welcome]
    with Hostile(lambda _: iter(pieces), login=login) as server:
        url = server.url.replace("root@", f"root:{IN_URL}@")
        run = guard("check", "--url", url, "--timeout", "1s", "-v", "--format", "json")
    assert run.code == 11
    assert IN_URL[:4] not in run.out + run.err
    assert "\x1b" not in run.err


def test_a_target_does_not_show_its_password() -> None:
    (target,) = targets([f"postgresql://root:{IN_URL}@h/"], {})
    assert target.params["password"] == IN_URL
    clean(repr(target), str(target), f"{[target]}")
