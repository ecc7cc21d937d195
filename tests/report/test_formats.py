"""What holds for every format: what must be in it, and what no text may do to it."""

from __future__ import annotations

import datetime as dt
import json
import re
from html import unescape
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.decision.result import Decision, Outcome, Verdict, Waiver
from guard.report import Format, Options, renderer
from tests.report.decisions import NOW, decision, decisions, finding

# What a terminal or a log viewer acts on: controls, line separators, direction marks.
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def rendered(format_: Format, made: Decision, **options: Any) -> str:
    return renderer(format_)(made, Options(**options))


def words(format_: Format, made: Decision) -> str:
    """The report as its reader sees it."""
    text = rendered(format_, made)
    if format_ is Format.JSON:
        return json.dumps(json.loads(text), ensure_ascii=False)
    return " ".join(unescape(text.replace("%0A", "\n").replace("%3A", ":")).split())


@pytest.mark.parametrize("format_", Format)
def test_every_format_shows_the_verdict_the_fingerprint_and_what_blocks(format_: Format) -> None:
    text = words(format_, decision(finding(title="no room left", detail="3 % free")))
    assert "block" in text.lower()
    for word in ("0123456789abcdef", "no room left", "capacity"):
        assert word in text


@pytest.mark.parametrize("format_", Format)
@pytest.mark.parametrize("outcome", [Outcome.WARN, Outcome.BLOCK, Outcome.UNKNOWN])
def test_every_format_echoes_waivers(format_: Format, outcome: Outcome) -> None:
    waiver = Waiver(reason="CHG-1234", owner="alex", expires=dt.date(2026, 12, 31))
    made = decision(finding(outcome=outcome, waiver=waiver), verdict=Verdict.ALLOW)
    text = words(format_, made)
    for word in ("CHG-1234", "alex", "2026-12-31", "capacity", "a title"):
        assert word in text


@pytest.mark.parametrize("format_", Format)
def test_every_format_shows_notices(format_: Format) -> None:
    made = decision(finding(), notices=("the waiver for A-1 by alex expired on 2026-01-01",))
    assert "the waiver for A-1 by alex expired on 2026-01-01" in words(format_, made)


@pytest.mark.parametrize("format_", Format)
def test_every_format_ends_with_one_newline_and_has_no_colour_unasked(format_: Format) -> None:
    text = rendered(format_, decision(finding()))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text


def test_only_text_has_colours_and_it_has_them_when_asked() -> None:
    made = decision(finding())
    coloured = {each for each in Format if "\x1b" in rendered(each, made, colour=True)}
    assert coloured == {Format.TEXT}


@pytest.mark.parametrize("format_", Format)
def test_every_format_names_both_looks(format_: Format) -> None:
    later = NOW + dt.timedelta(seconds=15)
    text = words(format_, decision(finding(outcome=Outcome.PASS), looks=(NOW, later)))
    assert "02:00:00" in text
    assert "02:00:15" in text


@given(decisions(), st.sampled_from(list(Format)), st.sampled_from([30, 40, 100]))
def test_no_text_of_a_cluster_acts_on_a_terminal_or_a_runner(
    made: Decision, format_: Format, width: int
) -> None:
    text = rendered(format_, made, width=width, now=NOW)
    assert ACTING.search(text) is None
    text.encode("utf-8")
    lines = text.split("\n")
    if format_ is not Format.GITHUB:
        assert not any(line.lstrip().startswith("::") for line in lines)
    assert "##[" not in text


@pytest.mark.parametrize("format_", [Format.TEXT, Format.GITHUB, Format.JUNIT, Format.MARKDOWN])
def test_the_line_of_the_verdict_names_the_cluster(format_: Format) -> None:
    made = decision(finding())
    cluster_id = "22280ea9-52c8-4c84-a2c6-3ffca8e370b1"
    named = msgspec.structs.replace(
        made, cluster=msgspec.structs.replace(made.cluster, cluster_id=cluster_id)
    )

    def lines(one: Decision) -> list[str]:
        text = unescape(rendered(format_, one)).replace("%0A", "\n")
        return [line for line in text.splitlines() if "do not restart the next node" in line]

    assert all("(cluster 22280ea9" in line for line in lines(named))
    assert lines(named)
    assert "cluster" not in " ".join(lines(made))
