"""The live table of ``guard watch`` on a terminal. The only user of rich in guard."""

from __future__ import annotations

import datetime as dt
import os
from collections import deque
from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from guard.decision.phrases import span
from guard.decision.result import Outcome, Verdict
from guard.report.plain import plain
from guard.watch.compare import Change, Known
from guard.watch.look import Look

__all__ = ["LiveTable"]

_STYLE: Final = {Verdict.ALLOW: "bold green", Verdict.BLOCK: "bold red", Verdict.UNKNOWN: "bold yellow"}
_OUTCOME: Final = {Outcome.BLOCK: "red", Outcome.UNKNOWN: "yellow", Outcome.WARN: "yellow"}
_NODES: Final = 20
_STANDING: Final = 12
_CHANGES: Final = 12


class LiveTable:
    """Nodes, what stands in the way since when, and what moved last. Use as a context manager."""

    def __init__(self, stream: TextIO, every: dt.timedelta, console: Console | None = None) -> None:
        self._every = every
        self._live = Live(console=console or Console(file=stream), auto_refresh=False)
        self._changes: deque[Change] = deque(maxlen=_CHANGES)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @staticmethod
    def left(descriptor: int) -> None:
        """Give the terminal its cursor back from a signal's handler: past the stream, which may be
        in the middle of a write."""
        os.write(descriptor, b"\r\n\x1b[?25h")

    def __call__(self, known: Known, look: Look, changes: Sequence[Change]) -> None:
        """Draw it anew."""
        self._changes.extend(changes)
        shown = known.last or look
        parts: list[Text | Table] = [self._head(known, look)]
        if shown.nodes:
            parts.append(_nodes(shown))
        if known.since and look.connected:
            parts.append(_standing(known, look))
        parts.append(_moved(self._changes))
        self._live.update(Group(*parts), refresh=True)

    def _head(self, known: Known, look: Look) -> Text:
        head = Text(f"guard watch  {look.at:%Y-%m-%d %H:%M:%SZ}, every {span(self._every)}\n")
        if known.lost_since is not None:
            head.append("NO CONNECTION", "bold yellow")
            head.append(f" since {known.lost_since:%H:%M:%SZ}: {plain(look.why, 300)}\n")
            return head
        head.append(look.verdict.value.upper(), _STYLE[look.verdict])
        target = f" to {plain(look.target)}" if look.target else ""
        head.append(f" at {look.step.value}{target} (exit code {look.exit_code})")
        if look.version:
            head.append(f", cluster version {plain(look.version)}{'' if look.final else ', migrating'}")
        if look.ranges is not None:
            ranges = look.ranges
            head.append(
                f", ranges: {ranges.unavailable} without quorum, "
                f"{ranges.under_replicated} with too few copies"
            )
        if look.backups:
            head.append(f", {len(look.backups)} backups running")
        return head.append("\n")


def _nodes(look: Look) -> Table:
    table = Table("node", "build", "liveness", "membership", "up for", box=None, pad_edge=False)
    members = sorted(look.nodes.items(), key=lambda item: (item[1].up, item[0]))
    counted = [item for item in members if item[1].membership != "decommissioned"]
    for node_id, node in counted[:_NODES]:
        started = node.started_at if node.up else None
        up_for = span(look.cluster_now - started) if started and look.cluster_now else ""
        table.add_row(
            Text(f"n{node_id}"),
            Text(plain(node.build or "?", 30)),
            Text(node.liveness.value, "" if node.up else "red"),
            Text(plain(node.membership, 20)),
            Text(up_for),
        )
    if len(counted) > _NODES:
        table.add_row(Text(f"and {len(counted) - _NODES} more"))
    return table


def _standing(known: Known, look: Look) -> Table:
    table = Table("", "check", "what stands", "since", box=None, pad_edge=False)
    for (check, outcome), finding in list(look.findings.items())[:_STANDING]:
        since = known.since.get((check, outcome), look.at)
        table.add_row(
            Text(outcome.value, _OUTCOME[outcome]),
            Text(plain(check, 40)),
            Text(plain(finding.title, 200)),
            Text(f"{since:%H:%M:%SZ}"),
        )
    if len(look.findings) > _STANDING:
        table.add_row(Text(f"and {len(look.findings) - _STANDING} more"))
    return table


def _moved(changes: Sequence[Change]) -> Table:
    table = Table("", "what moved", box=None, pad_edge=False)
    for change in changes:
        table.add_row(Text(f"{change.time:%H:%M:%SZ}"), Text(plain(change.text, 300)))
    return table
