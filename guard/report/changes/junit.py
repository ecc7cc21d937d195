"""What an upgrade changes, as JUnit XML: a test case for the answer and one for each change."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from guard.changes.result import ChangesReport, Concern, JudgedChange
from guard.decision.result import ExitCode, FailOn
from guard.report.changes.words import headline
from guard.report.interface import Options
from guard.report.plain import plain

__all__ = ["render"]

_SUITE: Final = "guard changes"


def render(report: ChangesReport, options: Options) -> str:
    """The report as JUnit XML. What a person must look at is skipped, with the question."""
    suite = Element("testsuite", name=_SUITE)
    if report.taken_at is not None:
        suite.set("timestamp", report.taken_at.isoformat())
    answer = SubElement(suite, "testcase", classname="guard", name="changes")
    code = report.exit_code(options.fail_on)
    if report.taken_at is not None and code is not ExitCode.ALLOW:
        SubElement(answer, "failure", message=headline(report, options), type=code.name.lower())
    for change in report:
        _case(suite, change, options.fail_on)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _case(suite: Element, change: JudgedChange, fail_on: FailOn) -> None:
    name = plain(f"{change.id}: {change.sentence}")
    case = SubElement(suite, "testcase", classname="guard.changes", name=name)
    steps = "\n".join(f"> {step}" for step in (change.before, change.after) if step)
    evidence = plain(change.evidence)
    if change.concern is Concern.CONCERNS and (change.effect != "changes" or fail_on is FailOn.WARN):
        SubElement(case, "failure", message=evidence, type=change.effect).text = steps
    elif change.concern is Concern.CONCERNS:
        SubElement(case, "system-out").text = f"warning: {evidence}\n{steps}"
    elif change.concern is Concern.COULD_NOT_LOOK:
        SubElement(case, "error", message=evidence, type=change.concern.value)
    elif change.concern in (Concern.ASK, Concern.LISTED):
        SubElement(case, "skipped", message=change.question or "no cluster was looked at")
