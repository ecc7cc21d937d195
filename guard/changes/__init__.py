"""What an upgrade changes for this cluster: the catalog's changes, judged on a snapshot. Pure."""

from __future__ import annotations
