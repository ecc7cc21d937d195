"""Decisions to render: usual ones, and ones whose every text an attacker chose."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from hypothesis import strategies as st

from guard.cluster.liveness import Liveness
from guard.decision.result import (
    ClusterSummary,
    Decision,
    Finding,
    NodeSummary,
    Outcome,
    Step,
    Verdict,
    Waiver,
)

__all__ = ["NOW", "decision", "decisions", "finding", "hostile"]

NOW: Final = dt.datetime(2026, 11, 22, 2, 0, tzinfo=dt.UTC)

_NASTY: Final = (
    "\n::error title=forged::all is well",
    "\r\n::set-env name=PATH::/tmp",
    "a b c " * 30 + "::error::wrapped",
    "%0A::error::decoded",
    "##[error]forged",
    "x ##[add-mask]y",
    "title,file=/etc/passwd:line=1",
    "]]></failure></testcase><testcase name='forged'/>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    '"/><x a="',
    "\x1b[2J\x1b]0;owned\x07",
    "\u202eevil\u2066",
    "\u2028line\u0085next",
    "\x00\x0b\x0c\ufffe\uffff",
    "[bold red]markup[/]",
    "é中🙂",
)


def hostile() -> st.SearchStrategy[str]:
    """Text of the kind that forges lines, commands and markup."""
    anything = st.text(max_size=40)
    return st.lists(st.sampled_from(_NASTY) | anything, min_size=1, max_size=4).map("".join)


def finding(check: str = "capacity", outcome: Outcome = Outcome.BLOCK, **changes: Any) -> Finding:
    """A finding."""
    values: dict[str, Any] = {"title": "a title", "detail": "a detail", "remedy": ("do this",)}
    return Finding(check=check, outcome=outcome, **(values | changes))


def decision(*findings: Finding, verdict: Verdict = Verdict.BLOCK, **changes: Any) -> Decision:
    """A decision about one node."""
    node = NodeSummary(
        node_id=1,
        build="v21.1.11",
        server_version="21.1",
        liveness=Liveness.LIVE,
        membership="active",
        address="10.0.0.1:26257",
    )
    values: dict[str, Any] = {
        "step": Step.NEXT_NODE,
        "step_inferred": True,
        "step_reason": "nodes run v21.1.11",
        "target": "v21.1.12",
        "cluster": ClusterSummary(
            active_version="21.1", final=True, mixed=False, nodes=(node,), gateway="db:26257"
        ),
        "taken_at": NOW,
        "guard_version": "0.1.0",
        "catalog_date": NOW.date(),
        "fingerprint": "0123456789abcdef",
        "looks": (NOW,),
    }
    return Decision(verdict=verdict, findings=findings, **(values | changes))


@st.composite
def _findings(draw: st.DrawFn) -> Finding:
    waiver = draw(
        st.none()
        | st.builds(
            Waiver,
            reason=hostile(),
            owner=hostile(),
            expires=st.none() | st.dates(),
            source=st.sampled_from(["policy", "--accept"]),
        )
    )
    return Finding(
        check=draw(st.sampled_from(["capacity", "A-72839"]) | hostile()),
        outcome=draw(st.sampled_from(list(Outcome))),
        title=draw(hostile()),
        detail=draw(hostile() | st.just("")),
        evidence=draw(st.dictionaries(hostile(), hostile(), max_size=2)),
        remedy=tuple(draw(st.lists(hostile(), max_size=2))),
        docs=draw(hostile() | st.just("")),
        transient=draw(st.booleans()),
        waiver=waiver,
    )


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Decisions full of hostile text."""
    node = NodeSummary(
        node_id=draw(st.integers(0, 9999)),
        build=draw(st.none() | hostile()),
        server_version=draw(st.none() | hostile()),
        liveness=draw(st.sampled_from(list(Liveness))),
        membership=draw(hostile()),
        address=draw(st.none() | hostile()),
        locality=draw(st.none() | hostile()),
    )
    return decision(
        *draw(st.lists(_findings(), max_size=4)),
        verdict=draw(st.sampled_from(list(Verdict))),
        step=draw(st.sampled_from(list(Step))),
        step_reason=draw(hostile()),
        target=draw(st.none() | hostile()),
        cluster=ClusterSummary(
            active_version=draw(st.none() | hostile()),
            final=draw(st.booleans()),
            mixed=draw(st.booleans()),
            nodes=(node,),
            gateway=draw(st.none() | hostile()),
            cluster_id=draw(st.none() | hostile()),
        ),
        notices=tuple(draw(st.lists(hostile(), max_size=2))),
    )
