"""Which series a cluster may be upgraded to in one step.

Source: the upgrade overview in the documentation ("Upgrade CockroachDB self-hosted", Compatible
versions): a cluster may go to the next series; from a regular release it may also go over an
innovation release to the regular one behind it; from an innovation release only to the next
regular one. The generated "upgrade requirements" of v25.2 and later are copies of v25.1's text and
are not used. The edges stand in each series record as `upgrade_from`; the linter compares them with
this rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guard.catalog.answers import Answer, UpgradeAnswer
from guard.versions import Build, Phase, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Protocol

    from guard.catalog.records import SeriesRecord

    class _Answer(Protocol):
        def __call__(
            self, supported: Answer, reason: str, skips: Iterable[Series] = ()
        ) -> UpgradeAnswer: ...


__all__ = ["UPGRADE_DOCS", "expected_sources", "no_way_out", "upgrade_allowed"]

UPGRADE_DOCS: Final = (
    "https://www.cockroachlabs.com/docs/stable/upgrade-cockroach-version#compatible-versions"
)


def upgrade_allowed(
    catalog: Mapping[Series, SeriesRecord], source: Series, target: Series
) -> UpgradeAnswer:
    """Say whether the hop from `source` to `target` is supported.

    The same series is a patch upgrade and supported. A pair is UNKNOWN only where a series that
    the catalog does not hold could make it right.
    """

    def answer(supported: Answer, reason: str, skips: Iterable[Series] = ()) -> UpgradeAnswer:
        return UpgradeAnswer(source, target, supported, tuple(skips), reason, UPGRADE_DOCS)

    if source == target:
        if source not in catalog:
            return answer(Answer.UNKNOWN, f"the catalog does not hold series v{source}")
        return answer(Answer.YES, f"v{source} stays v{source}: a patch upgrade")
    if target < source:
        return answer(Answer.NO, f"v{target} is older than v{source}: CockroachDB has no downgrade")
    between = tuple(series for series in sorted(catalog) if source < series < target)
    record = catalog.get(target)
    first = min(catalog, default=target)
    if record is None or (source not in catalog and source >= first):
        return _outside(answer, catalog, source, target, between)
    if record.kind == "unknown":
        reason = f"what kind of release v{target} is, and what leads to it, is not said"
        return answer(Answer.UNKNOWN, reason)
    sources = [Series.parse(text) for text in record.upgrade_from]
    if source not in sources:
        wanted = " or ".join(f"v{series}" for series in sources)
        return answer(Answer.NO, f"v{target} can be reached only from {wanted}, not from v{source}")
    if between:
        skipped = ", ".join(f"v{series}" for series in between)
        return answer(
            Answer.YES,
            f"v{target} is the regular release that follows v{source}; "
            f"the innovation release {skipped} may be left out",
            between,
        )
    return answer(Answer.YES, f"v{target} is the {record.kind} release right after v{source}")


def _outside(
    answer: _Answer,
    catalog: Mapping[Series, SeriesRecord],
    source: Series,
    target: Series,
    between: tuple[Series, ...],
) -> UpgradeAnswer:
    regular = [series for series in between if catalog[series].kind == "regular"]
    if regular:
        return answer(Answer.NO, f"the regular release v{regular[0]} between them cannot be left out")
    missing = target if target not in catalog else source
    return answer(Answer.UNKNOWN, f"the catalog does not hold series v{missing}")


def expected_sources(
    catalog: Mapping[Series, SeriesRecord], target: Series
) -> tuple[Series, ...] | None:
    """Give the series from which the general rule lets `target` be reached.

    None where the rule cannot say because the series before `target` is not in the catalog.
    """
    earlier = sorted(series for series in catalog if series < target)
    if not earlier:
        return None
    previous = earlier[-1]
    if "unknown" in (catalog[previous].kind, catalog[target].kind):
        return None
    skippable = catalog[previous].kind == "innovation" and catalog[target].kind == "regular"
    if not skippable or len(earlier) < 2:
        return (previous,)
    return (earlier[-2], previous)


def no_way_out(build: Build) -> bool:
    """True for an alpha, from which a cluster cannot be upgraded to a production release.

    Source: the releases overview, which says so for v22.2 and later.
    """
    return build.phase is Phase.ALPHA and build.series >= Series(22, 2)
