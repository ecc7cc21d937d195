"""guard plan and guard windows as Markdown: the structure is guard's, whatever the texts say."""

from __future__ import annotations

import datetime as dt
import re

from hypothesis import given, settings

from guard.decision.quiet_windows import Busy, QuietWindow, StartNow, WindowsAnswer
from guard.report import markdown_plan, markdown_windows
from tests.building import NOW
from tests.fuzzing import examples
from tests.report.plans import plan_of
from tests.report.test_markdown import page, texts

_LINE = re.compile(
    r"(## guard |\| |<details>|</details>|- [a-z`]|  - |Each hop |Unknown: |Note: |And |$)"
)


def windows(words: str) -> WindowsAnswer:
    busy = Busy(start=NOW, end=NOW, why=words, schedule_id=words, assumed=True)
    return WindowsAnswer(
        exit_code=0,
        cluster_time=NOW,
        duration_seconds=60,
        until=NOW + dt.timedelta(hours=1),
        windows=(QuietWindow(start=NOW, end=NOW, seconds=60, until=words),),
        now=StartNow(quiet=False, overlap_seconds=1, overlaps=(busy,)),
        busy=(busy,),
        unknown=(words,),
        remedy=(words,),
        notes=(words,),
        snapshot_age_seconds=60,
    )


@settings(max_examples=examples(40))
@given(texts())
def test_no_text_changes_the_structure(text: str) -> None:
    for made, expected in (
        (markdown_plan.render(plan_of(text)), markdown_plan.render(plan_of("x"))),
        (markdown_windows.render(windows(text)), markdown_windows.render(windows("x"))),
    ):
        assert page(made).tags == page(expected).tags
        assert page(made).links == []
        assert all(_LINE.match(line) for line in made.splitlines())


def test_long_lists_are_cut() -> None:
    import msgspec

    answer = windows("x")
    many = msgspec.structs.replace(answer, windows=answer.windows * 744, busy=answer.busy * 744)
    text = markdown_windows.render(many)
    assert text.count("And 694 more.") == 2
    assert len(text) < 65_536
