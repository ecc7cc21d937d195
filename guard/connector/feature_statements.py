"""The statements that count what the catalog's records ask about; part of the closed list.

Each statement is asked of the gateways where its records can bite, and answers with one row: how many
there are of each thing, under the name that the catalog gives it. No text leaves the server. `more`
says that something was not looked at, so that a count of none is no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from guard.connector.statement import Statement
from guard.versions import Series

__all__ = [
    "DECODE_LIMIT",
    "DESCRIPTOR_LIMIT",
    "ENCRYPTION_22_1",
    "FEATURES",
    "NOSQLLOGIN",
    "SCHEMA_FEATURES",
]

# Decoding a descriptor costs the server about half a millisecond, so that the ones which can matter are
# picked by their bytes first: a field's tag must stand in them (a chance match only costs a decoding).
# What is read and what is decoded is limited, as of ten seconds ago: a schema change that is under way
# never makes guard wait. The predicates are those of the advisories' pages.
DESCRIPTOR_LIMIT: Final = 10000
"""How many descriptors of databases, schemas, tables and types are looked at by their bytes."""

DECODE_LIMIT: Final = 1000
"""How many of them are decoded."""

_REGIONAL: Final = "d->'localityConfig' ? 'regionalByRow'"
_LOCALITY: Final = "h LIKE '%d202%'"  # the tag of a table's field 42, and so on
_FAMILY: Final = "b201[0-9a-f]{2,4}0a"  # field 22, its length, its first field: the name
_FAMILIES: Final = f"h ~ '{_FAMILY}.*{_FAMILY}'"
_PREDICATE: Final = "ba01(0[1-9a-f]|[1-9a-f])"
_INDEXED_WITH: Final = "(SELECT id, d, jsonb_array_elements(d->'indexes') AS i FROM tables) AS indexes"


class _Counted(NamedTuple):
    """One thing to count in the schema.

    `tag`: what must stand in a descriptor's bytes, as hex `h`; `what`: the rows of it, from `tables`.
    """

    name: str
    since: Series
    before: Series
    tag: str
    what: str


_SCHEMA: Final = (
    # A-82576: a sequence's back reference to column 0.
    _Counted(
        "broken-sequence-references",
        Series(21, 2),
        Series(22, 2),
        "h LIKE '%d201%e201%'",
        "tables WHERE d ? 'sequenceOpts' AND d->'dependedOnBy' @> '[{\"columnIds\": [0]}]'"
        " AND d->'dependedOnBy' @> '[{\"byId\": true}]'",
    ),
    # A-190483, A-103220: tables of several column families.
    _Counted(
        "column-families",
        Series(22, 1),
        Series(23, 2),
        _FAMILIES,
        "tables WHERE jsonb_array_length(d->'families') > 1",
    ),
    # A-82079: back references to views that are not there.
    _Counted(
        "dangling-back-references",
        Series(21, 1),
        Series(22, 2),
        "h LIKE '%d201%'",
        "(SELECT DISTINCT id FROM (SELECT id, jsonb_array_elements(d->'dependedOnBy')->>'id' AS ref"
        " FROM tables) AS back WHERE ref::INT8 NOT IN (SELECT id FROM system.namespace)) AS dangling",
    ),
    # A-62842: secondary indexes with lower ids than the primary one. No byte tells them.
    _Counted(
        "indexes-older-than-primary",
        Series(20, 2),
        Series(21, 2),
        "true",
        f"{_INDEXED_WITH} WHERE (i->>'id')::INT8 < (d->'primaryIndex'->>'id')::INT8",
    ),
    # A-166122: partial indexes on tables of several column families.
    _Counted(
        "partial-indexes-on-families",
        Series(23, 2),
        Series(26, 3),
        f"{_FAMILIES} AND h ~ '{_PREDICATE}'",
        f"{_INDEXED_WITH} WHERE i->>'predicate' <> '' AND jsonb_array_length(d->'families') > 1",
    ),
    # A-88047: inverted indexes of partitioned tables, REGIONAL BY ROW ones included.
    _Counted(
        "partitioned-inverted-indexes",
        Series(21, 2),
        Series(23, 1),
        "h ~ '80010188010[01]'",
        "tables WHERE d->'indexes' @> '[{\"type\": \"INVERTED\"}]' AND"
        f" ({_REGIONAL} OR d->'primaryIndex'->'partitioning' ? 'numColumns'"
        " OR d->>'indexes' LIKE '%\"numColumns\":%')",
    ),
    # A-99561: secondary indexes that are marked as primary ones. The primary index comes first.
    _Counted(
        "primary-encoded-secondary-indexes",
        Series(22, 1),
        Series(23, 2),
        "h ~ '90010[0-9a-f]98010[01].*90010[0-9a-f]980101'",
        "tables WHERE d->'indexes' @> '[{\"encodingType\": 1}]' AND NOT d ? 'viewQuery'",
    ),
    # A-73024, A-84144, A-114393.
    _Counted("regional-by-row", Series(21, 1), Series(23, 2), _LOCALITY, f"tables WHERE {_REGIONAL}"),
    # A-74385: partial indexes of one table with the same predicate.
    _Counted(
        "same-predicate-partial-indexes",
        Series(20, 2),
        Series(22, 1),
        f"h ~ '{_PREDICATE}.*{_PREDICATE}'",
        f"(SELECT id FROM {_INDEXED_WITH} WHERE i->>'predicate' <> '' GROUP BY id, i->>'predicate'"
        " HAVING count(*) > 1) AS pairs",
    ),
    # A-79281: constraints that span more than the index that a row is written to.
    _Counted(
        "unique-across-regions",
        Series(21, 1),
        Series(22, 2),
        f"{_LOCALITY} OR h LIKE '%da02%'",
        f"tables WHERE {_REGIONAL} OR jsonb_array_length(d->'uniqueWithoutIndexConstraints') > 0",
    ),
)


def _schema_features() -> Iterator[Statement]:
    """One statement for each span of releases in which the same questions are asked."""
    bounds = sorted({bound for each in _SCHEMA for bound in (each.since, each.before)})
    for since, before in pairwise(bounds):
        asked = [each for each in _SCHEMA if each.since <= since and before <= each.before]
        tags = " OR ".join(f"({each.tag})" for each in asked)
        # v20.2.0 has no third argument; with two, fields without a value are there as well.
        plain = "" if since < Series(21, 1) else ", false"
        counts = "".join(f', (SELECT count(*) FROM {each.what}) AS "{each.name}"' for each in asked)
        yield Statement(
            f"schema_features_{since.year}_{since.ordinal}",
            "WITH candidates AS (SELECT id, descriptor FROM (SELECT id, descriptor,"
            " encode(descriptor, 'hex') AS h FROM (SELECT id, descriptor FROM system.descriptor"
            f" WHERE id > 49 ORDER BY id LIMIT {DESCRIPTOR_LIMIT}) AS raw) AS seen"
            f" WHERE {tags} ORDER BY id LIMIT {DECODE_LIMIT + 1}),"
            " tables AS (SELECT id, d FROM (SELECT id, crdb_internal.pb_to_json("
            f"'cockroach.sql.sqlbase.Descriptor', descriptor{plain})->'table' AS d FROM candidates)"
            " AS decoded WHERE d IS NOT NULL AND d->>'parentId' <> '1'"
            " AND (d->>'state' IS NULL OR d->>'state' <> 'DROP'))"
            " SELECT (SELECT count(*) FROM (SELECT 1 FROM system.descriptor WHERE id > 49"
            f" LIMIT {DESCRIPTOR_LIMIT + 1}) AS counted) > {DESCRIPTOR_LIMIT}"
            f" OR (SELECT count(*) FROM candidates) > {DECODE_LIMIT} AS more{counts}"
            " FROM (VALUES (1)) AS one (n) AS OF SYSTEM TIME '-10s'",
            since=since,
            before=before,
            tells=tuple(each.name for each in asked),
        )


SCHEMA_FEATURES: Final = tuple(_schema_features())
ROW_LEVEL_TTL: Final = Statement(
    "row_level_ttl",
    'SELECT false AS more, count(*) AS "row-level-ttl" FROM [SHOW SCHEDULES]'
    " WHERE label LIKE 'row-level-ttl%'",
    since=Series(22, 2),
    before=Series(23, 2),
    tells=("row-level-ttl",),
)
# A-79066, A-106617. The metric is the algorithm's number, 0 for plain files; properties came with 22.1.
_ENCRYPTED: Final = "(metrics->>'rocksdb.encryption.algorithm')::DECIMAL <> 0"


def _encryption(name: str, encrypted: str, since: Series, before: Series) -> Statement:
    return Statement(
        name,
        "SELECT count(*) FILTER (WHERE encrypted IS NULL) > 0 OR count(*) = 0 AS more,"
        ' count(*) FILTER (WHERE encrypted) AS "encryption-at-rest"'
        f" FROM (SELECT {encrypted} AS encrypted FROM crdb_internal.kv_store_status) AS stores",
        since=since,
        before=before,
        tells=("encryption-at-rest",),
    )


ENCRYPTION_20_2: Final = _encryption("encryption_20_2", _ENCRYPTED, Series(20, 2), Series(22, 1))
ENCRYPTION_22_1: Final = _encryption(
    "encryption_22_1",
    f"(properties->>'encrypted')::BOOL OR {_ENCRYPTED}",
    Series(22, 1),
    Series(24, 1),
)
# A-96465; who is no admin may see his own grants only.
NOSQLLOGIN: Final = Statement(
    "nosqllogin",
    'SELECT false AS more, count(*) AS "nosqllogin" FROM [SHOW SYSTEM GRANTS]'
    " WHERE privilege_type = 'NOSQLLOGIN'",
    since=Series(22, 2),
    before=Series(23, 2),
    admin=True,
    tells=("nosqllogin",),
)
FEATURES: Final = (*SCHEMA_FEATURES, ROW_LEVEL_TTL, ENCRYPTION_20_2, ENCRYPTION_22_1, NOSQLLOGIN)
"""The statements of the section ``features``: all that suit are asked, each tells its own."""
