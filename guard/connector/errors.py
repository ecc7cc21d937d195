"""Errors that the connector hands to its callers."""

from __future__ import annotations

from guard.snapshot.model import HostAttempt, Reason

__all__ = ["ConnectFailed", "UrlError"]


class UrlError(ValueError):
    """The connection parameters cannot be used. The message never repeats them: they hold secrets."""


class ConnectFailed(Exception):
    """No host could be reached, or what answered is no CockroachDB.

    Attributes:
        reason: which kind of failure, for the snapshot.
        remedy: what to do about it.
        attempts: every host that was tried last, and how it failed.
        permanent: True if trying again cannot help.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: Reason = Reason.CONNECTION,
        remedy: tuple[str, ...] = (),
        attempts: tuple[HostAttempt, ...] = (),
        permanent: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.remedy = remedy
        self.attempts = attempts
        self.permanent = permanent
