"""What an error of the server means for a section: the reason, in words, and what to do.

42501 is both "no privilege" and "the gate of 26.1 is closed"; 0A000 is a virtual cluster, not a
lack of privilege; 28000 can be a login that failed for lack of quorum. Codes and texts were seen on
real servers or read in their source.
"""

from __future__ import annotations

from typing import Final

from guard.connector.pipeline import ConnectionLost, Refused, Reply, TimedOut
from guard.snapshot.model import Reason, Unavailable
from guard.snapshot.privileges import grant_for
from guard.versions import Build

__all__ = ["another_statement_may_work", "is_unsafe_internals", "may_pass", "unavailable"]

_DRIFT: Final = frozenset({"42703", "42P01", "42883", "42601", "42704", "42804", "22P02"})
# Transaction rollback, insufficient resources, system error, internal error.
_PASSING: Final = ("40", "53", "58", "XX000")
_UNSAFE: Final = "crdb_internal and system is restricted"


def is_unsafe_internals(refused: Refused) -> bool:
    """True if the server refused because ``allow_unsafe_internals`` is off (26.1 and later)."""
    return refused.sqlstate == "42501" and _UNSAFE in refused.message


def may_pass(answer: Reply) -> bool:
    """True for an error that the same statement may not meet a second time.

    Seen on real servers: ``XX000 referenced descriptor ID 3: descriptor not found`` from a node that
    started seconds ago, and 40001, which is asking for just that.
    """
    return isinstance(answer, Refused) and answer.sqlstate.startswith(_PASSING)


def another_statement_may_work(answer: Reply) -> bool:
    """True if the next statement for the same section has a chance.

    After a time-out it has none: it would wait for the same lock or range.
    """
    return isinstance(answer, Refused) and answer.sqlstate != "57014"


def _refused(section: str, message: str) -> str:
    """The section whose privilege is missing: the license's statement reads settings as well."""
    told = "cluster_settings" in message or "CLUSTERSETTING" in message
    return "settings" if section == "license" and told else section


def unavailable(section: str, answer: Reply, gateway: Build | None, user: str) -> Unavailable:
    """Explain why a section could not be collected.

    Args:
        section: its name in the snapshot.
        answer: what came instead of rows.
        gateway: the gateway's build.
        user: the SQL user, for the statements to paste.
    """
    if isinstance(answer, TimedOut):
        return Unavailable(
            reason=Reason.TIMEOUT,
            message="no answer before guard's deadline",
            remedy=("Raise --timeout, or look for unavailable ranges in the DB Console.",),
        )
    if isinstance(answer, ConnectionLost):
        return Unavailable(reason=Reason.CONNECTION, message=f"the connection ended: {answer.message}")
    if not isinstance(answer, Refused):
        return Unavailable(reason=Reason.MALFORMED, message="the answer could not be read")
    state, message = answer.sqlstate, answer.message
    if state == "42501" and is_unsafe_internals(answer):
        return Unavailable(
            reason=Reason.UNSAFE_INTERNALS,
            message="the server does not let this session read crdb_internal and system tables",
            sqlstate=state,
            remedy=(
                "Let guard's session set allow_unsafe_internals, "
                "or: SET CLUSTER SETTING sql.defaults.allow_unsafe_internals = true;",
            ),
        )
    if state == "42501":
        return Unavailable(
            reason=Reason.PRIVILEGE,
            message=message,
            sqlstate=state,
            remedy=(grant_for(_refused(section, message), gateway, user),),
        )
    if state == "0A000":
        return Unavailable(
            reason=Reason.VIRTUAL_CLUSTER,
            message="guard is connected to a virtual cluster, which does not know its nodes: "
            + message,
            sqlstate=state,
            remedy=(
                "Connect to the system virtual cluster: end --url with this (& for ? if it has a ?):",
                "?options=-ccluster%3Dsystem",
            ),
        )
    if state == "57014":
        return Unavailable(
            reason=Reason.TIMEOUT,
            message="the server gave up: statement timeout (a lock, or a range without quorum)",
            sqlstate=state,
            remedy=("Look for unavailable ranges in the DB Console, then run guard again.",),
        )
    if state.startswith(("57P", "08")):
        return Unavailable(reason=Reason.CONNECTION, message=message, sqlstate=state)
    if state in _DRIFT:
        return Unavailable(
            reason=Reason.NOT_IN_THIS_VERSION,
            message=f"this release does not know what guard asked for: {message}",
            sqlstate=state,
        )
    return Unavailable(reason=Reason.ERROR, message=message, sqlstate=state or None)
