"""The catalog as OSV records (https://ossf.github.io/osv-schema/), for tools that read that format.

OSV knows no home database for Cockroach Labs' advisories, so that the ids carry the prefix ``x_``
that the schema reserves for such records. Ranges are of type ECOSYSTEM, whose events mean nothing
without the order of versions: it is stated in every record, and every affected published build is
listed by name. What OSV cannot express (upgrade edges, conditions, settings) stands in
``database_specific`` as guard's own fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from guard.catalog.answers import Answer
from guard.catalog.releases import build_of
from guard.catalog.words import conditions_text
from guard.versions import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.catalog.catalog import Catalog
    from guard.catalog.records import Advisory, AffectedRange

__all__ = ["SCHEMA_VERSION", "VERSION_ORDER", "osv_id", "osv_record", "osv_records"]

SCHEMA_VERSION: Final = "1.7.0"
VERSION_ORDER: Final = (
    "CockroachDB build tags, which are not semantic versions: by year, ordinal and patch, then "
    "alpha < beta < rc < cloudonly < the plain release < ad hoc builds; a custom build "
    "vX.Y.Z-N-gHASH comes after vX.Y.Z. See https://github.com/cockroachdb/version"
)
_PACKAGE: Final = {
    "ecosystem": "Go",
    "name": "github.com/cockroachdb/cockroach",
    "purl": "pkg:golang/github.com/cockroachdb/cockroach",
}
_ISSUE: Final = "https://github.com/cockroachdb/cockroach/issues/"


def osv_id(advisory: Advisory) -> str:
    """Give the id of an advisory's OSV record."""
    return f"x_CRDB-{advisory.id}"


def osv_records(catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a file name and an OSV record for every advisory, in the catalog's order."""
    for advisory in catalog.advisories.values():
        yield f"{osv_id(advisory)}.json", osv_record(catalog, advisory)


def osv_record(catalog: Catalog, advisory: Advisory) -> dict[str, Any]:
    """Turn one advisory into an OSV record made of plain dictionaries, lists and texts."""
    specific = {
        "id": advisory.id,
        "category": advisory.category.value,
        "trigger": advisory.trigger.value,
        "conditions": msgspec.to_builtins(advisory.conditions),
        "conditions_text": conditions_text(advisory.conditions),
        "edges": msgspec.to_builtins(advisory.edges),
        "mitigation": msgspec.to_builtins(advisory.mitigation),
        "withdrawn_builds": list(advisory.withdrawn),
        "note": advisory.note.strip(),
        "catalog_date": catalog.advisories_until.isoformat(),
        "docs_commit": catalog.about.docs_commit,
    }
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "id": osv_id(advisory),
        "modified": f"{catalog.advisories_until.isoformat()}T00:00:00Z",
        "published": f"{advisory.date.isoformat()}T00:00:00Z",
        "summary": advisory.title,
        "details": f"{advisory.summary.strip()}\n\n{advisory.mitigation.text.strip()}",
        "affected": [_affected(catalog, advisory, affected) for affected in advisory.affected],
        "references": [
            {"type": "ADVISORY", "url": advisory.source},
            *({"type": "REPORT", "url": f"{_ISSUE}{issue}"} for issue in advisory.issues),
        ],
        "database_specific": specific,
    }
    if advisory.id.startswith("CVE-"):
        record["aliases"] = [advisory.id]
    return record


def _affected(catalog: Catalog, advisory: Advisory, affected: AffectedRange) -> dict[str, Any]:
    events = [{"introduced": affected.introduced}]
    if affected.fixed:
        events.append({"fixed": affected.fixed})
    elif affected.last_affected:
        events.append({"last_affected": affected.last_affected})
    record = catalog.series.get(Series.parse(affected.series))
    builds = [build_of(release.build) for release in record.releases] if record is not None else []
    return {
        "package": dict(_PACKAGE),
        "ranges": [
            {
                "type": "ECOSYSTEM",
                "events": events,
                "database_specific": {"version_order": VERSION_ORDER},
            }
        ],
        "versions": [
            str(build)
            for build in builds
            if (answer := catalog.affects(advisory, build)).affected is Answer.YES
            and answer.range is affected
        ],
    }
