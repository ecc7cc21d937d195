"""Make untrusted text safe to print: no control sequences, no forged lines, no invisible tricks.

Host names, job owners, schedule labels and server messages come from the cluster, and whoever can
name a schedule could otherwise move the operator's cursor or forge a line of a CI log.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escape_json", "is_page", "plain"]

# C0 and C1 controls, DEL, line and paragraph separators, zero-width and direction marks, surrogates
# and the specials; the soft hyphen and the tag characters hide text as well.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\uffff\U000e0000-\U000e007f]"
)


def plain(text: object, limit: int = 2000) -> str:
    """The text with every unsafe character written out (``\\x1b``, ``\\u202e``), cut at the limit."""
    value = str(text)
    if len(value) > limit:
        value = value[:limit] + "…"
    # "##[" starts a command of a GitHub or Azure runner anywhere in a line of a log.
    return _UNSAFE.sub(lambda match: _escaped(match[0]), value).replace("##[", "## [")


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_PAGE: Final = r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._/#?=%-]*)?"


def is_page(url: str) -> bool:
    """True for a plain https address: the only thing that a report makes a link of."""
    return re.fullmatch(_PAGE, url) is not None


_UNSAFE_IN_JSON: Final = (
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
)


def escape_json(text: str) -> str:
    """JSON text with what terminals and runners act on written as ``\\uXXXX``: the same JSON."""
    escaped = re.sub(_UNSAFE_IN_JSON, lambda match: f"\\u{ord(match[0]):04x}", text)
    return escaped.replace("##[", "##\\u005b")  # only ever within a string
