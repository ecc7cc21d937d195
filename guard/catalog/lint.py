"""The catalog's linter: every mistake in a record that can be found without reading the pages.

A wrong range or a fix that was withdrawn turns into a wrong verdict, so that the shipped records
and a user's own ones go through the same checks.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from guard.catalog.affected import affects
from guard.catalog.answers import Answer
from guard.catalog.change_records import ChangesFile
from guard.catalog.changes_lint import changes_problems
from guard.catalog.dates import unjustified
from guard.catalog.edges import ANY, decides
from guard.catalog.errors import CatalogError
from guard.catalog.files import find_files
from guard.catalog.hops import expected_sources, upgrade_allowed
from guard.catalog.loader import load, read_record
from guard.catalog.records import About, Advisory, SeriesRecord, SettingCondition, Trigger
from guard.catalog.releases import build_of
from guard.catalog.wellformed import all_conditions, problems_of
from guard.versions import Build, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from guard.catalog.loader import Record
    from guard.catalog.records import AffectedRange, Edge, Release

__all__ = ["SHIPPED", "Problem", "lint"]

SHIPPED: Final = Path(__file__).parent / "data"
"""The directory of the records that ship with guard."""

_ID: Final = re.compile(r"[A-Z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*", re.ASCII)
_HAZARD: Final = re.compile(r"H-([1-9]\d{0,8})", re.ASCII)
_SETTING: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\^?", re.ASCII)


class Problem(msgspec.Struct, frozen=True):
    """One mistake: the file it stands in and what is wrong, in words."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class _Known(msgspec.Struct, frozen=True):
    """What records are compared with: the series, and every published build in them."""

    series: Mapping[Series, SeriesRecord]
    releases: Mapping[Build, Release]


def lint(directory: Path | None = None, *, whole: bool = False) -> list[Problem]:
    """Check every record of a catalog directory, the shipped one by default.

    A user's directory is checked against the shipped releases, with its own series on top. With
    `whole` it is a catalog of its own, as the shipped one is: what ``guard catalog build`` compiles.

    Raises:
        CatalogError: the directory cannot be listed or holds no record.
    """
    directory = SHIPPED if directory is None else directory
    whole = whole or directory == SHIPPED
    files = find_files(directory)
    problems = _incomplete(directory) if whole else []
    records: list[tuple[Path, Record]] = []
    for file in files:
        try:
            record = read_record(file)
        except CatalogError as error:
            problems.append(Problem(file.path, str(error).removeprefix(f"{file.path}: ")))
            continue
        wrong = list(problems_of(record))
        problems += [Problem(file.path, text) for text in wrong]
        problems += [Problem(file.path, text) for text in _file_name(file.path, record)]
        if not wrong:
            records.append((file.path, record))
    known = _known(record for _, record in records)
    seen: dict[str, Path] = {}
    for path, record in records:
        name = record.id.lower() if isinstance(record, Advisory) else path.stem
        if isinstance(record, ChangesFile):
            name = f"changes {name}"
        if name in seen:
            problems.append(Problem(path, f"the same record stands in {seen[name]}"))
        seen[name] = path
        if isinstance(record, Advisory):
            texts = _advisory(record, known)
        elif isinstance(record, SeriesRecord):
            texts = _series(record, known)
        elif isinstance(record, ChangesFile):
            texts = changes_problems(record)
        else:
            texts = _about(record, [other for _, other in records], shipped=whole)
        problems += [Problem(path, text) for text in texts]
    return sorted(problems, key=lambda problem: (str(problem.path), problem.message))


def _incomplete(directory: Path) -> list[Problem]:
    if (directory / "about.toml").is_file():
        return []
    return [Problem(directory, "no about.toml, which a whole catalog needs")]


def _known(records: Iterator[Record]) -> _Known:
    try:
        series = dict(load().series)
    except CatalogError:  # the compiled file is about to be built from these very records
        series = {}
    series |= {
        Series.parse(record.series): record for record in records if isinstance(record, SeriesRecord)
    }
    releases = {
        build_of(release.build): release for record in series.values() for release in record.releases
    }
    return _Known(series, releases)


def _file_name(path: Path, record: Record) -> Iterator[str]:
    if isinstance(record, Advisory) and record.id != path.stem:
        yield f"id {record.id} differs from the file's name"
    if isinstance(record, (SeriesRecord, ChangesFile)) and record.series != path.stem:
        yield f"series {record.series} differs from the file's name"


def _about(record: About, records: list[Record], *, shipped: bool) -> Iterator[str]:
    for name in ("releases_until", "advisories_until", "catalog_date"):
        day = getattr(record, name)
        if day is not None and record.read < day:
            yield f"read lies before {name}"
    commits = [record.docs_commit, *(each.commit for each in record.archived)]
    for commit in (*commits, *(each.commit for each in record.lists)):
        if commit and not _COMMIT.fullmatch(commit):
            yield f"not a commit: {commit!r}"
    if not shipped:
        yield from unjustified(record, records)
    elif not (record.releases_until and record.advisories_until and record.docs_commit):
        yield "releases_until, advisories_until and docs_commit are all needed here"


