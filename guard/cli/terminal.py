"""The one place that writes to standard output and standard error, and the one that cleans it.

Names, labels and messages come from clusters, files and command lines of others. Whatever a command
prints goes through here: control characters are written out, a line stays one line, and no line of
text can be taken for a command of a CI runner. The report formats that have commands of their own
(``github``) or markup of their own are cleaned of control characters all the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
from collections.abc import Iterable
from typing import Final, TextIO

from guard.report.plain import plain

__all__ = ["Laid", "committed", "emit", "emit_lines", "plain_line", "redraw", "tell"]
__all__ += ["write_whole"]

_OWN_COLOURS: Final = re.compile(r"\x1b\[(?:0|1;[0-9]{1,2})m")
_LONGEST_LINE: Final = 20_000

_state = {"committed": False}


class Laid(str):
    """A text of several lines that guard laid out itself: its line ends are meant."""

    __slots__ = ()


def committed() -> bool:
    """True once a result has begun to be written: an interrupt no longer takes it back."""
    return _state["committed"]


def plain_line(text: str, *, commands: bool = False) -> str:
    """One line without anything that moves a terminal, ends the line, or commands a CI runner."""
    pieces = []
    done = 0
    for colour in _OWN_COLOURS.finditer(text):
        pieces += [plain(text[done : colour.start()], _LONGEST_LINE), colour[0]]
        done = colour.end()
    line = "".join((*pieces, plain(text[done:], _LONGEST_LINE)))
    if not commands and line.lstrip().startswith("::"):
        return line.replace("::", "\\::", 1)
    return line


def emit(text: str, *, commands: bool = False) -> None:
    """Write a result to standard output; a reader that has gone away is no error, a full disk is.

    Args:
        text: whole lines; its line ends are guard's own.
        commands: its lines may be commands of a CI runner, as ``--format github`` prints them.
    """
    clean = "\n".join(plain_line(line, commands=commands) for line in text.split("\n"))
    _state["committed"] = True
    try:
        write_whole(sys.stdout, clean)
    except BrokenPipeError:
        _to_nowhere()
    except (OSError, ValueError) as error:
        _to_nowhere()
        tell(f"cannot write the result: {getattr(error, 'strerror', None) or error}")
        raise SystemExit(2) from None


def write_whole(stream: TextIO, text: str) -> None:
    """Write all of a text, or raise.

    Python's own streams drop the rest without a word where the system takes only a part: an unbuffered
    one (PYTHONUNBUFFERED, usual in containers) on a disk that fills up or a pipe that does not block.

    Raises:
        OSError: it could not be written to the end.
        ValueError: the stream is closed.
    """
    stream.flush()
    try:
        descriptor = stream.fileno()
    except OSError:  # a stream that some program put in its place
        stream.write(text)
        stream.flush()
        return
    rest = memoryview(text.encode(stream.encoding or "utf-8", stream.errors or "strict"))
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def emit_lines(lines: Iterable[str]) -> None:
    """Write a result line by line: a line end inside one of them does not begin another."""
    whole: list[str] = []
    for line in lines:
        whole += line.split("\n") if isinstance(line, Laid) else [plain_line(line)]
    emit("".join(f"{line}\n" for line in whole))


def tell(text: str) -> None:
    """Write one line for people to standard error. That nobody listens is no reason to stop."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        write_whole(sys.stderr, f"guard: {plain_line(text)}\n")


def redraw(text: str) -> None:
    """Put a line in the place of the last one on a terminal's standard error; "" takes it away."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        write_whole(sys.stderr, f"\r{plain_line(text)}\x1b[K")


def _to_nowhere() -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
