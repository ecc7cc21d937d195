"""Take secrets out of the server's free text before anything else sees it.

Job progress, schedule labels, setting values and error messages can repeat a storage URI with its
keys, or a statement with its password. guard needs none of that to decide.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["scrub", "scrub_row"]

_GONE: Final = "<redacted>"
_URI: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,30})://[^\s'\"<>()]+")
_ADDRESS_ONLY: Final = re.compile(r"https?://[^\s@?#]+", re.ASCII)
_NAMES: Final = (
    r"[\w.-]*(?:secret|password|passwd|passphrase|passfile|token|credential|account_key|access_key"
    r"|api_?key|private_?key|license|auth)[\w.-]*|sig|pwd"
)
_PAIR: Final = re.compile(
    rf"""\b({_NAMES})["']?\s*(?:=|:(?=\s*["'])|\s(?=\s*'))\s*(?!<redacted>)('(?:[^']|'')*'?|"[^"]*"?|[^\s&,;'")]+)""",
    re.IGNORECASE,
)
_KEY_ID: Final = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")
_LICENSE: Final = re.compile(r"\bcrl-[0-9]-[\w+/=-]+")


def scrub(text: str) -> str:
    """The text without storage URIs, connection URLs, passwords, keys and tokens."""
    if "://" in text:
        text = _URI.sub(_without_path, text)
    text = _PAIR.sub(lambda match: f"{match[1]}={_GONE}", text)
    return _LICENSE.sub(_GONE, _KEY_ID.sub(_GONE, text))


def scrub_row(row: dict[str, str | None]) -> dict[str, str | None]:
    """A row with all its texts scrubbed."""
    return {name: value and scrub(value) for name, value in row.items()}


def _without_path(match: re.Match[str]) -> str:
    # A plain address of a web page, as in the server's hints, holds nothing.
    return match[0] if _ADDRESS_ONLY.fullmatch(match[0]) else f"{match[1]}://{_GONE}"
