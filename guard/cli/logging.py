"""structlog for -v. Without it nothing is imported and nothing is logged."""

from __future__ import annotations

from typing import Any

from guard.cli.options import LogFormat

__all__ = ["logger"]


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
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    return structlog.get_logger("guard")
