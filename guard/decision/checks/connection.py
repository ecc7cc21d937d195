"""Is the way to the cluster encrypted and the server's identity proved?

A gate that can be lied to is no gate. A connection without TLS, or with TLS that does not verify
the certificate's name, to anything but this machine is a warning in every step.

A host that refuses, stays silent or has no address is tried again, since nodes restart during an
upgrade, but for a minute at most, whatever ``--timeout`` says: then there is no connection, which is
unknown. ``--wait`` looks again for longer.

Not applicable to a debug.zip, which nobody connected for. Reads how guard connected. Remedy:
``sslmode=verify-full`` with the cluster's CA certificate, or ``--certs-dir``.
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.decision.check_definition import DOCS, Check
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.snapshot.model import Connection

__all__ = ["CHECK"]


def run(situation: Situation) -> Iterator[Finding]:
    """Yield `pass` for verified TLS or loopback, else `warn`."""
    connection = situation.cluster.snapshot.connection
    if not isinstance(connection, Connection):
        yield CHECK.finding(Outcome.UNKNOWN, "there was no connection", connection.message)
        return
    if connection.source == "debug-zip":
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE, "nothing was connected to: a debug.zip is judged", connection.host
        )
        return
    evidence = {"host": connection.host, "port": connection.port, "tls": connection.tls}
    if connection.tls == "verify-full":
        yield CHECK.finding(Outcome.PASS, "the server was verified by TLS", evidence=evidence)
    elif connection.is_local:
        yield CHECK.finding(Outcome.PASS, "the connection stayed on this machine", evidence=evidence)
    else:
        yield CHECK.finding(
            Outcome.WARN,
            "the connection is not encrypted"
            if connection.tls == "off"
            else f"TLS did not verify the server's name (sslmode={connection.tls})",
            "Whoever sits in between can read the answers and change the verdict.",
            evidence=evidence,
            remedy=("Use sslmode=verify-full with sslrootcert, or --certs-dir.",),
        )


CHECK = Check(
    id="connection",
    title="the connection is encrypted and the server verified",
    reads=("connection",),
    docs=f"{DOCS}/stable/connection-parameters#secure-connections-with-urls",
    explain=__doc__,
    run=run,
)
