"""The HTML pages without a browser: complete, of one file, and no text in them is markup."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.cluster.picture import Cluster
from guard.decision.draw_timeline import draw_timeline
from guard.decision.quiet_windows import quiet_windows
from guard.decision.result import Decision, Liveness, NodeSummary, Outcome, Verdict, Waiver
from guard.decision.timeline import Timeline
from guard.report import Options, html_plan, html_windows
from guard.report.html import render
from guard.report.timeline_drawing import draw, story
from guard.snapshot.model import Snapshot
from tests import building as b
from tests.fuzzing import examples
from tests.pages.example import DIRECTORY, PAGES, cluster
from tests.report.decisions import decision, finding, hostile
from tests.report.plans import plan_of

FORGED = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "<!-- ",
    "]]><svg onload=alert(1)>",
    "</title></svg><h1>ALLOW</h1>",
    "</code></li></ol></article>",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; &#60;b&#62;",
    "javascript:alert(1)",
    "https://evil.example/?x=y&z=<b>",
    "https://evil.example@docs/",
    "data:text/html,<b>",
)


def texts() -> st.SearchStrategy[str]:
    parts = st.lists(st.sampled_from(FORGED) | hostile(), min_size=1, max_size=3)
    return parts.map("".join).filter(str.strip)


class Page(HTMLParser):
    """The elements of a page with their attributes' names, its links and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", ()))

    @property
    def outside(self) -> list[str]:
        """Links that leave the page."""
        return [link for link in self.links if not link.startswith(("#", "data:,"))]


def told(words: str) -> Decision:
    """A decision whose every text is this one."""
    waiver = Waiver(reason=words, owner=words)
    findings = [
        finding(
            words,
            outcome,
            title=words,
            detail=words,
            remedy=(words,),
            docs=words,
            evidence={words: words},
        )
        for outcome in Outcome
    ]
    made = decision(
        *findings,
        finding("x", waiver=waiver),
        step_reason=words,
        target=words,
        notices=(words,),
        timeline=drawn(words),
    )
    node = msgspec.structs.replace(
        made.cluster.nodes[0],
        build=words,
        server_version=words,
        membership=words,
        address=words,
        locality=words,
    )
    seen = msgspec.structs.replace(
        made.cluster, nodes=(node,), gateway=words, cluster_id=words, active_version=words
    )
    return msgspec.structs.replace(made, cluster=seen)


def drawn(words: str) -> Timeline:
    line = draw_timeline(Cluster.of(cluster()), dt.timedelta(minutes=30))
    lanes = [msgspec.structs.replace(lane, label=words) for lane in line.lanes]
    lanes = [
        msgspec.structs.replace(
            lane, runs=tuple(msgspec.structs.replace(r, status=words, job_id=words) for r in lane.runs)
        )
        for lane in lanes
    ]
    return msgspec.structs.replace(
        line,
        lanes=tuple(lanes),
        nodes=tuple(msgspec.structs.replace(node, build=words) for node in line.nodes),
        marks=tuple(msgspec.structs.replace(mark, text=words) for mark in line.marks),
        unseen=(words,),
    )


_EXPECTED: Final = Page(render(told("x"), Options())).tags


@settings(max_examples=examples(40))
@given(texts())
def test_no_text_changes_the_structure(text: str) -> None:
    got = Page(render(told(text), Options()))
    assert got.tags == _EXPECTED
    assert got.outside == []


@settings(max_examples=examples(40))
@given(texts())
def test_no_text_of_a_plan_changes_its_structure(text: str) -> None:
    got, expected = (Page(html_plan.render(plan_of(words), "1")) for words in (text, "x"))
    assert got.tags == expected.tags
    assert got.outside == []


@settings(max_examples=examples(40))
@given(texts())
def test_no_text_of_the_windows_changes_their_structure(text: str) -> None:
    def made(words: str) -> str:
        schedules = [b.schedule(501, b.NOW + b.minutes(60), words)]
        seen = b.snapshot(schedules=schedules, jobs=[b.job(owner=words)])
        answer = quiet_windows(seen, dt.timedelta(minutes=5), dt.timedelta(hours=3))
        answer = msgspec.structs.replace(answer, unknown=(words,), remedy=(words,), notes=(words,))
        return html_windows.render(answer, draw_timeline(Cluster.of(seen), answer=answer), words)

    got, expected = Page(made(text)), Page(made("x"))
    assert got.tags == expected.tags
    assert got.outside == []


