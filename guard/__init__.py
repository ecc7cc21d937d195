"""guard: a pre-flight guard for CockroachDB upgrades.

The two functions below are the Python API; the command line is built on them::

    decision = guard.evaluate(guard.load_snapshot("snapshot.json"), step="finalize")
    if decision.verdict != "allow":
        ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard.decision.engine import evaluate
    from guard.decision.result import Decision
    from guard.snapshot.file import load_snapshot
    from guard.snapshot.model import Snapshot

__all__ = ["Decision", "Snapshot", "__version__", "evaluate", "load_snapshot"]

__version__ = "0.2.0"

_WHERE = {
    "evaluate": "guard.decision.engine",
    "Decision": "guard.decision.result",
    "load_snapshot": "guard.snapshot.file",
    "Snapshot": "guard.snapshot.model",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    # Late, because the command line imports this package first and must start fast.
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'guard' has no attribute {name!r}")
