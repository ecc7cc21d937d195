"""guard as it is installed: what its start imports, and the single file for hosts without pip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNAPSHOT = ROOT / "examples" / "snapshots" / "mixed-backup-running.json"

installs = pytest.mark.skipif(
    not os.environ.get("GUARD_TEST_INSTALL"), reason="needs a package index: GUARD_TEST_INSTALL=1"
)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # Coverage, where it follows child processes, imports modules of its own there.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=inherited | environment,
        cwd=ROOT,
    )


HEAVY = (
    "pydantic",
    "jinja2",
    "psycopg",
    "tenacity",
    "structlog",
    "cronsim",
    "tomllib",
    "importlib.resources",
)


def test_the_version_costs_no_library() -> None:
    code = (
        "import atexit, sys; sys.argv = ['guard', '--version']\n"
        "from guard.cli import main\n"
        f"heavy = {(*HEAVY, 'typer', 'msgspec')!r}\n"
        "atexit.register(lambda: print([n for n in heavy if n in sys.modules], file=sys.stderr))\n"
        "main()\n"
    )
    done = python("-c", code)
    assert done.stdout.startswith("guard ")
    assert done.stderr.strip() == "[]"


def test_a_judged_snapshot_needs_no_connection_library() -> None:
    code = (
        "import atexit, sys\n"
        f"sys.argv = ['guard', 'check', '--snapshot', {str(SNAPSHOT)!r}, '--no-policy']\n"
        "from guard.cli import main\n"
        f"heavy = {HEAVY!r}\n"
        "atexit.register(lambda: print([n for n in heavy if n in sys.modules], file=sys.stderr))\n"
        "main()\n"
    )
    done = python("-c", code)
    assert done.returncode == 10
    assert done.stderr.strip().endswith("[]")


@installs
def test_typer_is_held_back_as_long_as_it_must_be(tmp_path: Path) -> None:
    """Fails when the newest Typer no longer imports pydantic: then the cap in pyproject.toml can go."""
    done = python("-m", "pip", "install", "-q", "--target", str(tmp_path), "--upgrade", "typer")
    if done.returncode:
        pytest.skip(f"the newest Typer could not be installed: {done.stderr[-200:]}")
    code = (
        "import sys, typer\napp = typer.Typer()\n"
        "@app.command()\ndef f(x: int = typer.Option(1)): pass\n"
        "typer.main.get_command(app)(['--x', '2'], standalone_mode=False)\n"
        "print(any(n.startswith('pydantic') for n in sys.modules))"
    )
    assert python("-c", code, PYTHONPATH=str(tmp_path)).stdout.strip() == "True"


@installs
def test_the_single_file_judges_as_the_installed_one(tmp_path: Path) -> None:
    """Built as the README says, and run by a Python that has none of guard's libraries."""
    single = tmp_path / "guard.pyz"
    shiv = Path(sys.executable).parent / "shiv"
    if not shiv.exists():
        pytest.skip("shiv is not installed (it is the extra `package`)")
    built = subprocess.run(
        [str(shiv), "-q", "-c", "guard", "-o", str(single), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert single.exists(), built.stderr
    home = {"HOME": str(tmp_path), "SHIV_ROOT": str(tmp_path / "shiv"), "PYTHONPATH": ""}
    done = python("-I", str(single), "check", "--snapshot", str(SNAPSHOT), "--no-policy", **home)
    assert done.returncode == 10, done.stderr
    assert done.stdout.startswith("BLOCK: ")