def page(seen: Snapshot | None = None) -> str:
    line = draw_timeline(Cluster.of(seen or cluster()), dt.timedelta(minutes=30))
    return render(decision(finding(evidence={"jobs": [1, 2]}), timeline=line), Options(now=b.NOW))


def test_it_is_one_file_without_script_and_says_so_to_the_browser() -> None:
    html = page()
    read = Page(html)
    assert {tag for tag, _ in read.tags}.isdisjoint(
        {"script", "iframe", "img", "object", "form", "base"}
    )
    assert not any(name.startswith("on") or name == "style" for _, names in read.tags for name in names)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_ids_are_unique() -> None:
    ids = Page(page()).ids
    assert len(ids) == len(set(ids))


def test_the_verdict_comes_first_and_the_rest_is_there() -> None:
    text = " ".join(Page(page()).text).replace("BLOCK :", "BLOCK:")
    text = " ".join(text.split())
    order = [
        text.index(words)
        for words in ("BLOCK: do not restart the next node", "What blocks", "Timeline", "Nodes")
    ]
    assert order == sorted(order)
    assert "jobs [1, 2]" in text


def test_quiet_is_the_verdict_alone() -> None:
    html = render(decision(finding(title="hidden"), notices=("x",)), Options(quiet=True))
    assert "BLOCK" in html
    assert "hidden" not in html


def test_an_unknown_verdict_lists_what_could_not_be_judged() -> None:
    blind = [finding(c, Outcome.UNKNOWN, evidence={"section": "nodes"}) for c in ("p", "q")]
    made = decision(finding("visibility", Outcome.UNKNOWN), *blind, verdict=Verdict.UNKNOWN)
    assert "Not judged for the same reason: p, q." in render(made, Options())


# --- the timeline -------------------------------------------------------------------------------


def test_every_schedule_is_a_row_with_its_runs() -> None:
    picture = draw(draw_timeline(Cluster.of(cluster()), dt.timedelta(minutes=30)))
    rows = {row.label: row for row in picture.rows}
    hourly = [bar.kind for bar in rows["hourly incremental"].bars]
    assert hourly.count("failed") == 1
    assert "expected" in hourly
    assert "running" in hourly or any("running" in bar.title for bar in rows["hourly incremental"].bars)
    assert [bar.kind for bar in rows["backups without schedule"].bars] == ["failed"]
    assert {"n1 v23.2.9", "n2 v23.1.28", "license ends 2027-01-01"} <= set(rows)


def test_a_bar_stands_where_its_time_is() -> None:
    run = b.job(
        7,
        status="succeeded",
        created=b.NOW - b.minutes(120),
        finished=b.NOW - b.minutes(60),
        schedule_id=None,
    )
    line = draw_timeline(Cluster.of(b.snapshot(history=[run])), dt.timedelta(minutes=30))
    picture = draw(line)
    [bar] = next(row for row in picture.rows if row.label == "backups without schedule").bars
    unit = (picture.right - picture.left) / (line.end - line.start).total_seconds()
    assert bar.width == pytest.approx(3600 * unit, abs=0.2)
    assert picture.now - (bar.x + bar.width) == pytest.approx(3600 * unit, abs=0.2)
    assert "succeeded after 60 min" in bar.title


def test_what_nobody_could_see_is_said() -> None:
    seen = b.snapshot(admin=False, active_jobs=b.unavailable(message="hidden from you"))
    line = draw_timeline(Cluster.of(seen), dt.timedelta(minutes=30))
    assert any(text.startswith("running backups: ") for text in line.unseen)
    assert "Not seen" in page(seen)


def test_without_a_connection_there_is_no_timeline() -> None:
    from guard.decision.engine import evaluate
    from guard.snapshot.model import Reason, Unavailable

    lost = msgspec.structs.replace(
        b.snapshot(), connection=Unavailable(reason=Reason.CONNECTION, message="refused")
    )
    html = render(evaluate(lost, step="verify", timeline=True), Options())
    assert "refused" in html
    assert "<svg" not in html


def test_history_that_does_not_reach_back_is_shaded() -> None:
    runs = [
        b.job(
            i,
            status="succeeded",
            created=b.NOW - b.minutes(10 * i),
            finished=b.NOW - b.minutes(10 * i - 1),
        )
        for i in range(1, 6)
    ]
    seen = b.snapshot(history=runs, history_truncated=True)
    line = draw_timeline(Cluster.of(seen), dt.timedelta(minutes=30))
    assert line.known_since == b.NOW - b.minutes(50)
    assert "were not looked at" in page(seen)


