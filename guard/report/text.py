"""The report for a person at 3 a.m.: the verdict first, then why, then what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from guard.decision.result import Decision, Finding, NodeSummary, Outcome, Verdict
from guard.report.interface import Options
from guard.report.plain import plain
from guard.report.words import (
    cluster_name,
    exit_reason,
    facts,
    not_judged,
    verdict_meaning,
    waived_by,
    waived_count,
)

__all__ = ["headline", "render"]

_COLOUR: Final = {Verdict.ALLOW: "32", Verdict.BLOCK: "31", Verdict.UNKNOWN: "33"}
_HEADINGS: Final = (
    (Outcome.BLOCK, "Blocking", "31"),
    (Outcome.UNKNOWN, "Unknown", "33"),
    (Outcome.WARN, "Warnings", "33"),
)
_MAX_NODES: Final = 40


def render(decision: Decision, options: Options) -> str:
    """The decision as text."""
    lines = [headline(decision, options)]
    if options.quiet:
        return lines[0] + "\n"
    lines += _context(decision, options)
    for outcome, heading, colour in _HEADINGS:
        findings = decision.of(outcome)
        if findings:
            lines += ["", _bold(heading, colour, options)]
            lines += _findings(findings, decision, options)
    if decision.waived:
        lines += ["", _bold("Waived (would count otherwise)", "36", options)]
        for finding in decision.waived:
            lines += _finding(finding, options)
    for outcome, heading in ((Outcome.PASS, "Passed"), (Outcome.NOT_APPLICABLE, "Not applicable")):
        findings = decision.of(outcome)
        if findings:
            lines += ["", _bold(heading, "2", options)]
            lines += _short(findings, options)
    lines += _nodes(decision.cluster.nodes, options)
    for notice in decision.notices:
        lines += _wrapped(f"Note: {plain(notice)}", options, "", "  ")
    return "\n".join(lines) + "\n"


def _bold(text: str, colour: str, options: Options) -> str:
    return f"\x1b[1;{colour}m{text}\x1b[0m" if options.colour else text


def headline(decision: Decision, options: Options) -> str:
    """The verdict in one line, with the cluster, the exit code and why."""
    code = decision.exit_code(options.fail_on)
    why = exit_reason(decision, options.fail_on)
    verdict = _bold(decision.verdict.value.upper(), _COLOUR[decision.verdict], options)
    name = plain(cluster_name(decision.cluster))
    tail = f" ({name + ', ' if name else ''}exit code {int(code)}{': ' + why if why else ''})"
    waived = waived_count(decision)
    return f"{verdict}{', ' + waived if waived else ''}: {verdict_meaning(decision)}{tail}"


def _context(decision: Decision, options: Options) -> Iterator[str]:
    for name, value in facts(decision, options.now):
        yield from _wrapped(f"  {name + ':':<17}{plain(value)}", options, "", " " * 19)


def _findings(findings: Iterable[Finding], decision: Decision, options: Options) -> Iterator[str]:
    told, following = not_judged(decision, findings)
    for finding in told:
        yield from _finding(finding, options)
    if following:
        text = f"Not judged for the same reason: {plain(', '.join(following))}."
        yield from _wrapped(text, options, "  ", "  ")


def _finding(finding: Finding, options: Options) -> Iterator[str]:
    hint = " [waiting can clear it]" if finding.transient else ""
    head = f"{plain(finding.check)}: {plain(finding.title)}{hint}"
    yield from _wrapped(head, options, "  ", "    ")
    if finding.detail:
        yield from _wrapped(plain(finding.detail), options, "      ", "      ")
    for step in finding.remedy:
        text = plain(step)
        if text.endswith(".") and ": " not in text:
            yield from _wrapped(text, options, "      > ", "        ")
        else:  # a statement or a command stands in it, to be pasted
            yield f"      > {text}"
    if finding.docs and finding.outcome in (Outcome.BLOCK, Outcome.UNKNOWN):
        yield f"      {plain(finding.docs)}"
    if finding.waiver is not None:
        yield from _wrapped(plain(waived_by(finding)), options, "      ", "      ")


def _short(findings: Iterable[Finding], options: Options) -> Iterator[str]:
    for finding in findings:
        text = f"{plain(finding.check)}: {plain(finding.title)}"
        yield from _wrapped(text, options, "  ", "    ")


def _nodes(nodes: tuple[NodeSummary, ...], options: Options) -> Iterator[str]:
    if not nodes:
        return
    yield ""
    yield _bold("Nodes", "2", options)
    header = ("node", "build", "version", "liveness", "membership", "address")
    rows = [
        (
            f"n{node.node_id}",
            plain(node.build or "?", 40),
            plain(node.server_version or "?", 40),
            node.liveness.value,
            plain(node.membership, 20),
            plain(node.address or "", 60),
        )
        for node in nodes[:_MAX_NODES]
    ]
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()
    if len(nodes) > _MAX_NODES:
        yield f"  and {len(nodes) - _MAX_NODES} more"


def _wrapped(text: str, options: Options, first: str, rest: str) -> list[str]:
    lines = textwrap.wrap(
        text,
        width=max(options.width, 30),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first]
    # Wrapping must not put a workflow command at the start of a line of a CI log.
    return [line.replace("::", "\\::", 1) if line.lstrip().startswith("::") else line for line in lines]
