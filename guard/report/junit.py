"""The report as JUnit XML: one test case for the verdict and one for each finding."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from guard.decision.result import Decision, ExitCode, FailOn, Finding, Outcome
from guard.report.interface import Options
from guard.report.plain import plain
from guard.report.text import headline
from guard.report.words import waived_by

__all__ = ["render"]

_SUITE: Final = "guard"


def render(decision: Decision, options: Options) -> str:
    """The decision as JUnit XML. The verdict is a case of its own, so that no suite is empty."""
    suite = Element("testsuite", name=_SUITE, timestamp=decision.taken_at.isoformat())
    properties = SubElement(suite, "properties")
    for name, value in (
        ("verdict", decision.verdict.value),
        ("step", decision.step.value),
        ("target", decision.target or ""),
        ("fingerprint", decision.fingerprint),
        ("guard_version", decision.guard_version),
        *(("look", moment.isoformat()) for moment in decision.looks),
        *(("notice", notice) for notice in decision.notices),
    ):
        SubElement(properties, "property", name=name, value=plain(value))
    code = decision.exit_code(options.fail_on)
    verdict = SubElement(suite, "testcase", classname=_SUITE, name="verdict")
    if code is not ExitCode.ALLOW:
        text = headline(decision, msgspec.structs.replace(options, colour=False))
        SubElement(verdict, "failure", message=plain(text), type=decision.verdict.value)
    for finding in decision.findings:
        _case(suite, finding, options.fail_on)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _case(suite: Element, finding: Finding, fail_on: FailOn) -> None:
    name = plain(finding.check)  # alone, so that the history of a CI system lines up
    case = SubElement(suite, "testcase", classname=f"{_SUITE}.{plain(finding.check)}", name=name)
    lines = [
        plain(finding.title),
        plain(finding.detail),
        *(f"> {plain(step)}" for step in finding.remedy),
        plain(finding.docs),
    ]
    text = "\n".join(line for line in lines if line)
    tag = {Outcome.BLOCK: "failure", Outcome.UNKNOWN: "error"}.get(finding.outcome)
    if finding.outcome is Outcome.WARN and fail_on is FailOn.WARN:
        tag = "failure"
    if finding.waiver is not None:
        why = plain(waived_by(finding))
        SubElement(case, "skipped", message=f"{finding.outcome.value}, {why}").text = text
    elif finding.outcome is Outcome.NOT_APPLICABLE:
        SubElement(case, "skipped", message="not applicable").text = text
    elif tag is not None:
        SubElement(case, tag, message=plain(finding.title), type=finding.outcome.value).text = text
    elif finding.outcome is Outcome.WARN:
        SubElement(case, "system-out").text = f"warning: {plain(finding.title)}\n{text}"
