"""What the page of ``guard explain ID`` says may happen in each step, as far as words can be counted.

A page tells it in items such as ``- start, next-node: block. rollback, verify: warn.``: what stands
after the name of a step and a colon, up to the next such label, is about that step. Text without a
label tells of BLOCK and warnings only if it says "every step", of the other outcomes for every step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from guard.decision.result import Outcome, Step

__all__ = ["WORDS", "told"]

WORDS: Final = {
    Outcome.BLOCK: r"\bblock(?:s|ed)?\b",
    Outcome.WARN: r"\bwarn(?:s|ing|ings)?\b",
    Outcome.UNKNOWN: r"\bunknown\b",
    Outcome.NOT_APPLICABLE: r"\bnot applicable\b|\bdo(?:es)? not apply\b|\bnot asked\b",
}
"""How a page may name an outcome, in any case."""

_STEPS: Final = tuple(step for step in Step if step is not Step.AUTO)
_ONE: Final = "|".join(step.value for step in _STEPS)
_LABEL: Final = re.compile(rf"(?:^|(?<=[.;] ))((?:{_ONE}|every step)\b(?:[^.:;]|\.(?! ))*):")


@cache
def told(page: str) -> dict[Step, frozenset[Outcome]]:
    """By step, the outcomes that the page names for it."""
    found: dict[Step, set[Outcome]] = {step: set() for step in _STEPS}
    for label, text in _texts(page):
        named = {outcome for outcome, word in WORDS.items() if re.search(word, text, re.IGNORECASE)}
        everywhere = re.search(r"\b(?:every|each|all) steps?\b", label or text)
        if not label and not everywhere:  # "start" is a word of English as well
            named -= {Outcome.BLOCK, Outcome.WARN}
        for step in _STEPS:
            if not label or everywhere or re.search(rf"\b{step.value}\b", label):
                found[step] |= named
    return {step: frozenset(outcomes) for step, outcomes in found.items()}


def _texts(page: str) -> Iterator[tuple[str, str]]:
    """Each piece of the page with the label that it stands behind, empty for none."""
    for paragraph in page.split("\n\n"):
        for item in re.split(r"(?m)^- ", paragraph):
            text = " ".join(item.split())
            begin, label = 0, ""
            for match in [*_LABEL.finditer(text), None]:
                end = len(text) if match is None else match.start()
                yield label, text[begin:end]
                if match is not None:
                    begin, label = match.end(), match[1]
