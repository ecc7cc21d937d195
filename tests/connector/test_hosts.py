"""Where to connect: URLs, services, certificate directories, names with several addresses."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from guard.connector import service_file
from guard.connector.collect import collect
from guard.connector.errors import UrlError
from guard.connector.hosts import holds_password, targets
from guard.snapshot.model import Connection, Unavailable
from tests.cluster.fake import Fake
from tests.cluster.process import Run, guard
from tests.connector.test_wire import FINAL
from tests.faults import fault

_SECRET = "PlantedPassw0rd"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://root:{_SECRET}@more@h/",
        f"postgresql://root:x@{_SECRET}@h/",
        f"postgresql://root:12/{_SECRET}@h/",
        f"postgresql://root@corp:{_SECRET}@h/",
        f"postgresql://root:a b@{_SECRET}/",
    ],
)
@fault("a password with an unescaped @ or / in the URL", "usage error that repeats no part of it", 2,
       group="Secrets")  # fmt: skip
def test_pieces_of_a_password(url: str) -> Run:
    run = guard("check", "--url", url, "--timeout", "1s")
    assert _SECRET not in run.out + run.err
    return run


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("postgresql://h1,/", "comma"),
        ("postgresql://h1,,h2/", "comma"),
        ("postgresql://h1:1,h2:2,h3/?port=1,2", "port"),
        ("host=h1,h2,h3 port=1,2", "port"),
        ("host=h1,h2 hostaddr=10.0.0.1", "hostaddr"),
        ("host=h hostaddr=nowhere", "IP address"),
        ("postgresql://h/?sslmode=verify_full", "sslmode"),
        ("postgresql://h/?channel_binding=yes", "channel_binding"),
        ("postgresql://h/?target_session_attrs=readonly", "target_session_attrs"),
        ("postgresql://h\udcff/", "UTF-8"),
        ("postgresql://h/?service=none-of-these", "service"),
    ],
)
def test_what_libpq_would_refuse_is_a_usage_error(url: str, words: str) -> None:
    with pytest.raises(UrlError, match=words):
        targets([url], {"HOME": "/nonexistent"})


def test_what_the_environment_may_say() -> None:
    assert [t.host for t in targets([], {"GUARD_URL": "", "COCKROACH_URL": "host=h"})] == ["h"]
    (target,) = targets([], {"PGHOST": "h", "PGPORT": "1", "PGOPTIONS": "-ccluster=system"})
    assert (target.host, target.port, target.params["options"]) == ("h", 1, "-ccluster=system")
    assert (
        "target_session_attrs" not in targets(["host=h target_session_attrs=read-write"], {})[0].params
    )


def test_one_port_serves_all_hosts() -> None:
    assert [(t.host, t.port) for t in targets(["host=a,b port=7"], {})] == [("a", 7), ("b", 7)]
    assert [(t.host, t.port) for t in targets(["host=a,b port=7,"], {})] == [("a", 7), ("b", 26257)]


# Service files.


def _service(directory: Path, text: str) -> dict[str, str]:
    file = directory / "pg_service.conf"
    file.write_text(text)
    return {"PGSERVICEFILE": str(file), "PGSERVICE": "mine"}


def test_a_service_turns_no_verification_off(tmp_path: Path) -> None:
    certificates = tmp_path / "certs"
    certificates.mkdir()
    (certificates / "ca.crt").touch()
    environment = _service(tmp_path, "# a comment\n[other]\nhost=wrong\n[mine]\nhost=db\nuser=app\n")
    (target,) = targets([], environment, str(certificates))
    assert (target.host, target.port, target.sslmode) == ("db", 26257, "verify-full")
    assert target.params["user"] == "app"


def test_a_service_stands_between_the_url_and_the_environment(tmp_path: Path) -> None:
    environment = _service(tmp_path, "[mine]\nhost=db\nuser=app\nsslmode=require\n")
    (target,) = targets(
        ["postgresql://other/"], environment | {"PGUSER": "env", "PGSSLMODE": "disable"}
    )
    assert (target.host, target.params["user"], target.sslmode) == ("other", "app", "require")


@pytest.mark.parametrize(
    "text",
    [
        "[mine]\nnonsense\n",
        "[mine]\nservice=again\n",
        "[other]\n",
        "[mine\nhost=h\n",
        f"[mine]\nnonsense={_SECRET}\n",
        f"[mine]\npassword = {_SECRET}\n",
        f"[mine]\npassword={_SECRET}\0\n",
        f"[mine]\npassword={_SECRET}\xff\n",
        f"[mine]\nldap://h/o=x?{_SECRET}=1\n",
        f"[mine]\n{_SECRET}\n",
        "[mine]\n" + "#" * 70_000,
    ],
)
@fault("a service file that libpq would refuse", "usage error that repeats no line of it", 2,
       group="Files")  # fmt: skip
def test_a_service_that_cannot_be_used(tmp_path: Path, text: str) -> Run:
    environment = _service(tmp_path, "")
    Path(environment["PGSERVICEFILE"]).write_bytes(text.encode("latin-1"))
    with pytest.raises(UrlError, match="service"):
        targets([], environment)
    run = guard("check", "--timeout", "1s", env=environment)
    assert _SECRET not in run.out + run.err
    return run


def test_a_service_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    environment = _service(tmp_path, "[mine]\nhost=db\n")
    environment |= {"PGSYSCONFDIR": str(tmp_path), "PGSERVICEFILE": str(tmp_path / "none")}
    with pytest.raises(UrlError, match="PGSERVICEFILE"):
        targets([], environment)


def test_the_users_service_file_comes_before_the_systems(tmp_path: Path) -> None:
    for directory, host in (("home", "users"), ("etc", "systems")):
        (tmp_path / directory).mkdir()
        name = ".pg_service.conf" if directory == "home" else "pg_service.conf"
        (tmp_path / directory / name).write_text(f"[mine]\nhost={host}\n")
    (tmp_path / "etc" / "pg_service.conf").write_text("[mine]\nhost=systems\n[more]\nhost=also\n")
    environment = {"HOME": str(tmp_path / "home"), "PGSYSCONFDIR": str(tmp_path / "etc")}
    for service, host in (("mine", "users"), ("more", "also")):
        assert [t.host for t in targets([], environment | {"PGSERVICE": service})] == [host]
    nobody = {"HOME": "/nonexistent", "PGSYSCONFDIR": str(tmp_path / "etc"), "PGSERVICE": "mine"}
    assert [t.host for t in targets([], nobody)] == ["systems"]


def test_the_directory_compiled_into_libpq_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    package = importlib.util.find_spec("psycopg_binary")
    if package is None or package.origin is None or psycopg.pq.__impl__ != "binary":
        pytest.skip("libpq is not the one of psycopg's binary package")
    libraries = (Path(package.origin).parents[1] / "psycopg_binary.libs").glob("libpq*")
    compiled = [path for path in service_file._SYSTEM_DIRECTORIES if path != "/etc"]
    assert any(path.encode() in file.read_bytes() for file in libraries for path in compiled[:1])
    (tmp_path / "pg_service.conf").write_text("[mine]\nhost=systems\n")
    monkeypatch.setattr(service_file, "_SYSTEM_DIRECTORIES", ("/nonexistent", str(tmp_path)))
    (target,) = targets([], {"HOME": "/nonexistent", "PGSERVICE": "mine"})
    assert target.host == "systems"


def test_libpq_does_not_look_the_service_up_again(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that is not the one compiled into libpq: it would find no such service."""
    monkeypatch.setattr(service_file, "_SYSTEM_DIRECTORIES", (str(tmp_path),))
    with fake.gateway(FINAL) as gateway:
        text = f"[mine]\nhost=127.0.0.1\nport={gateway.port}\nuser=root\nsslmode=disable\n"
        (tmp_path / "pg_service.conf").write_text(text)
        monkeypatch.setenv("HOME", "/nonexistent")
        monkeypatch.setenv("PGSERVICE", "mine")
        monkeypatch.delenv("PGSERVICEFILE", raising=False)
        monkeypatch.delenv("PGSYSCONFDIR", raising=False)
        snapshot = collect(targets([], dict(os.environ)), 20)
        assert os.environ["PGSERVICE"] == "mine", "the next look needs it"
    assert isinstance(snapshot.connection, Connection)


