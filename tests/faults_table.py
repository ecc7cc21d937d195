"""The table of faults in tests/README.md, made from the tests: ``python -m tests.faults_table``.

With ``--write`` it replaces what stands between the markers there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.faults import TABLE

__all__ = ["BEGIN", "END", "README", "snippet"]

README: Final = Path(__file__).parent / "README.md"
BEGIN: Final = "<!-- faults:begin -->"
END: Final = "<!-- faults:end -->"
_MODULES: Final = (
    "tests.connector.test_faults",
    "tests.connector.test_privileges",
    "tests.connector.test_odd_rows",
    "tests.connector.test_tls",
    "tests.connector.test_secrets",
    "tests.connector.test_wall",
    "tests.connector.test_session",
    "tests.connector.test_hosts",
    "tests.cli.test_faults",
    "tests.cli.test_hostile_files",
    "tests.cli.test_process_edge",
)


def snippet() -> str:
    """The table as Markdown, without the markers."""
    for module in _MODULES:
        import_module(module)
    lines = ["| | what goes wrong | what guard answers | exit code |", "|---|---|---|---|"]
    # By module first: in whatever order the test runner imports them, the table stays the same.
    rows = sorted(TABLE, key=lambda row: _MODULES.index(row.module))
    groups = list(dict.fromkeys(row.group for row in rows))
    rows.sort(key=lambda row: groups.index(row.group))
    group = ""
    for row in rows:
        codes = " or ".join(str(code) for code in row.codes)
        heading = "" if row.group == group else row.group
        group = row.group
        what, answer = (text.replace("|", "\\|") for text in (row.what, row.answer))
        lines.append(f"| {heading} | {what} | {answer} | {codes} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    if "--write" not in sys.argv[1:]:
        sys.stdout.write(snippet())
        return
    text = README.read_text()
    before, found_begin, rest = text.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        sys.exit(f"tests/README.md has no {BEGIN} … {END}")
    README.write_text(f"{before}{BEGIN}\n{snippet()}{END}{after}")


if __name__ == "__main__":
    main()
