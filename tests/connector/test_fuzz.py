"""Whatever rows a server sends: a snapshot that can be written and read, and a verdict, never a crash.

``GUARD_FUZZ=long`` tries many more of them.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import guard
from guard.connector import statements
from guard.connector.pipeline import Refused, Reply, Rows
from guard.connector.redact import scrub_row
from guard.connector.rows import PARSERS, MalformedRow, timestamp
from guard.connector.statements import SECTIONS, Statement
from guard.snapshot.file import decode, encode
from guard.snapshot.model import Collected
from tests.connector.test_choice import Gateway
from tests.connector.test_rows import GOOD

Row = dict[str, str | None]

_CELL: Final = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.from_regex(r"-?[0-9]{1,25}([.eE]-?[0-9]{1,4})?", fullmatch=True),
    st.sampled_from(
        ["t", "f", "running", "paused", "BACKUP", "active", "decommissioned", "21.2", "v21.2.0",
         "24.1-upgrading-final-step", "2026-11-22 02:00:00", "0001-01-01 00:00:00+05",
         "9999-12-31 23:59:59-23:59", "1795312605.794133715,0", "nan", "1e9999", "9" * 5000,
         "s3://bucket/x?AWS_SECRET_ACCESS_KEY=abc", "\x1b[2J", "a\nb"]
    ),
)  # fmt: skip


@st.composite
def rows(draw: Any, section: str) -> Row:
    """A row of a section with cells changed, taken away and added."""
    row = dict(GOOD[section])
    for name in draw(st.sets(st.sampled_from(sorted(row)), max_size=4)):
        if draw(st.booleans()):
            row[name] = draw(_CELL)
        else:
            del row[name]
    row |= draw(st.dictionaries(st.text(max_size=8), _CELL, max_size=1))
    return row


@pytest.mark.parametrize("section", PARSERS)
@given(data=st.data())
def test_a_row_is_read_or_malformed(section: str, data: st.DataObject) -> None:
    row = scrub_row(data.draw(rows(section)))
    refused = ""
    try:
        PARSERS[section](row)
    except MalformedRow as error:
        refused = str(error)
    assert "\n" not in refused
    assert "\x1b" not in refused


@given(_CELL)
def test_a_time_is_read_or_malformed(text: str | None) -> None:
    try:
        read = timestamp(text)
    except MalformedRow:
        return
    assert (read is None) == (text is None)
    assert read is None or read.tzinfo is not None


_OF: Final = {s: section for section, candidates in SECTIONS.items() for s in candidates}
_BUILDS: Final = ("v20.1.17", "v21.1.11", "v21.2.0", "v23.1.14", "v24.3.1", "v26.2.0", "unknown")


@given(st.data())
def test_a_cluster_of_such_rows_is_judged(data: st.DataObject) -> None:
    drawn: dict[Statement, Reply] = {}

    def answers(statement: Statement) -> Reply | None:
        section = _OF.get(statement)
        if section is None:
            return None
        if statement not in drawn:
            kind = data.draw(st.sampled_from(["good", "odd", "odd", "none", "refused"]))
            if kind == "refused":
                drawn[statement] = Refused(
                    data.draw(st.sampled_from(["42501", "0A000", "XX000"])), "no"
                )
            elif kind == "odd":
                drawn[statement] = Rows(tuple(data.draw(st.lists(rows(section), max_size=3))))
            else:
                drawn[statement] = Rows((GOOD[section],) if kind == "good" else ())
        return drawn[statement]

    gateway = Gateway(
        data.draw(st.sampled_from(_BUILDS)), admin=data.draw(st.booleans()), answers=answers
    )
    with pytest.MonkeyPatch.context() as patch:
        snapshot = gateway.snapshot(patch)
    assert decode(encode(snapshot)) == snapshot
    step = data.draw(st.sampled_from(["auto", "start", "next-node", "finalize", "rollback", "verify"]))
    decision = guard.evaluate(snapshot, step=step)
    assert int(decision.exit_code()) in (0, 10, 11)
    missing = [
        name
        for name in ("gossip_nodes", "gossip_liveness", "node_status", "settings", "active_jobs")
        if not isinstance(getattr(snapshot, name), Collected)
    ]
    assert not (missing and decision.exit_code() == 0), missing
    assert statements.SHOW_READ_ONLY.name in gateway.asked
