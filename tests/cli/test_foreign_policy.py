"""A policy that was found, not named, counts only if nobody else can have written it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

import pytest

from guard.cli.policy_file import MAX_BYTES, discover
from guard.decision.policy.rules import PolicyError


def test_ones_own_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "guard.toml").write_text("")
    (tmp_path / "guard.toml").chmod(0o644)
    assert discover(tmp_path) == tmp_path / "guard.toml"


@pytest.mark.parametrize("name", ["guard.toml", "pyproject.toml"])
def test_others_may_not_be_able_to_write_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[tool.guard]\n")
    (tmp_path / name).chmod(0o666)
    with pytest.raises(PolicyError, match="others may write it"):
        discover(tmp_path)


def _group(monkeypatch: pytest.MonkeyPatch, gid: int, name: str, members: Sequence[str]) -> None:
    """This user is called kay; the group of every file is the one given."""
    me = pwd.struct_passwd(("kay", "x", os.geteuid(), gid, "", "/", "/bin/sh"))
    group = grp.struct_group((name, "x", os.getegid(), list(members)))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: me)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)


def _writable_by_its_group(directory: Path) -> Path:
    found = directory / "guard.toml"
    found.write_text("")
    os.chown(found, -1, os.getegid())
    found.chmod(0o664)
    return found


@pytest.mark.parametrize("members", [(), ("kay",)], ids=["empty", "own"])
def test_ones_own_private_group_may_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: Sequence[str]
) -> None:
    _group(monkeypatch, os.getegid(), "kay", members)
    found = _writable_by_its_group(tmp_path)
    assert discover(tmp_path) == found


@pytest.mark.parametrize(
    ("first", "name", "members"),
    [
        (0, "staff", ()),  # a first group that many share
        (0, "kay", ("kay", "lee")),
        (1, "kay", ()),  # not the user's first group
    ],
    ids=["shared", "joined", "second"],
)
def test_no_other_group_may_be_able_to_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, name: str, members: Sequence[str]
) -> None:
    _group(monkeypatch, os.getegid() + first, name, members)
    _writable_by_its_group(tmp_path)
    with pytest.raises(PolicyError, match="others may write it"):
        discover(tmp_path)


def test_a_group_or_owner_without_a_name_is_no_private_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    _writable_by_its_group(tmp_path)
    with pytest.raises(PolicyError, match="others may write it"):
        discover(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file to another user")
@pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
def test_it_may_not_be_somebody_elses(tmp_path: Path, link: bool) -> None:
    own = tmp_path / "other.toml"
    own.write_text("")
    found = tmp_path / "guard.toml"
    if link:
        found.symlink_to(own)
    else:
        own.rename(found)
    os.chown(found, 12345, 12345, follow_symlinks=False)
    with pytest.raises(PolicyError, match="another user"):
        discover(tmp_path)


def test_a_large_pyproject_without_a_policy_is_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert discover(tmp_path) is None
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.guard]\n" + b"#" * (MAX_BYTES + 1))
    with pytest.raises(PolicyError, match="too large"):
        discover(tmp_path)


@pytest.mark.parametrize("name", ["guard.toml", "pyproject.toml"])
def test_a_directory_that_may_not_be_looked_into_may_hold_a_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As in ``sudo -u guard guard check`` from root's home: a policy there would be left out."""
    lstat = Path.lstat

    def closed(path: Path) -> os.stat_result:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", closed)
    with pytest.raises(PolicyError, match=r"cannot be seen .*--no-policy"):
        discover(tmp_path)
