"""Write the README's generated parts: ``python -m tests.readme``. Tests fail when one is stale."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from guard.decision.check_definition import ALL_STEPS
from guard.decision.checks import ALL
from guard.decision.table import TABLE

__all__ = ["checks_table", "replace", "sample", "snippet"]

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SAMPLE = ("check", "--snapshot", "examples/snapshots/mixed-backup-running.json", "--max-age", "none")
_WORDS = {"B": "**B**", "W": "W", "P": "list"}


def checks_table() -> str:
    """The step table as Markdown."""
    lines = [
        "| check | " + " | ".join(step.value for step in ALL_STEPS) + " | what it sees to |",
        "|---|" + "---|" * (len(ALL_STEPS) + 1),
    ]
    for check in ALL:
        row = TABLE[check.id]
        cells = [
            " ".join(_WORDS[letter] for letter in row[step].split()) or "·" if step in row else "–"
            for step in ALL_STEPS
        ]
        lines.append(f"| {check.id} | " + " | ".join(cells) + f" | {check.title} |")
    return "\n".join(lines)


def sample() -> str:
    """What the README's first command prints, down to the warnings; its age is that of the day."""
    done = subprocess.run(
        [sys.executable, "-m", "guard", *SAMPLE, "--no-policy"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    shown, _, _ = done.stdout.partition("\nWarnings\n")
    shown = re.sub(r"Z, [^,]* ago", "Z, 2 d ago", shown)
    return f"```text\n{shown}\n  …\n```"


def snippet(text: str, name: str) -> str:
    """What stands between the markers of that name."""
    match = re.search(rf"<!-- {name}:begin -->\n(.*?)\n?<!-- {name}:end -->", text, re.DOTALL)
    assert match is not None, f"the README has no markers for {name}"
    return match[1]


def replace(text: str, name: str, content: str) -> str:
    """The text with new content between the markers."""
    return re.sub(
        rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)",
        lambda match: f"{match[1]}{content}\n{match[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    written = replace(README.read_text(), "checks", checks_table())
    README.write_text(replace(written, "sample", sample()))