def test_nodes_are_counted_by_locality() -> None:
    nodes = [
        NodeSummary(
            node_id=i,
            build="v21.2.1" if i == 1 else "v21.1.12",
            server_version="21.1",
            liveness=Liveness.LIVE,
            membership="active",
            locality=f"region={'a' if i < 3 else 'b'}",
        )
        for i in range(1, 5)
    ]
    made = decision(finding())
    seen = msgspec.structs.replace(made.cluster, nodes=tuple(nodes))
    html = render(msgspec.structs.replace(made, cluster=seen), Options())
    assert "<li>region=a: 1 on v21.1.12, 1 on v21.2.1</li>" in html
    assert "<li>region=b: 2 on v21.1.12</li>" in html


ANY_TIME = st.none() | st.datetimes(timezones=st.just(dt.UTC))


@settings(max_examples=examples(60))
@given(
    st.lists(
        st.tuples(st.sampled_from(["running", "succeeded", "paused"]), ANY_TIME, ANY_TIME), max_size=4
    ),
    ANY_TIME,
    st.timedeltas(),
)
def test_no_time_of_a_cluster_is_a_crash(
    jobs: list[tuple[str, dt.datetime | None, dt.datetime | None]],
    next_run: dt.datetime | None,
    window: dt.timedelta,
) -> None:
    rows = [b.job(i, status=s, created=c, finished=f) for i, (s, c, f) in enumerate(jobs)]
    seen = b.snapshot(
        [b.node(1, started=next_run), b.node(2), b.node(3)],
        history=[row for row in rows if row.status == "succeeded"],
        jobs=[row for row in rows if row.status != "succeeded"],
        schedules=[b.schedule(next_run=next_run)],
    )
    line = draw_timeline(Cluster.of(seen), window)
    assert len(draw(line).ticks) <= 20
    render(decision(finding(), timeline=line), Options(now=b.NOW))


def test_thousands_of_runs_stay_a_picture() -> None:
    runs = [
        b.job(i, status="succeeded", created=b.NOW - b.minutes(i), finished=b.NOW - b.minutes(i - 1))
        for i in range(1, 1400)
    ]
    line = draw_timeline(Cluster.of(b.snapshot(history=runs)), dt.timedelta(minutes=30))
    [row] = [row for row in draw(line).rows if row.label == "backups without schedule"]
    assert len(row.bars) < 50
    assert len(story(line)) <= 400


def test_many_nodes_are_rows_by_build() -> None:
    nodes = [b.node(i, "v21.2.0" if i > 60 else "v21.1.11") for i in range(1, 101)]
    labels = [row.label for row in draw(draw_timeline(Cluster.of(b.snapshot(nodes)))).rows]
    assert {"60 nodes v21.1.11", "40 nodes v21.2.0"} <= set(labels)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_a_clock_at_the_end_of_the_calendar_is_no_crash(moment: str) -> None:
    from guard.snapshot import model

    at = dt.datetime.fromisoformat(moment)
    seen = b.snapshot(identity=b.collected(model.IdentityRow(user="root", cluster_time=at)))
    assert "calendar" in page(seen)


def test_the_words_tell_what_the_picture_shows() -> None:
    line = draw_timeline(Cluster.of(cluster()), dt.timedelta(minutes=30))
    rows = story(line)
    assert [at for at, _, _ in rows] == sorted(at for at, _, _ in rows)
    assert ("n1", "started with v23.2.9") in [(what, how) for _, what, how in rows]
    assert any(what == "hourly incremental" and "failed after" in how for _, what, how in rows)


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_are_what_the_command_makes(name: str) -> None:
    """Their structure at least: words of a check may change without the example being wrong."""
    kept = (DIRECTORY / name).read_text("utf-8")
    made = PAGES[name]()
    assert kept.splitlines()[:3] == made.splitlines()[:3]
    assert len(kept) == pytest.approx(len(made), rel=0.3)


def test_who_asks_for_text_waits_for_no_template_and_no_table() -> None:
    """Jinja2 and rich are imported by the one format each that needs them."""
    code = (
        "import atexit, sys\n"
        "sys.argv = ['guard', 'check', '--no-policy', '--snapshot', sys.argv[1]]\n"
        "from guard.cli import main\n"
        "heavy = ('jinja2', 'rich.live', 'guard.decision.draw_timeline')\n"
        "atexit.register(lambda: print([n for n in heavy if n in sys.modules], file=sys.stderr))\n"
        "main()\n"
    )
    sample = DIRECTORY.parent / "snapshots" / "mixed-backup-running.json"
    done = subprocess.run(
        [sys.executable, "-c", code, str(sample)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 10
    assert done.stderr.endswith("[]\n")
