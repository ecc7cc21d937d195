"""What an upgrade changes, as GitHub workflow commands: an annotation for each that matters."""

from __future__ import annotations

from typing import Final

from guard.changes.result import ChangesReport, Concern, JudgedChange
from guard.decision.result import ExitCode
from guard.report.changes.words import counts, headline
from guard.report.github import command
from guard.report.interface import Options
from guard.report.plain import plain

__all__ = ["render"]

_LEVELS: Final = ((Concern.CONCERNS, ""), (Concern.COULD_NOT_LOOK, "error"), (Concern.ASK, "notice"))


def render(report: ChangesReport, options: Options) -> str:
    """The report as workflow commands. Every line is one, so that none can be forged."""
    failed = report.exit_code(options.fail_on) is not ExitCode.ALLOW and report.taken_at is not None
    text = f"{plain(headline(report, options))}\n{counts(report)}"
    lines = [command("error" if failed else "notice", "guard", text)]
    if not options.quiet:
        for concern, level in _LEVELS:
            for change in report.of(concern):
                shown = level or ("warning" if change.effect == "changes" else "error")
                lines.append(command(shown, f"guard: {change.id}", _text(change)))
    return "\n".join(lines) + "\n"


def _text(change: JudgedChange) -> str:
    steps = (change.question, change.before, change.after)
    lines = [change.sentence, plain(change.evidence), *(f"> {step}" for step in steps if step)]
    return "\n".join(line for line in (*lines, change.docs) if line)
