"""Into which series a backup may be restored.

Source: "Restoring Backups Across Versions" (the v22.2 page for backups of v20.x, the v23.1 page for
v21.1 to v22.2, the v26.2 page for v23.2 to v24.3): a backup is restorable into its own series and
the next one; an innovation release may be left out; never into an older series; a full-cluster
restore fails while the cluster is between two versions. The series of a backup is the *cluster*
version at the time it was taken, so that a cluster which is not finalized still writes backups of
the old series.

Release notes name exceptions (`RestoreException`): a patch that the receiving cluster needs, or an
option that the backup must not have been made with. Where nobody told the build or the options, the
answer says what to mind. Advisories on restored data are in `restore_defects`.

The rows of the pages end with v24.3 and leave v23.1 out. For other series the same rule is applied
and the answer says that it is inferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guard.catalog.answers import Answer, Basis, RestoreAnswer
from guard.catalog.hops import upgrade_allowed
from guard.catalog.releases import build_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from guard.catalog.records import RestoreException, SeriesRecord
    from guard.versions import Build, Series

__all__ = ["RESTORE_DOCS", "restorable_backups", "restore_allowed"]

RESTORE_DOCS: Final = "https://www.cockroachlabs.com/docs/stable/restoring-backups-across-versions"


def restore_allowed(
    catalog: Mapping[Series, SeriesRecord],
    backup: Series,
    into: Series,
    *,
    full_cluster: bool = False,
    into_mixed: bool | None = False,
    into_builds: Sequence[Build] = (),
    made_with: Collection[str] | None = None,
) -> RestoreAnswer:
    """Say whether a backup of series `backup` may be restored into a cluster of series `into`.

    Args:
        catalog: the series records.
        backup: the cluster version when the backup was taken.
        into: the cluster version (not the binaries') of the cluster that is to receive it.
        full_cluster: a RESTORE of the whole cluster, not of databases or tables.
        into_mixed: the receiving cluster runs more than one series or is not finalized; None if
            nobody could look.
        into_builds: the builds that the receiving cluster's nodes run, empty if they are not known.
        made_with: options of BACKUP that the backup was made with, None if that is not known.
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
    if allowed is Answer.NO:
        return answer(allowed, basis, reason)
    open_ones: list[str] = []
    for exception in _exceptions(catalog.get(into), backup, into, full_cluster):
        verdict, text = _judge(exception, into_builds, made_with)
        if verdict is Answer.NO:
            return RestoreAnswer(
                backup, into, full_cluster, Answer.NO, Basis.DOCUMENTED, text, exception.source
            )
        if verdict is Answer.UNKNOWN:
            open_ones.append(text)
    return RestoreAnswer(
        backup, into, full_cluster, allowed, basis, reason, docs, exceptions=tuple(open_ones)
    )


def _exceptions(
    record: SeriesRecord | None, backup: Series, into: Series, full_cluster: bool
) -> Iterator[RestoreException]:
    """Yield the documented exceptions that may concern a restore."""
    for exception in () if record is None else record.restore_exceptions:
        older = backup < into if exception.backup is None else str(backup) == exception.backup
        if older and (full_cluster or not exception.full_cluster):
            yield exception


def _judge(
    exception: RestoreException, into_builds: Sequence[Build], made_with: Collection[str] | None
) -> tuple[Answer, str]:
    """Say whether a restore is free of an exception: NO with the reason, UNKNOWN with what to mind."""
    if exception.made_with is not None:
        if made_with is not None and exception.made_with not in made_with:
            return Answer.YES, ""
        if made_with is None:
            return Answer.UNKNOWN, f"unless it was made with {exception.made_with}: {exception.text}"
    if exception.repaired_in is None:
        return Answer.NO, exception.text
    repaired = build_of(exception.repaired_in)
    too_old = sorted(build for build in into_builds if build < repaired)
    if too_old:
        return Answer.NO, f"{exception.text}; {too_old[0]} does, {repaired} and later do not"
    if into_builds:
        return Answer.YES, ""
    return Answer.UNKNOWN, f"into {repaired} or later: before it, {exception.text}"


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
