"""The GitHub action and the GitLab component: their steps, run by bash as the runners run them, and
their files against the published schemas.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
ACTION = EXAMPLES / "github-action" / "action.yml"
WORKFLOW = EXAMPLES / "github-action" / "upgrade-gate.yml"
COMPONENT = EXAMPLES / "gitlab-component" / "templates" / "upgrade-gate.yml"
PIPELINE = EXAMPLES / "gitlab-component" / "gitlab-ci.yml"
BESIDE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

yaml = pytest.importorskip("yaml", reason="pip install '.[examples]'")
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the steps need bash")

# What stands for guard: it notes its arguments, what it was given, and how that may be read.
STUB = """
import os, pathlib, sys
arguments = sys.argv[1:]
if "--version" in arguments:
    sys.exit()
found = [" ".join(arguments), os.environ.get("GUARD_URL", "")]
folders = [arguments[i + 1] for i, a in enumerate(arguments) if a == "--certs-dir"]
files = [f for d in folders for f in sorted(pathlib.Path(d).iterdir())]
if "PGPASSFILE" in os.environ:
    files.append(pathlib.Path(os.environ["PGPASSFILE"]))
for file in files:
    found.append(f"{file.name} {file.stat().st_mode & 0o777:o} {file.read_text().strip()}")
found += [n for n in ("CA", "CLIENT_KEY", "PASSFILE") if n in os.environ]
pathlib.Path(os.environ["NOTES"]).write_text("\\n".join(found))
for i, a in enumerate(arguments):
    if a == "-o":
        pathlib.Path(arguments[i + 1]).write_text("the reason\\n")
