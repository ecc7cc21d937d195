"""Where to connect: from URLs, the environment and a certificate directory to single hosts.

Order of precedence: ``--url`` (repeatable), ``GUARD_URL``, ``COCKROACH_URL``, libpq's PG* variables.
TLS: what the URL says wins; without a word from it, certificates at hand mean ``verify-full``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guard.connector.errors import UrlError

__all__ = ["Target", "targets"]

_DEFAULT_PORT: Final = 26257
_URL_SCHEMES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Target:
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
        UrlError: a URL or a parameter that libpq does not understand, or a missing directory.
    """
    directory = certs_dir or environment.get("COCKROACH_CERTS_DIR")
    certificates = Path(directory).expanduser() if directory else None
    if certificates is not None and not certificates.is_dir():
        raise UrlError("the certificate directory does not exist")
    chosen = (
        list(urls)
        or [value for name in ("GUARD_URL", "COCKROACH_URL") if (value := environment.get(name))][:1]
    )
    result: list[Target] = []
    for url in chosen or [""]:
        result.extend(_expand(_parse(url), certificates, environment))
    return result


def _parse(url: str) -> dict[str, str]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.pq import Conninfo

    text = url.strip()
    if text.startswith(("cockroachdb://", "cockroach://")):
        text = "postgresql://" + text.split("://", 1)[1]
    if "://" in text and not text.startswith(_URL_SCHEMES):
        raise UrlError("a URL must begin with postgresql://")
    try:
        given = {k: str(v) for k, v in conninfo_to_dict(text).items() if v is not None}
    except ProgrammingError:
        # libpq's message repeats the part that it could not read, which may be the password.
        raise UrlError(
            "the connection URL cannot be read: check it for a misspelt parameter or for "
            "characters that need percent-encoding (%40 for @, %2F for /)"
        ) from None
    if "service" in given:
        raise UrlError("name the hosts in the URL itself, not by a service; PGSERVICE works")
    service = "PGSERVICE" in os.environ
    environment = {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val is not None
        and option.envvar
        and (service or option.envvar.decode() in os.environ)
    }
    return {k: v for k, v in environment.items() if k in _FROM_ENVIRONMENT} | given


# libpq reads every PG* variable itself; these are the ones that guard has to see before it does.
_FROM_ENVIRONMENT: Final = frozenset(
    {"host", "hostaddr", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey"}
)


def _expand(
    merged: dict[str, str], certificates: Path | None, environment: Mapping[str, str]
) -> list[Target]:
    params = dict(merged)
    hosts = [h.strip() for h in params.pop("host", "").split(",")]
    addresses = params.pop("hostaddr", "")
    ports = params.pop("port", "").split(",")
    params.pop("target_session_attrs", None)  # read-write would refuse the read-only session
    params.pop("load_balance_hosts", None)
    if certificates is not None:
        _use_certificates(params, certificates, environment)
    if "sslmode" not in params:
        params["sslmode"] = "verify-full" if "sslrootcert" in params else "prefer"
    # A hostaddr without a host, and a host without either, are libpq's own forms of "local".
    listed_addresses = addresses.split(",") if addresses else []
    count = max(len(hosts), len(listed_addresses))
    result = []
    for index in range(count):
        host = hosts[index] if index < len(hosts) and hosts[index] else ""
        address = listed_addresses[index] if index < len(listed_addresses) else ""
        port_text = ports[index] if index < len(ports) else ports[0] if len(ports) == 1 else ""
        port = _port(port_text)
        target = dict(params)
        if address:
            target["hostaddr"] = address
        result.append(Target(host or address or "localhost", port, target))
    return result


def _port(text: str) -> int:
    if not text:
        return _DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UrlError("a port must be a number from 1 to 65535")
    return int(text)


def _use_certificates(
    params: dict[str, str], certificates: Path, environment: Mapping[str, str]
) -> None:
    authority = certificates / "ca.crt"
    if authority.is_file():
        params.setdefault("sslrootcert", str(authority))
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
    if certificate.is_file() and key.is_file():
        params.setdefault("sslcert", str(certificate))
        params.setdefault("sslkey", str(key))
