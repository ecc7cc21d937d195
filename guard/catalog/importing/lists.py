"""The public list of releases of endoflife.date (release-data, ``releases/cockroachdb.json``).

It holds the production builds by their tags: that a build exists and when it was tagged, and neither
whether it was withdrawn nor whether it is for CockroachDB Cloud only.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final

import msgspec

from guard.catalog.errors import CatalogError
from guard.catalog.importing.found import Found, FoundRelease
from guard.versions import Build, VersionError

__all__ = ["read_list"]

_OLD: Final = re.compile(r"\d\.\d(?:\.\d{1,2})?", re.ASCII)
"""Releases before v19.1, some of which have no name that is a build's."""


def read_list(data: bytes, name: str) -> Found:
    """Read the JSON of release-data.

    Raises:
        CatalogError: it is something else, or names a version or a day that is none.
    """
    try:
        versions = msgspec.json.decode(data)["versions"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogError(f"{name}: not JSON: {error}") from error
    except (TypeError, KeyError, IndexError):
        raise CatalogError(f"{name}: JSON, but no list of releases: it has no versions") from None
    if not isinstance(versions, dict) or not versions:
        raise CatalogError(f"{name}: its versions are no table with releases in it")
    releases = tuple(_release(str(key), value, name) for key, value in versions.items())
    found = tuple(each for each in releases if each is not None)
    if not found:
        raise CatalogError(f"{name}: none of its versions is a CockroachDB build")
    return Found("list of releases", found, complete=True)


def _release(key: str, value: Any, name: str) -> FoundRelease | None:  # noqa: ANN401 - foreign JSON
    if _OLD.fullmatch(key):
        return None
    try:
        build = Build.parse(f"v{key.removeprefix('v')}")
        day = dt.date.fromisoformat(value["date"])
    except (VersionError, ValueError, TypeError, KeyError):
        raise CatalogError(f"{name}: not a release with its day: {key[:50]!r}") from None
    return FoundRelease(str(build), day, "tag")
