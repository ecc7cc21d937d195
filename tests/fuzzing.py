"""How many examples a property is tried with, by ``GUARD_FUZZ``.

Without it a quarter of what CI tries (``bounded``), so that whoever runs the tests waits for minutes
only; ``long`` tries a hundred times as much as CI: for a night.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["PROFILE", "SHARES", "examples"]

SHARES: Final = {"quick": 0.25, "bounded": 1.0, "long": 100.0}
"""The profiles, and what part of a property's examples each tries."""
PROFILE: Final = os.environ.get("GUARD_FUZZ") or "quick"


def examples(in_ci: int, *, quick: int | None = None) -> int:
    """How many to try, of a property that CI tries so often; `quick` where a quarter is too dear."""
    if PROFILE == "quick" and quick is not None:
        return quick
    return max(int(in_ci * SHARES[PROFILE]), 1)
