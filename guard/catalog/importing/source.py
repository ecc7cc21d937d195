"""Telling what a file is, by its content and not by its name."""

from __future__ import annotations

from guard.catalog.importing.found import Found
from guard.catalog.importing.lists import read_list
from guard.catalog.importing.pages import read_page

__all__ = ["read_source"]


def read_source(data: bytes, name: str) -> Found:
    """Read a list of releases, a page of release notes, or a page of an advisory.

    Raises:
        CatalogError: it is none of them.
    """
    if data.lstrip()[:1] in (b"{", b"["):
        return read_list(data, name)
    return read_page(data, name)