def test_a_look_beside_it_still_sees_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many clusters looked at together none may miss what its service says, least the sslmode."""
    monkeypatch.setenv("PGSERVICE", "mine")
    with ThreadPoolExecutor(1) as other:
        with service_file.service_is_read():
            assert "PGSERVICE" not in os.environ
            seen = other.submit(service_file.environment_of_process)
            assert not wait([seen], timeout=0.1).done
        assert seen.result()["PGSERVICE"] == "mine"


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require", "verify-ca"])
@pytest.mark.parametrize("where", ["a service", "PGSSLMODE"])
def test_what_is_set_for_other_programs_takes_back_no_verification(
    tmp_path: Path, sslmode: str, where: str
) -> None:
    certificates = _certificates(tmp_path / "certs", "ca.crt")
    environment = {"PGHOST": "db", "PGSSLMODE": sslmode}
    if where == "a service":
        environment = _service(tmp_path, f"[mine]\nhost=db\nsslmode={sslmode}\n")
    with pytest.raises(UrlError, match="verifies less"):
        targets([], environment, certificates)
    (target,) = targets([f"postgresql:///?sslmode={sslmode}"], environment, certificates)
    assert target.sslmode == sslmode, "what the URL says wins"
    assert targets([], environment)[0].sslmode == sslmode


@pytest.mark.parametrize("host", [f"root:{_SECRET}@h", f"{_SECRET}@h"])
def test_pieces_of_a_password_in_a_service_or_the_environment(tmp_path: Path, host: str) -> None:
    for environment in (_service(tmp_path, f"[mine]\nhost={host}\n"), {"PGHOST": host}):
        with pytest.raises(UrlError) as refused:
            targets([], environment)
        assert _SECRET not in str(refused.value)


# Certificate directories.


def _certificates(directory: Path, *names: str) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).touch()
    return str(directory)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "no ca.crt"),
        (("client.root.crt", "client.root.key"), "no ca.crt"),
        (("ca.crt", "client.root.crt"), "without its key"),
        (("ca.crt", "client.root.key"), "without its certificate"),
    ],
)
def test_a_certificate_directory_that_lacks_something(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UrlError, match=words):
        targets(["postgresql://root@h/"], {}, _certificates(tmp_path / "certs", *names))


def test_a_certificate_directory_one_level_too_high(tmp_path: Path) -> None:
    _certificates(tmp_path / "certs", "ca.crt")
    with pytest.raises(UrlError, match="subdirectory certs"):
        targets(["postgresql://root@h/"], {}, str(tmp_path))


def test_a_url_that_needs_no_certificates_does_not_ask_for_them(tmp_path: Path) -> None:
    directory = _certificates(tmp_path / "certs")
    (target,) = targets(["postgresql://root@h/?sslmode=disable"], {"COCKROACH_CERTS_DIR": directory})
    assert target.sslmode == "disable"


@fault("a certificate directory without ca.crt, or one level too high", "usage error, no fall-back", 2,
       group="TLS")  # fmt: skip
def test_no_silent_fall_back(tmp_path: Path) -> list[Run]:
    _certificates(tmp_path / "certs", "ca.crt")
    options = ("--url", "postgresql://root@127.0.0.1:1/", "--timeout", "1s")
    return [
        guard("check", *options, "--certs-dir", str(tmp_path)),
        guard("check", *options, "--certs-dir", _certificates(tmp_path / "empty")),
    ]


@pytest.mark.parametrize("name", ["passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl"])
@fault("a FIFO as a certificate, a key or a file of passwords",
       "usage error at once: libpq would wait for ever", 2, group="Files")  # fmt: skip
def test_a_fifo_among_the_files_of_a_login(tmp_path: Path, name: str) -> list[Run]:
    fifo, default = tmp_path / "fifo", tmp_path / dict(_DEFAULTS)[name]
    default.parent.mkdir(exist_ok=True)
    os.mkfifo(fifo)
    os.mkfifo(default)
    url = "postgresql://root@127.0.0.1:1/?sslmode=require"
    return [
        guard("check", "--url", f"{url}&{name}={fifo}", "--timeout", "1s"),
        guard("check", "--url", url, "--timeout", "1s", env={"HOME": str(tmp_path)}),
        guard("check", "--url", url, "--timeout", "1s", env={f"PG{name.upper()}": str(fifo)}),
    ]


_DEFAULTS = (
    ("passfile", ".pgpass"),
    ("sslrootcert", ".postgresql/root.crt"),
    ("sslcert", ".postgresql/postgresql.crt"),
    ("sslkey", ".postgresql/postgresql.key"),
    ("sslcrl", ".postgresql/root.crl"),
)


@pytest.mark.parametrize("content", [None, b"", b"garbage", "certificate"])
@pytest.mark.parametrize("how", ["in the URL", "in the environment", "a directory"])
@fault("a list of revoked certificates that is missing, empty or none",
       "usage error: libpq would look at none, silently", 2, group="TLS")  # fmt: skip
def test_a_list_of_revoked_certificates_that_is_none(
    tmp_path: Path, content: bytes | str | None, how: str
) -> Run:
    file = tmp_path / "list.crl"
    if content == "certificate":
        trustme = pytest.importorskip("trustme")
        trustme.CA().cert_pem.write_to_path(str(file))
    elif isinstance(content, bytes):
        file.write_bytes(content)
    url = "postgresql://root@127.0.0.1:1/?sslmode=verify-full&sslrootcert=/x"
    env = {"PGSSLCRL": str(file)} if how == "in the environment" else {}
    more = {"in the URL": f"&sslcrl={file}", "a directory": f"&sslcrldir={tmp_path}"}.get(how, "")
    return guard("check", "--url", url + more, "--timeout", "1s", env=env)


@pytest.mark.parametrize("name", [name for name, _ in _DEFAULTS])
@fault("a certificate, a key or a file of passwords of gigabytes",
       "usage error at once: libpq would read it all", 2, group="Files")  # fmt: skip
def test_a_huge_file_among_the_files_of_a_login(tmp_path: Path, name: str) -> Run:
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(10 << 30)  # sparse
    (tmp_path / "huge").chmod(0o600)
    url = f"postgresql://root@127.0.0.1:1/?sslmode=require&{name}={tmp_path / 'huge'}"
    return guard("check", "--url", url, "--timeout", "1s")


def test_libpq_prints_no_name_that_moves_the_terminal(tmp_path: Path) -> None:
    """It warns of a passfile that others may read, past what cleans all that guard writes."""
    passfile = tmp_path / "\x1b[2J\n::error::x"
    passfile.write_text("*:*:*:*:password\n")
    run = guard("check", "--url", "postgresql://root@127.0.0.1:1/", env={"PGPASSFILE": str(passfile)})
    assert run.code == 2
    assert "\x1b" not in run.err
    assert "\n::error" not in run.err


def test_no_file_of_passwords_may_be_said_with_dev_null() -> None:
    for variable in ({"PGPASSFILE": "/dev/null"}, {"PGSSLROOTCERT": "/dev/null"}):
        assert targets(["postgresql://root@h/"], variable)


def test_files_that_are_not_opened_do_not_matter(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    url = f"postgresql://root@h/?sslmode=disable&sslrootcert={tmp_path / 'fifo'}"
    assert targets([url], {})


def test_system_certificates_need_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from psycopg import pq

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    url = "postgresql://root@h/?sslmode=verify-full&sslrootcert=system"
    monkeypatch.setattr(pq, "__impl__", "binary")
    with pytest.raises(UrlError, match="SSL_CERT_FILE"):
        targets([url], {})
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    assert targets([url], {})[0].params["sslrootcert"] == "system"


# Passwords on the command line.


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("postgresql://root@h/", False),
        ("postgresql://root:x@h/", True),
        ("postgresql://root@h/?password=x", True),
        ("postgresql://root:x@h/?service=mine", True),
        ("postgresql://root@h/?sslpassword=x", True),
        ("host=h password=x", True),
        ("nonsense", False),
    ],
)
def test_a_password_in_a_url(url: str, holds: bool) -> None:
    assert holds_password(url) is holds


# Where a name leads.


@pytest.mark.parametrize(
    ("host", "address", "local"),
    [
        ("localhost", None, True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "203.0.113.7", False),
        ("db.example", "127.0.0.1", True),
        ("/run", None, True),
        ("203.0.113.7", None, False),
    ],
)
def test_a_name_says_nothing_about_where_it_leads(host: str, address: str | None, local: bool) -> None:
    connection = Connection(host=host, port=1, server="", build=None, tls="off", address=address)
    assert connection.is_local is local


@contextlib.contextmanager
def _silent(port: int, *addresses: str) -> Iterator[None]:
    """Something listens at these addresses and never answers."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            try:
                stack.enter_context(socket.create_server((address, port)))
            except OSError as error:
                pytest.skip(f"this machine has no address {address}: {error}")
        yield


