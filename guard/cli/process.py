"""The process around a command: signals, a closed or foreign standard output, the exit code."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

__all__ = ["Interrupted", "emit", "run"]


class Interrupted(BaseException):
    """SIGTERM arrived. Not an Exception, so that nothing on the way swallows it."""


def run() -> NoReturn:
    """Run the command line and exit with its code; 130 and 143 after SIGINT and SIGTERM."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    _prepare_streams()
    from guard.cli.app import build

    try:
        code = build()(standalone_mode=False, prog_name="guard")
    except KeyboardInterrupt:
        _leave(130)
    except Interrupted:
        _leave(143)
    except Exception as error:  # noqa: BLE001 - usage errors have no common class to name
        _leave(_exit_code_of(error))
    _leave(code if isinstance(code, int) else 0)


def _prepare_streams() -> None:
    # Python has no stream at all for a descriptor that was closed before the start.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for the life of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    # A locale that cannot write a character must not turn a verdict into a traceback.
    codecs.register_error("guard", _written_out)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="guard")  # type: ignore[union-attr]


def _written_out(error: UnicodeError) -> tuple[str, int]:
    """What the locale cannot write, as ``\\uXXXX``: inside a string of JSON it stays the same JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def _on_sigterm(_signal: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _exit_code_of(error: Exception) -> int:
    """The exit code for an exception that left the command, after showing a usage error."""
    from typer import Abort, Exit

    if isinstance(error, Exit):
        return error.exit_code
    if isinstance(error, Abort):
        return 130
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):  # click's usage errors, whoever vendors click
        show()
        return code
    raise error


def _leave(code: int) -> NoReturn:
    """Flush and exit. A reader that went away changes nothing about the verdict's exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def emit(text: str) -> None:
    """Write a result to standard output; a reader that has gone away is no error, a full disk is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"guard: cannot write the result: {error.strerror}\n")
        _leave(2)
