"""The policy file's shape, and its way from TOML to a `Policy`, with mistakes named. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from guard.decision.policy.rules import (
    NEVER,
    Policy,
    PolicyError,
    Scope,
    Severity,
    Table,
    Text,
    Thresholds,
    Vouched,
    WaiverRule,
    nearest,
)
from guard.decision.result import Step
from guard.versions import Build, Series, VersionError

__all__ = ["PolicyFile", "read_policy"]

_ADVISORY: Final = re.compile(r"(?:A-|C|H-|S-|CVE-\d+-)\d+", re.ASCII | re.IGNORECASE)
_DURATION: Final = re.compile(r"(\d{1,9})(s|m|h|d)", re.ASCII)
_UNIT: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class WaiverEntry(Table, frozen=True):
    """One ``[[waivers]]`` of the file. Everything but the scope is required."""

    id: Text
    reason: Text
    owner: Text
    expires: dt.date
    scope: Scope = Scope()


class ThresholdTable(Table, frozen=True):
    """``[thresholds]``: durations as text (``30m``), the capacity as a share or in per cent."""

    window: str | None = None
    settle: str | None = None
    capacity_free: float | str | None = None
    backup_age: str | None = None
    max_age: str | None = None
    mixed_for: str | None = None
    unfinalized_for: str | None = None


class VouchedEntry(Table, frozen=True):
    """One release of ``vouched``: which, who looked, when, and until when that counts."""

    build: Text
    by: Text
    on: dt.date
    expires: dt.date


class PolicyFile(Table, frozen=True):
    """The whole of ``guard.toml``, or of ``[tool.guard]`` in ``pyproject.toml``."""

    targets: tuple[str, ...] | None = None
    thresholds: ThresholdTable = ThresholdTable()
    severity: dict[str, Any] = {}
    waivers: tuple[WaiverEntry, ...] = ()
    vouched: tuple[VouchedEntry, ...] = ()


def read_policy(data: Mapping[str, Any], known: Collection[str], source: str) -> Policy:
    """Turn a parsed TOML table into a policy.

    Args:
        data: the table.
        known: ids of all checks and advisories, former ids included.
        source: what to call it in messages.

    Raises:
        PolicyError: a key or a value that does not belong; the message names the nearest right key.
    """
    try:
        file = msgspec.convert(data, PolicyFile)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        key = path.rstrip("`").removeprefix("$").removeprefix(".")
        unknown = _UNKNOWN_KEY.fullmatch(text)
        where = f"{key}.{unknown[1]}".removeprefix(".") if unknown is not None else key
        raise PolicyError(f"{source}: {_explained(text, key)}", where) from None
    except RecursionError:
        raise PolicyError(f"{source}: nested too deeply") from None
    _one_spelling(file, source)
    return Policy(
        thresholds=_thresholds(file.thresholds, source),
        targets=_targets(file.targets, source),
        severity=_severities(file.severity, known, source),
        waivers=tuple(_waiver(entry, f"waivers[{n}]", source) for n, entry in enumerate(file.waivers)),
        vouched=tuple(_vouched(entry, f"vouched[{n}]", source) for n, entry in enumerate(file.vouched)),
        source=source,
    )


def _one_spelling(file: PolicyFile, source: str) -> None:
    """Refuse an id in two spellings: whoever reads one of them would not find the other."""
    first: dict[str, str] = {}
    named = [(f"severity.{name}", name) for name in file.severity]
    named += [(f"waivers[{n}].id", entry.id) for n, entry in enumerate(file.waivers)]
    for key, name in named:
        other = first.setdefault(name.lower(), name)
        if other != name:
            raise PolicyError(f"{source}: {key}: {name!r} stands there as {other!r} already", key)


_TABLES: Final[tuple[tuple[str, type[Table]], ...]] = (
    (r"waivers\[\d*(?:\.\.\.)?\]\.scope", Scope),
    (r"waivers\[\d*(?:\.\.\.)?\]", WaiverEntry),
    (r"thresholds", ThresholdTable),
    (r"vouched\[\d*(?:\.\.\.)?\]", VouchedEntry),
    (r"", PolicyFile),
)
_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_KINDS: Final = {
    "str": 'a text in quotes ("…")',
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "date": "a date without quotes, such as 2026-12-31",
    "datetime": "a date and time",
    "array": "a list ([…])",
    "object": "a table",
    "null": "nothing",
}
_SIZES: Final = (
    (r"Expected `(?:str|array)` of length >= 1", "may not be empty"),
    (r"Expected `str` matching regex '\\\\S'", "may not be blank"),
    (r"Expected `str` of length <= (\d+)", "is longer than {0} characters"),
    (r"Expected `int` >= (-?\d+)", "must be {0} or more"),
    (r"Invalid RFC3339 encoded date", "is no date such as 2026-12-31"),
)


def _explained(text: str, key: str) -> str:
    """msgspec's message in the words of the file, with the nearest right key."""
    place = key or "the file"
    unknown = _UNKNOWN_KEY.fullmatch(text)
    if unknown is not None:
        for pattern, table in _TABLES:
            if re.fullmatch(pattern, key):
                keys = [each.encode_name for each in msgspec.structs.fields(table)]
                hint = nearest(unknown[1], keys) or f"; the keys are {', '.join(keys)}"
                return f"unknown key {unknown[1][:100]!r} in {place}{hint}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", text)
    if missing is not None:
        return f"{place} lacks the key {missing[1]!r}, which is required"
    wrong = re.fullmatch(r"Invalid enum value '(.*)'", text, re.DOTALL)
    if wrong is not None:
        return f"{place}: {wrong[1][:100]!r} is no step{nearest(wrong[1], tuple(Step))}"
    kinds = re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", text)
    if kinds is not None:
        expected = [
            _KINDS.get(kind.strip(), kind) for kind in kinds[1].split("|") if "null" not in kind
        ]
        return f"{place}: expected {' or '.join(expected)}, not {_KINDS.get(kinds[2], kinds[2])}"
    for pattern, words in _SIZES:
        size = re.fullmatch(pattern, text)
        if size is not None:
            return f"{place} {words.format(*size.groups())}"
    return f"{place}: {text}"[:500]


