"""Where a snapshot comes from: a live cluster or a file. All take the same way afterwards."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from guard.cli.options import usage
from guard.cli.terminal import tell
from guard.snapshot import Snapshot

if TYPE_CHECKING:
    from guard.connector.collect import Further

__all__ = ["GRACE", "age_of", "names_a_cluster", "take_snapshot", "within"]

GRACE: Final = 2.0
"""Seconds that a look may take beyond its time-out before it is left to itself."""
_UNTIL_THE_ALARM: Final = 3.0
_MOST_LEFT_BEHIND: Final = 3  # looks that may still be computing while another one is begun
_left_behind: list[threading.Thread] = []


def names_a_cluster(environment: Mapping[str, str]) -> bool:
    """True if the environment says where to connect, for the commands that may do without a cluster."""
    names = ("GUARD_URL", "COCKROACH_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE")
    return any(environment.get(name) for name in names)


def take_snapshot(
    urls: Sequence[str] | None,
    snapshot: str | None,
    certs_dir: str | None = None,
    timeout: dt.timedelta = dt.timedelta(seconds=30),
    log: Any = None,  # noqa: ANN401 - structlog's loggers
    further: Further | None = None,
    debug_zip: str | None = None,
    meanwhile: Callable[[], object] | None = None,
    again: bool = False,
) -> Snapshot:
    """Read a snapshot file or a debug.zip, or look at the cluster.

    `further` says which sections to read beside the usual ones; a file holds what it holds.
    `meanwhile` is done while a cluster is being looked at, which is waiting for the most part.
    `again`: the same was asked before and was no wrong usage. A certificate that has gone since, as
    when it is renewed, is then a look that saw nothing, and no end of a wait.

    Raises:
        typer.BadParameter: an unusable file or URL (exit code 2).
    """
    given = [
        name
        for name, value in (
            ("--url", urls or None),
            ("--snapshot", snapshot),
            ("--debug-zip", debug_zip),
        )
        if value is not None
    ]
    if len(given) > 1:
        usage(f"{' and '.join(given)} exclude each other")
    if debug_zip is not None:
        return _of_debug_zip(debug_zip)
    if snapshot is not None:
        from guard.snapshot import SnapshotError, load_snapshot

        try:
            return load_snapshot(snapshot)
        except SnapshotError as error:
            usage(str(error))
    from guard.connector.collect import collect
    from guard.connector.errors import UrlError
    from guard.connector.hosts import holds_password, targets
    from guard.connector.service_file import environment_of_process

    if timeout.total_seconds() <= 0:
        usage("--timeout must be positive")
    try:
        hosts = targets(list(urls or ()), environment_of_process(), certs_dir)
    except UrlError as error:
        if again:
            from guard.connector.collect import without_connection
            from guard.snapshot.model import Reason, Unavailable

            gone = Unavailable(reason=Reason.CONNECTION, message=str(error))
            return without_connection(gone, dt.datetime.now(dt.UTC))
        usage(str(error))
    if any(holds_password(url) for url in urls or ()):
        _warn_of_a_password()
    seconds = timeout.total_seconds()
    return within(
        lambda: collect(hosts, seconds, further=further, log=log), seconds, meanwhile=meanwhile
    )


@functools.cache  # once, and not at each of a night's looks
def _warn_of_a_password() -> None:
    tell(
        "warning: --url holds a password, which everybody on this machine can read in the list of "
        "processes: use PGPASSFILE or PGPASSWORD"
    )


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Have the system end the process after that time of computing; Python need not be able to run.

    Not after that time by the clock: a process that was stopped meanwhile (^Z) goes on where it was.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def within(
    look: Callable[[], Snapshot],
    seconds: float,
    grace: float = GRACE,
    meanwhile: Callable[[], object] | None = None,
) -> Snapshot:
    """The snapshot of a look, or of none if it does not end by itself.

    The last line: everything in the connector ends at its own deadline. Should something not (a call
    of libpq that never returns), the look is left behind in its thread, which ends with the process,
    and guard says that it does not know. Signals reach the main thread at once meanwhile. Should even
    the main thread not get to run any more, the system ends the process by SIGPROF (155), no verdict.
    """
    behind = sum(each.is_alive() for each in _left_behind)
    main = threading.current_thread() is threading.main_thread()
    if main and behind >= _MOST_LEFT_BEHIND:
        return _nothing("no look is begun, because earlier ones have not ended yet")
    done: list[Snapshot] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(look())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the main thread
            failed.append(error)

    thread = threading.Thread(target=run, name="guard-look", daemon=True)
    end = time.monotonic() + min(seconds + grace, threading.TIMEOUT_MAX)
    # Those that were left behind compute on, and their time counts.
    with _alarm((seconds + grace + _UNTIL_THE_ALARM) * (1 + behind)):
        thread.start()
        if meanwhile is not None:
            meanwhile()
        thread.join(max(end - time.monotonic(), 0.0))
    if failed:
        raise failed[0]
    if done:
        return done[0]
    _left_behind.append(thread)
    return _nothing(f"the look did not end {grace:g} s after its time-out")


def _nothing(message: str) -> Snapshot:
    from guard.connector.collect import without_connection
    from guard.snapshot.model import Reason, Unavailable

    why = Unavailable(
        reason=Reason.TIMEOUT,
        message=f"{message}: what answers is no CockroachDB, or a bug in guard",
        remedy=("Look at what listens there; report it if it is a CockroachDB node.",),
    )
    return without_connection(why, dt.datetime.now(dt.UTC))


def age_of(snapshot: Snapshot) -> dt.timedelta:
    """How long ago it was taken, by this machine's clock; nothing for one from the future."""
    return max(dt.datetime.now(dt.UTC) - snapshot.taken_at, dt.timedelta())


def _of_debug_zip(path: str) -> Snapshot:
    from guard.debugzip.collect import read_debug_zip
    from guard.debugzip.errors import DebugZipError
    from guard.report.plain import plain

    try:
        return read_debug_zip(path)
    except DebugZipError as error:
        usage(f"--debug-zip: {plain(error)}")
