"""Recordings: what a real CockroachDB answered to each query, in one state, for one user."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["DIRECTORY", "NAMES", "Error", "Recording", "Table", "load"]

DIRECTORY: Final = Path(__file__).parent.parent / "data" / "recordings"

NAMES: Final = tuple(
    sorted(str(p.relative_to(DIRECTORY).with_suffix("")) for p in DIRECTORY.glob("*/*.json"))
)
"""All recordings, as ``cluster/state``."""


@dataclass(frozen=True)
class Table:
    """Rows as the server gave them; columns are pairs of name and type."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def with_rows(self, rows: Iterable[Mapping[str, Any]]) -> Table:
        """The same columns with other rows; a column that a row does not name is NULL."""
        return replace(self, rows=tuple(tuple(row.get(n) for n in self.names) for row in rows))

    def without_column(self, name: str) -> Table:
        index = self.names.index(name)
        return Table(
            tuple(c for c in self.columns if c[0] != name),
            tuple(row[:index] + row[index + 1 :] for row in self.rows),
        )

    def with_column(self, name: str, kind: str, value: object) -> Table:
        return Table((*self.columns, (name, kind)), tuple((*row, value) for row in self.rows))

    def update(self, where: Mapping[str, Any], **values: Any) -> Table:
        """Rows that match `where` get the values."""
        rows = self.dicts()
        for row in rows:
            if all(row[name] == wanted for name, wanted in where.items()):
                row.update(values)
        return self.with_rows(rows)


@dataclass(frozen=True)
class Error:
    """The server refused."""

    sqlstate: str
    message: str


@dataclass(frozen=True)
class Recording:
    """One state through one gateway as one user. `queries` maps a query's name to its answer."""

    name: str
    crdb_version: str
    user: str
    clock: str
    queries: Mapping[str, Table | Error] = field(hash=False)

    def table(self, query: str) -> Table:
        answer = self.queries[query]
        assert isinstance(answer, Table), f"{query} was refused in {self.name}"
        return answer

    def but(self, suffix: str, **queries: Table | Error) -> Recording:
        """The same state with some answers changed, under another name."""
        return replace(self, name=f"{self.name}+{suffix}", queries={**self.queries, **queries})


@cache
def load(name: str) -> Recording:
    """Read a recording by its name, such as ``v21.1.11-to-v21.2.0/12-finalized``."""
    data = json.loads((DIRECTORY / f"{name}.json").read_text())
    queries: dict[str, Table | Error] = {}
    for query, answer in data["queries"].items():
        if "error" in answer:
            queries[query] = Error(answer["error"]["sqlstate"], answer["error"]["message"])
        else:
            queries[query] = _table(answer["columns"], answer["rows"])
    return Recording(name, data["crdb_version"], data["user"], data["clock"], queries)


def _table(columns: Sequence[Sequence[str]], rows: Sequence[Sequence[Any]]) -> Table:
    return Table(tuple((c[0], c[1]) for c in columns), tuple(tuple(row) for row in rows))
