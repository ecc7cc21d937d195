"""JUnit XML: well-formed whatever the texts, and never a green suite for a red verdict."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.decision.result import Decision, ExitCode, FailOn, Outcome, Verdict, Waiver
from guard.report import Options
from guard.report.junit import render
from tests.report.decisions import decision, decisions, finding


def suite(made: Decision, fail_on: FailOn = FailOn.BLOCK) -> Element:
    return fromstring(render(made, Options(fail_on=fail_on)))


def results(made: Decision, fail_on: FailOn = FailOn.BLOCK) -> list[str]:
    """What each case says: the tag of its result, or ``passed``."""
    found = []
    for case in suite(made, fail_on).findall("testcase"):
        tags = [child.tag for child in case if child.tag != "system-out"]
        assert len(tags) <= 1
        found.append(tags[0] if tags else "passed")
    return found


@given(decisions(), st.sampled_from(list(FailOn)))
def test_one_case_for_the_verdict_and_one_for_each_finding(made: Decision, fail_on: FailOn) -> None:
    root = suite(made, fail_on)
    said = results(made, fail_on)
    assert len(said) == 1 + len(made.findings)
    assert root.get("tests") == str(len(said))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert root.get(attribute) == str(said.count(tag))
    assert {child.tag for child in root} == {"properties", "testcase"}


@given(decisions(), st.sampled_from(list(FailOn)))
def test_the_verdict_case_fails_unless_the_exit_code_is_zero(made: Decision, fail_on: FailOn) -> None:
    passed = results(made, fail_on)[0] == "passed"
    assert passed is (made.exit_code(fail_on) is ExitCode.ALLOW)


@pytest.mark.parametrize(
    ("outcome", "fail_on", "result"),
    [
        (Outcome.PASS, FailOn.BLOCK, "passed"),
        (Outcome.WARN, FailOn.BLOCK, "passed"),
        (Outcome.WARN, FailOn.WARN, "failure"),
        (Outcome.BLOCK, FailOn.BLOCK, "failure"),
        (Outcome.UNKNOWN, FailOn.BLOCK, "error"),
        (Outcome.NOT_APPLICABLE, FailOn.BLOCK, "skipped"),
    ],
)
def test_the_result_of_a_finding(outcome: Outcome, fail_on: FailOn, result: str) -> None:
    assert results(decision(finding(outcome=outcome)), fail_on)[1] == result


def test_a_waived_finding_is_skipped_and_says_why() -> None:
    made = decision(finding(waiver=Waiver(reason="CHG-1", owner="alex")), verdict=Verdict.ALLOW)
    assert results(made) == ["passed", "skipped"]
    skipped = suite(made).find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "block, waived by alex: CHG-1"


def test_texts_come_back_as_they_were() -> None:
    text = "<a href=\"x\">&amp; 'q' ]]></a>"
    root = suite(decision(finding(title=text, detail=text, remedy=(text,))))
    failure = root.findall("testcase/failure")[1]
    assert failure.get("message") == text
    assert failure.text == f"{text}\n{text}\n> {text}"


def test_an_empty_decision_is_no_empty_suite() -> None:
    assert results(decision(verdict=Verdict.UNKNOWN)) == ["failure"]
