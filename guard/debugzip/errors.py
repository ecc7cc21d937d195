"""Why a debug.zip, or a table in it, cannot be used."""

from __future__ import annotations

import re
from typing import Final

from guard.connector.redact import scrub
from guard.snapshot.model import Reason, Unavailable

__all__ = ["DebugZipError", "Unreadable", "as_unavailable", "refusal"]


class DebugZipError(ValueError):
    """The file is no debug.zip that guard reads: wrong usage. The message says why, in one line."""


class Unreadable(Exception):
    """A table that is not there or cannot be believed."""

    def __init__(self, why: Unavailable) -> None:
        super().__init__(why.message)
        self.why = why


_SQLSTATE: Final = re.compile(r"SQLSTATE ([0-9A-Z]{5})\b")
_AGAIN: Final = ("Make the zip again as root: cockroach debug zip debug.zip --certs-dir=…",)
_UNSAFE: Final = "crdb_internal and system is restricted"
# Up to v22.1 the driver printed the message without its code.
_MEANING: Final[tuple[tuple[str, frozenset[str], Reason, str, tuple[str, ...]], ...]] = (
    (
        r"multi-tenancy mode|within a virtual cluster",
        frozenset({"0A000"}),
        Reason.VIRTUAL_CLUSTER,
        "the zip was made through a virtual cluster, which does not know its nodes",
        ("Make the zip through the system virtual cluster.",),
    ),
    (
        r"only users with|user \S+ does not have|permission denied",
        frozenset({"42501"}),
        Reason.PRIVILEGE,
        "the user who made the zip was not allowed to read it",
        _AGAIN,
    ),
    (
        r"statement timeout|context deadline exceeded|timed out",
        frozenset({"57014"}),
        Reason.TIMEOUT,
        "the server gave up while the zip was made",
        ("Make the zip again with a longer --timeout.",),
    ),
    (
        r"(?:relation|table|column) .{1,150} does not exist|unknown (?:table|column)",
        frozenset({"42P01", "42703"}),
        Reason.NOT_IN_THIS_VERSION,
        "that release does not know it",
        (),
    ),
    (
        r"connection refused|connection error|broken pipe|bad connection|no route to host",
        frozenset(),
        Reason.CONNECTION,
        "the node did not answer while the zip was made",
        (),
    ),
)


def refusal(table: str, text: str) -> Unavailable:
    """What the server's error, as ``debug zip`` wrote it down, means for a table.

    Args:
        table: the table's name.
        text: the content of its ``.err.txt``; untrusted.
    """
    line = " ".join(scrub(text[:2000]).split())[:300]
    code = _SQLSTATE.search(text[:2000])
    state = code[1] if code else None
    if _UNSAFE in text:
        return Unavailable(
            reason=Reason.UNSAFE_INTERNALS,
            message=f"{table}: the server did not let the zip's session read it: {line}",
            sqlstate=state,
            remedy=_AGAIN,
        )
    for pattern, states, reason, words, remedy in _MEANING:
        # The code is certain; the words are looked at where there is none.
        if (state in states) if state else re.search(pattern, line, re.IGNORECASE):
            return Unavailable(
                reason=reason, message=f"{table}: {words}: {line}", sqlstate=state, remedy=remedy
            )
    return Unavailable(reason=Reason.ERROR, message=f"{table}: {line}", sqlstate=state)


def as_unavailable(table: str, words: str, reason: Reason = Reason.MALFORMED) -> Unreadable:
    """The exception for a table that cannot be believed."""
    return Unreadable(Unavailable(reason=reason, message=f"{table}: {words}"))
