"""examples/container/Dockerfile without a container engine: the same commands, in a folder of their
own; and the lock files. GUARD_TEST_INSTALL=1 allows what needs a package index.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.examples.test_pipelines import bash, install

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "examples" / "container" / "Dockerfile"
LOCK = ROOT / "examples" / "requirements.txt"
BUILD_LOCK = ROOT / "examples" / "container" / "build-requirements.txt"
NOBODY = 65532


def reachable_python() -> str:
    """A Python that another user can run too, if there is one; otherwise this one."""
    own = str(getattr(sys, "_base_executable", sys.executable))
    for python in (own, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            subprocess.run(
                [python, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"],
                env={}, cwd="/", check=True, capture_output=True, **other_user(),
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return own


def other_user() -> dict[str, Any]:
    """How subprocess runs something as nobody, where we may."""
    return {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}


needs_index = pytest.mark.skipif(
    os.environ.get("GUARD_TEST_INSTALL") != "1", reason="needs a package index: GUARD_TEST_INSTALL=1"
)


def locked(lock: Path) -> dict[str, str]:
    """Version by name; every line of them has a hash."""
    entries = re.findall(
        r"^([A-Za-z0-9._-]+)==(\S+)[^\n]*\\\n((?:    --hash=sha256:\S+.*\n)+)", lock.read_text(), re.M
    )
    assert len(entries) == len(re.findall(r"^[A-Za-z]", lock.read_text(), re.M))
    return {canonicalize_name(name): version for name, version, _ in entries}


@pytest.mark.parametrize("lock", [LOCK, BUILD_LOCK], ids=lambda path: path.name)
def test_the_lock_files_hold_what_is_needed(lock: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = (
        project["build-system"]["requires"]
        if lock == BUILD_LOCK
        else project["project"]["dependencies"]
    )
    versions = locked(lock)
    for each in map(Requirement, wanted):
        version = versions.get(canonicalize_name(each.name))
        assert version is not None, f"make {lock.name} anew, by its first lines: {each}"
        assert version in each.specifier, f"make {lock.name} anew, by its first lines: {each}"


def stage() -> tuple[list[tuple[str, str]], list[str]]:
    """The build stage's instructions, and the lines of the final one."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    build, final = re.split(r"^FROM .*$", text, flags=re.M)[1:]
    found = re.findall(r"^(COPY|RUN) (.*)$", build, re.M)
    assert {"COPY", "RUN"} == {name for name, _ in found}
    return found, final.strip().splitlines()


def test_the_image_runs_as_nobody_with_no_tools_left() -> None:
    _, final = stage()
    assert "USER 65532:65532" in final
    assert 'ENTRYPOINT ["guard"]' in final
    assert any(line.startswith("RUN python -m pip uninstall") for line in final)
    assert [line for line in final if line.startswith("COPY")] == [
        "COPY --from=build /opt/guard /opt/guard"
    ]
    assert not [line for line in final if line.startswith("ENV") and "HOME" in line]


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """What the build stage leaves, by its own commands: `opt` for /opt, `src` for /src."""
    folder = Path(tempfile.mkdtemp(prefix="guard-image-"))  # the other user has to reach it
    folder.chmod(0o755)
    try:
        (folder / "src").mkdir()
        (folder / "opt").mkdir()
        tools = folder / "bin"
        tools.mkdir()
        (tools / "python").symlink_to(reachable_python())
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(folder)}
        environment |= {
            k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "http", "HTTP"))
        }
        for name, rest in stage()[0]:
            if name == "RUN":
                command = rest.replace("/opt/", f"{folder}/opt/")
                subprocess.run(
                    ["bash", "-euc", command], cwd=folder / "src", env=environment, check=True
                )
                continue
            *sources, target = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, folder / "src" / target,
                                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
                else:
                    shutil.copy(ROOT / source, folder / "src" / target)
        yield folder
    finally:
        shutil.rmtree(folder)


@needs_index
def test_the_image_s_guard_runs_as_another_user_without_a_home(image: Path) -> None:
    guard = image / "opt" / "guard" / "bin" / "guard"
    snapshot = (ROOT / "examples" / "snapshots" / "mixed-backup-running.json").read_bytes()
    before = sorted(p for p in image.rglob("*"))
    done = subprocess.run(
        [str(guard), "check", "--snapshot", "-", "--format", "json"],
        input=snapshot, capture_output=True, env={}, cwd="/", check=False, timeout=120, **other_user(),
    )  # fmt: skip
    assert done.returncode == 10, done.stderr
    assert json.loads(done.stdout)["verdict"] == "block"
    assert sorted(p for p in image.rglob("*")) == before  # nothing is written: a read-only root will do
    assert not (image / "opt" / "guard" / "bin" / "pip").exists()


@needs_index
def test_the_action_installs_the_wheel_and_its_locked_packages(image: Path, tmp_path: Path) -> None:
    [wheel] = (image / "src" / "dist").glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert install(tmp_path, wheel, digest[:-1] + ("0" if digest[-1] != "0" else "1")).returncode != 0
    done = install(tmp_path, wheel, digest)
    assert done.returncode == 0, done.stderr
    folder = (tmp_path / "github_output").read_text().split("folder=")[-1].strip()
    assert bash(f"{folder}/guard --version", tmp_path).returncode == 0
