"""Into which series a backup may be restored.

Source: "Restoring Backups Across Versions" (the v22.2 page for backups of v20.x, the v23.1 page for
v21.1 to v22.2, the v26.2 page for v23.2 to v24.3): a backup is restorable into its own series and
the next one; an innovation release may be left out; never into an older series; a full-cluster
restore fails while the cluster is between two versions. The series of a backup is the *cluster*
version at the time it was taken, so that a cluster which is not finalized still writes backups of
the old series.

The rows of the pages end with v24.3 and leave v23.1 out. For other series the same rule is applied
and the answer says that it is inferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guard.catalog.answers import Answer, Basis, RestoreAnswer
from guard.catalog.hops import upgrade_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.catalog.records import SeriesRecord
    from guard.versions import Series

__all__ = ["RESTORE_DOCS", "restorable_backups", "restore_allowed"]

RESTORE_DOCS: Final = "https://www.cockroachlabs.com/docs/stable/restoring-backups-across-versions"


def restore_allowed(
    catalog: Mapping[Series, SeriesRecord],
    backup: Series,
    into: Series,
    *,
    full_cluster: bool = False,
    into_mixed: bool | None = False,
) -> RestoreAnswer:
    """Say whether a backup of series `backup` may be restored into a cluster of series `into`.

    Args:
        catalog: the series records.
        backup: the cluster version when the backup was taken.
        into: the cluster version (not the binaries') of the cluster that is to receive it.
        full_cluster: a RESTORE of the whole cluster, not of databases or tables.
        into_mixed: the receiving cluster runs more than one series or is not finalized; None if
            nobody could look.
    """
    record = catalog.get(backup)
    docs = record.restore_source if record is not None and record.restore_source else RESTORE_DOCS

    def answer(allowed: Answer, basis: Basis, reason: str) -> RestoreAnswer:
        return RestoreAnswer(backup, into, full_cluster, allowed, basis, reason, docs)

    if into < backup:
        return answer(
            Answer.NO,
            Basis.DOCUMENTED,
            f"v{into} is older than v{backup}: a backup is never restorable into an older version",
        )
    allowed, basis, reason = _by_series(catalog, record, backup, into)
    if full_cluster and allowed is not Answer.NO and into_mixed is not False:
        if into_mixed:
            return answer(
                Answer.NO,
                Basis.DOCUMENTED,
                "a full-cluster restore fails while the cluster's upgrade is not finalized",
            )
        return answer(
            Answer.UNKNOWN,
            Basis.DOCUMENTED,
            "a full-cluster restore fails while an upgrade is under way, and whether one is "
            "could not be established",
        )
    return answer(allowed, basis, reason)


def _by_series(
    catalog: Mapping[Series, SeriesRecord],
    record: SeriesRecord | None,
    backup: Series,
    into: Series,
) -> tuple[Answer, Basis, str]:
    if record is not None and record.restorable_into:
        row = f"documented: a v{backup} backup goes into " + ", ".join(
            f"v{text}" for text in dict.fromkeys((str(backup), *record.restorable_into))
        )
        fits = into == backup or str(into) in record.restorable_into
        return (
            (Answer.YES, Basis.DOCUMENTED, row)
            if fits
            else (Answer.NO, Basis.DOCUMENTED, f"{row} and nowhere else")
        )
    hop = upgrade_allowed(catalog, backup, into)
    inferred = "inferred from the rule (same series, next one, or over an innovation release)"
    if hop.supported is Answer.UNKNOWN:
        return Answer.UNKNOWN, Basis.INFERRED, hop.reason
    verb = "may be restored into" if hop.supported is Answer.YES else "cannot be restored into"
    return hop.supported, Basis.INFERRED, f"{inferred}: a v{backup} backup {verb} v{into}"


def restorable_backups(catalog: Mapping[Series, SeriesRecord], into: Series) -> tuple[Series, ...]:
    """List the series of the catalog whose backups may be restored into a cluster of `into`."""
    return tuple(
        backup
        for backup in sorted(catalog)
        if restore_allowed(catalog, backup, into).allowed is Answer.YES
    )
