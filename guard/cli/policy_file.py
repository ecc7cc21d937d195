"""Find and read the policy: ``--policy FILE``, ``guard.toml`` or ``[tool.guard]`` in the directory.

Also ``--accept ID --reason TEXT``: the same waiver as in the file, for one run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from guard.decision.policy.rules import NEVER, Policy, PolicyError, WaiverRule, nearest
from guard.files import NotRegular, TooLarge, read_regular
from guard.toml import parse

__all__ = ["MAX_BYTES", "accepted", "discover", "load_policy", "policy_for_run", "read_table"]

# A policy is some kilobytes; a TOML key of a megabyte would keep the parser busy for a minute.
MAX_BYTES: Final = 1 << 16
_LARGEST_PYPROJECT: Final = 1 << 20
_PYPROJECT: Final = "pyproject.toml"


def discover(directory: Path) -> Path | None:
    """The policy file of a directory: ``guard.toml``, else a ``pyproject.toml`` with [tool.guard].

    Raises:
        PolicyError: the directory cannot be looked into, or there is a ``pyproject.toml`` that cannot
            be read: it may hold a policy. Or the file that was found is somebody else's, who could let
            anything pass with it.
    """
    own = directory / "guard.toml"
    if _is_there(own):  # a dangling link is a policy that cannot be read, not no policy
        _refuse_foreign(own)
        return own
    shared = directory / _PYPROJECT
    if not _is_there(shared):
        return None
    data = _read(shared, _LARGEST_PYPROJECT)
    if b"tool" not in data or b"guard" not in data:
        return None  # spares most projects the TOML parser
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{shared}: too large for a policy in it: use guard.toml or --no-policy")
    if "guard" not in _tool(_parse(shared, data)):
        return None
    _refuse_foreign(shared)
    return shared


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise PolicyError(
            f"whether there is a {path.name} in the working directory cannot be seen "
            f"({error.strerror}): go elsewhere, or use --policy or --no-policy"
        ) from None
    return True


def _refuse_foreign(path: Path) -> None:
    """A file that was found, not named, counts only if nobody else can have written it.

    Raises:
        PolicyError: it, or the link that leads to it, belongs to another user, or others may write it.
    """
    try:
        seen = [path.lstat(), *([path.stat()] if path.exists() else [])]
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None
    hint = "name it with --policy if it is meant, or use --no-policy"
    if any(each.st_uid not in (os.geteuid(), 0) for each in seen):
        raise PolicyError(f"{path}: belongs to another user: {hint}")
    if any(not stat.S_ISLNK(each.st_mode) and _others_may_write(each) for each in seen):
        raise PolicyError(f"{path}: others may write it: {hint}")


def _others_may_write(seen: os.stat_result) -> bool:
    """Everybody may, or a group that is not the owner's alone."""
    if seen.st_mode & stat.S_IWOTH:
        return True
    return bool(seen.st_mode & stat.S_IWGRP) and not _is_private(seen.st_gid, seen.st_uid)


def _is_private(gid: int, uid: int) -> bool:
    """Whether the group is the user's own, as most Linux systems make one for each user.

    It has the user's name, is the user's first group and lists nobody else. With such groups a umask
    of 002 is usual, so that every file can be written by a group of one.
    """
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    own = owner.pw_gid == gid and group.gr_name == owner.pw_name
    return own and set(group.gr_mem) <= {owner.pw_name}


def load_policy(path: Path, known: Collection[str]) -> Policy:
    """Read a policy file.

    Args:
        path: the file; of a ``pyproject.toml`` the table [tool.guard] is read.
        known: ids of all checks and advisories.

    Raises:
        PolicyError: it cannot be read or used; the message says why, in one line.
    """
    from guard.decision.policy.shape import read_policy

    try:
        return read_policy(read_table(path), known, str(path))
    except PolicyError as error:
        from guard.cli.policy_lines import line_of

        line = line_of(_decoded(path, _read(path)), error.key, path.name == _PYPROJECT)
        if line is None:
            raise
        text = str(error).removeprefix(f"{path}: ")
        raise PolicyError(f"{path}: line {line}: {text}", error.key) from None


def read_table(path: Path) -> dict[str, Any]:
    """The policy's table as TOML has it.

    Raises:
        PolicyError: the file cannot be read, is no TOML, or holds no policy.
    """
    data = _read(path)
    if not data.strip():
        raise PolicyError(f"{path}: the file is empty")
    table = _parse(path, data)
    if path.name != _PYPROJECT:
        return table
    found = _tool(table).get("guard")
    if not isinstance(found, dict):
        raise PolicyError(f"{path}: there is no table [tool.guard]")
    return found


def accepted(
    ids: Sequence[str], reasons: Sequence[str], known: Collection[str]
) -> tuple[WaiverRule, ...]:
    """The waivers of ``--accept ID --reason TEXT``; the first reason belongs to the first id.

    Raises:
        PolicyError: ids and reasons do not pair up, or an id is wrong or can never be waived.
    """
    if len(ids) != len(reasons):
        counts = f"{len(ids)} of one and {len(reasons)} of the other"
        raise PolicyError(f"every --accept needs a --reason: there are {counts}")
    by_lower = {each.lower() for each in known}
    for name, reason in zip(ids, reasons, strict=True):
        if name.lower() in NEVER:
            raise PolicyError(f"--accept: {name} can never be waived")
        if name.lower() not in by_lower:
            raise PolicyError(f"--accept: no check or advisory {name[:100]!r}{nearest(name, known)}")
        if not reason.strip():
            raise PolicyError(f"--accept {name}: the reason is empty")
    return tuple(
        WaiverRule(id=name, reason=reason, owner="the command line", expires=None, source="--accept")
        for name, reason in zip(ids, reasons, strict=True)
    )


def policy_for_run(
    file: str | None,
    *,
    ignore: bool,
    accept: Sequence[str],
    reasons: Sequence[str],
    known: Callable[[], Collection[str]],
) -> tuple[Policy, tuple[str, ...]]:
    """The policy of one run of ``guard check``, and notices that say where it came from.

    `known` gives the ids of all checks and advisories; it is called only if there is a policy.

    Raises:
        PolicyError: as `load_policy` and `accepted`.
    """
    path = Path(file) if file is not None else None
    notices: tuple[str, ...] = ()
    if path is None and not ignore:
        path = discover(Path())
    policy = Policy()
    if path is not None:
        policy = load_policy(path, known())
        notices = (f"policy read from {path}",)
    rules = accepted(accept, reasons, known()) if accept or reasons else ()
    if rules:
        policy = msgspec.structs.replace(policy, waivers=(*rules, *policy.waivers))
    return policy, notices


def _read(path: Path, limit: int = MAX_BYTES) -> bytes:
    try:
        return read_regular(path, limit)
    except NotRegular as error:
        raise PolicyError(f"{str(path)!r}: {error.strerror}") from None
    except TooLarge:
        raise PolicyError(f"{path}: larger than {limit >> 10} KiB, which is no policy") from None
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from None


def _decoded(path: Path, data: bytes) -> str:
    """The file as text; the mark that some Windows editors put in front is no part of it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: not UTF-8 text") from None


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    text = _decoded(path, data)
    try:
        return parse(text)
    except (RecursionError, ValueError, OverflowError) as error:  # TOMLDecodeError is a ValueError
        raise PolicyError(f"{path}: not TOML: {str(error)[:300]}") from None


def _tool(table: dict[str, Any]) -> dict[str, Any]:
    tool = table.get("tool")
    return tool if isinstance(tool, dict) else {}
