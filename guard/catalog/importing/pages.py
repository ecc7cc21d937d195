"""Saved pages of the documentation: the release notes of a series, one advisory. HTML or Markdown.

What is read are facts: builds with their days, whether the page says withdrawn or cloud-only; an
advisory's id, day, title and affected versions. What an advisory means, no program reads.
"""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from typing import Final

from guard.catalog.errors import CatalogError
from guard.catalog.importing.found import Found, FoundAdvisory, FoundRelease
from guard.versions import Build, VersionError

__all__ = ["read_page"]

_HEADING: Final = re.compile(
    r"(?:#+\s*)?(v\d{2}\.\d\.\d{1,3}(?:-(?:alpha|beta|rc)\.\d{1,2})?)", re.ASCII
)
_RELEASED: Final = re.compile(r"release date:\s*(.{6,30})", re.IGNORECASE)
_FRONT: Final = re.compile(r"advisory:\s*([A-Z]-?\d{3,9}|[A-Z]\d{6,9})\b", re.ASCII)
_TITLE: Final = re.compile(r"technical advisory:?\s*(?:#\s*)?(\d{3,9})\b", re.IGNORECASE)
_PUBLISHED: Final = re.compile(r"(?:advisory_date|publication date)\W{1,5}(\w.{6,24})", re.IGNORECASE)
_VERSIONS: Final = re.compile(r"affected[_ ]versions\W{1,5}(\S.*)", re.IGNORECASE)
_MONTH: Final = re.compile(r"([A-Z][a-z]{2,8})\.? (\d{1,2}), (\d{4})")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BLOCKS: Final = frozenset(
    {
        "p",
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "li",
        "tr",
        "td",
        "th",
        "br",
        "title",
        "section",
        "table",
        "pre",
    }
)
_ADVISORIES: Final = "https://www.cockroachlabs.com/docs/advisories/"


class _Text(HTMLParser):
    """The text of a page, a line for every block."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = max(0, self.hidden - (tag in ("script", "style")))
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def read_page(data: bytes, name: str) -> Found:
    """Read a saved page.

    Raises:
        CatalogError: it is no text, or neither release notes nor an advisory.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise CatalogError(f"{name}: not UTF-8 text") from None
    lines = _lines(text)
    advisory = _advisory(lines, name)
    if advisory is not None:
        return Found("advisory", advisories=(advisory,))
    releases = tuple(_releases(lines))
    if not releases:
        raise CatalogError(f"{name}: neither release notes with their days, nor an advisory")
    return Found("release notes", releases)


def _lines(text: str) -> list[str]:
    if re.search(r"<(?:html|body|!doctype|head)\b", text[:2000], re.IGNORECASE):
        parser = _Text()
        parser.feed(text)
        text = "".join(parser.parts)
    printable = ("".join(c if c.isprintable() else " " for c in line) for line in text.splitlines())
    return [line for line in (" ".join(line.split()) for line in printable) if line]


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text.strip()[:10])
    except ValueError:
        pass
    match = _MONTH.search(text)
    if match is None or match[1][:3].lower() not in _MONTHS:
        return None
    try:
        return dt.date(int(match[3]), _MONTHS.index(match[1][:3].lower()) + 1, int(match[2]))
    except ValueError:
        return None


def _releases(lines: list[str]) -> list[FoundRelease]:
    """Every build that stands alone as a heading and has its day below it."""
    starts = [n for n, line in enumerate(lines) if _HEADING.fullmatch(line)]
    found: dict[str, FoundRelease] = {}
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(lines)
        match = _HEADING.fullmatch(lines[start])
        head = lines[start + 1 : min(end, start + 12)]
        day = next((_day(m[1]) for line in head if (m := _RELEASED.search(line))), None)
        if match is None or day is None:
            continue
        try:
            build = str(Build.parse(match[1]))
        except VersionError:
            continue
        said = " ".join(head).lower()
        found[build] = FoundRelease(
            build,
            day,
            "list",
            withdrawn="withdrawn" in said,
            cloud_only="select cockroachdb cloud clusters" in said,
        )
    return list(found.values())


def _advisory(lines: list[str], name: str) -> FoundAdvisory | None:
    head = lines[:60]
    number = next((f"A-{m[1]}" for line in head if (m := _TITLE.search(line))), None)
    front = next((m[1] for line in head if (m := _FRONT.match(line))), None)
    identity = front or number
    if identity is None or any(_HEADING.fullmatch(line) for line in head):
        return None
    day = next((d for line in head if (m := _PUBLISHED.search(line)) and (d := _day(m[1]))), None)
    if day is None:
        raise CatalogError(f"{name}: advisory {identity}, but no day of publication can be read")
    versions = next((m[1] for line in lines if (m := _VERSIONS.search(line))), "")
    return FoundAdvisory(
        id=identity,
        date=day,
        title=f"Technical advisory {identity}",
        versions=versions[:1000],
        source=_ADVISORIES + identity.replace("-", "").lower(),
    )
