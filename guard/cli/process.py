"""The process around a command: signals, a closed or foreign standard output, the exit code.

Signals end the process from their handler. An exception instead could be swallowed on its way, by a
library's clean-up or a destructor, and the report would be printed after all.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Final, NoReturn

from guard import __version__
from guard.cli import ENDING
from guard.cli.terminal import committed, emit, plain_line, tell, write_whole

__all__ = ["Interrupted", "at_interrupt", "emit", "run", "uninterrupted"]

_FULL: Final = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)
_WANT: Final = (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN)
# Python and the loader of libraries have no class of their own for it.
_WORDS_OF_WANT: Final = ("can't start new thread", "failed to map", "annot allocate memory")
_at_interrupt: list[Callable[[], object]] = []
_interrupted = 0


class Interrupted(BaseException):
    """SIGTERM arrived. Not an Exception, so that nothing on the way swallows it."""


def run() -> NoReturn:
    """Run the command line and exit with its code; 128 and its number after a signal that ends it."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or `guard … &` in a script
            signal.signal(number, _on_signal)
    _prepare_streams()
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):  # what scripts ask: no library is needed for it
            emit(f"guard {__version__}\n")
            _leave(0)
        from guard.cli.app import asked, build

        if sys.argv[1:]:  # a shell asks for completions without any, and not by what is exported
            os.environ.pop("_GUARD_COMPLETE", None)
        code = build()(asked(sys.argv[1:]), standalone_mode=False, prog_name="guard")
    except KeyboardInterrupt:
        _leave(130)
    except Interrupted:
        _leave(143)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError) and leaving.code == 1:
            # The library takes every pipe that breaks for a reader who went away. Where nothing but
            # help was asked for it is one; else it may have been a connection, and is no permission.
            _leave(0 if _asks_for_help(sys.argv[1:]) else 2)
        _leave(leaving.code if isinstance(leaving.code, int) else 1)
    except Exception as error:  # noqa: BLE001 - usage errors have no common class to name
        _leave(_exit_code_of(error))
    _leave(code if isinstance(code, int) else 0)


def _asks_for_help(arguments: Sequence[str]) -> bool:
    """True if they end with the option for help, and not with the value of another one."""
    before = arguments[-2:-1]
    return arguments[-1:] in (["-h"], ["--help"]) and not (before and before[0].startswith("-"))


def at_interrupt(clean: Callable[[], object]) -> None:
    """Have something put in order before a signal ends the process, such as the terminal's state."""
    _at_interrupt.append(clean)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off the signals that end guard while a file is written, so that no part of one is left."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    global _interrupted
    _interrupted += 1
    # A verdict that has begun to be written is written to its end and is the exit code, unless
    # nobody reads it and the signal comes again.
    if committed() and _interrupted == 1:
        return
    for clean in reversed(_at_interrupt):
        with contextlib.suppress(Exception):
            clean()
    os._exit(128 + number)


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


def _exit_code_of(error: Exception) -> int:
    """The exit code for an exception that left the command, after saying what was wrong."""
    from typer import Abort, Exit

    if isinstance(error, Exit):
        return error.exit_code
    if isinstance(error, Abort):
        if not isinstance(error.__context__, EOFError):
            return 130
        tell(
            "no verdict: a compiled file of Python's ends too early (a full disk?): install guard anew"
        )
        return 11
    code = getattr(error, "exit_code", None)
    if callable(getattr(error, "show", None)) and isinstance(code, int):
        _tell_usage(error)  # click's usage errors, whoever vendors click
        return code
    if isinstance(error, OSError) and error.errno in _FULL:  # help, which is not printed by emit
        tell(f"cannot write the result: {error.strerror}")
        return 2
    if isinstance(error, ImportError) and not (error.name or "").startswith("guard"):
        why = " ".join(str(error).split())
        tell(f"no verdict: a library that guard needs cannot be loaded, install guard anew: {why}")
        return 11
    if _is_want(error):
        tell(f"no verdict: this machine has no memory, threads or files left ({type(error).__name__})")
        return 11
    if isinstance(error, OSError) and error.filename is not None:  # a file that somebody named
        tell(f"{os.fsdecode(error.filename)}: {error.strerror}")
        return 2
    _tell_bug(error)
    return 1


def _is_want(error: BaseException) -> bool:
    """True if the machine, and not guard, is to blame: nothing could be established, that is all."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno in _WANT):
            return True
        if isinstance(seen, RuntimeError | ImportError) and any(w in str(seen) for w in _WORDS_OF_WANT):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _tell_usage(error: Exception) -> None:
    import io

    message = getattr(error, "message", None)
    if isinstance(message, str):
        error.message = plain_line(message)  # type: ignore[attr-defined]
    shown = io.StringIO()
    error.show(file=shown)  # type: ignore[attr-defined]
    with contextlib.suppress(OSError, ValueError):
        lines = shown.getvalue().splitlines()
        write_whole(sys.stderr, "".join(f"{plain_line(line)}\n" for line in lines))


def _tell_bug(error: Exception) -> None:
    """A bug is no verdict: exit code 1. Where it happened, not what it said: that may hold secrets."""
    place = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "guard" in code.co_filename:
            place = f"{code.co_filename.rpartition('/guard/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    tell(
        f"a bug in guard, no verdict: {type(error).__name__} at {place}. Please report it; "
        "GUARD_TRACEBACK=1 shows more."
    )
    if os.environ.get("GUARD_TRACEBACK"):
        import traceback

        for line in "".join(traceback.format_exception(error)).splitlines():
            tell(line)


def _leave(code: int) -> NoReturn:
    """Flush and exit. A reader that went away changes nothing about the verdict's exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    # While the interpreter ends it gives every signal that has a handler its default back: one that
    # came then would replace the exit code of a verdict that has been written.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
