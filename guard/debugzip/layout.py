"""Which entry of the archive holds which table, release by release.

::

    debug/crdb_internal.jobs.txt              once for the cluster, as the gateway saw it
    debug/nodes/1/crdb_internal.gossip_nodes.txt   once for each node, as that node saw it
    debug/cluster/NAME/...                    the same again for each virtual cluster (v23.1 and later)

- The ending is ``.txt`` for tab-separated values, else the name that ``--format`` had: csv, json,
  ndjson (v24.1 and later) are read, the formats for people are not.
- An error stands in ``NAME.err.txt`` beside the table (v20.2 and later), which may then be empty or
  end in its middle; up to v20.1 the error's text stands in the table's own file.
- After a retry the rows are in ``TABLE.1.txt`` and so on, after another query in
  ``TABLE.fallback.txt``; the file before each has an error beside it.
- Whoever packed the folder again may have put it into other folders: the top is found by its tables.

Source: pkg/cli/zip.go, zip_cluster_wide.go, zip_per_node.go and zip_table_registry.go of v20.1,
v21.1, v22.1, v23.1 and the development code of 2025, pkg/cli/testdata/zip, and real archives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from guard.debugzip.errors import DebugZipError

__all__ = ["Layout", "TableFile", "find_layout"]

FORMATS: Final = {"txt": "tsv", "csv": "csv", "json": "json", "ndjson": "ndjson"}
"""Endings of table files that guard reads, and how."""

_LANDMARKS: Final = (
    "crdb_internal.cluster_settings",
    "crdb_internal.jobs",
    "crdb_internal.kv_node_status",
)
_TABLE: Final = re.compile(
    rf"(?P<top>(?:[^/]+/)*?)(?:{'|'.join(re.escape(name) for name in _LANDMARKS)})\.(?P<format>\w+)",
    re.ASCII,
)
_NODE: Final = re.compile(r"nodes/([1-9][0-9]{0,9})/[^/]+")
_VIRTUAL: Final = re.compile(r"(?:^|/)cluster/[^/]+/$")
_MOST_RETRIES: Final = 5


@dataclass(frozen=True, slots=True)
class TableFile:
    """Where the rows of a table are.

    Attributes:
        table: the table's name, for messages.
        entry: the entry with the rows; None if there is none.
        error: the entry with the server's error; None if there was none.
        how: tsv, csv, json or ndjson.
    """

    table: str
    entry: str | None
    error: str | None
    how: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How this archive is laid out.

    Attributes:
        top: the folder of the cluster's tables, with a slash at its end.
        ending: of the files with tables.
        nodes: the nodes that have a folder, by id.
        virtual_clusters: names of the virtual clusters that are in it beside the system's.
    """

    top: str
    ending: str
    nodes: tuple[int, ...]
    virtual_clusters: tuple[str, ...]
    _names: frozenset[str]

    def file(self, name: str, node: int | None = None) -> str:
        """The name of an entry that is no table."""
        return f"{self.top}{self._folder(node)}{name}"

    def table(self, table: str, node: int | None = None) -> TableFile:
        """The file of a table; of one node's view of it if a node is given."""
        base = f"{self.top}{self._folder(node)}{table}"
        error: str | None = None
        tries = ["", *(f".{n}" for n in range(1, _MOST_RETRIES + 1))]
        for suffix in (*tries, *(f".fallback{each}" for each in tries)):
            entry = f"{base}{suffix}.{self.ending}"
            failed = next(
                (e for e in (f"{entry}.err.txt", f"{base}{suffix}.err.txt") if e in self._names), None
            )
            if failed is not None:
                error = failed
            elif entry in self._names:
                return TableFile(table, entry, None, FORMATS[self.ending])
        return TableFile(table, None, error, FORMATS[self.ending])

    @staticmethod
    def _folder(node: int | None) -> str:
        return "" if node is None else f"nodes/{node}/"


def find_layout(names: Iterable[str]) -> Layout:
    """Find the tables in an archive.

    Raises:
        DebugZipError: there are none, or two sets of them, or in a format guard does not read.
    """
    known = frozenset(names)
    found: dict[str, set[str]] = {}
    for name in known:
        match = _TABLE.match(name)
        if match and not _VIRTUAL.search(match["top"]):
            found.setdefault(match["top"], set()).add(match["format"])
    if not found:
        raise DebugZipError(
            "no debug.zip that guard knows: none of "
            f"{', '.join(f'debug/{name}.txt' for name in _LANDMARKS)} is in it, "
            "nor as .csv, .json or .ndjson, nor in another folder"
        )
    if len(found) > 1:
        tops = ", ".join(repr(top[:60]) for top in sorted(found)[:4])
        raise DebugZipError(f"the archive holds the tables of more than one cluster: {tops}")
    top, formats = next(iter(found.items()))
    # An error file beside a missing table is named TABLE.err.txt or TABLE.txt.err.txt.
    endings = [ending for ending in FORMATS if ending in formats]
    if not endings:
        raise DebugZipError(
            f"the tables are in a format that guard does not read ({', '.join(sorted(formats))[:80]}): "
            "make the zip without --format, or with tsv, csv, json or ndjson"
        )
    if len(endings) > 1:
        raise DebugZipError(f"the tables are there in more than one format: {', '.join(endings)}")
    inside = [name[len(top) :] for name in known if name.startswith(top)]
    return Layout(
        top=top,
        ending=endings[0],
        nodes=tuple(sorted({int(m[1]) for name in inside if (m := _NODE.match(name))})),
        virtual_clusters=tuple(
            sorted({m[1] for name in inside if (m := re.match(r"cluster/([^/]+)/", name))})
        ),
        _names=known,
    )
