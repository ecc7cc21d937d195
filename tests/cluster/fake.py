"""The fake CockroachDB: recordings as databases of one PostgreSQL server, each behind a proxy."""

from __future__ import annotations

import re
from typing import Any

from psycopg import sql

from tests.cluster.database import fill
from tests.cluster.postgres import Postgres
from tests.cluster.proxy import Proxy
from tests.cluster.recording import Recording, load

__all__ = ["Fake"]

_USERS = ("root", "low", "ctl", "setter")


class Fake:
    """Makes a gateway of a recording; databases are kept and used again."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self._databases: dict[str, str] = {}
        with postgres.connect() as connection:
            for user in _USERS:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))

    def database(self, recording: Recording | str) -> str:
        """The name of the database that holds a recording, by the recording's name."""
        if isinstance(recording, str):
            recording = load(recording)
        if recording.name not in self._databases:
            slug = re.sub(r"[^a-z0-9]+", "_", recording.name.lower())[-40:]
            name = f"r{len(self._databases)}_{slug}"
            with self.postgres.connect() as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            with self.postgres.connect(name) as connection:
                fill(connection, recording)
            self._databases[recording.name] = name
        return self._databases[recording.name]

    def gateway(self, recording: Recording | str, **options: Any) -> Proxy:
        """A proxy, to be used in a ``with``, that answers what the recording holds."""
        if isinstance(recording, str):
            recording = load(recording)
        options.setdefault("crdb_version", recording.crdb_version)
        return Proxy(self.postgres.socket, self.database(recording), **options)
