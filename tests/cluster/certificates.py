"""Certificates for a test: an authority of its own, a server, a client, with cockroach's file names."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import trustme

__all__ = ["Authority"]


class Authority:
    """A certificate authority and the directory a client of it would have."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(str(directory / "ca.crt"))

    def client(self, user: str) -> None:
        """Put a client certificate that names the user beside ca.crt."""
        leaf = self._authority.issue_cert(f"{user}@example.org", common_name=user)
        certificate, key = (self.directory / f"client.{user}.{end}" for end in ("crt", "key"))
        leaf.cert_chain_pems[0].write_to_path(str(certificate))
        leaf.private_key_pem.write_to_path(str(key))
        key.chmod(0o600)

    def server(
        self, *names: str, expired: bool = False, wants_certificate: bool = False
    ) -> ssl.SSLContext:
        """A context for a server of these names."""
        now = dt.datetime.now(dt.UTC)
        leaf = self._authority.issue_cert(
            *names,
            not_before=now - dt.timedelta(days=30),
            not_after=now + dt.timedelta(days=-1 if expired else 30),
        )
        context = self._context(leaf)
        context.verify_mode = ssl.CERT_REQUIRED if wants_certificate else ssl.CERT_OPTIONAL
        return context

    def revoked_server(self, *names: str) -> tuple[ssl.SSLContext, bytes]:
        """A context for a server whose certificate is revoked, and the list that says so."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        now = dt.datetime.now(dt.UTC)
        leaf = self._authority.issue_cert(*names)
        number = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
        key = serialization.load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
        issuer = x509.load_pem_x509_certificate(self._authority.cert_pem.bytes()).subject
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer)
            .last_update(now - dt.timedelta(days=1))
            .next_update(now + dt.timedelta(days=1))
            .add_revoked_certificate(revoked)
            .sign(key, hashes.SHA256())  # type: ignore[arg-type]
        )
        return self._context(leaf), made.public_bytes(serialization.Encoding.PEM)

    def _context(self, leaf: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        self._authority.configure_trust(context)
        return context