def _thresholds(table: ThresholdTable, source: str) -> Thresholds:
    default = Thresholds()
    return Thresholds(
        window=_duration("window", table.window, default.window, source),
        settle=_duration("settle", table.settle, default.settle, source),
        backup_age=_duration("backup-age", table.backup_age, default.backup_age, source),
        max_age=_duration("max-age", table.max_age, default.max_age, source),
        mixed_for=_duration("mixed-for", table.mixed_for, default.mixed_for, source),
        unfinalized_for=_duration(
            "unfinalized-for", table.unfinalized_for, default.unfinalized_for, source
        ),
        capacity_free=_share(table.capacity_free, default.capacity_free, source),
    )


def _duration(key: str, text: str | None, default: dt.timedelta, source: str) -> dt.timedelta:
    if text is None:
        return default
    match = _DURATION.fullmatch(text)
    if match is None:
        raise PolicyError(
            f"{source}: thresholds.{key}: {text[:50]!r} is not a duration such as 30s, 20m, 1h or 2d",
            f"thresholds.{key}",
        )
    seconds = int(match[1]) * _UNIT[match[2]]
    if seconds > _LONGEST:
        raise PolicyError(
            f"{source}: thresholds.{key}: {text[:50]!r} is longer than 10 years", f"thresholds.{key}"
        )
    return dt.timedelta(seconds=seconds)


_LONGEST: Final = 10 * 366 * 86400


def _share(value: float | str | None, default: float, source: str) -> float:
    if value is None:
        return default
    share = value if isinstance(value, float) else -1.0
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,2}(?:\.\d{1,6})?) ?%", value, re.ASCII)
        share = float(match[1]) / 100 if match else -1.0
    if not 0 <= share < 1:
        raise PolicyError(
            f"{source}: thresholds.capacity-free: {str(value)[:50]!r} is no share such as 0.15 or 15%",
            "thresholds.capacity-free",
        )
    return share


