"""The JSON of ``guard plan`` with the same words wherever a catalog or a cluster has its say."""

from __future__ import annotations

from typing import Any

__all__ = ["plan_of"]


def plan_of(words: str) -> dict[str, Any]:
    """A plan of two hops, each with everything that a hop can have."""
    met = {
        "id": words,
        "title": words,
        "effect": "warn",
        "steps": ["start"],
        "affected_before": False,
        "reason": words,
        "conditions": words,
        "mitigation": {"text": words, "commands": [words]},
        "docs": words,
    }
    still = met | {"steps": [], "affected_before": True, "id": f"{words}y"}
    new = met | {"steps": [], "id": f"{words}z"}
    hop = {
        "from": words,
        "to": words,
        "release": words,
        "skips": [words],
        "reasons": [words],
        "before": [{"release": words, "reason": words, "advisories": [met]}],
        "advisories": [met, still, new],
        "keep_way_back": [words],
        "finalize": [words],
        "restorable": [words],
        "archive": [words],
        "state": "rolling",
        "nodes_left": [words],
    }
    return {
        "from": words,
        "standing": words,
        "to": words,
        "answer": "yes",
        "exit_code": 0,
        "reason": words,
        "instead": words,
        "hops": [hop, hop],
        "catalog_date": words,
        "releases_until": words,
        "advisories_until": words,
    }
