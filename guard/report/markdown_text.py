"""Markdown out of untrusted text, for GitHub, GitLab and whatever else reads CommonMark.

Whoever can name a schedule could otherwise open a table row, a heading or a code block, link to a page
of theirs, or mention people and command bots in a pull request that guard comments on. So:

- What means something to Markdown or HTML becomes a numeric entity, which never opens structure
  (CommonMark 0.31, section 2.5) and is right within inline HTML as well.
- What a forge acts on after Markdown (mentions, references, bare links, emoji) is broken by a
  zero-width space, written as an entity.
- No untrusted text stands at the start of a line: callers put words of guard's own before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NewType

from guard.report.plain import is_page, plain

__all__ = ["Markdown", "code", "details", "inline", "link", "table"]

Markdown = NewType("Markdown", str)
"""Text that is Markdown already; nothing else may stand in a report."""

_BREAK: Final = "\u200b"  # `plain` has written out every one that was in the text
_MEANT: Final = frozenset("\\`*_[]<>&|~\"'#@!$^{}" + _BREAK)

# A forge's own syntax: @person, #issue, !merge-request, $snippet, %milestone, ~label, &epic, ^alert,
# GH-1, ://, :emoji:, www. and addresses that become links without any markup.
_ACTED_ON: Final = re.compile(
    r"[@#!$%~&^](?=[\w\"'\[])|:(?=//)|:(?=[\w+-]*+:)(?=[^a-z:]*+[a-z])|\bwww(?=\.)"
    r"|\bGH-(?=\d)|\b(?:mailto|xmpp):|(?<=:)100(?=:)",
    re.IGNORECASE,
)
_OPENING: Final = re.compile(r"[-+=:/%]|\d+[.)](?:\s|$)")


def inline(text: object, limit: int = 2000) -> Markdown:
    """Untrusted text as literal Markdown on one line; may stand in a table cell and in inline HTML."""
    broken = _ACTED_ON.sub(lambda match: match[0] + _BREAK, plain(text, limit).strip())
    marked = _OPENING.match(broken) is not None  # in a list item or a quote this is a block's start
    return Markdown(
        "".join(
            f"&#{ord(c)};" if c in _MEANT or (marked and at == 0) else c for at, c in enumerate(broken)
        )
    )


def code(text: object, limit: int = 2000) -> Markdown:
    """Untrusted text as a code span, to be copied as it is. Not for table cells."""
    content = plain(text, limit)
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    fence = "`" * (longest + 1)
    padded = content[:1] in ("`", " ", "") or content[-1:] in ("`", " ")
    space = " " if padded else ""
    return Markdown(f"{fence}{space}{content}{space}{fence}")


def link(url: str) -> Markdown:
    """A link that shows where it leads; anything but a plain https address is text."""
    if not is_page(url):
        return inline(url)
    return Markdown(f"[{inline(url.removeprefix('https://'))}](<{url}>)")


def table(header: Sequence[Markdown | str], rows: Iterable[Sequence[Markdown]]) -> list[Markdown]:
    """The lines of a table. The header is guard's own words."""
    lines = [header, ["---"] * len(header), *rows]
    return [Markdown(f"| {' | '.join(line)} |") for line in lines]


def details(summary: Markdown, lines: Iterable[Markdown]) -> list[Markdown]:
    """Lines that are folded away behind a summary."""
    opening = Markdown(f"<details><summary>{summary}</summary>")
    return [opening, _EMPTY, *lines, _EMPTY, Markdown("</details>"), _EMPTY]


_EMPTY: Final = Markdown("")
