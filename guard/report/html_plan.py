"""The answer of ``guard plan`` as one HTML page: the hops as a road. Made of the command's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guard.report.html_page import page

__all__ = ["render"]


def render(plan: Mapping[str, Any], guard_version: str) -> str:
    """The plan as a page that needs no other file, no script and no network.

    Args:
        plan: what ``guard plan --format json`` prints.
        guard_version: the version of guard.
    """
    words = {"yes": ("There is a way", "allow"), "no": ("There is no way", "block")}
    verdict, kind = words.get(plan["answer"], ("Unknown", "unknown"))
    if plan.get("instead"):
        verdict = f"The way leads to {plan['instead']}, not to what was asked:"
    return page(
        "plan.html", verdict=verdict, verdict_class=kind, plan=plan, guard_version=guard_version
    )
