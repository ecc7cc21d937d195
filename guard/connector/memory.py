"""How much memory this process has taken at its peak."""

from __future__ import annotations

import sys

__all__ = ["peak_bytes"]


def peak_bytes() -> int:
    """The largest resident size so far, in bytes; 0 where the system cannot tell (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024  # Linux and the BSDs count in KiB
