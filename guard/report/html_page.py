"""The frame of every HTML page: one file that needs nothing else, and in which no text is markup.

Every value that a template prints is written out by `plain` and then escaped by Jinja2, without a
template having to remember either. The page's own policy (CSP) allows its one style sheet by hash, no
script, no request and no form; so even a hole here could load nothing.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from guard.decision.phrases import span
from guard.decision.timeline import Timeline
from guard.report.plain import is_page, plain
from guard.report.timeline_drawing import Drawing, draw, story
from guard.report.words import utc, waived_by

__all__ = ["page", "timeline_values"]

_LONGEST: Final = 4000


def page(template: str, **values: Any) -> str:  # noqa: ANN401 - whatever a template prints
    """A page out of a template of `pages/`."""
    css, digest = _style()
    text = _environment().get_template(template).render(css=css, css_hash=digest, **values)
    # Lines that hold nothing but what a template's tags left behind.
    return "".join(f"{line}\n" for line in text.split("\n") if line.strip())


def timeline_values(timeline: Timeline | None) -> dict[str, Any]:
    """What a template needs to show a timeline."""
    if timeline is None:
        return {"timeline": None, "drawing": None, "story": ()}
    return {"timeline": timeline, "drawing": draw(timeline), "story": story(timeline)}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("guard.report", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        auto_reload=False,
    )
    environment.globals |= {
        "as_json": _as_json,
        "is_page": is_page,
        "kinds": _kinds,
        "length": _length,
        "utc": utc,
        "waived_by": waived_by,
    }
    return environment


@cache
def _style() -> tuple[Markup, Markup]:
    css = resources.files("guard.report").joinpath("pages/page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return Markup(css), Markup(f"sha256-{digest}")  # noqa: S704 - guard's own file


def _printed(value: object) -> object:
    return value if isinstance(value, Markup) else plain(value, _LONGEST)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _length(seconds: int) -> str:
    return span(dt.timedelta(seconds=seconds))


def _kinds(drawing: Drawing) -> set[str]:
    """The kinds of things a drawing shows, for its key."""
    shown = {bar.kind for row in drawing.rows for bar in row.bars}
    shown |= {point.kind for row in drawing.rows for point in row.points}
    return shown | {bar.kind for bar in (drawing.window, *drawing.quiet) if bar is not None}
