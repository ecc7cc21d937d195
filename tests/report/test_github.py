"""Workflow commands: one line each, nothing forged, nothing lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from guard.decision.result import Decision, FailOn, Outcome, Verdict, Waiver
from guard.report import Options
from guard.report.github import render
from tests.report.decisions import decision, decisions, finding

LINE = re.compile(r"::(?P<level>error|warning|notice) title=(?P<title>[^:,\r\n]*)::(?P<text>[^\r\n]*)")


def commands(made: Decision, **options: object) -> list[dict[str, str]]:
    """The commands as a runner reads them."""
    found = []
    for line in render(made, Options(**options)).splitlines():  # type: ignore[arg-type]
        match = LINE.fullmatch(line)
        assert match is not None, line
        read = {
            name: re.sub("%(0D|0A|3A|2C|25)", lambda m: chr(int(m[1], 16)), value)
            for name, value in match.groupdict().items()
        }
        found.append(read)
    return found


@given(decisions())
def test_as_many_commands_as_there_is_to_say(made: Decision) -> None:
    said = [f for f in made.findings if f.outcome in (Outcome.BLOCK, Outcome.UNKNOWN, Outcome.WARN)]
    waived_others = [f for f in made.waived if f not in said]
    assert len(commands(made)) == 1 + len(said) + len(waived_others) + len(made.notices)


@pytest.mark.parametrize(
    ("outcome", "level"),
    [(Outcome.BLOCK, "error"), (Outcome.UNKNOWN, "error"), (Outcome.WARN, "warning")],
)
def test_the_level_of_a_finding(outcome: Outcome, level: str) -> None:
    assert commands(decision(finding(outcome=outcome)))[1]["level"] == level


def test_a_waived_finding_is_a_notice() -> None:
    waiver = Waiver(reason="CHG-1", owner="alex")
    made = decision(finding(waiver=waiver), verdict=Verdict.ALLOW)
    verdict, waived = commands(made)
    assert (verdict["level"], waived["level"]) == ("notice", "notice")
    assert waived["text"].endswith("waived by alex: CHG-1")


@pytest.mark.parametrize(
    ("verdict", "fail_on", "level"),
    [
        (Verdict.ALLOW, FailOn.BLOCK, "notice"),
        (Verdict.ALLOW, FailOn.WARN, "error"),
        (Verdict.BLOCK, FailOn.BLOCK, "error"),
        (Verdict.UNKNOWN, FailOn.BLOCK, "error"),
    ],
)
def test_the_verdict_is_an_error_unless_the_exit_code_is_zero(
    verdict: Verdict, fail_on: FailOn, level: str
) -> None:
    made = decision(finding(outcome=Outcome.WARN), verdict=verdict)
    assert commands(made, fail_on=fail_on)[0]["level"] == level


def test_characters_that_mean_something_to_a_runner_are_escaped_and_come_back() -> None:
    made = decision(finding(check="a:b,c%d", title="100% of a, b: c", detail="", remedy=()))
    text = render(made, Options())
    assert "title=guard%3A a%3Ab%2Cc%25d::100%25 of a, b: c\n" in text
    assert commands(made)[1] == {"level": "error", "title": "guard: a:b,c%d", "text": "100% of a, b: c"}


def test_quiet_is_the_verdict_alone() -> None:
    assert len(commands(decision(finding(), finding(), notices=("x",)), quiet=True)) == 1
