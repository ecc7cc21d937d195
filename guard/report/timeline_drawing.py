"""Where the parts of a timeline stand in its picture: numbers and words; the markup is a template's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from guard.decision.phrases import span
from guard.decision.timeline import BackupLane, BackupRun, MarkKind, NodeStart, RunState, Timeline
from guard.report.words import utc

__all__ = ["Bar", "Drawing", "Point", "Row", "Tick", "draw", "story"]

_LEFT: Final = 208.0
_RIGHT: Final = 24.0
_WIDTH: Final = 960.0
_TOP: Final = 44.0
_ROW: Final = 28.0
_LEAST_BAR: Final = 3.0  # what is shorter would not be seen
_NODES_ONE_BY_ONE: Final = 12
_LABEL: Final = 26  # characters that fit left of a row
_STEPS: Final = tuple(
    dt.timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 5760, 10080)
)
_MOST_TICKS: Final = 8
_MOST_TOLD: Final = 400


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in a row. `kind` is its class, `title` what it is, in words."""

    x: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in a row."""

    x: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture."""

    y: float
    label: str
    title: str
    bars: tuple[Bar, ...] = ()
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """The picture as a whole; sizes in its own units."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    now: float
    window: Bar | None
    unknown: Bar | None
    quiet: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    summary: str


class _Scale:
    def __init__(self, timeline: Timeline) -> None:
        self._start, self._end = timeline.start, timeline.end
        self._seconds = max((timeline.end - timeline.start).total_seconds(), 1.0)

    def x(self, moment: dt.datetime) -> float:
        """Where a moment stands; what lies outside stands at the edge."""
        share = (moment - self._start).total_seconds() / self._seconds
        return round(_LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT), 1)

    def holds(self, moment: dt.datetime) -> bool:
        return self._start <= moment <= self._end

    def bar(self, start: dt.datetime, end: dt.datetime, kind: str, title: str) -> Bar:
        left, right = self.x(start), self.x(end)
        width = max(round(right - left, 1), _LEAST_BAR)
        return Bar(min(left, _WIDTH - _RIGHT - width), width, kind, title)


def draw(timeline: Timeline) -> Drawing:
    """Lay the timeline out."""
    scale = _Scale(timeline)
    rows = [
        Row(_TOP + index * _ROW, _cut(label), label, bars, points)
        for index, (label, bars, points) in enumerate(_rows(timeline, scale))
    ]
    bottom = _TOP + max(len(rows), 1) * _ROW
    window = unknown = None
    if timeline.window_end is not None and timeline.window_end > timeline.now:
        window = scale.bar(
            timeline.now, timeline.window_end, "window", f"due up to {utc(timeline.window_end)}"
        )
    if timeline.known_since is not None and timeline.known_since > timeline.start:
        title = f"finished backups before {utc(timeline.known_since)} were not looked at"
        unknown = scale.bar(timeline.start, timeline.known_since, "unlooked", title)
    return Drawing(
        width=_WIDTH,
        height=bottom + 16,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        top=_TOP,
        bottom=bottom,
        now=scale.x(timeline.now),
        window=window,
        unknown=unknown,
        quiet=tuple(
            scale.bar(q.start, q.end, "quiet", f"quiet from {utc(q.start)} to {utc(q.end)}")
            for q in timeline.quiet
        ),
        ticks=tuple(_ticks(timeline, scale)),
        rows=tuple(rows),
        summary=_summary(timeline),
    )


def story(timeline: Timeline) -> list[tuple[str, str, str]]:
    """The same in words, for whoever does not see the picture: when, what, and how it went."""
    told: list[tuple[dt.datetime, str, str]] = []
    for lane in timeline.lanes:
        name = _lane_name(lane)
        told += [(run.start, name, _run_words(run, timeline)) for run in lane.runs]
    for node in timeline.nodes:
        if node.started_at is not None:
            told.append(
                (node.started_at, f"n{node.node_id}", f"started with {node.build or 'unknown build'}")
            )
    told += [(mark.at, mark.kind.value, mark.text) for mark in timeline.marks]
    told += [(q.start, "quiet", f"no backup expected until {utc(q.end)}") for q in timeline.quiet]
    told.append((timeline.now, "now", "the cluster was looked at"))
    told.sort(key=lambda each: each[0])
    # The newest past and what is to come matter most.
    return [(utc(at), what, how) for at, what, how in told[-_MOST_TOLD:]]


def _rows(
    timeline: Timeline, scale: _Scale
) -> Iterator[tuple[str, tuple[Bar, ...], tuple[Point, ...]]]:
    for lane in timeline.lanes:
        runs = [run for run in lane.runs if run.start <= timeline.end]
        yield _lane_name(lane), tuple(_merged(_run_bars(runs, timeline, scale))), ()
    yield from _node_rows(timeline, scale)
    for kind, name in ((MarkKind.MIGRATION, "migrations"), (MarkKind.EVENT, "events")):
        points = [
            Point(scale.x(mark.at), kind.value, f"{mark.text}, {utc(mark.at)}")
            for mark in timeline.marks
            if mark.kind is kind and scale.holds(mark.at)
        ]
        if points:
            yield name, (), tuple(_apart(points))
    for mark in timeline.marks:
        if mark.kind is MarkKind.LICENSE_END:
            beyond = "" if scale.holds(mark.at) else " (beyond this picture)"
            point = Point(scale.x(mark.at), "license", f"{mark.text}, {utc(mark.at)}{beyond}")
            yield f"license ends {mark.at:%Y-%m-%d}", (), (point,)


def _lane_name(lane: BackupLane) -> str:
    if lane.schedule_id is None:
        return "backups without schedule"
    name = lane.label or f"schedule {lane.schedule_id}"
    return f"{name} (paused)" if lane.paused else name


def _run_bars(runs: Iterable[BackupRun], timeline: Timeline, scale: _Scale) -> Iterator[Bar]:
    for run in runs:
        end = run.end if run.end is not None else run.start
        if run.state in (RunState.RUNNING, RunState.PAUSED):
            end = max(end, timeline.now)
        yield scale.bar(
            run.start, end, run.state.value, f"{utc(run.start)}: {_run_words(run, timeline)}"
        )


def _run_words(run: BackupRun, timeline: Timeline) -> str:
    job = f"job {run.job_id} " if run.job_id else ""
    if run.state is RunState.EXPECTED:
        late = run.start < timeline.now
        length = f", until about {utc(run.end)}" if run.end else ""
        assumed = ", length assumed" if run.assumed else ""
        return f"backup {'due since then' if late else 'due'}{length}{assumed}"
    if run.state in (RunState.RUNNING, RunState.PAUSED):
        return f"{job}{run.status} for {_span(timeline.now - run.start)} so far"
    if run.end is None:
        return f"{job}{run.status}, length unknown"
    return f"{job}{run.status} after {_span(run.end - run.start)}"


def _merged(bars: Iterable[Bar]) -> Iterator[Bar]:
    """Bars of one kind that touch become one, so that a picture of thousands stays a picture."""
    last: Bar | None = None
    count = 1
    first_title = ""
    for bar in bars:
        if last is not None and bar.kind == last.kind and bar.x - (last.x + last.width) < 1:
            count += 1
            end = max(last.x + last.width, bar.x + bar.width)
            title = f"{count} runs, {bar.kind}; the first {first_title}"
            last = Bar(last.x, round(end - last.x, 1), last.kind, title)
            continue
        if last is not None:
            yield last
        last, count, first_title = bar, 1, bar.title
    if last is not None:
        yield last


def _apart(points: Iterable[Point]) -> Iterator[Point]:
    """Points that would hide each other become one."""
    last: Point | None = None
    for point in points:
        if last is not None and point.x - last.x < 4:
            last = Point(last.x, last.kind, f"{last.title}; {point.title}"[:1000])
            continue
        if last is not None:
            yield last
        last = point
    if last is not None:
        yield last


def _node_rows(
    timeline: Timeline, scale: _Scale
) -> Iterator[tuple[str, tuple[Bar, ...], tuple[Point, ...]]]:
    builds = sorted({node.build or "?" for node in timeline.nodes}, key=_by_start(timeline.nodes))
    newest = builds[-1:] if len(builds) > 1 else []
    if len(timeline.nodes) <= _NODES_ONE_BY_ONE:
        for node in timeline.nodes:
            build = node.build or "?"
            kind = "newer" if build in newest else "older"
            yield f"n{node.node_id} {build}", tuple(_uptime((node,), kind, timeline, scale)), ()
        return
    for build in builds:
        nodes = [node for node in timeline.nodes if (node.build or "?") == build]
        kind = "newer" if build in newest else "older"
        starts = sorted((n for n in nodes if n.started_at is not None), key=lambda n: str(n.started_at))
        points = [
            Point(scale.x(n.started_at), kind, f"n{n.node_id} started {utc(n.started_at)}")
            for n in starts
            if n.started_at is not None and scale.holds(n.started_at)
        ]
        yield f"{len(nodes)} nodes {build}", (), tuple(_apart(points))


def _by_start(nodes: Iterable[NodeStart]) -> Callable[[str], tuple[str, str]]:
    first: dict[str, str] = {}
    for node in nodes:
        build, start = node.build or "?", node.started_at.isoformat() if node.started_at else ""
        first[build] = min(first.get(build, start), start)
    return lambda build: (first[build], build)


def _uptime(nodes: Iterable[NodeStart], kind: str, timeline: Timeline, scale: _Scale) -> Iterator[Bar]:
    for node in nodes:
        if node.started_at is not None:
            title = (
                f"n{node.node_id} runs {node.build or 'an unknown build'} since {utc(node.started_at)}"
            )
            yield scale.bar(min(node.started_at, timeline.now), timeline.now, kind, title)


def _ticks(timeline: Timeline, scale: _Scale) -> Iterator[Tick]:
    length = timeline.end - timeline.start
    step = next((each for each in _STEPS if length / each <= _MOST_TICKS), _STEPS[-1])
    since = timeline.start.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = ""
    for count in range((timeline.start - since) // step + 1, (timeline.end - since) // step + 1):
        moment = since + count * step
        date = f"{moment:%d %b}"
        label = f"{moment:%H:%M}" if step < dt.timedelta(days=1) else ""
        yield Tick(scale.x(moment), f"{date} {label}".strip() if date != day else label)
        day = date


def _summary(timeline: Timeline) -> str:
    runs = [run for lane in timeline.lanes for run in lane.runs]
    past = sum(1 for run in runs if run.state in (RunState.SUCCEEDED, RunState.FAILED))
    failed = sum(1 for run in runs if run.state is RunState.FAILED)
    going = sum(1 for run in runs if run.state in (RunState.RUNNING, RunState.PAUSED))
    due = sum(1 for run in runs if run.state is RunState.EXPECTED)
    return (
        f"{utc(timeline.start)} to {utc(timeline.end)}, looked at {utc(timeline.now)}: "
        f"{past} past backups, {failed} of them failed; {going} running or paused; {due} to come; "
        f"{len(timeline.nodes)} nodes"
    )


def _span(duration: dt.timedelta) -> str:
    return span(max(duration, dt.timedelta()))


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"
