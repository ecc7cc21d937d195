"""Take secrets out of the server's free text before anything else sees it.

Job progress, schedule labels, setting values and error messages can repeat a storage URI with its
keys, or a statement with its password. guard needs none of that to decide.

The text comes from whoever can name a schedule, so its length is bounded first, and every pattern
reads it once: repetitions are possessive, and a name is only looked for where a word begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["LONGEST", "Secrets", "scrub", "scrub_row"]

LONGEST: Final = 4000
"""Characters of one text that are kept. Nothing that guard decides by is as long."""

_GONE: Final = "<redacted>"
_URI: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,30}+)://[^\s'\"<>()]++")
_ADDRESS_ONLY: Final = r"https?://[^\s@?#]++"
_NAMED: Final = re.compile(
    r"""(?<![\w.-])([\w.-]++)["']?+(?:\s*+=\s*+|\s*+:\s*+(?=["'])|\s++(?='))""", re.IGNORECASE
)
_VALUE: Final = re.compile(
    # Each alternative begins with another character and the end is optional: nothing is tried twice.
    r"""'(?:[^'\\]|''|\\.)*'?|"(?:[^"\\]|\\.)*"?|[^\s&,;'")]++""",
    re.DOTALL,
)
_SECRET_PARTS: Final = (
    "secret", "password", "passwd", "passphrase", "passfile", "token", "credential", "account_key",
    "access_key", "apikey", "api_key", "privatekey", "private_key", "license", "auth",
)  # fmt: skip
_SECRET_WORDS: Final = frozenset({"sig", "pwd"})
_BETWEEN_WORDS: Final = str.maketrans(".-", "__")
_KEY_ID: Final = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")
_LICENSE: Final = re.compile(r"\bcrl-[0-9]-[\w+/=-]++")


def scrub(text: str) -> str:
    """The text without storage URIs, connection URLs, passwords, keys and tokens, cut if endless."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    if "://" in text:
        text = _URI.sub(_without_path, text)
    text = _without_values(text)
    return _LICENSE.sub(_GONE, _KEY_ID.sub(_GONE, text))


_SHORTEST_SECRET: Final = 4
_FEW_DIGITS: Final = re.compile(r"[0-9]{4,7}", re.ASCII)
_NUMBER_OR_TIME: Final = re.compile(r"[0-9 :.,+TZ-]*+", re.ASCII)


class Secrets:
    """The words that guard logs in with. A server may repeat them wherever it says something.

    One of three characters or less stands in ordinary words, and is left; one of a few digits stands
    in ordinary numbers, and is left there; one that is the user's or the host's name as well is printed
    anyway.
    """

    def __init__(self, words: Iterable[str] = (), printed: Iterable[str] = ()) -> None:
        """`words` are secret, unless they are among those `printed` all over a report."""
        known = {word for word in words if len(word) >= _SHORTEST_SECRET} - set(printed)
        self._words = sorted(known, key=len, reverse=True)

    def out_of(self, text: str) -> str:
        """The text without them. To be asked before anything is cut off: a half of one is left."""
        for word in self._words:
            if word in text and not (_FEW_DIGITS.fullmatch(word) and _NUMBER_OR_TIME.fullmatch(text)):
                text = text.replace(word, _GONE)
        return text


def scrub_row(row: dict[str, str | None]) -> dict[str, str | None]:
    """A row with all its texts scrubbed."""
    return {name: value and scrub(value) for name, value in row.items()}


def _without_path(match: re.Match[str]) -> str:
    # A plain address of a web page, as in the server's hints, holds nothing.
    return match[0] if re.fullmatch(_ADDRESS_ONLY, match[0], re.ASCII) else f"{match[1]}://{_GONE}"


def _without_values(text: str) -> str:
    """``name = value`` with the value taken out wherever the name is one of a secret."""
    kept: list[str] = []
    done = 0
    for name in _NAMED.finditer(text):
        if name.start() < done or not _is_secret(name[1]) or text.startswith(_GONE, name.end()):
            continue
        value = _VALUE.match(text, name.end())
        if value is not None:
            kept += (text[done : name.end(1)], "=", _GONE)
            done = value.end()
    return "".join((*kept, text[done:]))


def _is_secret(name: str) -> bool:
    lower = name.lower()
    if any(part in lower for part in _SECRET_PARTS):
        return True
    return not _SECRET_WORDS.isdisjoint(lower.translate(_BETWEEN_WORDS).split("_"))
