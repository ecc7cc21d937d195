"""structlog for -v. Without it nothing is imported and nothing is logged."""

from __future__ import annotations

import contextlib
from typing import Any, TextIO

from guard.cli.options import LogFormat

__all__ = ["logger"]


class _Unheard:
    """A stream for the log. That nobody listens, or the disk is full, takes no verdict away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def logger(verbose: bool, log_format: LogFormat) -> Any:  # noqa: ANN401 - structlog's loggers
    """A logger that writes to standard error, or None."""
    if not verbose:
        return None
    import sys

    import structlog

    from guard.report.plain import plain

    def make_plain(_logger: object, _name: str, event: Any) -> Any:  # noqa: ANN401
        return {k: plain(v) if isinstance(v, str) else v for k, v in event.items()}

    last: Any = (
        structlog.processors.JSONRenderer()
        if log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            make_plain,
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=_Unheard(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    return structlog.get_logger("guard")
