"""What is different from one look to the next, and what only many looks together show. Pure.

`see` takes what is known so far and the next look, and returns what is known then and the changes, in
the order in which a person should read them: what happened, then what it means for the verdict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import msgspec

from guard.decision.phrases import span
from guard.decision.result import Outcome, Verdict
from guard.watch.look import Look, NodeSeen

__all__ = ["Change", "Kind", "Known", "Limits", "see"]

_FLAPS: Final = 3  # times that a node went down or came back without a new build
_FLAPS_WITHIN: Final = dt.timedelta(minutes=15)
_SAME_START: Final = dt.timedelta(seconds=1)  # gossip and node status may round it differently
_STALLED_AFTER: Final = dt.timedelta(minutes=5)
_OWN: Final = "rollout-age"  # told by this module, which remembers more than one look shows
_WORD: Final = {Outcome.BLOCK: "blocks", Outcome.UNKNOWN: "unknown", Outcome.WARN: "warning"}


class Kind(StrEnum):
    """What sort of change it is; an API."""

    FIRST = "first-look"
    VERDICT = "verdict"
    FINDING = "finding"
    CLEARED = "cleared"
    NODE = "node"
    FLAPPING = "node-flapping"
    BACKUP = "backup"
    BACKUP_AFTER_ALLOW = "backup-after-allow"
    RANGES = "ranges"
    STALLED = "ranges-stalled"
    VERSION = "cluster-version"
    HOLD = "finalization-hold"
    FINALIZING = "finalizing"
    MIXED_LONG = "mixed-too-long"
    UNFINALIZED_LONG = "unfinalized-too-long"
    LOST = "connection-lost"
    BACK = "connection-back"


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change, as ``guard watch --format json`` prints it. Its field names are an API.

    Attributes:
        time: guard's clock at the look that showed it.
        verdict: the verdict of that look.
        exit_code: what ``guard check`` would have left with.
        outcome: of a finding: block, unknown or warn.
    """

    schema_version: str
    time: dt.datetime
    kind: Kind
    text: str
    verdict: Verdict
    exit_code: int
    step: str
    target: str | None = None
    check: str | None = None
    outcome: Outcome | None = None
    node_id: int | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a state may last, from the policy."""

    mixed_for: dt.timedelta
    unfinalized_for: dt.timedelta


@dataclass(frozen=True, slots=True)
class Known:
    """What many looks have shown.

    Attributes:
        last: the last look that reached the cluster.
        lost_since: since when none does.
        allowed_at: the last look that allowed the step.
        since: since when each finding stands.
        upsets: per node when it went down or was started anew on the same build.
        flapping: nodes of which that has been told.
        best: the fewest ranges behind since they were last all well, and when that was.
        stalled: True if it has been told that they do not catch up.
        held_at: the last look at which something held finalization back.
        mixed_since: since when the cluster has been of two series, as far as is known.
        begun: since when the upgrade has been under way.
        told: which of the two lasts too long and has been told.
    """

    last: Look | None = None
    lost_since: dt.datetime | None = None
    allowed_at: dt.datetime | None = None
    since: Mapping[tuple[str, Outcome], dt.datetime] = field(default_factory=dict)
    upsets: Mapping[int, tuple[dt.datetime, ...]] = field(default_factory=dict)
    flapping: frozenset[int] = frozenset()
    best: tuple[int, dt.datetime] | None = None
    stalled: bool = False
    held_at: dt.datetime | None = None
    mixed_since: dt.datetime | None = None
    begun: dt.datetime | None = None
    told: frozenset[Kind] = frozenset()


def see(known: Known, look: Look, limits: Limits) -> tuple[Known, tuple[Change, ...]]:
    """Take the next look in.

    Args:
        known: what the looks so far have shown; ``Known()`` before the first.
        look: the next look.
        limits: how long a state may last.
    """
    tell = _Teller(look)
    if not look.connected:
        if known.lost_since is None:
            tell(Kind.LOST, f"no host answers: {look.why}")
        return replace(known, lost_since=known.lost_since or look.at), tuple(tell.changes)
    if known.lost_since is not None:
        through = f" through {look.gateway}" if look.gateway else ""
        tell(Kind.BACK, f"the cluster answers again{through}, after {span(look.at - known.lost_since)}")
    upsets = known.upsets
    before = known.last
    look = look.filled(before)  # what could not be seen has not changed, as far as anybody knows
    if before is not None:
        upsets = _nodes(tell, before, look, known.upsets)
        _backups(tell, before, look, known.allowed_at)
        _version(tell, before, look, known.held_at)
    flapping = _flapping(tell, upsets, known.flapping, look.at)
    best, stalled = _ranges(tell, known, look)
    mixed_since, begun, told = _lasting(tell, known, look, limits)
    since = _findings(tell, known, look)
    _verdict(tell, before, look)
    return (
        Known(
            last=look,
            allowed_at=look.at if look.verdict is Verdict.ALLOW else known.allowed_at,
            since=since,
            upsets=upsets,
            flapping=flapping,
            best=best,
            stalled=stalled,
            held_at=look.at if look.held else known.held_at,
            mixed_since=mixed_since,
            begun=begun,
            told=told,
        ),
        tuple(tell.changes),
    )


class _Teller:
    """Collects the changes of one look."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.changes: list[Change] = []

    def __call__(
        self,
        kind: Kind,
        text: str,
        *,
        check: str | None = None,
        outcome: Outcome | None = None,
        node_id: int | None = None,
        job_id: int | None = None,
    ) -> None:
        look = self._look
        self.changes.append(
            Change(
                schema_version="1",
                time=look.at,
                kind=kind,
                text=text,
                verdict=look.verdict,
                exit_code=look.exit_code,
                step=look.step.value,
                target=look.target,
                check=check,
                outcome=outcome,
                node_id=node_id,
                job_id=None if job_id is None else str(job_id),
            )
        )