def _leading_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """A resolver of the test's own."""

    def look(host: str, port: int, **_: Any) -> list[Any]:
        assert host == "db.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look)


@pytest.mark.parametrize("dead", [1, 2, 4])
def test_every_address_of_a_name_gets_its_turn(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, dead: int
) -> None:
    """The last address of a name answers; the ones before it accept and stay silent."""
    silent = [f"127.0.0.{number}" for number in range(2, 2 + dead)]
    _leading_to(monkeypatch, *silent, "127.0.0.1")
    with fake.gateway(FINAL) as gateway, _silent(gateway.port, *silent):
        url = f"postgresql://root@db.example:{gateway.port}/?sslmode=disable"
        snapshot = collect(targets([url], {}), 20)
    assert isinstance(snapshot.connection, Connection)
    assert (snapshot.connection.host, snapshot.connection.address) == ("db.example", "127.0.0.1")


def test_silence_names_every_address_and_the_likely_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        _leading_to(monkeypatch, "127.0.0.1", "127.0.0.2")
        snapshot = collect(targets([f"postgresql://root@db.example:{port}/?sslmode=disable"], {}), 1.0)
    assert isinstance(snapshot.connection, Unavailable)
    assert "127.0.0.1: " in snapshot.connection.message
    assert "127.0.0.2: " in snapshot.connection.message
    assert "quorum" in snapshot.connection.message


def test_the_environment_of_libpq_does_not_choose_the_session(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """read-write would refuse guard's session; a foreign encoding or date style changes no answer."""
    for name, value in {
        "PGTARGETSESSIONATTRS": "read-write",
        "PGCLIENTENCODING": "LATIN1",
        "PGDATESTYLE": "ISO, DMY",
        "PGTZ": "Asia/Tokyo",
    }.items():
        monkeypatch.setenv(name, value)
    with fake.gateway(FINAL) as gateway:
        snapshot = collect(targets([gateway.url()], dict(os.environ)), 20)
    assert isinstance(snapshot.connection, Connection)
    assert not isinstance(snapshot.gossip_nodes, Unavailable)
