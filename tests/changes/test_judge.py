"""Every probe of every record: concerned, not concerned, hidden. And the rules behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.catalog import load
from guard.catalog.change_records import Change, ChangeKind, Effect, FeatureProbe, Probe
from guard.catalog.changes import SAMPLES, Changes
from guard.changes.judge import judge, sections_needed
from guard.changes.probes import answer
from guard.changes.result import Concern, JudgedChange
from guard.cluster.picture import Cluster
from guard.connector.statements import CHANGE_SECTIONS, SECTIONS
from guard.decision.result import ExitCode, FailOn
from guard.snapshot.model import Reason, Snapshot
from guard.versions import Series
from tests.building import FEATURES, collected, features, put, set_settings, unavailable
from tests.changes.probing import hidden, no, quiet, yes

CATALOG = load()
RECORDS = {
    change.id: (series, change) for series, each in CATALOG.changes.items() for change in each.changes
}
PROBES = [
    pytest.param(series, change, role, probe, id=f"{change.id}-{role}-{number}")
    for series, change in RECORDS.values()
    for role in ("settled_if", "concerned_if", "ask_if")
    for number, probe in enumerate(getattr(change, role))
]


def before(series: Series) -> Series:
    return max(known for known in CATALOG.series if known < series)


def judged(series: Series, change: Change, seen: Snapshot) -> JudgedChange:
    report = judge(CATALOG, before(series), series, Cluster.of(seen))
    [found] = [each for each in report if each.id == change.id]
    return found


def test_every_record_can_be_judged() -> None:
    """On a quiet cluster nothing is hidden, and every record is a no, a question or a new default."""
    for series, change in RECORDS.values():
        concern = judged(series, change, quiet(str(before(series)))).concern
        allowed = {Concern.NOT_CONCERNED, Concern.ASK}
        if change.kind is ChangeKind.CHANGED_DEFAULT and not change.question:
            allowed = {Concern.CONCERNS}
        assert concern in allowed, change.id


@pytest.mark.parametrize(("series", "change", "role", "probe"), PROBES)
def test_a_probe_that_says_yes(series: Series, change: Change, role: str, probe: Probe) -> None:
    found = judged(series, change, yes(probe, quiet(str(before(series)))))
    expected = {
        "settled_if": Concern.NOT_CONCERNED,
        "concerned_if": Concern.CONCERNS,
        "ask_if": Concern.ASK,
    }[role]
    if change.settled_if and role != "settled_if" and found.concern is Concern.NOT_CONCERNED:
        assert answer(change.settled_if[0], Cluster.of(yes(probe, quiet("21.1")))).answer == "yes"
        return
    assert found.concern is expected
    assert found.evidence


@pytest.mark.parametrize(("series", "change", "role", "probe"), PROBES)
def test_a_probe_that_says_no(series: Series, change: Change, role: str, probe: Probe) -> None:
    found = judged(series, change, no(probe, quiet(str(before(series)))))
    always_asked = bool(change.question) and not change.ask_if
    assert found.concern is (Concern.ASK if always_asked else Concern.NOT_CONCERNED)


@pytest.mark.parametrize(("series", "change", "role", "probe"), PROBES)
def test_a_probe_that_cannot_look(series: Series, change: Change, role: str, probe: Probe) -> None:
    """Hidden is never "does not concern you"."""
    found = judged(series, change, hidden(probe, quiet(str(before(series)))))
    if role == "settled_if":
        assert found.concern is not Concern.NOT_CONCERNED or change.ask_if or not change.question
        return
    assert found.concern is Concern.COULD_NOT_LOOK
    assert "not for this user" in found.evidence
    assert found.remedy == ("GRANT it;",)


@pytest.mark.parametrize("section", [name for name in FEATURES if name not in SAMPLES])
def test_none_found_before_the_limit_is_no_answer(section: str) -> None:
    probe = FeatureProbe(section=section, feature=FEATURES[section][0])  # type: ignore[arg-type]
    seen = put(quiet("24.1"), **{section: features(section, truncated=True)})
    assert answer(probe, Cluster.of(seen)).answer == "unknown"


@pytest.mark.parametrize("section", FEATURES)
def test_what_was_not_looked_for_is_no_answer(section: str) -> None:
    """A snapshot of an older guard, whose statement did not ask for the feature."""
    probe = FeatureProbe(section=section, feature="of-tomorrow")  # type: ignore[arg-type]
    assert answer(probe, Cluster.of(quiet("24.1"))).answer == "unknown"
    two = put(quiet("24.1"), **{section: collected()})
    known = FeatureProbe(section=section, feature=FEATURES[section][0])  # type: ignore[arg-type]
    assert answer(known, Cluster.of(two)).answer == "unknown", "an empty answer is none"


def test_settings_without_version_are_hidden() -> None:
    """MODIFYCLUSTERSETTING of 20.2 to 22.1 sees only sql.defaults.*, and the rest silently not."""
    seen = put(quiet("21.1"), set_settings=collected())
    found = judged(Series(21, 2), RECORDS["C-21.2-gs-default-key"][1], seen)
    assert found.concern is Concern.COULD_NOT_LOOK
    assert "hidden" in found.evidence


def test_settings_cut_off_are_no_answer() -> None:
    cut = put(quiet("21.1"), set_settings=collected(*set_settings().rows, truncated=True))
    found = judged(Series(21, 2), RECORDS["C-21.2-gs-default-key"][1], cut)
    assert found.concern is Concern.COULD_NOT_LOOK


def test_what_came_later_cannot_be_there() -> None:
    """v20.1 has no schedules, and that its server knows no SHOW SCHEDULES is no lack of sight."""
    missing = unavailable(Reason.NOT_IN_THIS_VERSION, "nothing to ask", None)
    seen = put(quiet("20.1"), schedules=missing, schedule_features=missing)
    report = judge(CATALOG, Series(20, 1), Series(22, 1), Cluster.of(seen))
    assert not report.of(Concern.COULD_NOT_LOOK)


def test_the_way_meets_the_changes_of_a_series_that_is_left_out() -> None:
    report = judge(CATALOG, Series(24, 1), Series(24, 3), Cluster.of(quiet("24.1")))
    assert [each.series for each in report.series] == ["v24.2", "v24.3"]


def test_a_series_the_catalog_does_not_know_is_not_good_news() -> None:
    report = judge(CATALOG, Series(26, 2), Series(27, 1), Cluster.of(quiet("26.2")))
    assert report.exit_code() is ExitCode.UNKNOWN
    assert not report.series[-1].known


def test_the_same_series_changes_nothing() -> None:
    report = judge(CATALOG, Series(24, 1), Series(24, 1), Cluster.of(quiet("24.1")))
    assert report.series == ()
    assert report.exit_code(FailOn.WARN) is ExitCode.ALLOW


@given(st.sets(st.sampled_from([*CHANGE_SECTIONS, "active_jobs", "schedules", "license"])))
def test_what_is_hidden_never_makes_fewer_concerns_of_the_rest(names: set[str]) -> None:
    """Never "does not concern you" with a section less, unless it did not with all of them."""
    seen = quiet("25.4")
    fewer = put(seen, **dict.fromkeys(names, unavailable()))
    whole = {c.id: c for c in judge(CATALOG, Series(25, 4), Series(26, 2), Cluster.of(seen))}
    for change in judge(CATALOG, Series(25, 4), Series(26, 2), Cluster.of(fewer)):
        if change.concern is Concern.NOT_CONCERNED:
            assert whole[change.id].concern is Concern.NOT_CONCERNED


def test_only_sections_that_exist_are_needed() -> None:
    for source in CATALOG.changes:
        for target in CATALOG.changes:
            assert sections_needed(CATALOG, source, target) <= {*CHANGE_SECTIONS, *SECTIONS}
    assert not sections_needed(CATALOG, Series(24, 1), Series(24, 1))


def test_features_of_the_records_are_looked_for() -> None:
    for _, change in RECORDS.values():
        for probe in (*change.settled_if, *change.concerned_if, *change.ask_if):
            if isinstance(probe, FeatureProbe):
                assert probe.feature in FEATURES[probe.section], change.id


def test_only_what_the_server_refuses_refuses() -> None:
    refusing = {change.id for _, change in RECORDS.values() if change.effect is Effect.REFUSES}
    assert refusing == {
        "C-20.2-alpha-enums",
        "C-21.1-rocksdb",
        "C-21.2-interleaved",
        "C-24.3-license",
    }


def test_about_every_published_change_is_there() -> None:
    """v20.2 to v26.2: 154 bullets of release notes and upgrade pages, and the settings."""
    passed = {series for series in CATALOG.series if Series(20, 2) <= series <= Series(26, 2)}
    assert set(CATALOG.changes) >= passed
    assert isinstance(CATALOG.changes, Changes)
    assert len(RECORDS) > 200
