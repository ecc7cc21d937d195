"""Host names to addresses, in a thread: resolving can hang for minutes and cannot be interrupted."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time

from guard.connector.hosts import Target

__all__ = ["Lookup"]


class Lookup:
    """The look-up of one target's addresses, begun at once.

    Attributes:
        addresses: what was found, in the resolver's order; [None] if there is nothing to resolve (a
            Unix socket, or an address given by the user).
        problem: why nothing was found; "" until then.
        began: when, on the monotonic clock.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.addresses: list[str | None] = []
        self.problem = ""
        self.began = time.monotonic()
        if target.host.startswith(("/", "@")):
            self.addresses = [None]
            return
        try:
            self.addresses = [str(ipaddress.ip_address(target.params.get("hostaddr", target.host)))]
        except ValueError:
            threading.Thread(target=self._look, name="guard-resolve", daemon=True).start()

    @property
    def done(self) -> bool:
        """True once there is an answer."""
        return bool(self.addresses or self.problem)

    def _look(self) -> None:
        try:
            entries = socket.getaddrinfo(self.target.host, self.target.port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            self.problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return
        self.addresses = list[str | None](found)
        if not found:
            self.problem = "the name has no address"
