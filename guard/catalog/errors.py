"""The one error of the catalog."""

from __future__ import annotations

__all__ = ["CatalogError"]


class CatalogError(Exception):
    """A catalog file cannot be used. The text names the file and says what is wrong with it."""
