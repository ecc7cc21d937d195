"""On which line of a policy file a key stands. TOML parsers do not tell, once they have parsed."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

__all__ = ["line_of"]

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_NAME: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_NAME})\s*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(rf"\s*({_NAME})\s*=")


def line_of(text: str, key: str, in_pyproject: bool = False) -> int | None:
    """The line of a key such as ``waivers[1].scope.cluster``, or of the nearest table around it.

    Args:
        text: the file.
        key: the place as `PolicyError.key` names it; empty for the file as a whole.
        in_pyproject: the policy is the table [tool.guard].

    Returns:
        The number, from 1; None if the key is not found.
    """
    places = _places(text, "tool.guard." if in_pyproject else "")
    while key:
        if key in places:
            return places[key]
        key = _around(key)
    return None


def _around(key: str) -> str:
    """The key without its last part: ``waivers[1].scope`` of ``waivers[1].scope.cluster``."""
    if key.endswith("]"):
        return key[: max(key.rfind("["), 0)]
    return key[: max(key.rfind("."), key.rfind("]") + 1, 0)]


def _places(text: str, prefix: str) -> dict[str, int]:
    """The first line of every table and key, by its place in the policy."""
    places: dict[str, int] = {}
    counts: Counter[str] = Counter()
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.fullmatch(line)
        if header is not None:
            name = _plain(header[2])
            first, dot, rest = name.removeprefix(prefix).partition(".")
            if header[1] == "[[":
                table = f"{name.removeprefix(prefix)}[{counts[name]}]"
                counts[name] += 1
            elif dot and counts[prefix + first]:  # [waivers.scope] belongs to the last waiver
                table = f"{first}[{counts[prefix + first] - 1}].{rest}"
            else:
                table = name.removeprefix(prefix)
            places.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            places.setdefault(f"{table}.{_plain(key[1])}".removeprefix("."), number)
    return places


def _plain(name: str) -> str:
    return re.sub(r"[\s\"']", "", name)
