"""The fake CockroachDB: recordings as databases of one PostgreSQL server, each behind a proxy."""

from __future__ import annotations

import re
from typing import Any

from psycopg import sql

from guard.connector import statements
from tests.cluster.database import fill, gate
from tests.cluster.postgres import Postgres
from tests.cluster.proxy import Proxy
from tests.cluster.recording import Recording, load

__all__ = ["Fake"]

_USERS = ("root", "low", "ctl", "setter", "guard", "nobody")

_CANNOT_OPEN = {statements.SET_UNSAFE_INTERNALS.sql: "SET compat.allow_unsafe_internals = 1 / 0"}


_KEPT = 24
"""Databases that are kept for another test: most recordings are used once, and each takes 8 MB."""


class Fake:
    """Makes a gateway of a recording; the databases used last are kept and used again."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self._databases: dict[str, str] = {}
        self._made = 0
        with postgres.connect() as connection:
            for user in _USERS:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))

    def database(self, recording: Recording | str) -> str:
        """The name of the database that holds a recording, by the recording's name."""
        if isinstance(recording, str):
            recording = load(recording)
        name = self._databases.pop(recording.name, None) or self._new(recording)
        self._databases[recording.name] = name  # the last one now
        return name

    def _new(self, recording: Recording) -> str:
        self._made += 1
        slug = re.sub(r"[^a-z0-9]+", "_", recording.name.lower())[-40:]
        name = f"r{self._made}_{slug}"
        with self.postgres.connect() as connection:
            while len(self._databases) >= _KEPT:
                old = self._databases.pop(next(iter(self._databases)))
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(old)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with self.postgres.connect(name) as connection:
            fill(connection, recording)
        return name

    def gateway(self, recording: Recording | str, **options: Any) -> Proxy:
        """A proxy, to be used in a ``with``, that answers what the recording holds."""
        if isinstance(recording, str):
            recording = load(recording)
        options.setdefault("crdb_version", recording.crdb_version)
        if gate(recording) is not None:  # and the session may not open it
            options.setdefault("replaced", _CANNOT_OPEN)
        return Proxy(self.postgres.socket, self.database(recording), **options)
