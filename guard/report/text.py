"""The report for a person at 3 a.m.: the verdict first, then why, then what to do."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from guard.decision.result import (
    ClusterSummary,
    Decision,
    ExitCode,
    Finding,
    NodeSummary,
    Outcome,
    Step,
    Verdict,
)
from guard.report.interface import Options
from guard.report.plain import plain

__all__ = ["headline", "render"]

_ALLOW: Final = {
    Step.START: "the upgrade may start",
    Step.NEXT_NODE: "the next node may be restarted",
    Step.FINALIZE: "the upgrade may be finalized, which cannot be undone",
    Step.ROLLBACK: "the nodes may be put back on the old build",
    Step.VERIFY: "the upgrade has landed",
    Step.AUTO: "",
}
_BLOCK: Final = {
    Step.START: "do not start the upgrade",
    Step.NEXT_NODE: "do not restart the next node",
    Step.FINALIZE: "do not finalize",
    Step.ROLLBACK: "do not roll back",
    Step.VERIFY: "the upgrade has not landed",
    Step.AUTO: "",
}
_UNKNOWN: Final = "guard could not establish what it needs, so this is no permission"
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
    """The verdict in one line, with the exit code and why."""
    words = {
        Verdict.ALLOW: _ALLOW[decision.step],
        Verdict.BLOCK: _BLOCK[decision.step],
        Verdict.UNKNOWN: _UNKNOWN,
    }[decision.verdict]
    code = decision.exit_code(options.fail_on)
    count = len(decision.of(Outcome.BLOCK)) if decision.verdict is Verdict.BLOCK else 0
    why = ""
    if count:
        why = f"{count} finding blocks" if count == 1 else f"{count} findings block"
        if decision.only_waiting_helps:
            why += ", and waiting can clear that"
    elif decision.verdict is Verdict.UNKNOWN:
        number = len(decision.of(Outcome.UNKNOWN))
        why = f"{number} finding unknown" if number == 1 else f"{number} findings unknown"
    elif code is ExitCode.WARNINGS:
        why = "warnings, and --fail-on warn is set"
    verdict = _bold(decision.verdict.value.upper(), _COLOUR[decision.verdict], options)
    tail = f" (exit code {int(code)}{': ' + why if why else ''})"
    return f"{verdict}: {words}{tail}"


def _context(decision: Decision, options: Options) -> Iterator[str]:
    cluster = decision.cluster
    step = decision.step.value
    if decision.step_inferred:
        step += f" (inferred: {plain(decision.step_reason)})"
    rows = [
        ("step", step if decision.step is not Step.AUTO else "not known"),
        ("target", plain(decision.target) if decision.target else "none"),
        (
            "cluster version",
            _version(cluster),
        ),
        (
            "seen",
            f"{_utc(decision.taken_at)}"
            + (f", {_age(options.now - decision.taken_at)}" if options.now else "")
            + (f", through {plain(cluster.gateway)}" if cluster.gateway else ""),
        ),
    ]
    if len(decision.looks) > 1:
        times = " and ".join(_utc(moment) for moment in decision.looks)
        rows.append(("looked twice", times))
    if decision.fingerprint:
        rows.append(("fingerprint", plain(decision.fingerprint)))
    for name, value in rows:
        yield from _wrapped(f"  {name + ':':<17}{value}", options, "", " " * 19)


def _version(cluster: ClusterSummary) -> str:
    if cluster.active_version is None:
        return "unknown"
    if not cluster.final:
        state = "migrating"
    elif any(
        n.server_version not in (None, cluster.active_version)
        for n in cluster.nodes
        if n.membership != "decommissioned"
    ):
        state = "upgrade not finalized"
    else:
        state = "final"
    return f"{plain(cluster.active_version)} ({state})"


def _utc(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _age(duration: dt.timedelta) -> str:
    seconds = int(duration.total_seconds())
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _findings(findings: Iterable[Finding], decision: Decision, options: Options) -> Iterator[str]:
    hidden = any(f.check == "visibility" for f in decision.of(Outcome.UNKNOWN))
    following: list[str] = []
    for finding in findings:
        if hidden and finding.outcome is Outcome.UNKNOWN and "section" in finding.evidence:
            following.append(finding.check)
            continue
        yield from _finding(finding, options)
    if following:
        text = f"Not judged for the same reason: {', '.join(dict.fromkeys(following))}."
        yield from _wrapped(text, options, "  ", "  ")


def _finding(finding: Finding, options: Options) -> Iterator[str]:
    hint = " [waiting can clear it]" if finding.transient else ""
    head = f"{plain(finding.check)}: {plain(finding.title)}{hint}"
    yield from _wrapped(head, options, "  ", "    ")
    if finding.detail:
        yield from _wrapped(plain(finding.detail), options, "      ", "      ")
    for step in finding.remedy:
        # Not wrapped: it is there to be pasted.
        yield f"      > {plain(step)}"
    if finding.docs and finding.outcome in (Outcome.BLOCK, Outcome.UNKNOWN):
        yield f"      {plain(finding.docs)}"
    if finding.waiver is not None:
        until = f", until {finding.waiver.expires}" if finding.waiver.expires else ""
        text = f"waived by {plain(finding.waiver.owner)}{until}: {plain(finding.waiver.reason)}"
        yield from _wrapped(text, options, "      ", "      ")


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
