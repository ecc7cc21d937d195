"""The snapshot: what guard saw of a cluster, typed, versioned and replayable."""

from guard.snapshot.file import SnapshotError, load_snapshot
from guard.snapshot.model import Collected, Reason, Section, Snapshot, Unavailable

__all__ = [
    "Collected",
    "Reason",
    "Section",
    "Snapshot",
    "SnapshotError",
    "Unavailable",
    "load_snapshot",
]
