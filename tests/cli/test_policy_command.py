"""guard policy init and check, and the policy files that nobody meant to write."""

from __future__ import annotations

import datetime as dt
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from guard.catalog import load
from guard.cli.commands.policy import TEMPLATE, app
from guard.cli.policy_file import load_policy
from guard.decision.checks import ALL
from guard.decision.policy.apply import Ids
from guard.decision.policy.rules import Policy, PolicyError, Severity, Thresholds
from guard.decision.result import Step

KNOWN = Ids.of(ALL, load()).known
NEXT_MONTH = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)).isoformat()


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_init_writes_a_policy_that_changes_nothing() -> None:
    assert run("init")[0] == 0
    assert load_policy(Path("guard.toml"), KNOWN) == Policy(source="guard.toml")
    assert Policy().thresholds == Thresholds()
    assert run("check") == (0, "guard.toml: in order, 0 waivers\n", "")


def test_every_example_in_the_template_is_right() -> None:
    lines = [
        line.removeprefix("# ") if " = " in line or "[[" in line else line
        for line in TEMPLATE.splitlines()
    ]
    table = tomllib.loads("\n".join(lines))
    assert set(table) == {"targets", "vouched", "thresholds", "severity", "waivers"}
    Path("guard.toml").write_text("\n".join(lines))
    policy = load_policy(Path("guard.toml"), KNOWN)
    assert policy.severity["running-backups"][Step.START] is Severity.BLOCK
    assert policy.waivers[0].scope.nodes == frozenset({3})
    assert policy.targets is not None
    assert [str(each.build) for each in policy.vouched] == ["v26.3.4"]


def test_init_never_overwrites_unasked() -> None:
    path = Path("guard.toml")
    path.write_text("mine")
    code, _, err = run("init")
    assert code == 2
    assert "--force" in err
    assert path.read_text() == "mine"
    assert run("init", "--force")[0] == 0
    assert path.read_text() == TEMPLATE
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_init_into_a_directory_that_does_not_exist() -> None:
    assert run("init", "missing/guard.toml")[0] == 2
    assert run("init", "missing/guard.toml", "--force")[0] == 2


def test_init_does_not_write_through_a_dangling_link() -> None:
    Path("guard.toml").symlink_to("elsewhere")
    assert run("init")[0] == 2
    assert not Path("elsewhere").exists()


WAIVER = '[[waivers]]\nid = "{}"\nreason = "x"\nowner = "alex"\nexpires = {}\n'


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (WAIVER.format("capacity", NEXT_MONTH), 0, "in order, 1 waiver\n"),
        (WAIVER.format("capacity", "9999-12-31"), 10, "lasts until 9999-12-31"),
        ("[thresholds]\ncapacity-free = 0.0\n", 10, "capacity-free is 0"),
        ("[thresholds]\nwindow = '0s'\n", 10, "window is 0"),
        (WAIVER.format("capacity", "2001-01-01"), 10, "expired on 2001-01-01"),
        (WAIVER.format("capactiy", "9999-12-31"), 10, "did you mean 'capacity'?"),
        ("[severity]\nA-999999 = 'warn'\n", 10, "A-999999"),
    ],
)
def test_check_tells_what_does_not_count(text: str, code: int, words: str) -> None:
    Path("guard.toml").write_text(text)
    got, out, _ = run("check")
    assert got == code
    assert words in out


@pytest.mark.parametrize("text", ["", "[severity]\nnope = 'warn'\n", "wavers = 1\n", "["])
def test_check_refuses_what_guard_check_refuses(text: str) -> None:
    Path("other.toml").write_text(text)
    code, out, _ = run("check", "other.toml")
    assert (code, out) == (2, "")


def test_check_without_a_file_is_a_mistake() -> None:
    assert run("check")[0] == 2
    assert run("check", "missing.toml")[0] == 2


_LINES = st.sampled_from([*TEMPLATE.splitlines(), *(each[2:] for each in TEMPLATE.splitlines())])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.lists(_LINES | st.text(max_size=20), max_size=12).map("\n".join).map(str.encode)
    | st.integers(0, len(TEMPLATE)).map(lambda end: TEMPLATE[:end].encode())
)
def test_no_file_does_more_than_be_refused(data: bytes) -> None:
    for name in ("guard.toml", "pyproject.toml"):
        path = Path(name)
        path.write_bytes(data)
        try:
            policy = load_policy(path, KNOWN)
        except PolicyError as error:
            assert str(error).startswith(name)  # noqa: PT017 - both ends are fine
        else:
            assert policy.source == name


FOUR_LINES = '[[waivers]]\nid = "capacity"\nreason = "x"\nowner = "alex"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (FOUR_LINES + "expires = 3\n", 5, "expected a date without quotes, such as 2026-12-31, not a"),
        (FOUR_LINES + "expires = 'soon'\n", 5, "is no date"),
        (FOUR_LINES, 1, "lacks the key 'expires'"),
        (FOUR_LINES.replace('"x"', '""') + "expires = 2026-12-31\n", 3, "may not be empty"),
        (FOUR_LINES.replace('"x"', '" "') + "expires = 2026-12-31\n", 3, "may not be blank"),
        (FOUR_LINES.replace('"x"', "5") + "expires = 2026-12-31\n", 3, "expected a text in quotes"),
        (FOUR_LINES + "expires = 2026-12-31\nscope = { node = [] }\n", 6, "node may not be empty"),
        (FOUR_LINES + "expires = 2026-12-31\n[waivers.scope]\njob = []\n", 7, "job may not be empty"),
        (FOUR_LINES + "expires = 2026-12-31\nscope.node = 0\n", 6, "must be 1 or more"),
        (FOUR_LINES + "expires = 2026-12-31\n[waivers.scope]\ncluster = 'prod-eu'\n", 7, "UUID"),
        ("[severity]\ncapacity = 'warn'\nCapacity = 'block'\n", 3, "stands there as 'capacity'"),
        ("[severity]\nCAPACITY = 'warn'\n\n" + FOUR_LINES + "expires = 2026-12-31\n", 5, "already"),
        ("[severity]\n\ncapacity = 'wran'\n", 3, "did you mean 'warn'?"),
        ("[thresholds]\nwindow = '30'\n", 2, "not a duration"),
        ("[thresholds]\ncapacity-free = 15\n", 2, "no share"),
        ("targets = ['next']\n", 1, "neither a series"),
        ("\n\nwindow = '30m'\n", 3, "unknown key 'window'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_with_its_line(text: str, line: int, words: str) -> None:
    Path("guard.toml").write_text(text)
    code, out, err = run("check")
    told = " ".join(err.replace("│", " ").split())
    assert (code, out) == (2, "")
    assert f"guard.toml: line {line}: " in told
    assert words in told


def test_lines_are_those_of_pyproject_too() -> None:
    text = "[project]\nname = 'x'\n\n[tool.guard.thresholds]\nwindow = 'long'\n"
    Path("pyproject.toml").write_text(text)
    assert "pyproject.toml: line 5: " in " ".join(run("check")[2].split())


def test_the_mark_of_a_windows_editor_is_no_mistake() -> None:
    Path("guard.toml").write_bytes(b"\xef\xbb\xbf[thresholds]\r\nwindow = '20m'\r\n")
    assert load_policy(Path("guard.toml"), KNOWN).thresholds.window == dt.timedelta(minutes=20)
