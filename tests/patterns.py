"""Every regular expression in guard's modules, with its flags and how it is used: found, not listed."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import guard

__all__ = ["Pattern", "every_pattern"]

_FLAGS_AT: Final = {
    "compile": 1, "match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2,
    "split": 3, "sub": 4, "subn": 4,
}  # fmt: skip
_MAY_HAVE_ONE: Final = re.compile(r"\bre\.|\bMeta\(")
"""Of a module's text: most have none, and to read their trees takes seconds in each process."""
_ANCHORED: Final = ("match", "fullmatch")
_USES: Final = frozenset(_FLAGS_AT) - {"compile"}


@dataclass(frozen=True)
class Pattern:
    """A regular expression. `how` is "match", "fullmatch" or "search"."""

    module: str
    text: str | bytes
    flags: int
    how: str

    def __str__(self) -> str:
        return f"{self.module.removeprefix('guard.')} {self.text!r} {self.how}"


def every_pattern() -> list[Pattern]:
    """All of them, in the order of the modules."""
    found: dict[Pattern, None] = {}
    for info in pkgutil.walk_packages(guard.__path__, "guard."):
        spec = info.module_finder.find_spec(info.name, None)
        text = Path(str(spec and spec.origin)).read_text()
        if _MAY_HAVE_ONE.search(text) and info.name != "guard.__main__":
            found |= dict.fromkeys(_of_module(info.name, text))
    return list(found)


def _of_module(name: str, source: str) -> Iterator[Pattern]:
    module = import_module(name)
    tree = ast.parse(source)
    for scope, call in _calls(tree):
        function = call.func
        if isinstance(function, ast.Name | ast.Attribute) and _last(function) == "Meta":
            for keyword in call.keywords:
                if keyword.arg == "pattern":
                    yield Pattern(name, eval(ast.unparse(keyword.value), vars(module)), 0, "search")
            continue
        if not (isinstance(function, ast.Attribute) and ast.unparse(function.value) == "re"):
            continue
        if function.attr not in _FLAGS_AT:
            continue
        flags = _flags(call, _FLAGS_AT[function.attr], vars(module))
        for text in _values(call.args[0], scope, vars(module)):
            for how in _how(function.attr, call, tree):
                yield Pattern(name, text, flags, how)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Every call, with the innermost function around it."""

    def walk(node: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef) else scope
            if isinstance(child, ast.Call):
                yield inner, child
            yield from walk(child, inner)

    return walk(tree, tree)


def _last(function: ast.Name | ast.Attribute) -> str:
    return function.id if isinstance(function, ast.Name) else function.attr


def _flags(call: ast.Call, place: int, names: dict[str, Any]) -> int:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "flags"]
    if not given and len(call.args) > place:
        given = [call.args[place]]
    return int(eval(ast.unparse(given[0]), names)) if given else 0


def _values(node: ast.expr, scope: ast.AST, names: dict[str, Any]) -> Iterable[str | bytes]:
    """The texts that an expression stands for; of a loop's variable, all that it takes."""
    try:
        value = eval(ast.unparse(node), names)
    except NameError:
        assert isinstance(node, ast.Name), f"which pattern is this? {ast.unparse(node)}"
        return _of_loops(node.id, scope, names)
    return [value.pattern if isinstance(value, re.Pattern) else value]


def _of_loops(name: str, scope: ast.AST, names: dict[str, Any]) -> list[str | bytes]:
    found: list[str | bytes] = []
    for node in ast.walk(scope):
        if isinstance(node, ast.For | ast.comprehension):
            targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
            for place, target in enumerate(targets):
                if isinstance(target, ast.Name) and target.id == name:
                    items = list(eval(ast.unparse(node.iter), names))
                    found += [item[place] if len(targets) > 1 else item for item in items]
    assert found, f"which pattern is this? {name}"
    return found


def _how(function: str, call: ast.Call, tree: ast.Module) -> set[str]:
    """How it is held against a text; whatever cannot be told from the module is a search."""
    if function != "compile":
        return {function if function in _ANCHORED else "search"}
    name = next(
        (
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is call
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        ),
        None,
    )
    uses = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        and node.attr in _USES
    }
    passed_on = sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    ) > sum(
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
        for node in ast.walk(tree)
    )
    if not uses or passed_on:
        return {"search"}
    return {use if use in _ANCHORED else "search" for use in uses}
