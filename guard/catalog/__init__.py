"""What Cockroach Labs has published, as data: advisories, releases, supported hops, restores.

`load` gives a `Catalog`; everything else follows from its methods.
"""

from __future__ import annotations

from guard.catalog.catalog import Catalog
from guard.catalog.errors import CatalogError
from guard.catalog.loader import load

__all__ = ["Catalog", "CatalogError", "load"]
