"""The report that somebody approved, for ``--expect-fingerprint FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from guard.cli.options import usage
from guard.decision.fingerprint import is_fingerprint
from guard.files import NotRegular, TooLarge, read_regular

__all__ = ["approved_report"]

_MAX_BYTES: Final = 64 << 20


class _Report(msgspec.Struct):
    fingerprint: str
    fingerprint_parts: dict[str, Any] = {}


def approved_report(file: str) -> tuple[str, dict[str, Any] | None]:
    """The fingerprint of a JSON report and its parts, None if an older guard wrote it.

    Anything else is a usage error: neither a token nor such a file.
    """
    refusal = (
        "--expect-fingerprint: not a fingerprint, which is 16 hexadecimal digits, and not the file "
        "of a JSON report"
    )
    if not file:
        usage(refusal)
    try:
        report = msgspec.json.decode(read_regular(Path(file), _MAX_BYTES), type=_Report)
    except (OSError, NotRegular, TooLarge, ValueError, RecursionError):
        usage(refusal)
    if not is_fingerprint(report.fingerprint):
        usage(refusal)
    return report.fingerprint, report.fingerprint_parts or None
