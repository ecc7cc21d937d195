"""Archives from somebody who means no good: a clear error or less sight, never a crash or an ALLOW."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.debugzip import archive, tables
from guard.debugzip.collect import read_debug_zip
from guard.debugzip.errors import DebugZipError
from guard.debugzip.stored_version import from_gossip, from_setting
from guard.decision.engine import evaluate
from guard.decision.result import Verdict
from guard.snapshot.file import decode, encode
from guard.snapshot.model import Collected, Unavailable
from tests.debugzip.making import entries, pack, quiet
from tests.fuzzing import examples

GOOD = entries(quiet())


def refused(path: Path) -> str:
    with pytest.raises(DebugZipError) as error:
        read_debug_zip(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../../evil", "debug/../../evil", "debug\\..\\evil", "C:/evil", "\\evil"]
)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    assert "leads out of its folder" in refused(pack(tmp_path / "z", {**GOOD, name: b""}))


def test_names_cannot_move_the_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in refused(pack(tmp_path / "z", {**GOOD, "/\x1b[2J": b""}))


def test_an_entry_twice(tmp_path: Path) -> None:
    path = pack(tmp_path / "z", GOOD)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as again:
        warnings.simplefilter("ignore")
        again.writestr("debug/system.jobs.txt", "id\tstatus\tcreated\n")
    assert "holds 'debug/system.jobs.txt' twice" in refused(path)


def test_an_encrypted_entry(tmp_path: Path) -> None:
    data = bytearray(pack(tmp_path / "z", GOOD).read_bytes())
    at = data.find(b"PK\x01\x02")
    data[at + 8] |= 1
    (tmp_path / "z").write_bytes(data)
    assert "is encrypted" in refused(tmp_path / "z")


def test_a_bomb_that_says_how_large_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRY_BYTES", 1 << 20)
    bomb = {**GOOD, "debug/system.jobs.txt": b"id\tstatus\tcreated\n" + b"1\tx\tNULL\n" * 200_000}
    assert "more than guard reads" in refused(pack(tmp_path / "z", bomb))


def test_what_comes_out_is_counted_over_all_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 3000)
    assert "zip bomb" in refused(pack(tmp_path / "z", GOOD))


def test_a_row_without_end_hides_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_LONGEST_FIELD", 1000)
    monster = {**GOOD, "debug/system.scheduled_jobs.txt": b"schedule_id\tnext_run\n" + b"x" * 5000}
    seen = read_debug_zip(pack(tmp_path / "z", monster))
    assert isinstance(seen.schedules, Unavailable)


def test_a_table_of_too_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MOST_ROWS", 2)
    seen = read_debug_zip(pack(tmp_path / "z", GOOD))
    assert isinstance(seen.node_status, Unavailable)


def test_a_directory_that_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_DIRECTORY_BYTES", 100)
    assert "the archive's directory" in refused(pack(tmp_path / "z", GOOD))


def test_an_archive_that_is_cut_off(tmp_path: Path) -> None:
    path = pack(tmp_path / "z", GOOD)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "cut off" in refused(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"id,status\n", b"PK\x05\x06" + b"\0" * 17])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "z").write_bytes(content)
    assert refused(tmp_path / "z") == "not a zip file"


def test_names_that_are_no_files(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none")
    assert "directory" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in refused(tmp_path / "fifo")


def test_an_entry_whose_bytes_are_wrong_hides_its_table(tmp_path: Path) -> None:
    path = pack(tmp_path / "z", GOOD)
    with zipfile.ZipFile(path) as opened:
        entry = opened.getinfo("debug/system.scheduled_jobs.txt")
    data = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename)
    data[start + 10 : start + 20] = bytes(10)
    path.write_bytes(data)
    seen = read_debug_zip(path)
    assert isinstance(seen.schedules, Unavailable)
    assert "damaged" in seen.schedules.message


@settings(max_examples=examples(40))  # each writes and reads an archive
@given(data=st.data())
def test_bytes_changed_anywhere_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    original = _PACKED
    broken = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("z", numbered=True) / "z"
    path.write_bytes(broken)
    try:
        seen = read_debug_zip(path)
    except DebugZipError:
        return
    assert decode(encode(seen)) == seen


CELL = st.one_of(
    st.sampled_from(
        ["", "NULL", "-1", "1", "99999999999999999999", "t", "false", "active", "{}", "21.1"]
    ),
    st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)


@settings(max_examples=examples(40))  # each writes and reads an archive
@given(data=st.data())
def test_any_cells_in_any_table_are_judged_or_hidden(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made = quiet(builds=("v21.1.12",))
    name = data.draw(st.sampled_from(sorted(made)))
    columns, rows = made[name]
    rows = [list(row) for row in rows]
    if rows:
        row = data.draw(st.integers(0, len(rows) - 1))
        rows[row][data.draw(st.integers(0, len(columns) - 1))] = data.draw(CELL)
    path = pack(
        tmp_path_factory.mktemp("z", numbered=True) / "z", entries({**made, name: (columns, rows)})
    )
    seen = read_debug_zip(path)
    assert evaluate(seen, step="start", target="v21.1.21").verdict in Verdict
    assert decode(encode(seen)) == seen


NEEDED = (
    "crdb_internal.cluster_settings",
    "crdb_internal.kv_node_status",
    "system.scheduled_jobs",
    "system.settings",
)


@settings(max_examples=examples(40))  # each writes and reads an archive
@given(gone=st.sets(st.sampled_from(NEEDED), min_size=1), empty=st.booleans())
def test_never_allow_when_something_needed_is_gone_or_empty(
    tmp_path_factory: pytest.TempPathFactory, gone: set[str], empty: bool
) -> None:
    content = dict(GOOD)
    for table in gone:
        if empty:
            content[f"debug/{table}.txt"] = b""
        else:
            del content[f"debug/{table}.txt"]
    path = pack(tmp_path_factory.mktemp("z", numbered=True) / "z", content)
    assert evaluate(read_debug_zip(path), step="start", target="v21.1.21").verdict is not Verdict.ALLOW


@given(text=st.text(max_size=60))
def test_any_text_as_stored_version(text: str) -> None:
    found = from_setting(text)
    assert found is None or found[0].isdigit()


@given(text=st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.hex())))
def test_any_text_as_gossip(text: str) -> None:
    assert from_gossip(text) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (r"\x12\b\b\x15\x10\x01\x18\x00 \x00", "21.1"),
        (r"\022\b\b\025\020\001\030\000 \000", "21.1"),
        (r"\x12\b\b\x15\x10\x01\x18\x00 \x0e", "21.1-14"),
        (r"\x12\x11\b\x16\x10\x01\x18\x00 \xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "22.1--1"),
        (r"\x12\b\b\x19\x10\x04\x18\x00 \x00", "25.4"),
        ("21.1", "21.1"),
        ("", None),
        (r"\x12", None),
        (r"\x12\b\b\x15", None),
        ("<redacted>", None),
    ],
)
def test_stored_versions(text: str, version: str | None) -> None:
    assert from_setting(text) == version


def _packed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in GOOD.items():
            made.writestr(zipfile.ZipInfo(name, (2026, 11, 24, 12, 0, 0)), content)
    return out.getvalue()


_PACKED = _packed()


def test_the_archive_the_others_are_made_of_is_good(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(_PACKED)
    assert isinstance(read_debug_zip(tmp_path / "z").schedules, Collected)
