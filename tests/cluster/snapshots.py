"""The snapshots in tests/data/snapshots: what the connector makes of each recording.

``python -m tests.cluster.snapshots`` writes them anew after a change of the connector. A test says
when that is due; nobody edits them by hand.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import msgspec

from guard.connector.collect import collect
from guard.connector.hosts import targets
from guard.snapshot.file import encode
from guard.snapshot.model import Connection, Snapshot
from tests.cluster.fake import Fake
from tests.cluster.postgres import Postgres
from tests.cluster.recording import NAMES, Recording, load

__all__ = ["DIRECTORY", "of", "path_of"]

DIRECTORY: Final = Path(__file__).parent.parent / "data" / "snapshots"


def path_of(name: str) -> Path:
    return DIRECTORY / f"{name}.json"


def of(fake: Fake, recording: Recording | str) -> bytes:
    """The snapshot of a recording as a file, with what differs from run to run made the same."""
    if isinstance(recording, str):
        recording = load(recording)
    clock = dt.datetime.fromisoformat(recording.clock).replace(tzinfo=dt.UTC)
    with fake.gateway(recording) as gateway:
        snapshot = collect(targets([gateway.url(recording.user)], {}), 20, utcnow=lambda: clock)
    return encode(_neutral(snapshot))


def _neutral(snapshot: Snapshot) -> Snapshot:
    connection = snapshot.connection
    assert isinstance(connection, Connection), connection
    attempts = tuple(msgspec.structs.replace(a, port=26257) for a in connection.attempts)
    return msgspec.structs.replace(
        snapshot,
        guard_version="recorded",
        connection=msgspec.structs.replace(connection, port=26257, attempts=attempts),
    )


def main() -> None:
    server = Postgres()
    try:
        fake = Fake(server)
        for name in NAMES:
            path_of(name).parent.mkdir(parents=True, exist_ok=True)
            path_of(name).write_bytes(of(fake, name))
    finally:
        server.close()


if __name__ == "__main__":
    main()
