"""No text of a server or a file can hold guard up: no regular expression is worse than linear."""

from __future__ import annotations

import re

import pytest

from tests.patterns import Pattern, every_pattern
from tests.steps import TooMany, hostile, spans, steps

_SHORT, _LONG = 200, 800
_LINEAR = 1.5 * _LONG / _SHORT
"""How many times the steps may grow: four times as much text, and some room. A square is 16 times."""

PATTERNS = every_pattern()


def growth(pattern: str | bytes, flags: int = 0, how: str = "search") -> float:
    """By what the steps grow from a short hostile text to a long one, at worst."""

    def count(text: str) -> float:
        try:
            return steps(pattern, text, flags, how=how, limit=400_000)
        except TooMany:
            return float("inf")

    worst = sorted(hostile(pattern, flags), key=lambda text: count(text(60)))[-4:]
    return max((count(text(_LONG)) / min(count(text(_SHORT)), 1e9) for text in worst), default=1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        ("a+b", "search"),
        (r"\s+$", "search"),
        (r"\w++!", "search"),
        (r"x:\s*#?\s*\d", "match"),
        ("a*a*b", "match"),
        ("(?:relation) .* exists", "search"),
        (r":(?=[\w+-]*[a-z][\w+-]*:)", "search"),
        ("(?:a+)+b", "match"),
        ("(a|aa)+$", "match"),
        ("`(.*)`, got `(.*)`", "fullmatch"),
    ],
)
def test_the_counter_finds_squares_and_worse(pattern: str, how: str) -> None:
    assert growth(pattern, how=how) > 2 * _LINEAR


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        ("a", "search"),
        ("a+b", "match"),
        ("(?:a|b)*c", "fullmatch"),
        (r"\b\w++!", "search"),
        (r"(?<!\s)\s++$", "search"),
        (r"'(?:[^'\\]|\\.)*+'", "match"),
        (r"\d{1,9}:", "search"),
        ("(?:a+)+", "search"),
    ],
)
def test_the_counter_lets_pass_what_is_linear(pattern: str, how: str) -> None:
    assert growth(pattern, how=how) <= _LINEAR


def test_the_counter_counts() -> None:
    """The steps themselves, where they can be told by heart: a character, a choice, a way back."""
    assert steps("a", "a", how="match") == 2
    assert steps("ab", "aa", how="match") == 2
    assert steps("aa|b", "b", how="match") == 4
    assert [steps("a", "b" * n) for n in (1, 2, 3)] == [2, 3, 4]
    with pytest.raises(TooMany):
        steps("(?:a+)+b", "a" * 40, how="match", limit=1000)


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_the_counter_matches_what_python_matches(pattern: Pattern) -> None:
    """Else its steps would be those of something else."""
    compiled = re.compile(pattern.text, pattern.flags)
    for made in hostile(pattern.text, pattern.flags)[::7]:
        text = made(24)
        given = text if isinstance(pattern.text, str) else text.encode("latin-1", "replace")
        own = given if isinstance(given, str) else given.decode("latin-1")
        if pattern.how == "search":
            expected = [match.span() for match in compiled.finditer(given)]  # type: ignore[arg-type]
        else:
            one = getattr(compiled, pattern.how)(given)
            expected = [one.span()] if one else []
        assert spans(pattern.text, own, pattern.flags, how=pattern.how) == expected, text


def test_every_pattern_is_found() -> None:
    """Those that this was written for are among them, and each kind of use."""
    texts = [str(pattern) for pattern in PATTERNS]
    for words in (
        "connector.redact", "connector.connect", "cli.policy_lines", "policy.shape 'waivers",
        "report.plain", "versions ", "debugzip.errors", "importing.pages", "cli.terminal",
    ):  # fmt: skip
        assert any(words in text for text in texts), words
    assert {pattern.how for pattern in PATTERNS} == {"match", "fullmatch", "search"}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_every_pattern_is_linear(pattern: Pattern) -> None:
    assert growth(pattern.text, pattern.flags, pattern.how) <= _LINEAR
