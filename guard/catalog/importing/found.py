"""What a file held: releases with how they are known, and drafts of advisories. Plain data."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

__all__ = ["Found", "FoundAdvisory", "FoundRelease"]


class FoundRelease(msgspec.Struct, frozen=True):
    """A release that a file names. `by`: the list of releases itself, or a public tag."""

    build: str
    date: dt.date
    by: Literal["list", "tag"]
    withdrawn: bool = False
    cloud_only: bool = False


class FoundAdvisory(msgspec.Struct, frozen=True):
    """An advisory's page: id, day, title, and the text that names the versions, empty if none does."""

    id: str
    date: dt.date
    title: str
    versions: str
    source: str


class Found(msgspec.Struct, frozen=True):
    """All that one file held.

    `complete`: the file lists the releases of every series up to its newest one, so that a catalog
    which takes them all knows the releases until then.
    """

    kind: str
    releases: tuple[FoundRelease, ...] = ()
    advisories: tuple[FoundAdvisory, ...] = ()
    complete: bool = False
