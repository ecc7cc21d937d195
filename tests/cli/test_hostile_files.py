"""Policies and catalogs that are none: one clear usage error, within seconds, whatever lies there."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from guard import files, toml
from guard.cli.commands.policy import TEMPLATE
from guard.files import write
from guard.snapshot.file import load_snapshot
from tests.cli.test_faults import FINAL, NOWHERE
from tests.cluster.fake import Fake
from tests.cluster.process import Run, guard
from tests.connector.test_wire import FINAL as RECORDED
from tests.faults import fault

_HUGE: Final = 200 * 2**20
_SECONDS: Final = 10.0

POLICY: Final = b"""
[severity]
capacity = "block"

[thresholds]
capacity-free = 0.2
"""
ADVISORY: Final = b"""
schema = 1
id = "A-1"
title = "A defect"
date = 2026-07-01
category = "other"
trigger = "always"
summary = "Something breaks."
source = "https://example.com/a1"
affected = [{ series = "26.2", introduced = "v26.2.0", fixed = "v26.2.1" }]
mitigation = { text = "Upgrade." }
"""


def _written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _huge(path: Path) -> None:
    with path.open("wb") as sparse:
        sparse.write(b"# ")
        sparse.truncate(_HUGE)


def _loop(path: Path) -> None:
    path.symlink_to(path)


_ODD: dict[str, Callable[[Path], object]] = {
    "empty": _written(b""),
    "white space": _written(b" \n\t\n"),
    "not TOML": _written(b'{"verdict": "allow"}'),
    "not UTF-8": _written(b"\xff\xfe\x00x = 1\n"),
    "nested without end": _written(b"x = " + b"[" * 100_000),
    "a key without end": _written(b"a" + b".a" * 32_000 + b" = 1\n"),
    "a table's name without end": _written(b"[" + b'"a" . ' * 10_000 + b"a]\n"),
    "of 200 MB": _huge,
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a link to itself": _loop,
    "missing": lambda path: path,
}


def check(*options: str) -> Run:
    run = guard("check", "--snapshot", str(FINAL), "--step", "verify", *options, killed_after=_SECONDS)
    assert run.out == ""
    assert run.err.count("\n") < 12, "more than an operator reads"
    return run


@pytest.mark.parametrize(
    "text", ["a" + ".a" * 100 + "=1", '[x]\n"a"' + " . 'b c'" * 100 + " = 1", "x={" + "a." * 100]
)
def test_a_key_of_a_hundred_parts(text: str) -> None:
    """The library takes time by the square of them: seconds for a policy, minutes for a fleet."""
    with pytest.raises(ValueError, match="a hundred parts"):
        toml.parse(text)


def test_dots_in_texts_are_no_key() -> None:
    text = "a = '" + "a.b c" * 200 + "'\n# " + "v1.2 " * 200 + "\nb.c.d = '...'\n"
    assert toml.parse(text)["b"] == {"c": {"d": "..."}}


def test_without_a_fault_both_are_taken(tmp_path: Path) -> None:
    """What makes the usage errors below mean something."""
    policy, catalog = tmp_path / "policy.toml", tmp_path / "catalog"
    policy.write_bytes(POLICY)
    catalog.mkdir()
    (catalog / "A-1.toml").write_bytes(ADVISORY)
    run = guard(
        "check", "--snapshot", str(FINAL), "--step", "verify", "--policy", str(policy),
        "--catalog", str(catalog),
    )  # fmt: skip
    assert run.code == 0, run


@pytest.mark.parametrize("how", _ODD)
@fault(
    "a policy that is empty, not TOML, of 200 MB, a directory, a FIFO or missing",
    "usage error that names it, at once", 2, group="Files",
)  # fmt: skip
def test_a_file_that_is_no_policy(tmp_path: Path, how: str) -> Run:
    policy = tmp_path / "policy.toml"
    _ODD[how](policy)
    run = check("--policy", str(policy))
    assert "policy.toml" in "".join(run.err.split())
    return run


@pytest.mark.parametrize(
    "text",
    [
        POLICY[: POLICY.index(b"= 0.2")],
        POLICY + b'[[waiver]]\nid = "capacity',
        b"schema = 2\n" + POLICY,
        POLICY + b"[rules_of_a_newer_guard]\nx = 1\n",
        TEMPLATE.encode() + b"\n[severity]\nx = ",
    ],
    ids=["cut", "cut in a text", "of a newer schema", "with a foreign table", "cut after the template"],
)
@fault("a policy that is truncated, or written for a newer guard", "usage error that says where", 2,
       group="Files")  # fmt: skip
def test_a_truncated_or_newer_policy(tmp_path: Path, text: bytes) -> Run:
    policy = tmp_path / "policy.toml"
    policy.write_bytes(text)
    run = check("--policy", str(policy))
    assert "policy.toml" in "".join(run.err.split())
    return run


@pytest.mark.parametrize("how", [how for how in _ODD if how != "missing"])
@fault(
    "a catalog record that is empty, not TOML, of 200 MB, a directory or a FIFO",
    "usage error that names it, at once", 2, group="Files",
)  # fmt: skip
def test_a_file_that_is_no_catalog_record(tmp_path: Path, how: str) -> Run:
    _ODD[how](tmp_path / "A-1.toml")
    run = check("--catalog", str(tmp_path))
    assert "A-1.toml" in "".join(run.err.split())
    return run


@pytest.mark.parametrize(
    "text",
    [
        ADVISORY[: len(ADVISORY) // 2],
        ADVISORY[: ADVISORY.index(b"affected")],
        ADVISORY.replace(b"schema = 1", b"schema = 2"),
        ADVISORY + b"certainty = 1\n",
    ],
    ids=["cut", "without its ranges", "of a newer schema", "with a foreign field"],
)
@fault("a catalog record that is truncated, or of a newer schema", "usage error that says where", 2,
       group="Files")  # fmt: skip
def test_a_truncated_or_newer_record(tmp_path: Path, text: bytes) -> Run:
    (tmp_path / "A-1.toml").write_bytes(text)
    run = check("--catalog", str(tmp_path))
    assert "A-1.toml" in "".join(run.err.split())
    return run


@pytest.mark.parametrize("how", _ODD)
@fault("something else in place of the catalog directory, or an empty one", "usage error, at once", 2,
       group="Files")  # fmt: skip
def test_what_is_no_catalog_directory(tmp_path: Path, how: str) -> Run:
    catalog = tmp_path / "catalog"
    _ODD[how](catalog)
    return check("--catalog", str(catalog))


# What guard writes.


@fault("two guards write the same file at once", "one whole snapshot, for the owner alone (0600)", 0,
       group="Files")  # fmt: skip
def test_two_guards_write_one_file(fake: Fake, tmp_path: Path) -> list[Run]:
    file = tmp_path / "snapshot.json"
    file.write_bytes(b"old")
    file.chmod(0o644)
    runs: list[Run] = []
    with fake.gateway(RECORDED) as gateway:
        arguments = ("collect", "--url", gateway.url(), "-o", str(file))
        threads = [threading.Thread(target=lambda: runs.append(guard(*arguments))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    load_snapshot(file)
    assert [found.name for found in tmp_path.iterdir()] == ["snapshot.json"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert guard("check", "--snapshot", str(file), "--step", "verify").code == 0
    assert len(runs) == 3
    return runs


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_new_file_is_for_the_owner_alone(tmp_path: Path, mask: int) -> None:
    file = tmp_path / "snapshot.json"
    previous = os.umask(mask)
    try:
        run = guard("collect", "--url", NOWHERE, "--timeout", "1s", "-o", str(file))
    finally:
        os.umask(previous)
    assert run.code == 11
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    file = tmp_path / ("s" * 250 + ".json")
    write(file, b"report\n")
    assert file.read_bytes() == b"report\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_read_to_its_end() -> None:
    """One call may bring less than there is, on some file systems: half a policy is another policy."""

    class Short(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.rest = data

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece, self.rest = self.rest[:7], self.rest[7:]
            buffer[: len(piece)] = piece
            return len(piece)

    assert files._to_the_end(Short(b"a policy of forty bytes, give or take"), 100).endswith(b"take")
    with pytest.raises(files.TooLarge):
        files._to_the_end(Short(b"x" * 101), 100)


def test_a_home_that_nobody_has_is_a_cluster_that_cannot_be_read(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text("\ufeff[[cluster]]\nname = 'a'\nsnapshot = '~nobody-has-this-name/s.json'\n")
    run = guard("fleet", str(fleet), "--format", "json")
    assert run.code == 11
    assert run.json["clusters"][0]["name"] == "a"


def test_a_name_of_the_systems_for_an_open_file_stays_what_it_is(tmp_path: Path) -> None:
    """As /dev/stdout is, where output goes to a file: the report goes there, nothing is replaced."""
    file = tmp_path / "log"
    file.write_text("before\n")
    with file.open("ab") as opened:
        name = Path(f"/proc/self/fd/{opened.fileno()}")
        if not name.is_symlink():
            pytest.skip("there is no /proc/self/fd here")
        write(name, b"report\n")
        assert name.is_symlink()
    assert file.read_text() == "before\nreport\n"
