"""Files that are not guard's own: opened so that nothing under their name can hang or flood it.

One place opens what may be a FIFO, a directory or huge, and one place writes.
"""

from __future__ import annotations

import errno
import io
import math
import os
import select
import stat
import sys
import time
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["NotRegular", "TooLarge", "open_regular", "read_regular", "read_standard_input"]
__all__ += ["read_whole", "write"]

_FIFO_PATIENCE_SECONDS: Final = 10.0
_FIFO_WHOLE_SECONDS: Final = 60.0
_FIFO_TICK_SECONDS: Final = 0.05
_CHUNK: Final = 1 << 18


class NotRegular(OSError):
    """The name belongs to a directory, a device or a FIFO that nobody writes to."""


class TooLarge(OSError):
    """The file is longer than anything of its kind."""


def _open(path: Path) -> tuple[int, int]:
    """The descriptor and the mode of what lies under a name; never a directory."""
    # Without blocking, so that a FIFO nobody writes to cannot hang a gate.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the name
        raise NotRegular(0, f"not a file name: {error}") from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise NotRegular(0, "it is a directory, not a regular file")
    return descriptor, mode


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading at any place, for what is too large to be read whole.

    Raises:
        NotRegular: it is something else.
        OSError: it cannot be opened.
    """
    descriptor, mode = _open(Path(path))
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotRegular(0, "not a regular file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Raises:
        NotRegular: it is something else.
        TooLarge: it is longer.
        OSError: it cannot be opened or read.
    """
    descriptor, mode = _open(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(mode):
            raise NotRegular(0, "not a regular file")
        return _to_the_end(file, limit)


def read_whole(path: Path, limit: int) -> bytes:
    """Read a regular file, or a FIFO or a device until it ends, of at most `limit` bytes.

    Raises:
        NotRegular: it is a directory, or a FIFO that nobody writes to for ten seconds, or that has not
            come to its end a minute after.
        TooLarge: it is longer.
        OSError: it cannot be opened or read.
    """
    descriptor, mode = _open(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return _to_the_end(file, limit, None if stat.S_ISREG(mode) else _FIFO_PATIENCE_SECONDS)


def read_standard_input(limit: int) -> bytes:
    """Read standard input to its end, at most `limit` bytes; whoever writes to it may take his time.

    Raises:
        TooLarge: it is longer.
        OSError: it is closed, or cannot be read.
    """
    if sys.stdin is None:
        raise NotRegular(0, "standard input is closed")
    try:
        with os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as file:
            return _to_the_end(file, limit, math.inf)
    except io.UnsupportedOperation:  # a stream that some program put in its place
        return _to_the_end(sys.stdin.buffer, limit)


def _to_the_end(file: RawIOBase | BinaryIO, limit: int, patience: float | None = None) -> bytes:
    """Read until there is no more. One call may bring less than there is.

    Args:
        file: what is read.
        limit: bytes.
        patience: seconds to wait for more each time; None for a file that never lets one wait.
    """
    chunks: list[bytes] = []
    size = 0
    end = math.inf if patience in (None, math.inf) else time.monotonic() + _FIFO_WHOLE_SECONDS
    while size <= limit:
        if patience is not None:
            ready, _, _ = select.select([file], [], [], None if patience == math.inf else patience)
            if not ready:
                raise NotRegular(0, "nothing was written to it")
            if time.monotonic() >= end:  # a drop now and then would keep guard for ever
                raise NotRegular(0, f"it did not end within {_FIFO_WHOLE_SECONDS:g} s")
        chunk = file.read(min(_CHUNK, limit + 1 - size))
        if chunk is None:  # it would have had to wait
            if patience is None:
                raise NotRegular(0, "it does not end")
            continue
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    if size > limit:
        raise TooLarge(0, f"larger than {limit} bytes")
    return b"".join(chunks)


def _pour(path: Path, data: bytes) -> None:
    """Write to a FIFO or a device as long as something takes it, and to the end of an open file."""
    patience = time.monotonic() + _FIFO_PATIENCE_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
            break
        except OSError as error:  # a FIFO that nobody has opened to read, yet
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= patience:
                raise NotRegular(0, "nobody reads from it") from None
            time.sleep(_FIFO_TICK_SECONDS)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        rest = memoryview(data)
        end = time.monotonic() + _FIFO_WHOLE_SECONDS
        while rest:
            if time.monotonic() >= end:
                raise NotRegular(0, f"it was not read within {_FIFO_WHOLE_SECONDS:g} s")
            if not select.select([], [descriptor], [], _FIFO_PATIENCE_SECONDS)[1]:
                raise NotRegular(0, "nobody reads from it")
            rest = rest[file.write(rest) or 0 :]


def _is_descriptor(path: Path) -> bool:
    """True for names such as /dev/stdout: links of the system's, which nothing may replace."""
    return path.is_symlink() and path.absolute().parts[1:2] in (("dev",), ("proc",))


def write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all: an old file survives a full disk or an interrupt.

    Raises:
        OSError: it could not be written; the old file, if any, is untouched.
    """
    if path.exists() and (not path.is_file() or _is_descriptor(path)):  # a FIFO: nothing to replace
        _pour(path, data)
        return
    import tempfile  # only a run that writes needs it

    # A name may be as long as names can be; the temporary one has to be longer by nothing.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:20]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
