"""The ranges of a draft: what of an advisory's ``affected_versions`` a program can read.

What it cannot read counts as more, never as less: a series named in words that do not parse is taken
as a whole, and words such as "earlier" or "all" leave the ranges empty, which stands for every build.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from guard.catalog.records import AffectedRange
from guard.catalog.releases import build_of
from guard.versions import Build, Series, VersionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.catalog.records import SeriesRecord

__all__ = ["draft_ranges"]

_OPEN: Final = re.compile(
    r"\b(?:earlier|prior|before|all|any|every|later|newer|onwards?)\b|\+", re.IGNORECASE
)
_TAG: Final = r"v\d{1,2}\.\d\.\d{1,3}(?:-(?:alpha|beta|rc)\.\d{1,2})?"
_SPAN: Final = re.compile(rf"({_TAG})\s*(?:to|through|until|-|–|—)\s*({_TAG})", re.ASCII)
_ONE: Final = re.compile(_TAG, re.ASCII)
_SERIES: Final = re.compile(r"v(\d{1,2})\.(\d)\b", re.ASCII)


def draft_ranges(catalog: Mapping[Series, SeriesRecord], text: str) -> tuple[AffectedRange, ...]:
    """Read ``v24.1.0 to v24.1.21, v24.3.0 to …``; empty if the text may mean every build."""
    if _OPEN.search(text):
        return ()
    exact: list[AffectedRange] = []
    whole: set[Series] = set()
    for piece in re.split(r",|;|\band\b", text):
        piece = piece.strip()
        if not piece:
            continue
        one = _range(piece)
        if one is not None:
            exact.append(one)
            continue
        named = [Series(int(year), int(ordinal)) for year, ordinal in _SERIES.findall(piece)]
        if not named:
            return ()
        whole |= {each for each in catalog if min(named) <= each <= max(named)} | set(named)
    kept = [each for each in exact if Series.parse(each.series) not in whole]
    ranges = [*kept, *(_whole(catalog, series) for series in sorted(whole))]
    return tuple(sorted(ranges, key=lambda each: build_of(each.introduced)))


def _range(piece: str) -> AffectedRange | None:
    span = _SPAN.fullmatch(piece)
    tags = (span[1], span[2]) if span else (piece, piece) if _ONE.fullmatch(piece) else None
    if tags is None:
        return None
    try:
        first, last = (Build.parse(tag) for tag in tags)
    except VersionError:
        return None
    if first.series != last.series or last < first:
        return None
    return AffectedRange(series=str(first.series), introduced=tags[0], last_affected=tags[1])


def _whole(catalog: Mapping[Series, SeriesRecord], series: Series) -> AffectedRange:
    record = catalog.get(series)
    builds = sorted(build_of(each.build) for each in record.releases) if record is not None else []
    first = str(builds[0]) if builds else f"v{series}.0-alpha.1"
    last = str(builds[-1]) if builds else f"v{series}.999"
    return AffectedRange(series=str(series), introduced=first, last_affected=last)
