"""Counts the steps of a regular expression: growth that no clock has to measure.

A backtracking matcher as plain as they come, over the parse tree of Python's own parser. It knows none
of the short cuts of the real one, so what is linear here is linear there. Its alternatives lie on a
stack of its own; one step is one instruction at one position.

    steps(r"(?:a+)+b", "a" * 20)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

__all__ = ["TooMany", "hostile", "spans", "steps"]

_parser: Any = re._parser  # type: ignore[attr-defined]
_ANYTHING: Final = [chr(code) for code in range(128)] + ["é", "०", "\u2028", "–"]
_ASCII_SPACE: Final = " \t\n\r\f\v"
_MANY: Final = 30  # a repetition of fewer turns looks only so far ahead

Test = Callable[[str], bool]
Instruction = tuple[Any, ...]


class TooMany(Exception):
    """More steps than were allowed."""


class _Program:
    """A pattern as instructions of a backtracking machine."""

    def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
        tree = _parser.parse(pattern, flags)
        self.flags: int = tree.state.flags
        self.atoms: list[Test] = []
        self.repeated: list[Test] = []
        self._depth = 0
        self.code: list[Instruction] = []
        self.whole = tree
        self._sequence(tree)
        self.code.append(("match",))

    def _sequence(self, tree: Any) -> None:
        for operation, argument in tree:
            name = str(operation)
            if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
                self._atom(self.test_of(name, argument))
            else:
                getattr(self, f"_{name.lower()}")(argument)

    def _atom(self, test: Test) -> None:
        seen: dict[str, bool] = {}

        def known(character: str) -> bool:
            if character not in seen:
                seen[character] = test(character)
            return seen[character]

        self.atoms.append(known)
        if self._depth:
            self.repeated.append(known)
        self.code.append(("character", known))

    def test_of(self, name: str, argument: Any) -> Test:
        """What tells whether a character fits."""
        if name == "ANY":
            return lambda c: bool(self.flags & re.DOTALL) or c != "\n"
        if name == "IN":
            items = list(argument)
            negated = bool(items) and str(items[0][0]) == "NEGATE"
            tests = [self.test_of(str(kind), value) for kind, value in items[negated:]]
            return lambda c: any(test(c) for test in tests) != negated
        if name == "CATEGORY":
            return self._category(str(argument).removeprefix("CATEGORY_"))
        low, high = argument if name == "RANGE" else (argument, argument)

        def between(c: str) -> bool:
            forms = (c, c.lower(), c.upper()) if self.flags & re.IGNORECASE else (c,)
            return any(len(form) == 1 and low <= ord(form) <= high for form in forms)

        return (lambda c: not between(c)) if name == "NOT_LITERAL" else between

    def _category(self, name: str) -> Test:
        narrow = not self.flags & re.UNICODE
        tests: dict[str, Test] = {
            "DIGIT": lambda c: c.isdecimal() and (c.isascii() or not narrow),
            "SPACE": lambda c: c in _ASCII_SPACE if narrow else c.isspace(),
            "WORD": lambda c: (c.isalnum() or c == "_") and (c.isascii() or not narrow),
        }
        if name.startswith("NOT_"):
            test = tests[name.removeprefix("NOT_")]
            return lambda c: not test(c)
        return tests[name]

    def _subpattern(self, argument: Any) -> None:
        self._sequence(argument[-1])

    def _branch(self, argument: Any) -> None:
        ends = []
        for alternative in argument[1][:-1]:
            split = self._place()
            self._sequence(alternative)
            ends.append(self._place())
            self.code[split] = ("split", split + 1, len(self.code))
        self._sequence(argument[1][-1])
        for end in ends:
            self.code[end] = ("jump", len(self.code))

    def _place(self) -> int:
        self.code.append(("jump", len(self.code) + 1))
        return len(self.code) - 1

    def _repeat(self, argument: Any, *, greedy: bool) -> None:
        least, most, body = argument
        long = most > _MANY
        self._depth += long
        for _ in range(least):
            self._sequence(body)

        def split(at: int, inside: int, outside: int) -> None:
            self.code[at] = ("split", inside, outside) if greedy else ("split", outside, inside)

        if most == _parser.MAXREPEAT:
            begin = self._place()
            self.code.append(("remember",))
            self._sequence(body)
            self.code.append(("again", begin))
            split(begin, begin + 1, len(self.code))
        else:
            begins = []
            for _ in range(most - least):
                begins.append(self._place())
                self._sequence(body)
            for begin in begins:
                split(begin, begin + 1, len(self.code))
        self._depth -= long

    def _max_repeat(self, argument: Any) -> None:
        self._repeat(argument, greedy=True)

    def _min_repeat(self, argument: Any) -> None:
        self._repeat(argument, greedy=False)

    def _possessive_repeat(self, argument: Any) -> None:
        self.code.append(("open",))
        self._repeat(argument, greedy=True)
        self.code.append(("close",))

    def _atomic_group(self, argument: Any) -> None:
        self.code.append(("open",))
        self._sequence(argument)
        self.code.append(("close",))

    def _at(self, argument: Any) -> None:
        self.code.append(("at", str(argument)))

    def _assert(self, argument: Any, *, wanted: bool = True) -> None:
        direction, body = argument
        inner = object.__new__(_Program)
        inner.flags, inner.code, inner._depth = self.flags, [], self._depth
        inner.atoms, inner.repeated = self.atoms, self.repeated
        inner._sequence(body)
        inner.code.append(("match",))
        width = body.getwidth()[0] if direction < 0 else 0
        self.code.append(("look", inner, width, wanted))

    def _assert_not(self, argument: Any) -> None:
        self._assert(argument, wanted=False)

    def run(self, text: str, start: int, count: list[int], limit: int, *, whole: bool) -> int | None:
        """The end of the match that begins at `start`, or None."""
        stack: list[tuple[int, int, Any]] = [(0, start, None)]
        while stack:
            at, position, marks = stack.pop()
            while True:
                count[0] += 1
                if count[0] > limit:
                    raise TooMany
                instruction = self.code[at]
                kind = instruction[0]
                if kind == "character":
                    if position >= len(text) or not instruction[1](text[position]):
                        break
                    at, position = at + 1, position + 1
                elif kind in ("at", "look"):
                    if not self._sees(instruction, text, position, count, limit):
                        break
                    at += 1
                elif kind == "match":
                    if whole and position != len(text):
                        break
                    return position
                else:
                    at, marks = _turned(instruction, at, position, marks, stack)
        return None

    def _sees(
        self, instruction: Instruction, text: str, position: int, count: list[int], limit: int
    ) -> bool:
        """Whether what is around the position is as the instruction wants it."""
        if instruction[0] == "at":
            return self._holds(instruction[1], text, position)
        _, inner, width, wanted = instruction
        begin = position - width
        found = begin >= 0 and inner.run(text, begin, count, limit, whole=False) is not None
        return found is wanted

    def _holds(self, where: str, text: str, position: int) -> bool:
        if where.endswith("BOUNDARY"):
            word = self._category("WORD")
            sides = [0 <= i < len(text) and word(text[i]) for i in (position - 1, position)]
            return (sides[0] != sides[1]) != ("NON" in where)
        lines = bool(self.flags & re.MULTILINE)
        if where.startswith("AT_BEGINNING"):
            return position == 0 or (lines and where == "AT_BEGINNING" and text[position - 1] == "\n")
        if where == "AT_END_STRING":
            return position == len(text)
        return position == len(text) or (
            text[position] == "\n" and (lines or position + 1 == len(text))
        )


def _turned(
    instruction: Instruction, at: int, position: int, marks: Any, stack: list[tuple[int, int, Any]]
) -> tuple[int, Any]:
    """Where to go on and with which marks, after an instruction that reads nothing."""
    kind = instruction[0]
    if kind == "split":
        stack.append((instruction[2], position, marks))
        return instruction[1], marks
    if kind == "jump":
        return instruction[1], marks
    if kind == "remember":
        return at + 1, (position, marks)
    if kind == "open":
        return at + 1, (len(stack), marks)
    before, rest = marks
    if kind == "again":  # an empty turn of a loop is the last one
        return (instruction[1] if position != before else at + 1), rest
    del stack[before:]  # "close": what lies within is tried no other way
    return at + 1, rest


def steps(
    pattern: str | bytes, text: str, flags: int = 0, *, how: str = "search", limit: int = 3_000_000
) -> int:
    """How many steps a plain backtracking matcher takes.

    Args:
        pattern: the regular expression.
        text: what it is held against.
        flags: of `re`.
        how: "match", "fullmatch", or "search" from every position, as finditer does.
        limit: give up after so many.

    Raises:
        TooMany: it gave up.
    """
    count = [0]
    _spans(_Program(pattern, flags), text, how, count, limit)
    return count[0]


def spans(
    pattern: str | bytes, text: str, flags: int = 0, *, how: str = "search"
) -> list[tuple[int, int]]:
    """Where the pattern matches, as `re` should say: its spans."""
    return _spans(_Program(pattern, flags), text, how, [0], 3_000_000)


def _spans(
    program: _Program, text: str, how: str, count: list[int], limit: int
) -> list[tuple[int, int]]:
    if how != "search":
        end = program.run(text, 0, count, limit, whole=how == "fullmatch")
        return [] if end is None else [(0, end)]
    found: list[tuple[int, int]] = []
    position = 0
    while position <= len(text):
        end = program.run(text, position, count, limit, whole=False)
        if end is not None:
            found.append((position, end))
        position = end if end is not None and end > position else position + 1
    return found


def hostile(pattern: str | bytes, flags: int = 0) -> list[Callable[[int], str]]:
    """Texts of any length, made from what the pattern repeats, what it begins with, and the rest.

    One character of each kind that its repetitions tell apart, an example of each repetition's body and
    of what comes before it: by themselves, in turns and in two halves; after an example of what comes
    before the repetition; with an end that fits and one that does not.
    """
    program = _Program(pattern, flags)
    kinds: dict[tuple[bool, ...], str] = {}
    for character in sorted(_ANYTHING, key=lambda c: (not c.isalnum(), not c.isprintable())):
        if any(test(character) for test in program.repeated):
            kinds.setdefault(tuple(test(character) for test in program.atoms), character)
    examples = list(dict.fromkeys(_examples(program, program.whole, "")))
    before = list(dict.fromkeys(["", *(prefix for prefix, _ in examples)]))[:5]
    bodies = list(dict.fromkeys(body for _, body in examples if len(body) > 1))[:5]
    units = list(dict.fromkeys(["\0", *kinds.values(), *before[1:], *bodies]))[:16]
    ends = ["", "\0"]

    def text(first: str, one: str, two: str, last: str) -> Iterator[Callable[[int], str]]:
        yield lambda n: first + ((one + two) * n)[: max(n - len(first) - len(last), 0)] + last
        if two:
            yield lambda n: first + (one * n)[: n // 2] + (two * n)[: n // 2] + last

    return [
        made
        for first in before
        for one in units
        for two in ["", *(unit for unit in units if unit != one)]
        for last in (ends if not two else ends[-1:])
        for made in text(first, one, two, last)
    ]


def _examples(program: _Program, tree: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """What comes before each repetition, and a text that one turn of it takes."""
    for operation, argument in tree:
        name = str(operation)
        for body in [argument[1]] if name.startswith("ASSERT") else _bodies(name, argument):
            yield from _examples(program, body, prefix)
            if name.endswith("REPEAT") and argument[1] > _MANY:
                yield prefix, _example(program, body)
        prefix += _example(program, [(operation, argument)])
    yield "", prefix  # the whole


def _bodies(name: str, argument: Any) -> Sequence[Any]:
    if name == "BRANCH":
        bodies: Sequence[Any] = argument[1]
        return bodies
    if name.endswith("REPEAT"):
        return [argument[2]]
    if name == "SUBPATTERN":
        return [argument[-1]]
    return [argument] if name == "ATOMIC_GROUP" else []


def _example(program: _Program, tree: Any) -> str:
    made = ""
    for operation, argument in tree:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            test = program.test_of(name, argument)
            made += next((c for c in reversed(_ANYTHING) if c.isprintable() and test(c)), "\n")
        elif name.endswith("REPEAT"):
            made += _example(program, argument[2]) * max(argument[0], 1)
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"):
            made += _example(program, _bodies(name, argument)[0])
    return made
