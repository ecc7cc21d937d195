"""guard schema windows, plan and restore: what the commands print fits, and no key is missing there."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from guard.snapshot.file import encode
from tests import building as b


def run(command: str, *arguments: str) -> dict[str, Any]:
    module = importlib.import_module(f"guard.cli.commands.{command}")
    result = CliRunner().invoke(module.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


BUSY = b.snapshot(
    jobs=[b.job(5)], schedules=[b.schedule(1, b.NOW + b.minutes(60)), b.schedule(2, None)]
)
MIXED = b.snapshot([b.node(1, "v21.1.12"), b.node(2, "v21.2.0")], version="21.1")
COMMANDS = [
    ("windows", "--snapshot", "busy.json", "--duration", "10m"),
    ("windows", "--snapshot", "blind.json", "--duration", "10m"),
    ("plan", "--snapshot", "mixed.json", "--to", "v22.1"),
    ("plan", "--from", "v21.1.7", "--to", "v21.2.0"),
    ("plan", "--from", "v22.1.7", "--to", "v21.2"),
    ("plan", "--from", "v24.1.3", "--to", "v26.2"),
    ("restore", "--backup", "v21.1", "--into", "v21.2"),
    ("restore", "--backup", "v20.1", "--into", "v26.2", "--full-cluster"),
    ("restore", "--backup", "v26.9", "--into", "v26.9"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_printed_fits_the_published_schema(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blind = b.snapshot(admin=False, user="guard")
    for name, seen in (("busy", BUSY), ("mixed", MIXED), ("blind", blind)):
        Path(f"{name}.json").write_bytes(encode(seen))
    printed = run(*command, "--format", "json")
    schema = run("schema", command[0])
    jsonschema.Draft202012Validator(schema).validate(printed)
    _no_key_is_unpublished(printed, schema, schema)


def _no_key_is_unpublished(value: Any, schema: Any, root: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema and value is not None:
        schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
        _no_key_is_unpublished(value, schema, root)
    elif isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"])
        for key, inner in value.items():
            _no_key_is_unpublished(inner, schema["properties"][key], root)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for each in value:
            _no_key_is_unpublished(each, schema["items"], root)
