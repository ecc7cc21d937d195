"""Where to connect: from URLs, the environment and a certificate directory to single hosts.

Order of precedence: ``--url`` (repeatable), ``GUARD_URL``, ``COCKROACH_URL``, libpq's PG* variables.
TLS: what the URL says wins; without a word from it, certificates at hand mean ``verify-full``.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from guard.connector.errors import UrlError
from guard.connector.local_files import refuse_endless_files

__all__ = ["Target", "holds_password", "targets"]

_DEFAULT_PORT: Final = 26257
_URL_SCHEMES: Final = ("postgresql://", "postgres://")


class Target(msgspec.Struct, frozen=True):
    """One host to try, with the libpq parameters for it. `params` may hold a password: no repr."""

    host: str
    port: int
    params: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Target({self.host}:{self.port})"

    @property
    def sslmode(self) -> str:
        """libpq's sslmode for this target."""
        return self.params.get("sslmode", "prefer")


def targets(
    urls: Sequence[str],
    environment: Mapping[str, str],
    certs_dir: str | None = None,
) -> list[Target]:
    """All hosts to try, in order.

    Args:
        urls: what was given with ``--url``; each may name several hosts.
        environment: the process environment.
        certs_dir: a directory as ``cockroach cert`` makes it; None for ``COCKROACH_CERTS_DIR``.

    Raises:
        UrlError: a URL or a parameter that libpq does not understand, or a directory without
            certificates.
    """
    if any(not url.strip() for url in urls):
        raise UrlError("--url is empty: a variable that is not set?")
    chosen = (
        list(urls)
        or [value for name in ("GUARD_URL", "COCKROACH_URL") if (value := environment.get(name))][:1]
    )
    certificates = _certificate_directory(certs_dir or environment.get("COCKROACH_CERTS_DIR"))
    result: list[Target] = []
    for url in chosen or [""]:
        merged = _parse(url, environment, verified=certificates is not None)
        result.extend(_expand(merged, certificates, environment))
    return result


def _certificate_directory(directory: str | None) -> Path | None:
    if not directory:
        return None
    try:
        path = Path(directory).expanduser()
        next(path.iterdir(), None)
    except RuntimeError:  # ~name, and there is no such user
        raise UrlError("the certificate directory cannot be read: ~ stands for no directory") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a directory"
        raise UrlError(f"the certificate directory cannot be read: {why}") from None
    return path


def _given(url: str) -> dict[str, str]:
    """What a URL or a conninfo string says itself."""
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    text = url.strip()
    if text.startswith(("cockroachdb://", "cockroach://")):
        text = "postgresql://" + text.split("://", 1)[1]
    if "://" in text and "=" not in text.split("://", 1)[0] and not text.startswith(_URL_SCHEMES):
        raise UrlError("a URL must begin with postgresql://")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UrlError("the connection URL holds bytes that are not UTF-8") from None
    try:
        given = {k: str(v) for k, v in conninfo_to_dict(text).items() if v is not None}
    except (Error, ValueError):
        # libpq's message repeats the part that it could not read, which may be the password.
        raise UrlError(
            "the connection URL cannot be read: check it for a misspelt parameter or for "
            "characters that need percent-encoding (%40 for @, %2F for /)"
        ) from None
    _refuse_pieces_of_a_password(given, is_url=text.startswith(_URL_SCHEMES))
    return given


def _parse(url: str, environment: Mapping[str, str], *, verified: bool) -> dict[str, str]:
    given = _given(url)
    named = given.pop("service", None) or environment.get("PGSERVICE")
    # As libpq has it: what is given, then the service, then the environment.
    merged = _from_environment(environment)
    if named:
        from guard.connector.service_file import service_parameters

        merged |= service_parameters(named, environment)
    if verified and "sslmode" not in given:
        _refuse_weaker(merged.get("sslmode"))
    merged |= given
    _refuse_pieces_of_a_password(merged, is_url=False)
    _refuse_misspelt(merged)
    return merged


def _refuse_pieces_of_a_password(given: Mapping[str, str], *, is_url: bool) -> None:
    """An @ or / that was not percent-encoded puts a part of the password where it would be printed."""
    hosts = given.get("host", "").split(",")
    wrong = any(not _is_host(host.strip()) for host in hosts)
    if wrong or (is_url and "@" in given.get("dbname", "")):
        raise UrlError(
            "the host in the connection URL is none: characters of the user or the password need "
            "percent-encoding (%40 for @, %2F for /, %3A for :, %3F for ?)"
        )


def _is_host(host: str) -> bool:
    if host.startswith(("/", "@")):
        return True  # a Unix socket
    return all(character.isalnum() or character in "-._:%" for character in host)


def _refuse_weaker(sslmode: str | None) -> None:
    """What was set for other programs does not take back what a certificate directory asks for."""
    if sslmode in _CHOICES["sslmode"] - {"verify-full"}:
        raise UrlError(
            f"sslmode={sslmode}, from PGSSLMODE or a service, verifies less than a certificate "
            "directory asks for: leave one of them out, or say sslmode in --url"
        )


