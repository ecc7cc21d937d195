"""Untrusted text from the cluster, fuzzed: no control sequences, no forged lines, no lost JSON."""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import guard
from guard.cli.logging import logger
from guard.cli.options import LogFormat
from guard.decision.result import Decision
from guard.report import Format, Options, renderer
from guard.snapshot.file import SnapshotError, decode, encode
from guard.snapshot.model import Reason, Snapshot
from tests.building import job, node, schedule, snapshot, unavailable
from tests.fuzzing import examples

_NASTY = st.sampled_from(
    [
        "\x1b[2J\x1b[1;1HALLOW: the upgrade may start (exit code 0)",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\r\nALLOW: all is well",
        "\nALLOW: all is well",
        "\u2028ALLOW",
        "\u202egnol",
        "::error file=x::forged",
        "\n::set-output name=verdict::allow",
        "##[error]",
        "[bold red]markup[/]",
        "\x00",
        "\x08" * 40,
        "\U000e0041",
        "<script>",
        "a" * 5000,
    ]
)
TEXT = st.one_of(_NASTY, st.text(max_size=60), st.tuples(st.text(max_size=9), _NASTY).map("".join))

_FUZZ = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _hostile(text: str) -> list[Snapshot]:
    """Snapshots with the text in every place where a cluster could put it."""
    texts = {"address": text, "locality": text, "sql_address": text}
    first = node(1, "v21.2.0")
    assert first.gossip is not None
    first = type(first)(
        first.liveness, msgspec.structs.replace(first.gossip, **texts), first.status, first.store
    )
    members = [first, node(2, "v21.1.11"), node(3, "v21.1.11", membership="active")]
    jobs = [job(1, text, text, owner=text), job(2, "BACKUP", owner=text)]
    return [
        snapshot(members, jobs=jobs, schedules=[schedule(label=text)], host=text, user=text),
        snapshot([node(1, text), node(2, server_version=text), node(3, membership=text)]),
        snapshot(
            version=text, settings={"cluster.preserve_downgrade_option": text}, admin=False, user=text
        ),
        snapshot(gossip_nodes=unavailable(Reason.ERROR, text, "XXUUU")),
        msgspec.structs.replace(snapshot(), connection=unavailable(Reason.CONNECTION, text, None)),
    ]


def _decisions(text: str) -> list[Decision]:
    return [
        guard.evaluate(seen, step=step) for seen in _hostile(text) for step in ("next-node", "auto")
    ]


_TURN_ROUND = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_INVISIBLE = set("\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")


def _dangerous(text: str) -> set[str]:
    """Characters that act on a terminal, hide text or turn it round. Line feeds are looked at apart."""
    return {
        c
        for c in set(text) - {"\n"}
        if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs")
        or unicodedata.bidirectional(c) in _TURN_ROUND
        or c in _INVISIBLE
    }


@_FUZZ
@given(text=TEXT)
def test_text_reports(text: str) -> None:
    for decision in _decisions(text):
        report = renderer(Format.TEXT)(decision, Options())
        assert not _dangerous(report)
        lines = report.splitlines()
        assert report.count("\n") == len(lines), "a line break of another kind"
        assert not [line for line in lines[1:] if line.startswith(("ALLOW", "BLOCK", "UNKNOWN", "::"))]
        report.encode()


@_FUZZ
@given(text=TEXT)
def test_json_reports(text: str) -> None:
    for decision in _decisions(text):
        report = renderer(Format.JSON)(decision, Options())
        assert not _dangerous(report)
        assert json.loads(report)["verdict"] == decision.verdict.value
        assert json.loads(report)["exit_code"] in (0, 10, 11)


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_logs(log_format: LogFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    import structlog

    @_FUZZ
    @given(text=TEXT)
    def fuzz(text: str) -> None:
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        structlog.reset_defaults()
        log: Any = logger(True, log_format)
        log.info("refused", statement="x", sqlstate=text, error=text)
        log.warning("host did not answer", host=text, port=1)
        output = written.getvalue()
        assert not _dangerous(output)
        assert len(output.splitlines()) == output.count("\n") == 2, "one event, one line"
        if log_format is LogFormat.JSON:
            for line in output.splitlines():
                assert json.loads(line)["level"] in ("info", "warning")

    try:
        fuzz()
    finally:
        structlog.reset_defaults()


def test_half_a_character_cannot_get_into_a_snapshot() -> None:
    """The connector decodes with replacement, and a file with a lone surrogate is refused."""
    good = encode(snapshot(user="marker"))
    with pytest.raises(SnapshotError):
        decode(good.replace(b"marker", b"\\ud800"))


def test_the_fuzzing_would_find_something() -> None:
    assert _dangerous("\x1b[2J") == {"\x1b"}
    assert _dangerous("a\u202eb") == {"\u202e"}
    assert any("forged" in d.cluster.gateway for d in _decisions("forged") if d.cluster.gateway)


def test_a_report_has_a_line_for_each_finding_whatever_the_time() -> None:
    decision = guard.evaluate(snapshot(), step="verify")
    now = decision.taken_at + dt.timedelta(days=400)
    assert "d ago" in renderer(Format.TEXT)(decision, Options(now=now))
