"""The report as GitHub workflow commands: annotations on the run, one per finding that matters.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from guard.decision.result import Decision, ExitCode, Finding, Outcome
from guard.report.interface import Options
from guard.report.plain import plain
from guard.report.text import headline
from guard.report.words import waived_by

__all__ = ["command", "render"]

_LEVELS: Final = (
    (Outcome.BLOCK, "error"),
    (Outcome.UNKNOWN, "error"),
    (Outcome.WARN, "warning"),
)


def render(decision: Decision, options: Options) -> str:
    """The decision as workflow commands. Every line is one, so that none can be forged."""
    code = decision.exit_code(options.fail_on)
    verdict = headline(decision, msgspec.structs.replace(options, colour=False))
    context = f"step {decision.step.value}, target {decision.target or 'none'}"
    lines = [
        command(
            "notice" if code is ExitCode.ALLOW else "error",
            "guard",
            f"{plain(verdict)}\n{plain(context)}, fingerprint {plain(decision.fingerprint)}, "
            f"seen {' and '.join(f'{moment:%Y-%m-%d %H:%M:%SZ}' for moment in decision.looks)}",
        )
    ]
    if not options.quiet:
        lines += _findings(decision)
        lines += [command("notice", "guard", plain(notice)) for notice in decision.notices]
    return "\n".join(lines) + "\n"


def _findings(decision: Decision) -> Iterator[str]:
    for outcome, level in _LEVELS:
        for finding in decision.of(outcome):
            yield command(level, f"guard: {plain(finding.check)}", _text(finding))
    for finding in decision.waived:
        yield command("notice", f"guard: {plain(finding.check)} (waived)", _text(finding))


def _text(finding: Finding) -> str:
    lines = [plain(finding.title), plain(finding.detail)]
    lines += [f"> {plain(step)}" for step in finding.remedy]
    lines.append(plain(finding.docs))
    if finding.waiver is not None:
        lines.append(plain(waived_by(finding)))
    return "\n".join(line for line in lines if line)


def command(level: str, title: str, message: str) -> str:
    """One workflow command: ``error``, ``warning`` or ``notice``, with a title and a text."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
