"""Are there interleaved tables or indexes on the way to v21.2, which has none any more?

v21.2 cannot be finalized while a table or an index is interleaved. Convert them before the upgrade.

- start: warn, also where it could not be looked at.
- finalize: block. UNKNOWN where it could not be looked at; warn where nobody asked, as of a v21.2
  gateway and in a snapshot of an older guard.
- Other steps: not asked. Other hops: not applicable.

Reads the tables' create statements on the server, where only their number leaves it: admin.
Source: release notes of v21.2, "Interleaved data".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.hop import is_between
from guard.cluster.missing import NotCollected
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import counted
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import CountRow, Reason, Unavailable
from guard.versions import Series

__all__ = ["CHECK"]

_REMEDY: Final = (
    "Convert them: ALTER TABLE ... ALTER PRIMARY KEY; DROP INDEX of interleaved indexes.",
    'Find them: SELECT database_name, descriptor_name FROM "".crdb_internal.create_statements '
    "WHERE create_statement LIKE '%INTERLEAVE IN PARENT%';",
)


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding."""
    if not is_between(situation.cluster, situation.target, Series(21, 1), Series(21, 2)):
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "this is not an upgrade from v21.1 to v21.2")
        return
    section = situation.cluster.snapshot.interleaved_tables
    if isinstance(section, Unavailable):
        yield _not_seen(situation, section)
        return
    rows: tuple[CountRow, ...] = situation.cluster.rows("interleaved_tables")
    count = sum(row.count for row in rows)
    if not rows:
        raise NotCollected(
            "interleaved_tables", Unavailable(reason=Reason.MALFORMED, message="no number was told")
        )
    if not count:
        yield CHECK.finding(Outcome.PASS, "no table or index is interleaved")
        return
    yield CHECK.finding(
        Outcome.BLOCK if situation.step is Step.FINALIZE else Outcome.WARN,
        counted(count, "table", "is interleaved or has", "are interleaved or have")
        + " interleaved indexes",
        "v21.2 cannot be finalized while they are.",
        evidence={"count": count},
        remedy=_REMEDY,
    )


def _not_seen(situation: Situation, why: Unavailable) -> Finding:
    asked = why.reason not in (Reason.NOT_ASKED, Reason.NOT_IN_THIS_VERSION)
    if situation.step is Step.FINALIZE and asked:
        raise NotCollected("interleaved_tables", why)
    return CHECK.finding(
        Outcome.WARN,
        "interleaved tables were not looked at",
        f"{why.message}. v21.2 cannot be finalized while a table is interleaved.",
        evidence={"reason": why.reason},
        remedy=_REMEDY[1:],
    )


CHECK = Check(
    id="interleaved-tables",
    title="no table is interleaved on the way to v21.2",
    reads=("interleaved_tables",),
    docs=f"{DOCS}/v21.1/interleave-in-parent",
    explain=__doc__,
    run=run,
)
