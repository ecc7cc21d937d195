"""TOML of other people: read by the standard library, but for keys that would keep it for minutes."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["parse"]

# The library takes time by the square of a key's parts, in brackets too. No key of ours has four.
_ENDLESS_KEY: Final = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""", re.ASCII
)


def parse(text: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ValueError: it is no TOML, or has a key of a hundred parts.
        RecursionError, OverflowError: it holds what no file of ours does.
    """
    import tomllib  # most runs read no such file

    if _ENDLESS_KEY.search(text):
        raise ValueError("a key has a hundred parts")
    return tomllib.loads(text)