def _nodes(
    tell: _Teller, before: Look, look: Look, upsets: Mapping[int, tuple[dt.datetime, ...]]
) -> dict[int, tuple[dt.datetime, ...]]:
    """Tell what became of each node; returns when each was upset, as far as that still counts."""
    found = {
        node_id: kept
        for node_id, times in upsets.items()
        if (kept := tuple(t for t in times if look.at - t <= _FLAPS_WITHIN))
    }
    for node_id in sorted({*before.nodes, *look.nodes}):
        old, new = before.nodes.get(node_id), look.nodes.get(node_id)
        if new is None:
            tell(Kind.NODE, f"n{node_id} is no longer known", node_id=node_id)
            continue
        if old is None:
            if before.nodes:
                tell(Kind.NODE, f"n{node_id} has joined on {new.build or '?'}", node_id=node_id)
            continue
        words, upset = _moved(old, new)
        if words:
            tell(Kind.NODE, f"n{node_id} {', '.join(words)}", node_id=node_id)
        if upset:
            found[node_id] = (*found.get(node_id, ()), look.at)
    return found


def _moved(old: NodeSeen, new: NodeSeen) -> tuple[list[str], bool]:
    """What became of a node, and whether it went down or came back without a reason to."""
    words = []
    rebuilt = new.build != old.build and new.build is not None and old.build is not None
    restarted = (
        old.started_at is not None
        and new.started_at is not None
        and new.started_at - old.started_at > _SAME_START
    )
    if rebuilt:
        words.append(f"went from {old.build} to {new.build}")
    elif restarted:
        words.append("was restarted on the same build")
    if new.liveness is not old.liveness:
        words.append(f"is {new.liveness.value} (was {old.liveness.value})")
    if new.membership != old.membership:
        words.append(f"is {new.membership} (was {old.membership})")
    # An absence and the restart that ends it are one upset, and a new build is no reason to worry.
    return words, old.up and (not new.up or (restarted and not rebuilt))


def _flapping(
    tell: _Teller,
    upsets: Mapping[int, tuple[dt.datetime, ...]],
    told: frozenset[int],
    now: dt.datetime,
) -> frozenset[int]:
    flapping = frozenset(node_id for node_id, times in upsets.items() if len(times) >= _FLAPS)
    for node_id in sorted(flapping - told):
        times = upsets[node_id]
        tell(
            Kind.FLAPPING,
            f"n{node_id} flaps: down or restarted {len(times)} times within {span(now - times[0])}",
            node_id=node_id,
        )
    return flapping


def _backups(tell: _Teller, before: Look, look: Look, allowed_at: dt.datetime | None) -> None:
    if before.backups is None or look.backups is None:
        return
    for job_id in sorted(look.backups.keys() - before.backups.keys()):
        if allowed_at is not None and before.verdict is Verdict.ALLOW:
            text = f"backup job {job_id} began after the ALLOW of {allowed_at:%H:%M:%SZ}"
            tell(Kind.BACKUP_AFTER_ALLOW, text, job_id=job_id)
        else:
            tell(Kind.BACKUP, f"backup job {job_id} began", job_id=job_id)
    for job_id in sorted(before.backups.keys() - look.backups.keys()):
        how = look.ended.get(job_id)
        tell(Kind.BACKUP, f"backup job {job_id} {how or 'is over'}", job_id=job_id)
    for job_id in sorted(before.backups.keys() & look.backups.keys()):
        old, new = before.backups[job_id].status, look.backups[job_id].status
        if old != new:
            tell(Kind.BACKUP, f"backup job {job_id} is {new} (was {old})", job_id=job_id)