# --- advisories ---------------------------------------------------------------------------------


def _advisory(record: Advisory, known: _Known) -> Iterator[str]:
    checks: tuple[Callable[[Advisory, _Known], Iterator[str]], ...] = (
        _hazard,
        _draft,
        _words,
        _ranges,
        _edges,
        _conditions,
        _mitigation,
    )
    for check in checks:
        yield from check(record, known)


def _hazard(record: Advisory, known: _Known) -> Iterator[str]:
    """What a hazard must say that an advisory need not: its builds, its steps, its release notes."""
    if not record.is_hazard:
        return
    match = _HAZARD.fullmatch(record.id)
    if match is None:
        yield f"id {record.id!r} is not of the form H-12345"
    elif int(match[1]) not in record.issues:
        yield f"issues lacks {match[1]}, the pull request or issue of the id"
    if not record.affected:
        yield "a hazard names the builds it affects"
    if not record.edges:
        yield "a hazard names the upgrade and the steps in which it bites"
    if not record.checked:
        yield "checked is empty: name the release notes that a hazard comes from"


def _draft(record: Advisory, known: _Known) -> Iterator[str]:
    """A draft is a mistake for as long as it is one: it says what a person still has to add."""
    if not record.draft:
        return
    missing = [
        text
        for text, absent in (
            ("affected, the ranges of builds", not record.affected),
            ("edges, if it bites on an upgrade", not record.edges),
            ("conditions, if it needs any", not record.conditions),
            ("category and trigger, which a draft only guesses", True),
            ("mitigation.upgrade_to, the repaired builds", not record.mitigation.upgrade_to),
        )
        if absent
    ]
    yield (
        f"a draft: read {record.source}, complete {'; '.join(missing)}; then remove draft = true. "
        "Until then it is UNKNOWN for the builds it may concern"
    )


def _words(record: Advisory, known: _Known) -> Iterator[str]:
    if not _ID.fullmatch(record.id):
        yield f"id {record.id!r} is not of the form A-12345"
    for name in ("title", "summary"):
        if not getattr(record, name).strip():
            yield f"{name} is empty"
    if not record.mitigation.text.strip():
        yield "mitigation.text is empty"
    if not record.source.startswith("https://"):
        yield "source is missing or not an https address"
    if any(issue <= 0 for issue in record.issues):
        yield "issues holds a number that is no issue"
    for tag in record.withdrawn:
        release = known.releases.get(build_of(tag))
        if release is None:
            yield f"withdrawn build {tag} is not in the releases"
        elif not release.withdrawn and not record.note:
            yield f"{tag} is not withdrawn according to the releases, and no note says why"


def _ranges(record: Advisory, known: _Known) -> Iterator[str]:
    if not record.affected and not record.note.strip() and not record.draft:
        yield "affected is empty and no note says why"
    spans: list[tuple[Build, Build, AffectedRange]] = []
    for affected in record.affected:
        spans.append((build_of(affected.introduced), _end(affected, known), affected))
        if _unknown(affected.series, known):
            yield f"series v{affected.series} is not in the catalog"
            continue
        if _older(affected.series, known):
            continue
        if build_of(affected.introduced) not in known.releases:
            yield f"introduced {affected.introduced} is not in the releases"
        if affected.last_affected and build_of(affected.last_affected) not in known.releases:
            yield f"last_affected {affected.last_affected} is not in the releases"
        if affected.fixed:
            yield from _usable("fixed", affected.fixed, known)
    spans.sort(key=lambda span: (span[0], span[1]))
    for (_, last, before), (start, _, after) in pairwise(spans):
        if start < last or (start == last and before.fixed is None):
            yield f"the ranges from {before.introduced} and from {after.introduced} overlap"


def _end(affected: AffectedRange, known: _Known) -> Build:
    named = affected.fixed or affected.last_affected
    if named is not None:
        return build_of(named)
    series = Series.parse(affected.series)
    return max((build for build in known.releases if build.series == series), default=Build(0, 0, 0))


def _older(series: str, known: _Known) -> bool:
    """True for a series before the catalog's first one, of which no builds are listed."""
    return Series.parse(series) < min(known.series, default=Series(0, 0))


def _unknown(series: str, known: _Known) -> bool:
    return Series.parse(series) not in known.series and not _older(series, known)


def _usable(where: str, tag: str, known: _Known) -> Iterator[str]:
    if _older(str(build_of(tag).series), known):
        return
    release = known.releases.get(build_of(tag))
    if release is None:
        yield f"{where} {tag} is not in the releases"
    elif release.withdrawn:
        yield f"{where} {tag} was withdrawn"


