"""Until when the catalog knows what was published, once a user's own records lie on top.

Two days: one for the releases, one for the advisories. A user's ``about.toml`` claims later ones; a
claim counts as far as the newest record of its kind beside it reaches, because a date without
records would only silence the warning that the catalog is old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guard.catalog.records import About, Advisory, SeriesRecord

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from guard.catalog.loader import Record

__all__ = ["unjustified", "with_dates"]


def with_dates(shipped: About, own: Sequence[Record]) -> About:
    """The shipped ``about`` with the days that a user's records move, never to an earlier one."""
    claims = next((record for record in own if isinstance(record, About)), None)
    if claims is None:
        return shipped
    releases, advisories = _claimed(shipped)
    new_releases, new_advisories = _claimed(claims)
    return msgspec.structs.replace(
        shipped,
        releases_until=_moved(releases, new_releases, newest_release(own)),
        advisories_until=_moved(advisories, new_advisories, newest_advisory(own)),
        catalog_date=None,
    )


def unjustified(claims: About, own: Sequence[Record]) -> Iterator[str]:
    """Yield what a user's ``about.toml`` claims and the records beside it do not justify."""
    releases, advisories = _claimed(claims)
    for what, claim, newest in (
        ("releases_until", releases, newest_release(own)),
        ("advisories_until", advisories, newest_advisory(own)),
    ):
        if claim is not None and (newest is None or claim > newest):
            reach = f"the newest such record is of {newest}" if newest else "there is no such record"
            yield f"{what} {claim} counts only as far as the records reach, and {reach}"


def newest_release(records: Sequence[Record]) -> dt.date | None:
    """The day of the newest release among the records."""
    return max(
        (
            release.date
            for record in records
            if isinstance(record, SeriesRecord)
            for release in record.releases
            if release.date is not None
        ),
        default=None,
    )


def newest_advisory(records: Sequence[Record]) -> dt.date | None:
    """The day of the newest advisory among the records."""
    return max((record.date for record in records if isinstance(record, Advisory)), default=None)


def _claimed(about: About) -> tuple[dt.date | None, dt.date | None]:
    return (
        about.releases_until or about.catalog_date,
        about.advisories_until or about.catalog_date,
    )


def _moved(shipped: dt.date | None, claim: dt.date | None, newest: dt.date | None) -> dt.date | None:
    if claim is None or newest is None:
        return shipped
    justified = min(claim, newest)
    return justified if shipped is None else max(shipped, justified)