def _targets(texts: tuple[str, ...] | None, source: str) -> tuple[Series | Build, ...] | None:
    if texts is None:
        return None
    found: list[Series | Build] = []
    for text in texts:
        tag = text if text.startswith("v") else f"v{text}"
        try:
            found.append(Series.parse(tag[1:]) if tag.count(".") == 1 else Build.parse(tag))
        except VersionError:
            raise PolicyError(
                f"{source}: targets: {text[:50]!r} is neither a series such as v24.1 nor a build such "
                "as v24.1.3",
                "targets",
            ) from None
    return tuple(found)


def _severities(
    table: Mapping[str, Any], known: Collection[str], source: str
) -> dict[str, dict[Step, Severity]]:
    by_lower = {each.lower() for each in known}
    found: dict[str, dict[Step, Severity]] = {}
    for name, wanted in table.items():
        lower, where = name.lower(), f"{source}: severity.{name[:100]}"
        if lower not in by_lower and not _ADVISORY.fullmatch(name):
            raise PolicyError(
                f"{source}: severity: no check or advisory {name[:100]!r}{nearest(name, known)}",
                f"severity.{name}",
            )
        if lower in NEVER:
            raise PolicyError(f"{where}: can never be raised or lowered", f"severity.{name}")
        try:
            if isinstance(wanted, dict):
                found[lower] = {_step(step): _severity(value) for step, value in wanted.items()}
            else:
                found[lower] = dict.fromkeys(Step, _severity(wanted))
        except PolicyError as error:
            raise PolicyError(f"{where}: {error}", f"severity.{name}") from None
    return found


def _severity(value: object) -> Severity:
    if isinstance(value, str) and value in tuple(Severity):
        return Severity(value)
    hint = nearest(value, tuple(Severity)) if isinstance(value, str) else ""
    raise PolicyError(f"{str(value)[:50]!r} is neither 'warn' nor 'block'{hint}")


def _step(value: str) -> Step:
    steps = tuple(each.value for each in Step if each is not Step.AUTO)
    if value not in steps:
        hint = nearest(value, steps) or f"; the steps are {', '.join(steps)}"
        raise PolicyError(f"{value[:50]!r} is no step{hint}")
    return Step(value)


_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def _vouched(entry: VouchedEntry, key: str, source: str) -> Vouched:
    tag = entry.build if entry.build.startswith("v") else f"v{entry.build}"
    try:
        build = Build.parse(tag)
    except VersionError:
        text = f"vouched: {entry.build[:50]!r} is no build such as v24.1.3"
        raise PolicyError(f"{source}: {text}", f"{key}.build") from None
    if entry.expires < entry.on:
        text = f"vouched: {build} expires on {entry.expires}, before anybody looked ({entry.on})"
        raise PolicyError(f"{source}: {text}", f"{key}.expires")
    return Vouched(build=build, by=entry.by, on=entry.on, expires=entry.expires)


def _waiver(entry: WaiverEntry, key: str, source: str) -> WaiverRule:
    if entry.id.lower() in NEVER:
        raise PolicyError(f"{source}: waivers: {entry.id} can never be waived", f"{key}.id")
    if entry.scope.step is Step.AUTO:
        raise PolicyError(
            f"{source}: waivers: {entry.id}: 'auto' is never judged; name the step", f"{key}.scope.step"
        )
    cluster = entry.scope.cluster
    if cluster is not None and _UUID.fullmatch(cluster) is None:
        raise PolicyError(
            f"{source}: waivers: {entry.id}: {cluster[:50]!r} is no cluster id, which is a "
            "UUID: SELECT crdb_internal.cluster_id()",
            f"{key}.scope.cluster",
        )
    return WaiverRule(
        id=entry.id,
        reason=entry.reason,
        owner=entry.owner,
        expires=entry.expires,
        scope=entry.scope,
    )
