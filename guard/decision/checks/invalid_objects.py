"""Are there objects with an invalid descriptor?

From v22.2 on the server refuses to finalize while ``crdb_internal.invalid_objects`` is not empty; v22.1
gets stuck in a migration instead. From v23.2 on it repairs what it can before it refuses:
``crdb_internal.kv_repairable_catalog_corruptions`` lists that. Repairing any other descriptor needs
Cockroach Labs support, so look before the upgrade starts.

- start, verify: warn, also where it could not be looked at.
- finalize: block. Where it could not be looked at, UNKNOWN if the target is v22.2 or later, else warn;
  a snapshot of an older guard, which did not ask, only warns where a restart finalizes.
- next-node, rollback: not asked.

Where the server fails to list them, it says so: what guard asks is what the server asks itself then.
Not applicable to gateways before v21.1, which have no such list.

Reads crdb_internal.invalid_objects (v21.1 and later; no privilege needed, from v26.1 on
allow_unsafe_internals). Names only, at most 100. Source: cockroach#150865, #83432, #105657,
#145933; pkg/upgrade/upgrades/first_upgrade.go; the upgrade page of v23.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guard.cluster.missing import NotCollected
from guard.decision.check_definition import UPGRADE_DOCS, Check
from guard.decision.phrases import counted, listed
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import InvalidObjectRow, Reason, Unavailable
from guard.versions import Series

__all__ = ["CHECK"]

_REFUSES_FROM: Final = Series(22, 2)
_REPAIRS_FROM: Final = Series(23, 2)
_REPAIRABLE: Final = (
    'SELECT id, name, corruption FROM "".crdb_internal.kv_repairable_catalog_corruptions;'
)
_SELECT: Final = 'SELECT * FROM "".crdb_internal.invalid_objects;'


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding."""
    section = situation.cluster.snapshot.invalid_objects
    if isinstance(section, Unavailable):
        yield _not_seen(situation, section)
        return
    rows: tuple[InvalidObjectRow, ...] = situation.cluster.rows("invalid_objects")
    if not rows:
        yield CHECK.finding(Outcome.PASS, "no object has an invalid descriptor")
        return
    count = counted(len(rows), "object", "has", "have")
    if section.truncated:
        count = f"{len(rows)} or more objects have"
    yield CHECK.finding(
        Outcome.BLOCK if situation.step is Step.FINALIZE else Outcome.WARN,
        f"{count} an invalid descriptor: the server refuses to finalize",
        f"{listed(row.name or f'id {row.object_id}' for row in rows)}.",
        evidence={"objects": [{"id": row.object_id, "name": row.name} for row in rows[:50]]},
        remedy=(f"See what is wrong: {situation.internals(_SELECT)}", *_repaired(situation)),
    )


def _repaired(situation: Situation) -> tuple[str, ...]:
    """How they come to be in order: some by the server itself, where it does such a thing."""
    target = situation.target
    if target is None or target.series < _REPAIRS_FROM or situation.is_patch:
        return ("Have them repaired before the upgrade: ask Cockroach Labs support.",)
    gateway = situation.cluster.gateway
    lists = gateway is not None and gateway.series >= _REPAIRS_FROM
    return (
        "The server repairs some by itself when it finalizes. "
        + ("These: " if lists else f"A node on v{target.series} says which: ")
        + situation.internals(_REPAIRABLE),
        *(
            ("If that names all of them: --accept invalid-objects --reason '...'",)
            if situation.step is Step.FINALIZE
            else ()
        ),
        "Have the others repaired before: ask Cockroach Labs support.",
    )


def _not_seen(situation: Situation, why: Unavailable) -> Finding:
    if why.reason is Reason.NOT_IN_THIS_VERSION:
        return CHECK.finding(Outcome.NOT_APPLICABLE, "this release does not list invalid objects")
    target = situation.target
    refuses = target is None or target.series >= _REFUSES_FROM
    # A look that an older guard took holds no answer; it stops who finalizes, not who restarts a node.
    asked = why.reason is not Reason.NOT_ASKED or situation.cluster.restarted is None
    needed = situation.step is Step.FINALIZE and refuses and asked and not situation.is_patch
    # Its own words only: what stood between guard and the server is an error as well.
    broken = why.reason is Reason.ERROR and (why.sqlstate or "").startswith("XX")
    if needed and not broken:
        raise NotCollected("invalid_objects", why)
    return CHECK.finding(
        Outcome.UNKNOWN if needed else Outcome.WARN,
        "the server fails to list its invalid objects"
        if broken
        else "invalid objects were not looked at",
        f"{why.message}. "
        + (
            "It asks itself the same before it finalizes, and would fail the same way."
            if broken
            else "The server may refuse to finalize because of them."
        ),
        evidence={"reason": why.reason, "sqlstate": why.sqlstate},
        unseen=needed,
        remedy=why.remedy or (f"Look: {situation.internals(_SELECT)}",),
    )


CHECK = Check(
    id="invalid-objects",
    title="no object has an invalid descriptor",
    reads=("invalid_objects",),
    docs=UPGRADE_DOCS,
    explain=__doc__,
    run=run,
)