def _version(tell: _Teller, before: Look, look: Look, held_at: dt.datetime | None) -> None:
    """Tell what becomes of the cluster version, and of what keeps it where it is."""
    if before.version is None or look.version is None:
        return
    how = ""
    if before.held is False and held_at is None:
        how = " by itself: nothing held it back"
    elif before.held is False and held_at is not None:
        how = f", which nothing has held back since {held_at:%H:%M:%SZ}"
    if before.final and not look.final:
        text = f"the cluster finalizes the upgrade from {before.version}{how}"
        tell(Kind.FINALIZING, f"{text}; there is no way back from here")
    elif before.final and before.version != look.version:  # begun and done between two looks
        tell(Kind.FINALIZING, f"the cluster went from {before.version} to {look.version}, final{how}")
    elif look.final and not before.final:
        tell(Kind.VERSION, f"the cluster version {look.version} is final")
    elif look.held is not None and before.held is not None and look.held != before.held:
        held = "finalization is held back" if look.held else "nothing holds finalization back any more"
        tell(Kind.HOLD, held)


def _ranges(tell: _Teller, known: Known, look: Look) -> tuple[tuple[int, dt.datetime] | None, bool]:
    """Tell when ranges fall behind, catch up, or stop doing so."""
    if look.ranges is None:
        return known.best, known.stalled
    behind = look.ranges.behind
    moved = any(change.kind is Kind.NODE for change in tell.changes)
    words = (
        f"{look.ranges.under_replicated} ranges have too few copies, "
        f"{look.ranges.unavailable} have no quorum"
    )
    if behind == 0:
        if known.best is not None:
            tell(Kind.RANGES, "every range has all its copies again")
        return None, False
    if known.best is None:
        tell(Kind.RANGES, words)
        return (behind, look.at), False
    fewest, reached = known.best
    if moved and behind > fewest:  # another node went: a new beginning
        return (behind, look.at), False
    if behind < fewest:
        if known.stalled:
            tell(Kind.RANGES, f"ranges catch up again: {words}")
        return (behind, look.at), False
    if not known.stalled and look.at - reached >= _STALLED_AFTER:
        tell(Kind.STALLED, f"ranges have stopped catching up for {span(look.at - reached)}: {words}")
        return known.best, True
    return known.best, known.stalled


def _lasting(
    tell: _Teller, known: Known, look: Look, limits: Limits
) -> tuple[dt.datetime | None, dt.datetime | None, frozenset[Kind]]:
    """Tell once what lasts too long. What is remembered outlives the restarts that hide it."""
    told: set[Kind] = set()
    kept: list[dt.datetime | None] = []
    for kind, earlier, seen, limit, words in (
        (
            Kind.MIXED_LONG,
            known.mixed_since,
            look.mixed_since,
            limits.mixed_for,
            "the cluster has been of two series for {}, more than {}",
        ),
        (
            Kind.UNFINALIZED_LONG,
            known.begun,
            look.begun,
            limits.unfinalized_for,
            "the upgrade has been under way for {}, more than {}, and is not finalized",
        ),
    ):
        since = None if seen is None else min(seen, earlier or seen)
        kept.append(since)
        lasted = (look.cluster_now or look.at) - (since or look.cluster_now or look.at)
        if lasted <= limit:
            continue
        told.add(kind)
        if kind not in known.told:
            tell(kind, words.format(span(lasted), span(limit)))
    return kept[0], kept[1], frozenset(told)


def _findings(tell: _Teller, known: Known, look: Look) -> dict[tuple[str, Outcome], dt.datetime]:
    """Tell what stands in the way now and did not before, and the other way round."""
    since = {key: known.since.get(key, look.at) for key in look.findings}
    if known.last is None:
        return since
    for key, finding in look.findings.items():
        if key not in known.since and finding.check != _OWN:
            text = f"{_WORD[finding.outcome]}: {finding.check}: {finding.title}"
            tell(Kind.FINDING, text, check=finding.check, outcome=finding.outcome)
    for check, outcome in _gone(known, look):
        lasted = span(look.at - known.since[check, outcome])
        text = f"no longer {_WORD[outcome]}: {check}, after {lasted}"
        tell(Kind.CLEARED, text, check=check, outcome=outcome)
    return since


def _gone(known: Known, look: Look) -> Iterator[tuple[str, Outcome]]:
    for check, outcome in known.since:
        if (check, outcome) not in look.findings and check != _OWN:
            yield check, outcome


def _verdict(tell: _Teller, before: Look | None, look: Look) -> None:
    target = f" to {look.target}" if look.target else ""
    blocking = [f.check for (_, o), f in look.findings.items() if o is not Outcome.WARN]
    why = f": {', '.join(dict.fromkeys(blocking))}" if blocking else ""
    now = f"{look.verdict.value.upper()} at {look.step.value}{target}{why}"
    if before is None:
        tell(Kind.FIRST, now)
    elif (before.verdict, before.step) != (look.verdict, look.step):
        tell(Kind.VERDICT, f"{now} (was {before.verdict.value.upper()} at {before.step.value})")
