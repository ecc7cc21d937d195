"""Through which node the archive was made, as which user, and what build that node ran.

``debug zip`` catches its own session in the act: in the list of sessions there is one that reads the
list of sessions. Where that table is missing the report of problem ranges names the node, and where
all nodes run one build it does not matter which of them it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from guard.debugzip.errors import Unreadable
from guard.debugzip.tables import Tables
from guard.snapshot.model import GossipNodeRow, NodeStatusRow

__all__ = ["Gateway", "build_of_gateway", "find_gateway"]

_SESSIONS: Final = "crdb_internal.cluster_sessions"
_APPLICATION: Final = re.compile(r"\$ (?:internal )?cockroach (?:debug )?zip")
_REPORT: Final = "reports/problemranges.json"
_REPORT_BYTES: Final = 64 * 1024 * 1024
_BUILD: Final = "crdb_internal.node_build_info"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The node that ``debug zip`` was connected to.

    Attributes:
        node_id: its id, None if the archive does not tell.
        user: the SQL user of the session, None if the archive does not tell.
    """

    node_id: int | None
    user: str | None

    def first(self, nodes: tuple[int, ...]) -> tuple[int, ...]:
        """The nodes, the gateway before the others."""
        return tuple(sorted(nodes, key=lambda node: (node != self.node_id, node)))


class _Report(msgspec.Struct):
    node_id: int | None = None


def find_gateway(tables: Tables) -> Gateway:
    """Who made the archive, and through which node."""
    own = set(_own_sessions(tables))
    if len(own) == 1:
        return Gateway(*own.pop())
    return Gateway(_of_report(tables), None)


def _own_sessions(tables: Tables) -> Iterator[tuple[int | None, str | None]]:
    wanted = ("node_id", "user_name", "application_name")
    try:
        for row in tables.rows(
            _SESSIONS, wanted, optional=("active_queries",), parsed=("active_queries",)
        ):
            # Some releases leave the statements out when they redact.
            query = row["active_queries"] or "" if "active_queries" in row else _SESSIONS
            if _APPLICATION.fullmatch(row["application_name"] or "") and _SESSIONS in query:
                node = row["node_id"] or ""
                known = node.isascii() and node.isdigit() and len(node) < 20
                yield int(node) if known else None, row["user_name"]
    except Unreadable:
        return


def _of_report(tables: Tables) -> int | None:
    name = tables.layout.file(_REPORT)
    if name not in tables.archive:
        return None
    try:
        return msgspec.json.decode(tables.archive.read(name, _REPORT_BYTES), type=_Report).node_id
    except (Unreadable, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def build_of_gateway(
    tables: Tables,
    gateway: Gateway,
    nodes: tuple[GossipNodeRow | NodeStatusRow, ...],
) -> tuple[str | None, dict[str, str]]:
    """The gateway's build tag, None if it is not certain, and what else it told of itself."""
    facts: dict[str, str] = {}
    for node in gateway.first(tables.layout.nodes):
        try:
            facts = {
                row["field"] or "": row["value"] or ""
                for row in tables.rows(_BUILD, ("field", "value"), node=node)
            }
        except Unreadable:
            continue
        if node == gateway.node_id:
            return facts.get("Version") or None, facts
        break
    tags = {row.build_tag for row in nodes if gateway.node_id in (None, row.node_id)}
    return (tags.pop() if len(tags) == 1 else None), facts
