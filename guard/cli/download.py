"""Fetching one public file over HTTPS, only because its address was given on the command line."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DownloadError", "fetch", "is_address"]

_TIMEOUT_SECONDS: Final = 30
_LOOPBACK: Final = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?/", re.ASCII)


class DownloadError(Exception):
    """The file could not be fetched; the text says why, in one line."""


def is_address(text: str) -> bool:
    """True for what is an address and not the name of a file."""
    return text.startswith(("https://", "http://"))


def fetch(address: str, limit: int) -> bytes:
    """Fetch at most `limit` bytes. Plain HTTP is refused, except from this very machine.

    Raises:
        DownloadError: refused, not there, too long, or no answer in 30 seconds.
    """
    import http.client  # only a run that fetches needs it
    import urllib.error
    import urllib.request

    def allowed(url: str) -> bool:
        return url.startswith("https://") or _LOOPBACK.match(url) is not None

    class OnlyHttps(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *arguments: object) -> urllib.request.Request | None:
            if not allowed(str(arguments[-1])):
                raise DownloadError(f"{address} leads to an address without TLS")
            return super().redirect_request(*arguments)  # type: ignore[arg-type]

    if not allowed(address):
        raise DownloadError(f"{address}: only https addresses are fetched")
    opener = urllib.request.build_opener(OnlyHttps())
    try:
        with opener.open(address, timeout=_TIMEOUT_SECONDS) as answer:
            data: bytes = answer.read(limit + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise DownloadError(f"{address}: {error.code} {error.reason}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DownloadError(f"{address}: {error}") from None
    if len(data) > limit:
        raise DownloadError(f"{address}: larger than {limit} bytes")
    return data
