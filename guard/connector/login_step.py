"""The step of a login that a server, or a file, can make as long as it likes.

With SCRAM the server says how often the password is hashed, up to two thousand million times, and
libpq does it in one call; with TLS it reads certificates, on whatever disk they lie. psycopg holds
Python's lock meanwhile: no thread of guard's could say that time is up.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import TYPE_CHECKING

from psycopg.pq import PollingStatus

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

__all__ = ["poll"]


def poll(pgconn: PGconn) -> int:
    """Take a login's next step, so that the other threads can run meanwhile.

    Returns:
        A `PollingStatus`.

    Raises:
        psycopg.Error: the connection is closed.
    """
    pointer: int | None = getattr(pgconn, "pgconn_ptr", None)
    unlocked = _unlocked(type(pgconn).__module__)
    if pointer is None or unlocked is None:
        return pgconn.connect_poll()
    return PollingStatus(unlocked(pointer))


@functools.cache
def _unlocked(module: str) -> ctypes._NamedFuncPointer | None:
    """libpq's own function, called without the lock; None where it is called so already."""
    name = getattr(sys.modules[module], "__file__", None)
    try:
        # A library answers for what it is linked with as well, whatever name that has in a wheel.
        function = ctypes.CDLL(name).PQconnectPoll
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_void_p]
    function.restype = ctypes.c_int
    return function
