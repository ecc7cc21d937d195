"""The pages in a real Chromium: what it renders, asks for, complains about, and how legible it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from guard.decision.result import Step
from guard.fleet.result import fleet_report, line_without
from guard.report import Options
from guard.report.fleet.html import render_index
from guard.report.html import render
from tests.pages.browser import Browser, Missing, browser
from tests.pages.example import PAGES
from tests.report.test_html import FORGED, told

HTML: Final = [name for name in PAGES if name.endswith(".html")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        with browser(tmp_path_factory.mktemp("profile")) as opened:
            yield opened
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", HTML)
def test_the_page_is_quiet_and_legible_in_both_themes(chromium: Browser, name: str, dark: bool) -> None:
    opened = chromium.open(PAGES[name](), dark=dark)
    assert (opened.messages, opened.requests) == ([], ["/"])
    found = chromium.contrasts()
    assert len(found) > 50
    low = [each for each in found if each[2] < (3 if each[0] == "shape" else 4.5)]
    assert low == []
    background = chromium.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert background == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize("name", HTML)
def test_nothing_overflows_a_narrow_screen(chromium: Browser, name: str) -> None:
    chromium.open(PAGES[name](), width=360, height=700)
    wide = chromium.run(
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
    )
    assert wide == []
    assert chromium.run("return document.documentElement.scrollWidth") <= 360


def test_a_long_word_breaks_and_widens_nothing(chromium: Browser) -> None:
    chromium.open(render(told("x" * 500), Options()), width=360, height=700)
    assert chromium.run("return document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("text", FORGED)
def test_a_hostile_text_is_shown_and_does_nothing(chromium: Browser, text: str) -> None:
    opened = chromium.open(render(told(text), Options()))
    assert (opened.messages, opened.requests) == ([], ["/"])
    heading = chromium.run("return document.querySelector('article h3').textContent")
    assert text in heading
    assert chromium.run("return document.scripts.length") == 0


def test_the_policy_would_stop_a_script_and_a_request(chromium: Browser) -> None:
    """The test above could not fail without this: a hole in the page does make itself heard."""
    hole = "<img src='/stolen'><script>document.title='x'</script></main>"
    opened = chromium.open(PAGES["check.html"]().replace("</main>", hole))
    assert opened.requests == ["/"]
    assert len(opened.messages) == 2


def test_a_screen_reader_is_told_the_verdict_the_sections_and_the_picture(chromium: Browser) -> None:
    chromium.open(PAGES["check.html"]())
    tree = chromium.tree()
    headings = [node["name"] for node in tree if node["role"] == "heading"]
    assert headings[0].startswith("ALLOW: ")
    assert {"Warnings", "Timeline", "Nodes"} <= set(headings)
    assert {"banner", "main", "contentinfo"} <= {node["role"] for node in tree}
    pictures = [node["name"] for node in tree if node["role"] in ("image", "img")]
    assert pictures == ["Timeline of backups and restarts"]


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(chromium: Browser) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    chromium.open(PAGES["check.html"]())
    wanted = chromium.run(
        "return [...document.querySelectorAll('a, summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    reached = 0
    for _ in range(wanted):
        ActionChains(chromium.driver).send_keys(Keys.TAB).perform()
        name, outline = chromium.run(
            "const e = document.activeElement; return [e.tagName, getComputedStyle(e).outlineStyle]"
        )
        assert name != "BODY"
        assert outline == "solid"
        reached += 1
    assert reached == wanted > 5


def test_it_prints_on_a4_with_what_is_folded_on_the_screen(chromium: Browser) -> None:
    chromium.open(PAGES["check.html"](), dark=True)
    pdf = chromium.printed()
    assert b"/MediaBox [0 0 594.95" in pdf.replace(b"\n", b" ")
    chromium.open(PAGES["check.html"](), width=700, media="print", dark=True)
    folded = "document.querySelector('details:not([open]) dl, details:not([open]) ul')"
    assert chromium.run(f"return {folded}.getBoundingClientRect().height") > 10
    assert chromium.run("return getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert chromium.run("return document.documentElement.scrollWidth") <= 700


def test_one_click_selects_a_whole_command(chromium: Browser) -> None:
    chromium.open(PAGES["check.html"]())
    chromium.run("document.querySelector('li code').scrollIntoView({block: 'center'})")
    chromium.driver.find_element("css selector", "li code").click()
    shown = chromium.run("return document.querySelector('li code').textContent")
    assert chromium.run("return getSelection().toString()") == shown


def test_pictures_can_be_taken(chromium: Browser, tmp_path: Path) -> None:
    chromium.open(PAGES["check.html"]())
    chromium.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_of_a_fleet(chromium: Browser, dark: bool) -> None:
    lines = [
        line_without(name, "x" * 300 + FORGED[0], Step.START, "v25.4.11", 0.1)
        for name in ("payments", "l" * 200, *FORGED)
    ]
    text = render_index(fleet_report(lines, "0"), Options(), ())
    opened = chromium.open(text, dark=dark, width=360, height=700)
    assert (opened.messages, opened.requests) == ([], ["/"])
    assert [each for each in chromium.contrasts() if each[2] < (3 if each[0] == "shape" else 4.5)] == []
    assert chromium.run("return document.documentElement.scrollWidth") <= 360
    assert chromium.run("return document.scripts.length") == 0