# libpq reads every PG* variable itself; these are the ones that guard has to see before it does.
_FROM_ENVIRONMENT: Final = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGDATABASE": "dbname",
    "PGSSLMODE": "sslmode",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
    "PGOPTIONS": "options",
}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {
        keyword: value
        for name, keyword in _FROM_ENVIRONMENT.items()
        if (value := environment.get(name))
    }
    for name, value in found.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UrlError(f"{name} in the environment holds bytes that are not UTF-8") from None
    return found


_CHOICES: Final[dict[str, frozenset[str]]] = {
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "sslnegotiation": frozenset({"postgres", "direct"}),
    "channel_binding": frozenset({"disable", "prefer", "require"}),
    "gssencmode": frozenset({"disable", "prefer", "require"}),
    "target_session_attrs": frozenset(
        {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}
    ),
    "load_balance_hosts": frozenset({"disable", "random"}),
    "sslcertmode": frozenset({"disable", "allow", "require"}),
}


def _refuse_misspelt(params: Mapping[str, str]) -> None:
    for name, choices in _CHOICES.items():
        if params.get(name, "") not in ("", *choices):
            raise UrlError(f"{name} must be one of {', '.join(sorted(choices))}")
    if params.get("sslrootcert") == "system":
        _refuse_system_certificates()


def _refuse_system_certificates() -> None:
    from psycopg import pq

    if pq.__impl__ == "binary" and not (os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}):
        raise UrlError(
            "sslrootcert=system cannot work with the OpenSSL inside psycopg's binary package, which "
            "does not know where this system keeps its certificates: name the file in SSL_CERT_FILE "
            "(such as /etc/ssl/certs/ca-certificates.crt) or as sslrootcert"
        )


def _expand(
    merged: dict[str, str], certificates: Path | None, environment: Mapping[str, str]
) -> list[Target]:
    params = dict(merged)
    hosts = _listed(params.pop("host", ""))
    addresses = _listed(params.pop("hostaddr", ""))
    ports = [port.strip() for port in params.pop("port", "").split(",")]
    params.pop("target_session_attrs", None)  # read-write would refuse the read-only session
    params.pop("load_balance_hosts", None)
    if certificates is not None:
        _use_certificates(params, certificates, environment)
    if not params.get("sslmode"):
        params["sslmode"] = "verify-full" if "sslrootcert" in params else "prefer"
    refuse_endless_files(params, environment)
    # A hostaddr without a host, and a host without either, are libpq's own forms of "local".
    count = max(len(hosts), len(addresses), 1)
    if hosts and addresses and len(hosts) != len(addresses):
        raise UrlError("there must be as many addresses (hostaddr) as hosts")
    if len(ports) not in (1, count):
        raise UrlError("there must be one port for all hosts, or one for each")
    result = []
    for index in range(count):
        host = hosts[index] if hosts else ""
        address = addresses[index] if addresses else ""
        target = dict(params)
        if address:
            target["hostaddr"] = _address(address)
        port = _port(ports[index] if len(ports) > 1 else ports[0])
        result.append(Target(host or address or "localhost", port, target))
    return result


def _listed(text: str) -> list[str]:
    if not text:
        return []
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise UrlError("a list of hosts has an empty place: a comma too many?")
    return items


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UrlError("hostaddr must be an IP address") from None


def _port(text: str) -> int:
    if not text:
        return _DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise UrlError("a port must be a number from 1 to 65535")
    return int(text)


def _authority(certificates: Path) -> str:
    """The certificate of the authority. Without it the connection would not be verified."""
    try:
        if (certificates / "ca.crt").is_file():
            return str(certificates / "ca.crt")
        lower = (certificates / "certs" / "ca.crt").is_file()
    except OSError:
        raise UrlError("the certificate directory may not be entered") from None
    hint = "; its subdirectory certs has one" if lower else ""
    raise UrlError(f"the certificate directory holds no ca.crt{hint}")


def _use_certificates(
    params: dict[str, str], certificates: Path, environment: Mapping[str, str]
) -> None:
    if "sslrootcert" not in params and params.get("sslmode") != "disable":
        params["sslrootcert"] = _authority(certificates)
    user = params.get("user") or environment.get("PGUSER")
    if user is None:
        # Without a user name take the only client certificate that is there.
        found = sorted(certificates.glob("client.*.crt"))
        if len(found) == 1:
            user = found[0].name[len("client.") : -len(".crt")]
    if user is None:
        return
    params.setdefault("user", user)
    certificate, key = certificates / f"client.{user}.crt", certificates / f"client.{user}.key"
    try:
        have = certificate.is_file(), key.is_file()
    except (OSError, ValueError):
        raise UrlError("the certificate directory may not be entered") from None
    if all(have):
        params.setdefault("sslcert", str(certificate))
        params.setdefault("sslkey", str(key))
    elif any(have) and "sslcert" not in params:
        missing = "its certificate" if have[1] else "its key"
        raise UrlError(f"the certificate directory holds client.{user}.* without {missing}")


def holds_password(url: str) -> bool:
    """True if a URL or conninfo string holds a password: on a command line everybody can read it."""
    try:
        given = _given(url)
    except UrlError:
        return False
    return bool(given.get("password") or given.get("sslpassword"))