print("the reason")
sys.exit(int(os.environ["ANSWER"]))
"""
CERTIFICATES = [
    "ca.crt 600 ca",
    "client.guard.crt 600 cert",
    "client.guard.key 600 key",
    "passfile 600 pass",
]


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": BESIDE, "HOME": str(folder), "RUNNER_TEMP": str(folder), "TMPDIR": str(folder)}
    files = {
        name: str(folder / name.lower()) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "NOTES")
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=folder,
        env=kept | files | environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def step(name: str) -> str:
    """The script of one step of the action."""
    [found] = [s for s in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if s.get("id") == name]
    return str(found["run"])


def component() -> list[Any]:
    """Header and job of the GitLab component."""
    return list(yaml.safe_load_all(COMPONENT.read_text()))


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    file = tmp_path / "guard-stub.pyz"
    file.write_text(STUB)
    return file


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def install(folder: Path, source: Path, digest: str) -> subprocess.CompletedProcess[str]:
    lock = EXAMPLES / "requirements.txt"
    return bash(step("install"), folder, SOURCE=str(source), SHA256=digest, REQUIREMENTS=str(lock))


def test_the_action_runs_nothing_that_has_another_hash(tmp_path: Path, stub: Path) -> None:
    assert install(tmp_path, stub, "0" * 64).returncode != 0
    assert install(tmp_path, stub, "").returncode != 0
    assert install(tmp_path, stub, sha256(stub)).returncode == 0


@pytest.mark.parametrize("answer", [0, 10, 11, 2])
def test_the_action_leaves_with_guards_answer(tmp_path: Path, stub: Path, answer: int) -> None:
    assert install(tmp_path, stub, sha256(stub)).returncode == 0
    folder = (tmp_path / "github_output").read_text().strip().removeprefix("folder=")
    done = bash(
        step("ask"), tmp_path, FOLDER=folder, STEP="next-node", TARGET="v21.2.17", NODE="3", WAIT="30m",
        SETTLE="15s", GUARD_URL="postgresql://guard@db/", GUARD_USER="guard", CA="ca",
        CLIENT_CERT="cert", CLIENT_KEY="key", PASSFILE="pass", ANSWER=str(answer),
    )  # fmt: skip
    assert done.returncode == answer
    assert "the reason" in done.stdout
    arguments, url, *files = (tmp_path / "notes").read_text().splitlines()
    assert (
        "check --step next-node --target v21.2.17 --wait 30m --settle 15s --format github" in arguments
    )
    assert "--node 3" in arguments
    assert url == "postgresql://guard@db/"
    assert files == CERTIFICATES
    assert f"exit-code={answer}" in (tmp_path / "github_output").read_text()
    assert (tmp_path / "github_step_summary").read_text() == "the reason\n"
    assert not list(tmp_path.glob("secrets.*"))


@pytest.mark.parametrize("answer", [0, 10, 11, 2])
@pytest.mark.parametrize("url_as", ["variable", "file"])
def test_the_component_leaves_with_guards_answer(
    tmp_path: Path, stub: Path, answer: int, url_as: str
) -> None:
    given = {}
    for name, text in (
        ("COCKROACH_CA", "ca"), ("COCKROACH_GUARD_CERT", "cert"), ("COCKROACH_GUARD_KEY", "key"),
        ("GUARD_PASSFILE", "pass"), ("GUARD_URL", "postgresql://guard@db/"),
    ):  # fmt: skip
        file = tmp_path / f"{name}.tmp"
        file.write_text(text + "\n")
        file.chmod(0o666)  # as GitLab lays them down
        given[name] = str(file)
    if url_as == "variable":
        given["GUARD_URL"] = "postgresql://guard@db/"
    [script] = component()[1]["upgrade-gate"]["script"]
    done = bash(
        script, tmp_path, SOURCE=str(stub), SHA256=sha256(stub), STEP="finalize", TARGET="v21.2.17",
        NODE="", WAIT="30m", SETTLE="15s", GUARD_USER="guard", ANSWER=str(answer), **given,
    )  # fmt: skip
    assert done.returncode == answer, done.stderr
    assert "the reason" in done.stdout
    arguments, url, *files = (tmp_path / "notes").read_text().splitlines()
    assert arguments.startswith("check --step finalize --target v21.2.17 --wait 30m --settle 15s")
    assert url == "postgresql://guard@db/"
    assert files == CERTIFICATES
    assert (tmp_path / "guard.xml").exists()
    assert not [p for p in tmp_path.glob("tmp.*") if p.is_dir()]


def test_the_component_runs_nothing_that_has_another_hash(tmp_path: Path, stub: Path) -> None:
    [script] = component()[1]["upgrade-gate"]["script"]
    done = bash(script, tmp_path, SOURCE=str(stub), SHA256="0" * 64, GUARD_URL="x")
    assert done.returncode != 0
    assert not (tmp_path / "notes").exists()


def schema(name: str, *files: Path, more: tuple[str, ...] = ()) -> None:
    command = shutil.which("check-jsonschema", path=BESIDE)
    if command is None:
        pytest.skip("check-jsonschema: pip install '.[examples]'")
    subprocess.run([command, "--builtin-schema", name, *more, *map(str, files)], check=True)


def test_the_files_are_valid(tmp_path: Path) -> None:
    schema("vendor.github-actions", ACTION)
    schema("vendor.github-workflows", WORKFLOW)
    header, job = component()
    for name, declared in header["spec"]["inputs"].items():
        assert declared.get("options") or "default" in declared or declared["description"], name
    rendered = tmp_path / "job.yml"
    rendered.write_text(yaml.safe_dump(job))
    schema("vendor.gitlab-ci", rendered, PIPELINE, more=("--data-transform", "gitlab-ci"))


def test_workflow_and_action_agree() -> None:
    action = yaml.safe_load(ACTION.read_text())
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    [used] = [s for s in steps if s.get("id") == "gate"]
    assert set(used["with"]) <= set(action["inputs"])
    assert {n for n, i in action["inputs"].items() if i.get("required")} <= set(used["with"])
    # Every action is pinned to a commit.
    foreign = [s["uses"] for s in steps if "uses" in s and not s["uses"].startswith("./")]
    assert foreign
    for each in foreign:
        assert len(each.split("@")[1]) == 40


def test_pipeline_and_component_agree() -> None:
    header, job = component()
    [included] = yaml.safe_load(PIPELINE.read_text())["include"]
    declared = header["spec"]["inputs"]
    assert {n for n, i in declared.items() if "default" not in i} == set(included["inputs"])
    text = COMPONENT.read_text()
    assert all(f"$[[ inputs.{name} ]]" in text for name in declared)
    assert job["upgrade-gate"]["allow_failure"] is False


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_has_nothing_to_say() -> None:
    subprocess.run(["actionlint", str(WORKFLOW)], check=True)


def test_scripts_are_executable() -> None:
    for script in EXAMPLES.rglob("*.sh"):
        assert script.stat().st_mode & stat.S_IXUSR, script
