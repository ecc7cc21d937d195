"""The report as Markdown: for a pull request, a ticket, or ``$GITHUB_STEP_SUMMARY``.

One table of findings, what lies behind each folded away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from guard.decision.result import Decision, Finding, NodeSummary, Outcome
from guard.report.interface import Options
from guard.report.markdown_text import Markdown, code, details, inline, link, table
from guard.report.words import (
    cluster_name,
    exit_reason,
    facts,
    not_judged,
    utc,
    verdict_meaning,
    waived_by,
)

__all__ = ["render"]

_SHOWN: Final = (
    (Outcome.BLOCK, "**BLOCK**"),
    (Outcome.UNKNOWN, "**UNKNOWN**"),
    (Outcome.WARN, "warning"),
)
_FOLDED: Final = ((Outcome.PASS, "Passed"), (Outcome.NOT_APPLICABLE, "Not applicable"))
_MAX_NODES: Final = 100  # a comment on GitHub holds 65,536 characters
_MAX_FINDINGS: Final = 100


def render(decision: Decision, options: Options) -> str:
    """The decision as Markdown."""
    code_ = int(decision.exit_code(options.fail_on))
    why = exit_reason(decision, options.fail_on)
    meaning = verdict_meaning(decision)
    verdict = f"{decision.verdict.value.upper()}{': ' + meaning if meaning else ''}"
    name = inline(cluster_name(decision.cluster))
    lines = [
        Markdown(f"## guard: {verdict}{f' ({name})' if name else ''}"),
        _EMPTY,
        Markdown(f"Exit code {code_}{': ' + why if why else ''}."),
        _EMPTY,
    ]
    if not options.quiet:
        lines += _facts(decision, options)
        lines += _findings(decision)
        lines += _folded(decision)
        lines += _nodes(decision.cluster.nodes)
        lines += _notices(decision)
    return "\n".join(lines).rstrip("\n") + "\n"


_EMPTY: Final = Markdown("")


def _facts(decision: Decision, options: Options) -> Iterator[Markdown]:
    rows = [(inline(name), inline(value)) for name, value in facts(decision, options.now)]
    if decision.cluster.cluster_id:
        rows.append((inline("cluster"), inline(decision.cluster.cluster_id)))
    yield from table(("asked", "answer"), rows)
    yield _EMPTY


def _findings(decision: Decision) -> Iterator[Markdown]:
    """The table of all that counts, and each finding's story."""
    following: list[str] = []
    shown: list[tuple[Markdown, Finding]] = []
    for outcome, name in _SHOWN:
        told, silent = not_judged(decision, decision.of(outcome))
        shown += [(Markdown(name), finding) for finding in told]
        following += silent
    shown += [(Markdown(f"waived ({f.outcome.value})"), f) for f in decision.waived]
    if not shown:
        return
    more = len(shown) - _MAX_FINDINGS
    shown = shown[:_MAX_FINDINGS]
    yield from table(
        ("", "check", "finding"),
        [(name, inline(finding.check), _title(finding)) for name, finding in shown],
    )
    yield _EMPTY
    if more > 0:
        yield from (Markdown(f"And {more} more."), _EMPTY)
    if following:
        yield from (
            Markdown(f"Not judged for the same reason: {inline(', '.join(following))}."),
            _EMPTY,
        )
    for _, finding in shown:
        story = list(_story(finding))
        if story:
            yield from details(_summary(finding), story)


def _title(finding: Finding) -> Markdown:
    hint = " (waiting can clear it)" if finding.transient else ""
    waived = f"; {inline(waived_by(finding))}" if finding.waiver else ""
    return Markdown(f"{inline(finding.title)}{hint}{waived}")


def _summary(finding: Finding) -> Markdown:
    return Markdown(f"{inline(finding.check)}: {inline(finding.title)}")


def _story(finding: Finding) -> Iterator[Markdown]:
    """What it means and what to do. Every line begins with a character of guard's own."""
    if finding.detail:
        yield Markdown(f"> {inline(finding.detail)}")
        yield _EMPTY
    for number, step in enumerate((step for step in finding.remedy if step), start=1):
        yield Markdown(f"{number}. {code(step)}")
    if finding.remedy:
        yield _EMPTY
    if finding.docs:
        yield Markdown(f"Read: {link(finding.docs)}")


def _folded(decision: Decision) -> Iterator[Markdown]:
    for outcome, heading in _FOLDED:
        findings = decision.of(outcome)
        if findings:
            lines = [Markdown(f"- {_summary(finding)}") for finding in findings[:_MAX_FINDINGS]]
            yield from details(Markdown(f"{heading}: {len(findings)}"), lines)


def _nodes(nodes: tuple[NodeSummary, ...]) -> Iterable[Markdown]:
    if not nodes:
        return ()
    rows = [
        (
            Markdown(f"n{node.node_id}"),
            inline(node.build or "?", 40),
            inline(node.server_version or "?", 40),
            inline(node.liveness.value),
            inline(node.membership, 20),
            inline(node.locality or "", 100),
            inline(node.address or "", 60),
        )
        for node in nodes[:_MAX_NODES]
    ]
    header = ("node", "build", "version", "liveness", "membership", "locality", "address")
    lines = table(header, rows)
    if len(nodes) > _MAX_NODES:
        lines += [_EMPTY, Markdown(f"And {len(nodes) - _MAX_NODES} more.")]
    return details(Markdown(f"Nodes: {len(nodes)}"), lines)


def _notices(decision: Decision) -> Iterator[Markdown]:
    for notice in decision.notices:
        yield Markdown(f"- Note: {inline(notice)}")
    if decision.notices:
        yield _EMPTY
    catalog = f", catalog of {decision.catalog_date}" if decision.catalog_date else ""
    yield Markdown(f"guard {inline(decision.guard_version)}{catalog}, {utc(decision.taken_at)}")
