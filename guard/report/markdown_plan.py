"""The answer of ``guard plan`` as Markdown: one table of the hops, what lies behind each folded away.

Made of the command's JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from guard.report.markdown_text import Markdown, code, details, inline, link, table

__all__ = ["render"]

_EMPTY: Final = Markdown("")
_ANSWERS: Final = {"yes": "there is a way", "no": "there is no way"}


def render(plan: Mapping[str, Any]) -> str:
    """The plan, from what ``guard plan --format json`` prints."""
    verdict = _ANSWERS.get(plan["answer"], "UNKNOWN")
    if plan.get("instead"):
        verdict = f"the way leads to {inline(plan['instead'])}, not to what was asked"
    lines = [
        Markdown(f"## guard plan: {verdict}"),
        _EMPTY,
        *_facts(plan),
        *_hops(plan["hops"]),
    ]
    for number, hop in enumerate(plan["hops"], start=1):
        title = f"{number}. {inline(hop['from'])} to {inline(hop['to'])}: {inline(hop['release'])}"
        lines += details(Markdown(title), _story(hop))
    return "\n".join(lines).rstrip("\n") + "\n"


def _facts(plan: Mapping[str, Any]) -> Iterator[Markdown]:
    rows = [
        ("from", plan["standing"] or plan["from"]),
        ("to", plan["to"]),
        ("why", plan["reason"]),
        ("releases known until", plan["releases_until"]),
        ("advisories known until", plan["advisories_until"]),
        ("exit code", plan["exit_code"]),
    ]
    yield from table(("asked", "answer"), [(inline(name), inline(value)) for name, value in rows])
    yield _EMPTY


def _hops(hops: list[Mapping[str, Any]]) -> Iterator[Markdown]:
    if not hops:
        return
    rows = [
        (
            inline(f"{hop['from']} to {hop['to']}"),
            inline(hop["release"]),
            inline("; ".join(hop["keep_way_back"])),
            inline("; ".join(hop["finalize"])),
        )
        for hop in hops
    ]
    yield from table(("hop", "install", "before", "finalize"), rows)
    yield _EMPTY
    yield Markdown("Each hop ends with its finalization: there is no way back after it.")
    yield _EMPTY


def _story(hop: Mapping[str, Any]) -> Iterator[Markdown]:
    yield from (Markdown(f"- why: {inline(reason)}") for reason in hop["reasons"])
    for preparation in hop["before"]:
        release, reason = inline(preparation["release"]), inline(preparation["reason"])
        yield Markdown(f"- first: patch {inline(hop['from'])} to {release}: {reason}")
        for met in preparation["advisories"]:
            yield from _advisory(met) if met["steps"] else ()
    yield from (Markdown(f"- before: {code(command)}") for command in hop["keep_way_back"])
    still = [met["id"] for met in hop["advisories"] if _is_nothing_new(met)]
    for met in hop["advisories"]:
        yield from _advisory(met) if met["id"] not in still else ()
    if still:
        release = inline(hop["release"])
        yield Markdown(f"- still: {release} is affected, as before, by {inline(', '.join(still))}")
    if hop["nodes_left"]:
        yield Markdown(f"- still to restart: {inline(', '.join(hop['nodes_left']))}")
    yield from (Markdown(f"- finalize: {code(command)}") for command in hop["finalize"])
    if hop["finalize"]:
        yield Markdown(f"- backups: restorable afterwards: {inline(', '.join(hop['restorable']))}")
    yield from (Markdown(f"- archive: {inline(text)}") for text in hop["archive"])


def _is_nothing_new(met: Mapping[str, Any]) -> bool:
    """True for a defect that every node has already and that bites in no step."""
    return bool(met["affected_before"]) and not met["steps"]


def _advisory(met: Mapping[str, Any]) -> Iterator[Markdown]:
    kind = "advisory" if met["steps"] else "affected"
    title = f"{inline(met['id'])}: {inline(met['title'])}; {inline(met['reason'])}"
    yield Markdown(f"- {kind}: {title} ({link(met['docs'])})")
    if not met["steps"]:
        return
    if met["conditions"]:
        yield Markdown(f"  - counts if {inline(met['conditions'])}")
    yield Markdown(f"  - {inline(met['mitigation']['text'])}")
    yield from (Markdown(f"  - {code(command)}") for command in met["mitigation"].get("commands", ()))
