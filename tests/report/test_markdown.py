"""Markdown as GitHub reads it (cmark-gfm): the structure is guard's, whatever the texts say."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options as Flags
from hypothesis import given
from hypothesis import strategies as st

from guard.decision.result import Decision, FailOn, Outcome, Verdict, Waiver
from guard.report import Options
from guard.report.markdown import render
from guard.report.markdown_text import code, inline, link
from tests.report.decisions import decision, decisions, finding, hostile

# What a text would have to smuggle in: markup, and what forges and their bots act on.
FORGED = (
    "| x | y |",
    "a | **BLOCK** | b",
    "</summary></details><h1>ALLOW</h1>",
    "<img src=https://evil.example/x.png>",
    "<!-- hidden",
    "![x](https://evil.example/x.png)",
    "[click](https://evil.example)",
    "[click][ref]\n[ref]: https://evil.example",
    "<https://evil.example>",
    "see https://evil.example and www.evil.example or a@evil.example",
    "mailto:a@evil.example xmpp:a@evil.example",
    "```\nforged\n```",
    "~~~",
    "`` ` ``",
    "`",
    "\\",
    "\\`",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "*a* _b_ ~~c~~ **d**",
    "# heading",
    "> quote",
    "- [x] done",
    "1. one",
    "---",
    "    indented",
    "$x$ $$y$$ $`z`$",
    "[^1] [!NOTE]",
    "@everyone @org/team",
    "#1 org/repo#2 GH-3 !4 %5 ~bug &6",
    "/close",
    "/lgtm\n/approve",
    "@dependabot merge",
    ":white_check_mark: :+1: :100:",
    "::error::x",
    "##[error]x",
)


def texts() -> st.SearchStrategy[str]:
    parts = st.sampled_from(FORGED) | hostile() | st.text("`*_[]()<>|\\~#@!:/ &;$a1", max_size=12)
    return st.lists(parts, min_size=1, max_size=3).map("".join).filter(str.strip)


class Page(HTMLParser):
    """The elements of a page and its text, without what is within code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.outside_code = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += data
        if "code" not in self._open:
            self.outside_code += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


def page(markdown: str) -> Page:
    return Page(cmarkgfm.github_flavored_markdown_to_html(markdown, Flags.CMARK_OPT_UNSAFE))


def harmless(made: Decision) -> Decision:
    """The same decision with nothing but letters in place of every text."""
    import msgspec

    def clean(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {k: clean(v, k) for k, v in value.items() if k != "evidence"}
        if isinstance(value, list):
            return [clean(each, key) for each in value]
        kept = (
            "outcome",
            "verdict",
            "step",
            "liveness",
            "taken_at",
            "catalog_date",
            "expires",
            "looks",
        )
        if isinstance(value, str) and value and key not in kept:
            return "x"
        return value

    return msgspec.convert(clean(msgspec.to_builtins(made)), Decision)


@given(decisions())
def test_no_text_changes_the_structure(made: Decision) -> None:
    expected = [tag for tag in page(render(harmless(made), Options())).tags if tag != "a"]
    found = page(render(made, Options()))
    assert [tag for tag in found.tags if tag != "a"] == expected


@given(texts())
def test_no_text_of_a_finding_changes_the_structure(text: str) -> None:
    def made(words: str) -> Decision:
        waiver = Waiver(reason=words, owner=words)
        told = finding(words, title=words, detail=words, remedy=(words,), docs=words)
        waived = finding("x", Outcome.WARN, title="x", detail="", remedy=(), waiver=waiver)
        return decision(told, waived, step_reason=words, target=words, notices=(words,))

    got = page(render(made(text), Options()))
    assert got.tags == page(render(made("x"), Options())).tags
    assert got.links == []


@given(texts())
def test_text_is_shown_as_it_is(text: str) -> None:
    from guard.report.plain import plain

    shown = page(f"x{inline(text)}x").text.replace("\u200b", "").strip("\n")
    assert shown.split() == f"x{plain(text).strip()}x".split()


@given(texts())
def test_a_code_span_holds_the_text_byte_for_byte(text: str) -> None:
    from guard.report.plain import plain

    read = page(f"x {code(text)} x")
    assert read.tags == ["p", "code"]
    assert read.text.strip("\n") == f"x {plain(text) or '  '} x"


@given(texts())
def test_no_line_begins_with_a_text(text: str) -> None:
    """Bots read commands from raw lines, quick actions work at the start of one."""
    told = finding(text, title=text, detail=text, remedy=(text,), docs=text)
    made = decision(told, step_reason=text, target=text, notices=(text,))
    for line in render(made, Options()).splitlines():
        assert re.match(
            r"(## guard|Exit code|\| |<details>|</details>|> |\d+\. `|Read: |- |guard |$)", line
        )


@given(texts())
def test_nothing_that_a_forge_acts_on_is_left(text: str) -> None:
    read = page(f"x {inline(text)}").outside_code
    assert re.search(r"[@#!%~&$^][\w\"]", read) is None
    assert re.search(r"://|www\.|GH-\d|:[\w+-]*[a-z][\w+-]*:|:100:", read, re.IGNORECASE) is None


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://www.cockroachlabs.com/docs/stable/upgrade#finalize", True),
        ("https://evil.example/) [x](y", False),
        ("https://evil.example/> x", False),
        ("javascript:alert(1)", False),
        ("http://plain.example/", False),
        ("https://user@evil.example/", False),
        ("", False),
    ],
)
def test_only_plain_https_becomes_a_link(url: str, linked: bool) -> None:
    assert page(f"x {link(url)}").links == ([url] if linked else [])