def _edges(record: Advisory, known: _Known) -> Iterator[str]:
    if record.trigger is Trigger.UPGRADE and not record.edges:
        yield "trigger is upgrade, but no edge says which one"
    ranged = {affected.series for affected in record.affected}
    seen: set[tuple[str, str, str]] = set()
    for edge in record.edges:
        name = f"edge {edge.source} to {edge.target}"
        yield from (f"{name} {text}" for text in _edge(edge, known))
        needed = {"target": edge.target, "running": edge.source, "edge": ANY}[decides(edge)]
        if needed not in (ANY, *ranged) and "rollback" not in edge.steps:
            yield f"{name} can never count: no range in v{needed}, whose builds decide"
        steps = {(edge.source, edge.target, step) for step in edge.steps}
        if steps & seen or len(steps) < len(edge.steps):
            yield f"{name} stands there twice for the same step"
        seen |= steps


def _edge(edge: Edge, known: _Known) -> Iterator[str]:
    named = [text for text in (edge.source, edge.target) if text != ANY]
    if len(named) == 2:
        source, target = Series.parse(edge.source), Series.parse(edge.target)
        if upgrade_allowed(known.series, source, target).supported is Answer.NO:
            yield "is no supported upgrade"
    if any(_unknown(text, known) for text in named):
        yield "names a series that is not in the catalog"
    if not edge.steps:
        yield "names no step"
    if not named and edge.bites == "edge":
        yield "bites on every upgrade there is"
    if edge.target_affected_only is not None and edge.bites != "target":
        yield "has both bites and its older name target_affected_only"


def _conditions(record: Advisory, known: _Known) -> Iterator[str]:
    for condition in all_conditions(record):
        if not isinstance(condition, SettingCondition):
            continue
        if not _SETTING.fullmatch(condition.name):
            yield f"not a cluster setting: {condition.name!r}"
        if bool(condition.equals) == bool(condition.differs):
            yield f"condition on {condition.name} needs either equals or differs"


def _mitigation(record: Advisory, known: _Known) -> Iterator[str]:
    for tag in record.mitigation.upgrade_to:
        yield from _usable("mitigation.upgrade_to", tag, known)
        answer = affects(known.series, record, build_of(tag))
        switched_on = answer.range is not None and answer.range.conditions
        if answer.affected is Answer.YES and not switched_on:
            yield f"mitigation.upgrade_to {tag} is affected itself"
    for setting in record.mitigation.settings:
        if not _SETTING.fullmatch(setting.name):
            yield f"not a cluster setting: {setting.name!r}"
        for tag in setting.since:
            yield from _usable("mitigation.settings.since", tag, known)


# --- series -------------------------------------------------------------------------------------


def _series(record: SeriesRecord, known: _Known) -> Iterator[str]:
    series = Series.parse(record.series)
    if not record.source.startswith("https://"):
        yield "source is missing or not an https address"
    if record.kind == "unknown":
        yield f"kind is unknown: read {record.source}, then give kind, upgrade_from and support"
    expected = expected_sources(known.series, series)
    if expected is not None and {str(each) for each in expected} != set(record.upgrade_from):
        wanted = ", ".join(str(each) for each in expected)
        yield f"upgrade_from differs from the general rule, which says {wanted}"
    yield from _builds(record)
    yield from _support(record, known)
    if bool(record.restorable_into) != bool(record.restore_source):
        yield "restorable_into and restore_source go together"
    for text in record.restorable_into:
        if upgrade_allowed(known.series, series, Series.parse(text)).supported is not Answer.YES:
            yield f"restorable_into {text} goes against the rule"


def _builds(record: SeriesRecord) -> Iterator[str]:
    builds = [build_of(release.build) for release in record.releases]
    if not builds:
        yield "releases is empty"
    for build in {build for build in builds if builds.count(build) > 1}:
        yield f"{build} stands in the releases twice"
    if builds != sorted(builds):
        yield "releases are not in order"
    for build, release in zip(builds, record.releases, strict=True):
        yield from _release(release)
        if build.is_custom or build.is_production != (release.kind == "production"):
            yield f"{release.build} is not a {release.kind} build by its name"
    first = [
        release.date
        for build, release in zip(builds, record.releases, strict=True)
        if build.is_production and build.patch == 0 and release.listed
    ]
    if (first[0] if first else None) != record.released:
        yield "released is not the day of the first production build"


def _release(release: Release) -> Iterator[str]:
    if release.listed and release.date is None:
        yield f"{release.build} has no date, and the list of releases has one for every build"
    if not release.listed and (release.withdrawn or release.cloud_only):
        yield (
            f"{release.build} is known by its {release.known_by} only, which cannot say that it was "
            "withdrawn or is cloud-only"
        )


def _support(record: SeriesRecord, known: _Known) -> Iterator[str]:
    support = record.support
    ends = [
        end
        for end in (
            support.maintenance_ends,
            support.assistance_ends,
            support.lts_assistance_ends,
        )
        if end is not None
    ]
    if ends != sorted(ends):
        yield "support ends are not in order"
    lts = (support.lts_since_build, support.lts_maintenance_ends, support.lts_assistance_ends)
    if any(lts) and not all(lts):
        yield "the three lts entries go together"
    if support.lts_since_build is not None:
        yield from _usable("support.lts_since_build", support.lts_since_build, known)
    if record.kind == "innovation" and (support.assistance_ends or any(lts)):
        yield "an innovation series has neither assistance nor LTS support"