def test_the_table_names_what_counts_and_the_rest_is_folded() -> None:
    made = decision(
        finding("A-1", title="one"),
        finding("b", Outcome.WARN, title="two"),
        finding("c", Outcome.PASS, title="three"),
        notices=("four",),
    )
    text = render(made, Options())
    assert text.startswith(
        "## guard: BLOCK: do not restart the next node\n\nExit code 10: 1 finding blocks.\n"
    )
    assert "| **BLOCK** | A-1 | one |\n| warning | b | two |\n" in text
    assert "<details><summary>A-1: one</summary>\n\n> a detail\n\n1. `do this`\n" in text
    assert "<details><summary>Passed: 1</summary>\n\n- c: three\n" in text
    assert "- Note: four\n" in text


def test_a_clean_allow_has_no_table_of_findings() -> None:
    text = render(decision(finding(outcome=Outcome.PASS), verdict=Verdict.ALLOW), Options())
    assert text.startswith("## guard: ALLOW: the next node may be restarted\n\nExit code 0.\n")
    assert "| check |" not in text


def test_warnings_under_fail_on_warn_are_said() -> None:
    made = decision(finding(outcome=Outcome.WARN), verdict=Verdict.ALLOW)
    assert "Exit code 12: warnings, and --fail-on warn is set." in render(
        made, Options(fail_on=FailOn.WARN)
    )


def test_checks_that_are_blind_for_one_reason_are_one_line() -> None:
    blind = [finding(c, Outcome.UNKNOWN, evidence={"section": "nodes"}) for c in ("p", "q")]
    made = decision(finding("visibility", Outcome.UNKNOWN), *blind, verdict=Verdict.UNKNOWN)
    text = render(made, Options())
    assert "Not judged for the same reason: p, q." in text
    assert "| p |" not in text


def test_a_large_report_fits_a_comment() -> None:
    many = [finding(f"c{i}", title="a title of usual length, with some words") for i in range(3000)]
    text = render(decision(*many), Options())
    assert "And 2900 more." in text
    assert len(text) < 65_536


def test_quiet_is_the_verdict_alone() -> None:
    text = render(decision(finding(), notices=("x",)), Options(quiet=True))
    assert text == "## guard: BLOCK: do not restart the next node\n\nExit code 10: 1 finding blocks.\n"
